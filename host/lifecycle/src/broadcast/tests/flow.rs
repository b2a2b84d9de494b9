//! One broadcast led by hand.

use super::inputs::{NO_GROUP, T0, closed, gone, opening, process, store_only, verdict};
use crate::broadcast::{Broadcast, Rejected};
use crate::effect::Effect;
use crate::event::events;
use crate::id::{BroadcastId, JobId, TenantId, VideoId};
use crate::input::Input;
use crate::question::{Hook, PartSummary, StreamKey};
use crate::record::{CloseCause, LeaveCause, Opening, Record, RecordRules, Resolution, Subject};
use crate::replay;
use crate::video::Source;
use crate::work::{Removal, Trigger};

/// A broadcast and the journal it is the fold of.
pub(super) struct Flow {
    pub(super) broadcast: Broadcast,
    journal: Vec<Record>,
}

impl Flow {
    pub(super) fn opened(rules: RecordRules) -> Self {
        let opening = Opening {
            tenant: TenantId::new("acme"),
            stream: StreamKey {
                domain: "push.example.org".to_owned(),
                app: "studio".to_owned(),
                name: "cam01".to_owned(),
            },
            play_domain: "play.example.org".to_owned(),
            push_args: Vec::new(),
            rules,
        };
        Self::from_journal(Broadcast::open(opening, "198.51.100.7".to_owned(), T0))
    }

    pub(super) fn from_journal(journal: Vec<Record>) -> Self {
        let broadcast = fold(&journal);
        Self { broadcast, journal }
    }

    /// Records 0 to 3: a part of 10 s is closed, its question is effect 3.0, the publisher is live.
    pub(super) fn closed_part(rules: RecordRules) -> Self {
        let mut flow = Self::opened(rules);
        flow.take(0, &opening(1, 0));
        flow.take(10_000, &closed(0, 0, 10_000, CloseCause::Cycle));
        flow
    }

    /// Records 0 to 5: a store-only part is closed and decided, and the publisher left then.
    pub(super) fn left_at(at_ms: i64) -> Self {
        let mut flow = Self::closed_part(store_only());
        let mut plan = process(NO_GROUP, &[]);
        if let Resolution::Process(plan) = &mut plan {
            plan.cover = false;
        }
        flow.take(11_000, &verdict((3, 0), plan));
        flow.take(at_ms, &gone(1, LeaveCause::Disconnected));
        flow
    }

    fn take(&mut self, at_ms: i64, input: &Input) -> Vec<Record> {
        let records = self.broadcast.step(input, T0.plus_ms(at_ms)).expect("the input fits");
        for record in &records {
            self.broadcast.apply(record).expect("a record of step continues the journal");
            self.journal.push(record.clone());
        }
        records
    }

    /// Folds one record in as it is.
    #[track_caller]
    pub(super) fn apply(&mut self, record: &Record) {
        self.broadcast.apply(record).expect("it continues the journal");
        self.journal.push(record.clone());
    }

    /// Puts one input to the broadcast and compares all that follows.
    #[track_caller]
    pub(super) fn check(&mut self, at_ms: i64, input: Input, expected: &str) {
        let before = self.journal.len();
        let records = self.take(at_ms, &input);
        let told = records.iter().zip(before..).flat_map(|(record, seq)| {
            let seq = u64::try_from(seq).expect("a short journal");
            events(&self.broadcast, seq, record)
        });
        let told: Vec<&str> = told.map(|event| event.told.name()).collect();
        let explained = replay::explain(&self.broadcast.id, &self.journal);
        let mut lines: Vec<String> = explained.lines().skip(before).map(|line| line.trim().to_owned()).collect();
        if records.is_empty() {
            lines.push("no record".to_owned());
        }
        if !told.is_empty() {
            lines.push(format!("tells {}", told.join(", ")));
        }
        for (id, effect) in self.broadcast.outstanding() {
            let words = self.effect(&effect);
            lines.push(format!("to do {}.{} {words}", id.record, id.ordinal));
        }
        if let Some(wake) = self.broadcast.wake_at() {
            lines.push(format!("wake at {}", wake.ms_since(T0)));
        }
        same(&lines, expected);
    }

    /// The input is refused, and nothing changes.
    #[track_caller]
    pub(super) fn refuses(&mut self, at_ms: i64, input: Input, why: Rejected) {
        assert_eq!(self.broadcast.step(&input, T0.plus_ms(at_ms)), Err(why), "{input:?}");
    }

    /// The record does not continue the journal, and the fold says why and stays as it was.
    #[track_caller]
    pub(super) fn corrupted_by(&self, record: &Record, why: &str) {
        let mut broadcast = self.broadcast.clone();
        let corrupt = broadcast.apply(record).expect_err("it does not fit");
        assert_eq!(corrupt.why, why, "{record:?}");
        assert_eq!(corrupt.seq, self.broadcast.next_seq);
        assert_eq!(broadcast, self.broadcast, "{record:?} left a trace");
    }

    /// The record that `input` gives now, which is not folded in.
    pub(super) fn record(&self, at_ms: i64, input: &Input) -> Record {
        let records = self.broadcast.step(input, T0.plus_ms(at_ms));
        records.expect("the input fits").remove(0)
    }

    /// Compares where the broadcast stands, and that its journal says the same.
    #[track_caller]
    pub(super) fn ends(&self, expected: &str) {
        assert_eq!(fold(&self.journal), self.broadcast, "the fold of the journal");
        let lines: Vec<String> = replay::describe(&self.broadcast).lines().map(|line| line.trim().to_owned()).collect();
        same(&lines, expected);
    }

    /// The process ends and another one reads the journal.
    pub(super) fn restart(&mut self) {
        self.broadcast = fold(&self.journal);
    }

    pub(super) fn job(&self, part: u32, template: &str) -> (VideoId, JobId) {
        self.job_of(VideoId::of_part(&self.broadcast.id, part), template)
    }

    pub(super) fn composed_job(&self, template: &str) -> (VideoId, JobId) {
        self.job_of(VideoId::of_compose(&self.broadcast.id), template)
    }

    fn job_of(&self, video: VideoId, template: &str) -> (VideoId, JobId) {
        let task = self.broadcast.videos[&video].task().expect("a task");
        let mut outputs = task.outputs.iter();
        let output = outputs.find(|output| output.template.id.as_str() == template);
        (video, output.expect("a rendition").job.clone())
    }

    pub(super) fn cover(&self, part: u32) -> (VideoId, JobId) {
        let video = VideoId::of_part(&self.broadcast.id, part);
        let task = self.broadcast.videos[&video].task().expect("a task");
        (video, task.cover.as_ref().expect("a cover").job.clone())
    }

    pub(super) fn summary(&self, part: u32) -> PartSummary {
        let mut summaries = self.broadcast.part_summaries().into_iter();
        summaries.find(|summary| summary.index == part).expect("a closed part")
    }

    fn effect(&self, effect: &Effect) -> String {
        match effect {
            Effect::DropPublisher { epoch } => format!("send publisher {epoch} away"),
            Effect::ClosePart { part } => format!("close part {part}"),
            Effect::Ask { hook, subject: Subject::Compose } => {
                assert_eq!(*hook, Hook::ComposeRules);
                "ask about the compose".to_owned()
            }
            Effect::Ask { hook, subject: Subject::Video(video) } => {
                assert_eq!(*hook, Hook::TemplateGroup);
                format!("ask about {}", self.video(video))
            }
            Effect::Process { video, task } => {
                let task = self.broadcast.videos[video].task_by_id(task).expect("a task of its video");
                let by_hand = if task.trigger == Trigger::Manual { " by hand" } else { "" };
                format!("process {}{by_hand}", self.video(video))
            }
            Effect::Pictures { video, plan, .. } => format!("take {:?} pictures of {}", plan.kind, self.video(video)),
            Effect::Analyse { video, kind, .. } => format!("look for {kind:?} in {}", self.video(video)),
            Effect::Produce { video } => format!("produce {}", self.video(video)),
            Effect::Discard { video, what } => match what {
                Removal::Video => format!("discard {}", self.video(video)),
                Removal::Source => format!("discard the source of {}", self.video(video)),
                Removal::Streams(jobs) => format!("discard {} renditions of {}", jobs.len(), self.video(video)),
            },
            Effect::Compose { video, plan } => {
                format!("compose {} of {} parts", self.video(video), plan.ranges.len())
            }
        }
    }

    fn video(&self, id: &VideoId) -> String {
        match self.broadcast.videos[id].source {
            Source::Part(part) => format!("part {part}'s video"),
            Source::Compose => "the composed video".to_owned(),
            Source::Edit => "the edited video".to_owned(),
        }
    }
}

fn fold(journal: &[Record]) -> Broadcast {
    let folded = Broadcast::fold(BroadcastId::new("b1"), journal);
    folded.expect("a whole journal").expect("an opened one")
}

#[track_caller]
fn same(lines: &[String], expected: &str) {
    let actual = lines.join("\n");
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let expected = expected.join("\n");
    assert!(actual == expected, "expected:\n{expected}\n\ngot:\n{actual}\n");
}
