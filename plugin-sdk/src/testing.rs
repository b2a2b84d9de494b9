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
//! What the policy finds beside the question, and what it says beside the answer, goes with the cases:
//!
//! ```
//! # use reprise_plugin::testing::{Expect, Table, callback_question};
//! # use reprise_plugin::{CallbackAnswer, CallbackQuestion, Error, Policy, reason, state};
//! # #[derive(serde::Deserialize)]
//! # struct OnceEach {}
//! # impl Policy for OnceEach {
//! #     fn callback(&self, question: &CallbackQuestion) -> Result<CallbackAnswer, Error> {
//! #         if state::get(&question.event_type).is_some() {
//! #             reason("told before");
//! #             return Ok(CallbackAnswer::Drop);
//! #         }
//! #         state::set(&question.event_type, "told")?;
//! #         Ok(CallbackAnswer::Unchanged)
//! #     }
//! # }
//! Table::<OnceEach>::new()
//!     .callback("the first", callback_question(), "{}", Expect::UseDefault)
//!     .writes(&[("AddLiveRecordVideoComplete", Some("told"))])
//!     .with_state(&[("AddLiveRecordVideoComplete", "told")])
//!     .callback("the second", callback_question(), "{}", Expect::Answer(CallbackAnswer::Drop))
//!     .because("told before")
//!     .run();
//! ```
//!
//! The sample questions are complete and plausible; a case changes the fields it is about.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use crate::assets::host as assets;
use crate::export::{Asked, decide};
use crate::state::host as state;
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
    state: BTreeMap<String, String>,
    assets: BTreeMap<String, Vec<u8>>,
    last: Option<Said>,
    policy: PhantomData<P>,
}

/// What the last case said beside its answer.
#[derive(Debug)]
struct Said {
    case: String,
    reason: Option<String>,
    writes: BTreeMap<String, Option<String>>,
}

impl<P: Policy> Default for Table<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Policy> Table<P> {
    /// A table without cases.
    pub fn new() -> Self {
        Self {
            cases: 0,
            failures: Vec::new(),
            state: BTreeMap::new(),
            assets: BTreeMap::new(),
            last: None,
            policy: PhantomData,
        }
    }

    /// The [`state`](crate::state) that each of the cases after this finds. What one writes the next does not see.
    pub fn with_state(mut self, texts: &[(&str, &str)]) -> Self {
        self.state = texts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self
    }

    /// The [`assets`](crate::assets) that the cases after this find; `include_bytes!` has the project's own.
    pub fn with_assets(mut self, files: &[(&str, &[u8])]) -> Self {
        self.assets = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        self
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

    /// The case before this gives this [`reason`](crate::reason()).
    pub fn because(mut self, wanted: &str) -> Self {
        let said = self.last.as_ref().expect("a case stands before what it gives");
        if said.reason.as_deref() != Some(wanted) {
            self.failures.push(format!("  {}: its reason is {:?}, expected {wanted:?}", said.case, said.reason));
        }
        self
    }

    /// The case before this writes just this to its [`state`](crate::state): keys in order, without a value where one
    /// goes.
    pub fn writes(mut self, wanted: &[(&str, Option<&str>)]) -> Self {
        let said = self.last.as_ref().expect("a case stands before what it writes");
        let wrote: Vec<_> = said.writes.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        if wrote != wanted {
            self.failures.push(format!("  {}: it writes {wrote:?}, expected {wanted:?}", said.case));
        }
        self
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
        state::give(self.state.clone());
        assets::give(self.assets.clone());
        let decided = decide::<P, Q>(question, settings);
        let (log, writes) = (take_log(), state::take_writes());
        let (answer, reason) = match decided.map(Q::parts) {
            Ok((answer, reason)) => (Ok(answer), reason),
            Err(error) => (Err(error), None),
        };
        // Of a failed call nothing is kept.
        let writes = if answer.is_ok() { writes } else { BTreeMap::new() };
        self.last = Some(Said { case: name.to_owned(), reason, writes });
        let judged = judge(answer, expect);
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

    /// Answers with an asset that the state names.
    #[derive(Deserialize)]
    struct Keeper {}

    impl Policy for Keeper {
        fn template_group(&self, _: &TemplateGroupQuestion) -> Result<TemplateGroupAnswer, Error> {
            let path = crate::state::get("path").unwrap_or_default();
            crate::state::set("asked", &path)?;
            crate::reason(format!("one of {:?}", crate::assets::paths()));
            let bytes = crate::assets::read(&path).ok_or("no such asset")?;
            Ok(TemplateGroupAnswer::Group(String::from_utf8_lossy(&bytes).into_owned()))
        }
    }

    #[test]
    fn state_and_assets_are_what_the_table_gives() {
        Table::<Keeper>::new()
            .with_assets(&[("b.txt", b"B"), ("a.txt", b"A")])
            .template_group("no state", template_group_question(), "{}", Expect::Error("no such asset"))
            .writes(&[])
            .with_state(&[("path", "a.txt")])
            .template_group("both", template_group_question(), "{}", Expect::Answer(group("A")))
            .because(r#"one of ["a.txt", "b.txt"]"#)
            .writes(&[("asked", Some("a.txt"))])
            .run();
    }

    #[test]
    fn wrong_reasons_and_writes_fail() {
        let table = Table::<Echo>::new()
            .template_group("case", template_group_question(), r#"{"group":"x"}"#, Expect::Answer(group("x")))
            .because("x")
            .writes(&[("x", None)]);
        assert_eq!(table.failures.len(), 2, "{:?}", table.failures);
    }

    fn group(name: &str) -> TemplateGroupAnswer {
        TemplateGroupAnswer::Group(name.to_owned())
    }
}
