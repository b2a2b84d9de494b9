//! A table of cases, run natively: question, settings, expected answer.
//!
//! ```
//! use reprise_plugin::testing::{Expect, Table, template_group_question};
//! use reprise_plugin::{Policy, TemplateGroupAnswer};
//! # #[derive(Default, serde::Deserialize)]
//! # struct MyPolicy {}
//! # impl Policy for MyPolicy {}
//!
//! // In a function marked #[test]:
//! Table::<MyPolicy>::new()
//!     .template_group("nothing is configured", template_group_question(), "{}", Expect::UseDefault)
//!     .template_group("misspelt settings", template_group_question(), "{", Expect::Error("settings: "))
//!     .run();
//! ```
//!
//! The sample questions are complete and plausible; a case changes the fields it is about.

use std::fmt::Debug;
use std::marker::PhantomData;

use crate::export::{Asked, decide};
use crate::{
    AudioTrack, CallbackAnswer, CallbackQuestion, ComposeAnswer, ComposeQuestion, GroupChoice, MediaFacts, Origin,
    Part, Policy, StreamKey, Stretch, TemplateGroupAnswer, TemplateGroupQuestion, VideoTrack,
};

/// What a case expects of an answer `A`.
#[derive(Clone, Debug)]
pub enum Expect<A> {
    /// Exactly this answer.
    Answer(A),
    /// An answer that this function is content with; what it returns otherwise is the reason.
    Where(fn(&A) -> Result<(), String>),
    /// An error whose message contains this text.
    Error(&'static str),
    /// The hook's default: the record config's group or compose, the event as it is.
    UseDefault,
}

/// Answers know which of them is the default.
pub trait DefaultAnswer {
    /// The answer that changes nothing.
    fn default_answer() -> Self;
}

impl DefaultAnswer for TemplateGroupAnswer {
    fn default_answer() -> Self {
        Self::UseDefault
    }
}

impl DefaultAnswer for ComposeAnswer {
    fn default_answer() -> Self {
        Self::UseDefault
    }
}

impl DefaultAnswer for CallbackAnswer {
    fn default_answer() -> Self {
        Self::Unchanged
    }
}

/// Cases of one policy. [`Table::run`] tries them all before it fails, and names each that did not hold.
#[derive(Debug)]
#[must_use = "a table that is not run tests nothing"]
pub struct Table<P> {
    cases: usize,
    failures: Vec<String>,
    policy: PhantomData<P>,
}

impl<P: Policy> Default for Table<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Policy> Table<P> {
    /// A table without cases.
    pub fn new() -> Self {
        Self { cases: 0, failures: Vec::new(), policy: PhantomData }
    }

    /// A case at the hook `template-group`.
    pub fn template_group(
        self,
        name: &str,
        question: TemplateGroupQuestion,
        settings: &str,
        expect: Expect<TemplateGroupAnswer>,
    ) -> Self {
        self.case(name, &question, settings, &expect)
    }

    /// A case at the hook `compose-rules`.
    pub fn compose_rules(
        self,
        name: &str,
        question: ComposeQuestion,
        settings: &str,
        expect: Expect<ComposeAnswer>,
    ) -> Self {
        self.case(name, &question, settings, &expect)
    }

    /// A case at the hook `callback`.
    pub fn callback(
        self,
        name: &str,
        question: CallbackQuestion,
        settings: &str,
        expect: Expect<CallbackAnswer>,
    ) -> Self {
        self.case(name, &question, settings, &expect)
    }

    /// Fails the test if a case did not hold, or if there are no cases.
    ///
    /// # Panics
    ///
    /// Then, with one line for each such case.
    pub fn run(self) {
        assert!(self.cases > 0, "a table without cases tests nothing");
        assert!(
            self.failures.is_empty(),
            "{} of {} cases:\n{}",
            self.failures.len(),
            self.cases,
            self.failures.join("\n")
        );
    }

    fn case<Q>(mut self, name: &str, question: &Q, settings: &str, expect: &Expect<Q::Answer>) -> Self
    where
        Q: Asked,
        Q::Answer: PartialEq + Debug + DefaultAnswer,
    {
        self.cases += 1;
        take_log();
        let judged = judge(decide::<P, Q>(question, settings), expect);
        let log = take_log();
        if let Err(problem) = judged {
            let lines: String = log.iter().map(|line| format!("\n      {line}")).collect();
            self.failures.push(format!("  {name}: {problem}{lines}"));
        }
        self
    }
}

/// What the policy has logged on this thread since this was last asked. A table prints it with a case that
/// does not hold.
pub fn take_log() -> Vec<String> {
    crate::log::kept::take()
}

fn judge<A: PartialEq + Debug + DefaultAnswer>(got: Result<A, String>, expect: &Expect<A>) -> Result<(), String> {
    match (got, expect) {
        (Ok(answer), Expect::Answer(wanted)) if answer == *wanted => Ok(()),
        (Ok(answer), Expect::UseDefault) if answer == A::default_answer() => Ok(()),
        (Ok(answer), Expect::Where(holds)) => holds(&answer).map_err(|reason| format!("{reason}: {answer:?}")),
        (Err(error), Expect::Error(part)) if error.contains(part) => Ok(()),
        (Ok(answer), Expect::Answer(wanted)) => Err(format!("answered {answer:?}, expected {wanted:?}")),
        (Ok(answer), Expect::UseDefault) => Err(format!("answered {answer:?}, expected the default")),
        (Ok(answer), Expect::Error(part)) => Err(format!("answered {answer:?}, expected an error with {part:?}")),
        (Err(error), Expect::Error(part)) => Err(format!("failed with {error:?}, expected {part:?} in it")),
        (Err(error), _) => Err(format!("failed with {error:?}")),
    }
}

/// A stream of the tenant `acme`: `rtmp://push.example.com/live/room-1`.
pub fn origin() -> Origin {
    Origin {
        tenant: "acme".to_owned(),
        stream: StreamKey { domain: "push.example.com".to_owned(), app: "live".to_owned(), name: "room-1".to_owned() },
        play_domain: "play.example.com".to_owned(),
        push_args: vec![("quality".to_owned(), "high".to_owned())],
        broadcast: "5f0c9d1e2b3a47568899aabbccddeeff".to_owned(),
        broadcast_started_at_ms: 1_780_000_000_000,
        reconnects: 0,
    }
}

/// The part `index` of five minutes, 1080p at 25 frames per second with stereo sound, without gaps and not analysed.
pub fn part(index: u32) -> Part {
    const LENGTH_MS: u64 = 300_000;
    let first_ms = u64::from(index) * LENGTH_MS;
    let started_at_ms = origin().broadcast_started_at_ms + i64::from(index) * 300_000;
    Part {
        index,
        video_id: format!("{index:032x}"),
        started_at_ms,
        ended_at_ms: started_at_ms + 300_000,
        first_ms,
        duration_ms: LENGTH_MS,
        bytes: 150_000_000,
        bitrate_kbps: 4_000,
        gap_ms: 0,
        video: Some(VideoTrack {
            codec: "H.264".to_owned(),
            width: 1920,
            height: 1080,
            fps: 25.0,
            profile: "High".to_owned(),
        }),
        audio: Some(AudioTrack { codec: "AAC".to_owned(), sample_rate: 48_000, channels: 2 }),
        facts: None,
    }
}

/// Facts of a part in which nothing stands out: loud enough, in motion from end to end.
pub fn facts() -> MediaFacts {
    MediaFacts {
        silences: Vec::new(),
        blacks: Vec::new(),
        freezes: Vec::new(),
        scenes_ms: Vec::new(),
        loudness_lufs: Some(-23.0),
        true_peak_dbfs: Some(-3.0),
        loudness_range_lu: Some(7.0),
        cover_ms: Some(150_000),
    }
}

/// Stretches from pairs of milliseconds.
pub fn stretches(pairs: &[(u64, u64)]) -> Vec<Stretch> {
    pairs.iter().map(|(from_ms, to_ms)| Stretch { from_ms: *from_ms, to_ms: *to_ms }).collect()
}

/// The groups `HD` and `SD`.
pub fn groups() -> Vec<GroupChoice> {
    [("a1", "HD"), ("b2", "SD")].map(|(id, name)| GroupChoice { id: id.repeat(16), name: name.to_owned() }).to_vec()
}

/// About the first part; the record config names the group `SD`.
pub fn template_group_question() -> TemplateGroupQuestion {
    TemplateGroupQuestion { origin: origin(), part: part(0), default_group: "b2".repeat(16), groups: groups() }
}

/// About a broadcast of three parts that the record config composes.
pub fn compose_question() -> ComposeQuestion {
    let parts: Vec<Part> = (0..3).map(part).collect();
    ComposeQuestion {
        origin: origin(),
        ended_at_ms: parts[2].ended_at_ms,
        parts,
        default_compose: true,
        default_group: None,
        groups: groups(),
    }
}

/// About `AddLiveRecordVideoComplete` of the first part.
pub fn callback_question() -> CallbackQuestion {
    CallbackQuestion {
        tenant: "acme".to_owned(),
        stream: Some(origin().stream),
        play_domain: Some(origin().play_domain),
        event_id: "evt_00112233445566778899aabbccddeeff".to_owned(),
        event_type: "AddLiveRecordVideoComplete".to_owned(),
        url: "https://receiver.example.com/vod".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: format!(
            r#"{{"EventType":"AddLiveRecordVideoComplete","EventTime":"2026-05-28T20:26:40Z","Status":"success","VideoId":"{}","StreamName":"room-1","DomainName":"push.example.com","AppName":"live"}}"#,
            part(0).video_id
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::Error;

    #[derive(Deserialize)]
    struct Echo {
        group: Option<String>,
    }

    impl Policy for Echo {
        fn template_group(&self, _: &TemplateGroupQuestion) -> Result<TemplateGroupAnswer, Error> {
            crate::log::info("echo");
            self.group.clone().map(TemplateGroupAnswer::Group).ok_or_else(|| "no group".into())
        }
    }

    #[test]
    fn a_table_holds_what_it_says() {
        Table::<Echo>::new()
            .template_group("exact", template_group_question(), r#"{"group":"x"}"#, Expect::Answer(group("x")))
            .template_group("error", template_group_question(), "{}", Expect::Error("no group"))
            .template_group("where", template_group_question(), r#"{"group":"x"}"#, Expect::Where(|_| Ok(())))
            .compose_rules("default", compose_question(), "{}", Expect::UseDefault)
            .callback("default", callback_question(), "{}", Expect::UseDefault)
            .run();
    }

    #[test]
    fn each_wrong_expectation_fails() {
        for (settings, expect) in [
            (r#"{"group":"x"}"#, Expect::Answer(group("y"))),
            (r#"{"group":"x"}"#, Expect::UseDefault),
            (r#"{"group":"x"}"#, Expect::Error("no group")),
            (r#"{"group":"x"}"#, Expect::Where(|_| Err("never".to_owned()))),
            ("{}", Expect::Error("something else")),
            ("{}", Expect::UseDefault),
        ] {
            let table = Table::<Echo>::new().template_group("case", template_group_question(), settings, expect);
            assert_eq!(table.failures.len(), 1);
            assert!(table.failures[0].ends_with("info: echo"), "{:?}", table.failures);
        }
    }

    #[test]
    #[should_panic(expected = "without cases")]
    fn an_empty_table_fails() {
        Table::<Echo>::new().run();
    }

    fn group(name: &str) -> TemplateGroupAnswer {
        TemplateGroupAnswer::Group(name.to_owned())
    }
}
