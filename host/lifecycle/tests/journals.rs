//! Stored journals are promises: each journal under `fixtures/journals` was written by a released record
//! version and folds to the words beside it for ever. The spelling of every stored word is checked here too,
//! because no journal holds them all.
//!
//! When a new version writes something else, add a journal with its number in the name; never change one.

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::{Applied, FailureKind, FailurePolicy, Verdict};
use reprise_lifecycle::id::BroadcastId;
use reprise_lifecycle::question::{Answer, CallbackAnswer, ComposeAnswer, GapRule, Hook, TemplateGroupAnswer};
use reprise_lifecycle::record::{
    CloseCause, EndCause, LeaveCause, Record, Resolution, Subject, VERSION, WorkFailure, WorkResult,
};
use reprise_lifecycle::replay;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Name, the broadcast's id, the journal, and the words it folds to.
const JOURNALS: [(&str, &str, &str, &str); 3] = [
    (
        "v1-reconnect",
        "00000000000000000000000000000000",
        include_str!("fixtures/journals/v1-reconnect.jsonl"),
        include_str!("fixtures/journals/v1-reconnect.txt"),
    ),
    (
        "v1-composed",
        "00000000000000000000000000000008",
        include_str!("fixtures/journals/v1-composed.jsonl"),
        include_str!("fixtures/journals/v1-composed.txt"),
    ),
    (
        "v1-trouble",
        "0000000000000000000000000000000d",
        include_str!("fixtures/journals/v1-trouble.jsonl"),
        include_str!("fixtures/journals/v1-trouble.txt"),
    ),
];

fn read(journal: &str) -> Vec<Record> {
    let lines = journal.lines();
    lines.map(|line| serde_json::from_str(line).expect("a record")).collect()
}

#[test]
fn old_journals_fold_to_the_same_words() {
    for (name, id, journal, words) in JOURNALS {
        let records = read(journal);
        let id = BroadcastId::new(id);
        let broadcast = Broadcast::fold(id.clone(), &records).unwrap().unwrap();
        let now = replay::explain(&id, &records) + "\n" + &replay::describe(&broadcast);
        for (now, then) in now.lines().zip(words.lines()) {
            assert_eq!(now, then, "{name}");
        }
        assert_eq!(now.lines().count(), words.lines().count(), "{name}");
        assert!(broadcast.is_settled(), "{name}");
    }
}

/// While a version is the current one, what is read is written again to the letter.
#[test]
fn journals_of_this_version_are_written_as_they_were() {
    let prefix = format!("v{VERSION}-");
    let current = JOURNALS.iter().filter(|it| it.0.starts_with(&prefix));
    let mut lines = 0;
    for (name, _, journal, _) in current {
        for (line, record) in journal.lines().zip(read(journal)) {
            assert_eq!(serde_json::to_string(&record).unwrap(), line, "{name}");
            lines += 1;
        }
    }
    assert!(lines > 0, "no journal of version {VERSION}");
}

#[test]
fn the_journals_hold_every_kind_of_record() {
    let all: Vec<Value> = JOURNALS
        .iter()
        .flat_map(|(_, _, journal, _)| journal.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds = [
        "opened",
        "publisher_joined",
        "publisher_left",
        "part_opened",
        "part_closed",
        "part_dropped",
        "ended",
        "decided",
        "output_finished",
        "cover_finished",
        "compose_finished",
    ];
    for kind in kinds {
        assert!(all.iter().any(|it| it["kind"] == kind), "{kind}");
    }
    assert!(all.iter().all(|it| kinds.iter().any(|kind| it["kind"] == *kind)));
}

#[track_caller]
fn spelled<T: Serialize + DeserializeOwned>(word: T, stored: Value) {
    assert_eq!(serde_json::to_value(&word).expect("it has a stored form"), stored);
    let back: T = serde_json::from_value(stored.clone()).expect("a known word");
    assert_eq!(serde_json::to_value(back).expect("it has a stored form"), stored);
}

#[test]
fn every_stored_word_is_spelled_as_ever() {
    spelled(LeaveCause::Unpublished, json!("unpublished"));
    spelled(LeaveCause::Disconnected, json!("disconnected"));
    spelled(LeaveCause::Refused, json!("refused"));
    spelled(LeaveCause::Storage, json!("storage"));
    spelled(LeaveCause::ServerStopped, json!("server_stopped"));
    spelled(LeaveCause::Dropped, json!("dropped"));
    spelled(CloseCause::Cycle, json!("cycle"));
    spelled(CloseCause::CodecChanged, json!("codec_changed"));
    spelled(CloseCause::Stopped, json!("stopped"));
    spelled(CloseCause::Ended, json!("ended"));
    spelled(EndCause::BreakWindow, json!("break_window"));
    spelled(EndCause::Forbidden, json!("forbidden"));
    spelled(EndCause::Shutdown, json!("shutdown"));
    spelled(Subject::Compose, json!("compose"));
    spelled(Resolution::Nothing, json!("nothing"));
    spelled(WorkResult::Done(7), json!({"done": 7}));
    let failure = WorkFailure { code: "C".to_owned(), message: "m".to_owned() };
    spelled(WorkResult::<u8>::Failed(failure.clone()), json!({"failed": {"code": "C", "message": "m"}}));
    spelled(Resolution::Refused(failure), json!({"refused": {"code": "C", "message": "m"}}));
    spelled(Hook::TemplateGroup, json!("template-group"));
    spelled(Hook::ComposeRules, json!("compose-rules"));
    spelled(Hook::Callback, json!("callback"));
    spelled(GapRule::Cut, json!("cut"));
    spelled(GapRule::Hold, json!("hold"));
    spelled(GapRule::Slate, json!("slate"));
}

#[test]
fn every_stored_word_of_a_decision_is_spelled_as_ever() {
    spelled(Applied::Answer, json!("answer"));
    spelled(Applied::Default, json!("default"));
    spelled(Applied::Fallback, json!("fallback"));
    spelled(Applied::Rejected, json!("rejected"));
    spelled(FailurePolicy::Fallback, json!("fallback"));
    spelled(FailurePolicy::Reject, json!("reject"));
    spelled(FailureKind::Trap, json!("trap"));
    spelled(FailureKind::Fuel, json!("fuel"));
    spelled(FailureKind::Deadline, json!("deadline"));
    spelled(FailureKind::Memory, json!("memory"));
    spelled(FailureKind::Stack, json!("stack"));
    spelled(FailureKind::TooLarge, json!("too_large"));
    spelled(FailureKind::BadAnswer, json!("bad_answer"));
    spelled(FailureKind::Refused, json!("refused"));
    spelled(FailureKind::Overloaded, json!("overloaded"));
    spelled(FailureKind::Unavailable, json!("unavailable"));
    spelled(FailureKind::RateLimited, json!("rate_limited"));
    spelled(FailureKind::BreakerOpen, json!("breaker_open"));
    spelled(Verdict::NoPolicy, json!("no_policy"));
    spelled(
        Verdict::Answered(Answer::ComposeRules(ComposeAnswer::Skip)),
        json!({"answered": {"compose-rules": "skip"}}),
    );
    spelled(ComposeAnswer::UseDefault, json!("use_default"));
    spelled(TemplateGroupAnswer::UseDefault, json!("use_default"));
    spelled(TemplateGroupAnswer::Group("g".to_owned()), json!({"group": "g"}));
    spelled(Answer::Callback(CallbackAnswer::Unchanged), json!({"callback": "unchanged"}));
    spelled(CallbackAnswer::Drop, json!("drop"));
}
