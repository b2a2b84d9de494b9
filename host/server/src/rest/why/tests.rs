//! The words for every way in which a decision can come out.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser as _;
use reprise_lifecycle::decision::{
    Applied, CodeSource, Decision, Failure, FailureKind, Provenance, StateWrite, Verdict,
};
use reprise_lifecycle::id::TenantId;
use reprise_lifecycle::question::{
    Answer, CallbackAnswer, CallbackQuestion, ComposeAnswer, ComposePlan, GapRule, Hook, PartRange, Question,
    TemplateGroupAnswer,
};

use super::story::{Asked, Story};
use super::tell::paragraphs;
use super::verdict::{done, failed, mend, tell};
use crate::testkit::World;

fn made() -> Provenance {
    Provenance {
        plugin: "groups".to_owned(),
        version: 3,
        digest: "0123456789abcdef".repeat(4),
        interface: "reprise:policy@0.2.0".to_owned(),
        settings_revision: 4,
        fuel: 31_000,
        elapsed_us: 90,
        log: Vec::new(),
        binding: Some("default".to_owned()),
        rollout: None,
        reason: None,
        code: None,
        state_revision: None,
        writes: Vec::new(),
        granted: None,
    }
}

/// The words for a decision about the first part of a broadcast.
async fn words(
    question: Option<Question>,
    hook: Hook,
    verdict: Verdict,
    applied: Applied,
    made: Option<Provenance>,
) -> String {
    let world = World::new().await;
    world.tenant("acme").await;
    let mut life = world.broadcast("acme", "b1").await;
    let video = life.part(0).await;
    let story = Story {
        broadcast: &life.state,
        video: &life.state.videos[&video],
        title: "",
        groups: BTreeMap::from([("hd".to_owned(), "High".to_owned())]),
        asked: Vec::new(),
        shaped: Vec::new(),
        is_cut: false,
        told: Vec::new(),
    };
    let provenance = made.map(Box::new);
    let decision = Decision { hook, question_digest: "0".repeat(64), verdict, applied, provenance };
    tell(&story, &Asked { id: Some(12), question, decision }, "the record config's group").join("\n")
}

#[test]
fn every_way_to_fail_and_every_thing_done_about_it_has_a_sentence_of_its_own() {
    let all = [Applied::Answer, Applied::Default, Applied::Fallback, Applied::Rejected];
    assert_eq!(FailureKind::ALL.iter().collect::<BTreeSet<_>>().len(), 12);
    let (mut how, mut mended, mut offered) = (BTreeSet::new(), BTreeSet::new(), 0);
    for kind in FailureKind::ALL {
        how.insert(failed(&Failure { kind, message: String::new() }));
        let message = failed(&Failure { kind, message: "unknown group `x`.\n".to_owned() });
        assert!(message.ends_with(": “unknown group `x`”."), "{message}");
        let mend = mend(kind, &TenantId::new("acme"), Some(&made()));
        assert!(mend.starts_with("To mend it: ") && mend.ends_with('.'), "{mend}");
        for command in mend.split('`').filter(|quoted| quoted.starts_with("reprise ") && quoted.contains("groups")) {
            let whole = crate::cli::Cli::try_parse_from(command.replace("FUEL", "1").replace("BYTES", "1").split(' '));
            assert!(whole.is_ok() && command.contains("--tenant acme"), "{command} cannot be copied");
            offered += 1;
        }
        mended.insert(mend);
        let verdict = Verdict::Failed(Failure { kind, message: String::new() });
        for hook in Hook::ALL {
            let sentences: BTreeSet<String> = all.map(|applied| done(hook, &verdict, applied, "DEFAULT")).into();
            assert_eq!(sentences.len(), all.len(), "{kind:?}");
            for (applied, fits) in [(all[0], false), (all[1], false), (all[2], true), (all[3], true)] {
                let sentence = done(hook, &verdict, applied, "DEFAULT");
                assert_eq!(!sentence.contains("do not go together"), fits, "{kind:?} {applied:?}: {sentence}");
            }
        }
    }
    assert_eq!((how.len(), mended.len(), offered), (12, 12, 5));

    let answered = Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::UseDefault));
    for (verdict, fitting) in [(&Verdict::NoPolicy, vec![all[1]]), (&answered, vec![all[0], all[1]])] {
        for applied in all {
            let sentence = done(Hook::TemplateGroup, verdict, applied, "DEFAULT");
            let fits = fitting.contains(&applied);
            assert_eq!(!sentence.contains("do not go together"), fits, "{verdict:?} {applied:?}: {sentence}");
        }
    }
    let rejected = Verdict::Failed(Failure { kind: FailureKind::Trap, message: String::new() });
    let nothing: BTreeSet<String> = Hook::ALL.map(|hook| done(hook, &rejected, Applied::Rejected, "")).into();
    assert_eq!(nothing.len(), 3, "what does not happen is another thing at each hook");
}

#[tokio::test]
async fn a_decision_says_who_what_why_and_at_what_cost() {
    let full = Provenance {
        rollout: Some(7),
        reason: Some("The picture is tall.".to_owned()),
        code: Some(CodeSource::Disk),
        state_revision: Some(5),
        writes: vec![StateWrite { key: "seen".to_owned(), value: Some("1".to_owned()) }],
        log: (0..7).map(|line| format!("line {line}")).collect(),
        ..made()
    };
    let verdict = Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::Group("hd".to_owned())));
    let told = words(None, Hook::TemplateGroup, verdict, Applied::Answer, Some(full)).await;
    assert_eq!(
        told,
        "At the hook `template-group` plugin `groups` version 3 (sha256 0123456789ab…), bound as `default`, was asked with \
         revision 4 of its settings. It was the candidate of rollout 7 and answered in the active version's place \
         (decision 12).\n\
         It answered: group “High” (`hd`).\n\
         Its reason: “The picture is tall”.\n\
         That was done.\n\
         It saw revision 5 of its state and it wrote `seen` to its state.\n\
         It logged “line 0”, “line 1”, “line 2”, “line 3”, “line 4” and 2 lines more.\n\
         The call used 31,000 of fuel and 90 µs; its code came from the cache on disk."
    );
    let nobody = words(None, Hook::ComposeRules, Verdict::NoPolicy, Applied::Default, None).await;
    assert_eq!(
        nobody,
        "At the hook `compose-rules` nobody was asked (decision 12).\n\
         No policy decides this for this stream, so the default applied: the record config's group."
    );
}

#[tokio::test]
async fn a_question_is_put_again_by_commands_that_leave_nothing_open() {
    let world = World::new().await;
    world.tenant("acme").await;
    let mut life = world.broadcast("acme", "b1").await;
    let video = life.part(0).await;
    let question = reprise_policy::sample::question(Hook::TemplateGroup);
    let decision = Decision {
        hook: Hook::TemplateGroup,
        question_digest: "0".repeat(64),
        verdict: Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::UseDefault)),
        applied: Applied::Answer,
        provenance: Some(Box::new(made())),
    };
    let asked = Asked { id: Some(12), question: Some(question), decision };
    let mut story = Story {
        broadcast: &life.state,
        video: &life.state.videos[&video],
        title: "",
        groups: BTreeMap::new(),
        asked: vec![asked],
        shaped: Vec::new(),
        is_cut: false,
        told: Vec::new(),
    };
    let told = |story: &Story<'_>| paragraphs(story).concat().join("\n");
    let again = "To ask again on your own machine: `reprise plugin download groups --tenant acme --version 3`, \
         `reprise plugin settings show groups --tenant acme --revision 4 --output settings.json`, \
         `reprise plugin decisions --tenant acme --question 12 > question.json`, then `reprise plugin run groups-v3.wasm \
         --hook template-group --settings settings.json --question question.json`";
    assert!(told(&story).contains(&format!("{again}.\n")), "{}", told(&story));
    // What it kept in mind then is not in the log, and a policy that uses it may answer differently without.
    let with_state = Provenance { state_revision: Some(5), ..made() };
    story.asked[0].decision.provenance = Some(Box::new(with_state));
    assert!(told(&story).contains(&format!("{again}; what its state held then, `--state FILE`")), "{}", told(&story));
}

#[tokio::test]
async fn every_answer_has_words() {
    let plan = ComposePlan {
        ranges: vec![
            PartRange { index: 0, from_ms: 0, to_ms: None },
            PartRange { index: 0, from_ms: 5, to_ms: Some(9) },
        ],
        gaps: GapRule::Slate,
        min_duration_ms: 60_000,
        title: Some("Best of".to_owned()),
        group: Some("VOD_NO_TRANSCODE".to_owned()),
    };
    let replaced = CallbackAnswer::Replace { body: "{}".to_owned(), headers: vec![("a".to_owned(), "b".to_owned())] };
    for (answer, expected) in [
        (Answer::TemplateGroup(TemplateGroupAnswer::UseDefault), "what the record config says"),
        (Answer::TemplateGroup(TemplateGroupAnswer::Group("x".to_owned())), "group `x`"),
        (
            Answer::TemplateGroup(TemplateGroupAnswer::Group("VOD_NO_TRANSCODE".to_owned())),
            "`VOD_NO_TRANSCODE`, which keeps the recording as it is",
        ),
        (Answer::ComposeRules(ComposeAnswer::UseDefault), "what the record config says"),
        (Answer::ComposeRules(ComposeAnswer::Skip), "nothing is composed"),
        (
            Answer::ComposeRules(ComposeAnswer::Compose(plan)),
            "2 stretches of one part become one video, gaps show a slate, if they have 1 min 0 s together, titled \
             “Best of”, processed with `VOD_NO_TRANSCODE`, which keeps the recording as it is",
        ),
        (Answer::Callback(CallbackAnswer::Unchanged), "the event is sent as it is"),
        (Answer::Callback(CallbackAnswer::Drop), "the event is not sent"),
        (Answer::Callback(replaced), "a body of 2 bytes instead, with one more header"),
    ] {
        let told = words(None, Hook::TemplateGroup, Verdict::Answered(answer), Applied::Answer, Some(made())).await;
        assert!(told.contains(&format!("\nIt answered: {expected}.\n")), "{told}");
    }
    let question = CallbackQuestion {
        tenant: "acme".to_owned(),
        stream: None,
        play_domain: None,
        event_id: "evt".to_owned(),
        event_type: "FileUploadComplete".to_owned(),
        url: "https://hooks.example/in?secret=1".to_owned(),
        headers: Vec::new(),
        body: "{\"a\":1}".to_owned(),
    };
    let dropped = Verdict::Answered(Answer::Callback(CallbackAnswer::Drop));
    let told = words(Some(Question::Callback(question)), Hook::Callback, dropped, Applied::Answer, Some(made())).await;
    assert!(told.contains("It saw the event `FileUploadComplete` of 7 bytes.") && !told.contains("secret"), "{told}");
}

#[tokio::test]
async fn a_group_that_is_not_there_is_why_nothing_was_made() {
    let world = World::new().await;
    world.tenant("acme").await;
    let mut life = world.broadcast("acme", "b1").await;
    let video = life.part(0).await;
    life.refuse("no group g1.").await;
    let story = Story {
        broadcast: &life.state,
        video: &life.state.videos[&video],
        title: "",
        groups: BTreeMap::new(),
        asked: Vec::new(),
        shaped: Vec::new(),
        is_cut: false,
        told: Vec::new(),
    };
    let told = paragraphs(&story).concat();
    let expected = "Nothing was made of it, which failed with `Gone`: “no group g1”.";
    assert!(told.iter().any(|sentence| sentence == expected), "{told:?}");
}
