//! One broadcast's life as its driver leads it: an input gives records, records are committed and folded,
//! outstanding effects are performed. Every record that passes is held against the laws.

use std::collections::{BTreeMap, BTreeSet};

use reprise_lifecycle::broadcast::{Broadcast, PartState, Publishing, Rejected};
use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::event::events;
use reprise_lifecycle::id::{EffectId, EventId, RecordSeq, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::{LeaveCause, Record, Subject};
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::video::{Source, Status, Video};
use reprise_lifecycle::work::Removal;

use super::answers::{Answers, closed_parts};

/// No life that a script can lead needs more; one that does goes round in circles.
const MAX_PERFORMED: usize = 10_000;

/// Inputs kept to be said again later.
const MAX_REMEMBERED: usize = 64;

/// A broadcast, its journal and its surroundings.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) answers: Answers,
    pub(crate) journal: Vec<Record>,
    pub(crate) broadcast: Broadcast,
    pub(crate) now: Timestamp,
    /// What was said, to be said again.
    pub(crate) said: Vec<Input>,
    /// The process dies after the next step, before its records are committed.
    pub(crate) dies_next: bool,
    /// Every event so far.
    pub(crate) told: Vec<EventId>,
    /// Every effect that was ever outstanding.
    seen: BTreeMap<EffectId, Effect>,
    /// Those of them that a record has closed.
    closed: BTreeSet<EffectId>,
}

impl Life {
    pub(crate) fn begin(answers: Answers, now: Timestamp) -> Self {
        let journal = match answers.production() {
            Some(opening) => Broadcast::produce(opening, now),
            None => Broadcast::open(answers.opening(), "198.51.100.7".to_owned(), now),
        };
        Self::resume(answers, journal, now)
    }

    /// Another process reads a journal, whole or cut.
    pub(crate) fn resume(answers: Answers, journal: Vec<Record>, now: Timestamp) -> Self {
        let broadcast = fold(&answers, &journal);
        let told = told(&answers, &journal);
        Self {
            seen: broadcast.outstanding(),
            closed: BTreeSet::new(),
            said: Vec::new(),
            dies_next: false,
            answers,
            journal,
            broadcast,
            now,
            told,
        }
    }

    /// Says one input, as a correct outside does: the core may refuse a publisher, but never finds it impossible.
    pub(crate) fn hear(&mut self, input: &Input) -> usize {
        match self.try_hear(input) {
            Ok(records) => records,
            Err(Rejected::AlreadyLive | Rejected::Over) if matches!(input, Input::PublishAsked { .. }) => 0,
            Err(why) => panic!("{why}: {input:?}"),
        }
    }

    /// Says one input and holds what follows against the laws.
    pub(crate) fn try_hear(&mut self, input: &Input) -> Result<usize, Rejected> {
        let stepped = self.broadcast.step(input, self.now);
        assert_eq!(stepped, self.broadcast.step(input, self.now), "a step depends on something else");
        let records = stepped?;
        if std::mem::take(&mut self.dies_next) {
            self.restart();
            return Ok(0);
        }
        for record in &records {
            self.commit(record);
        }
        if self.said.len() < MAX_REMEMBERED {
            self.said.push(input.clone());
        }
        if !records.is_empty() {
            self.repeated_at_once(input);
        }
        Ok(records.len())
    }

    /// Law 4: what was just said gives nothing when it is said again. Only requests have another answer.
    fn repeated_at_once(&self, input: &Input) {
        let again = self.broadcast.step(input, self.now);
        match input {
            Input::PublishAsked { .. } => assert_eq!(again, Err(Rejected::AlreadyLive)),
            Input::PartOpening { .. } => {
                assert!(matches!(again, Err(Rejected::Impossible(_))), "{again:?}");
            }
            _ => assert_eq!(again, Ok(Vec::new()), "{input:?} said twice"),
        }
    }

    fn commit(&mut self, record: &Record) {
        let seq = self.broadcast.next_seq;
        let before = self.broadcast.outstanding();
        self.broadcast.apply(record).expect("a record of step continues the journal");
        self.journal.push(record.clone());
        assert_eq!(u64::try_from(self.journal.len()), Ok(self.broadcast.next_seq));
        self.effects_changed(&before, record);
        self.doubled_row_is_noticed(record);
        self.stands();
        let events = events(&self.broadcast, seq, record);
        self.told.extend(events.into_iter().map(|event| event.id));
    }

    /// Law 3: an effect goes when the record comes that closes it, and not otherwise; one id is one effect.
    fn effects_changed(&mut self, before: &BTreeMap<EffectId, Effect>, record: &Record) {
        let after = self.broadcast.outstanding();
        for (id, effect) in before {
            if !after.contains_key(id) {
                assert!(closes(record, effect), "{record:?} closed {effect:?}");
                self.closed.insert(*id);
            }
        }
        for (id, effect) in &after {
            assert!(!self.closed.contains(id), "{effect:?} came back");
            let first = self.seen.entry(*id).or_insert_with(|| effect.clone());
            assert_eq!(first, effect, "one id for two effects");
            let caller = usize::try_from(id.record).expect("a short journal");
            assert!(calls_for(&self.journal[caller], effect), "{id:?} {effect:?}");
        }
    }

    /// A row written twice, by a second writer or a wrong retry, is noticed and changes nothing.
    fn doubled_row_is_noticed(&self, record: &Record) {
        let mut doubled = self.broadcast.clone();
        assert!(doubled.apply(record).is_err(), "twice: {record:?}");
        assert_eq!(doubled, self.broadcast, "a refused record changed the state");
    }

    /// What holds between any two records.
    fn stands(&self) {
        let it = &self.broadcast;
        let open = it.parts.iter().filter(|part| part.state == PartState::Open);
        assert!(open.count() <= 1, "two open parts");
        assert!(
            it.parts.iter().rev().skip(1).all(|part| part.state != PartState::Open),
            "an open part before another part"
        );
        for (part, index) in it.parts.iter().zip(0..) {
            let video = it.videos.get(&VideoId::of_part(&it.id, index));
            match &part.state {
                PartState::Closed { ended_at, .. } => {
                    assert_eq!(video.map(|video| video.source), Some(Source::Part(index)));
                    assert!(part.started_at <= *ended_at, "a part ends before it begins");
                }
                PartState::Open | PartState::Dropped => assert_eq!(video, None),
            }
        }
        let composed = it.videos.contains_key(&VideoId::of_compose(&it.id));
        let edited = it.production.is_some();
        assert_eq!(it.videos.len(), closed_parts(it) + usize::from(composed) + usize::from(edited));
        assert!(it.breaks.iter().all(|gap| gap.from <= gap.to));
        assert_eq!(it.wake_at().is_some(), matches!(it.publishing, Publishing::Broken { .. }));
    }

    /// The process dies and another one reads the journal: law 1. The publisher's connection is gone with it.
    pub(crate) fn restart(&mut self) {
        self.dies_next = false;
        let folded = fold(&self.answers, &self.journal);
        assert_eq!(folded, self.broadcast, "the fold of the journal");
        assert_eq!(folded.outstanding(), self.broadcast.outstanding());
        assert_eq!(folded.wake_at(), self.broadcast.wake_at());
        assert_eq!(told(&self.answers, &self.journal), self.told, "law 5");
        self.broadcast = folded;
        self.lose_publisher();
    }

    /// The publisher that the journal believes connected is reported gone.
    pub(crate) fn lose_publisher(&mut self) {
        if let Some(epoch) = connected(&self.broadcast) {
            let last_media_at = Some(self.now.plus_ms(-1_500));
            let (cause, media_ms) = (LeaveCause::ServerStopped, Some(7_000));
            self.hear(&Input::PublisherGone { epoch, cause, media_ms, last_media_at });
        }
    }

    /// Performs the outstanding effect number `pick`, of whose answers the first `arrive` arrive.
    pub(crate) fn perform(&mut self, pick: usize, arrive: usize) {
        let outstanding = self.broadcast.outstanding();
        if outstanding.is_empty() {
            return;
        }
        let (id, effect) = outstanding.iter().nth(pick % outstanding.len()).expect("it is inside");
        let inputs = self.answers.perform(&self.broadcast, *id, effect, self.now);
        assert!(!inputs.is_empty(), "{effect:?} has nothing to do");
        for input in inputs.iter().take(arrive) {
            self.hear(input);
        }
    }

    /// Nothing comes from outside any more but answers and the passing of time. `order` says which effect is
    /// performed first when there are several, `times` how often each is performed.
    pub(crate) fn finish(&mut self, order: usize, times: usize) {
        self.dies_next = false;
        self.lose_publisher();
        for turn in 0..MAX_PERFORMED {
            let outstanding = self.broadcast.outstanding();
            if outstanding.is_empty() {
                let Some(wake) = self.broadcast.wake_at() else {
                    return self.is_finished();
                };
                self.now = wake.max(self.now);
                assert_eq!(self.hear(&Input::Tick), 1, "woken for nothing");
                continue;
            }
            let pick = turn.wrapping_mul(order) % outstanding.len();
            let (id, effect) = outstanding.iter().nth(pick).expect("it is inside");
            let inputs = self.answers.perform(&self.broadcast, *id, effect, self.now);
            for _ in 0..times {
                for input in &inputs {
                    self.hear(input);
                }
            }
            assert!(
                !self.broadcast.outstanding().contains_key(id),
                "{effect:?} was performed and is still outstanding"
            );
        }
        panic!("no end: {:?}", self.broadcast.outstanding());
    }

    fn is_finished(&self) {
        let it = &self.broadcast;
        assert!(it.is_settled(), "no effect, nothing to wait for, not settled");
        for video in it.videos.values().filter(|video| !video.removed) {
            let terminal =
                matches!(video.status(), Status::Stored | Status::Ready | Status::Failed | Status::ProduceFailed);
            assert!(terminal && video.is_settled(), "{video:?}");
        }
        assert!(it.videos.values().all(Video::is_settled), "a removed video with something to do");
        let asked = Input::PublishAsked { client: "203.0.113.9".to_owned() };
        assert_eq!(it.step(&asked, self.now), Err(Rejected::Over));
        let unique: BTreeSet<&EventId> = self.told.iter().collect();
        assert_eq!(unique.len(), self.told.len(), "two events of one id");
        assert_eq!(told(&self.answers, &self.journal), self.told, "law 5");
        assert_eq!(&fold(&self.answers, &self.journal), it, "law 1");
    }
}

pub(crate) fn fold(answers: &Answers, journal: &[Record]) -> Broadcast {
    Broadcast::fold(answers.id(), journal).expect("a whole journal").expect("an opened broadcast")
}

/// The publisher that the journal believes connected.
pub(crate) fn connected(broadcast: &Broadcast) -> Option<u32> {
    match broadcast.publishing {
        Publishing::Live { epoch } => Some(epoch),
        Publishing::Over { lingering, .. } => lingering,
        Publishing::Broken { .. } => None,
    }
}

/// All events of a journal, as whoever replays it derives them.
fn told(answers: &Answers, journal: &[Record]) -> Vec<EventId> {
    let mut after = fold(answers, &journal[..1]);
    let mut told: Vec<EventId> = Vec::new();
    let mut tell = |after: &Broadcast, seq: RecordSeq, record: &Record| {
        told.extend(events(after, seq, record).into_iter().map(|event| event.id));
    };
    tell(&after, 0, &journal[0]);
    for (seq, record) in (1..).zip(&journal[1..]) {
        after.apply(record).expect("a whole journal");
        tell(&after, seq, record);
    }
    told
}

fn closes(record: &Record, effect: &Effect) -> bool {
    match (record, effect) {
        (Record::PublisherLeft { epoch, .. }, Effect::DropPublisher { epoch: dropped }) => epoch == dropped,
        (Record::PartClosed { part, .. } | Record::PartDropped { part, .. }, Effect::ClosePart { part: open }) => {
            part == open
        }
        (Record::Decided { subject, .. }, Effect::Ask { subject: asked, .. }) => subject == asked,
        (
            Record::OutputFinished { video, .. } | Record::CoverFinished { video, .. },
            Effect::Process { video: processed, .. },
        ) => video == processed,
        (Record::PicturesFinished { job, .. }, Effect::Pictures { job: taken, .. })
        | (Record::AnalysisFinished { job, .. }, Effect::Analyse { job: taken, .. }) => job == taken,
        (Record::Discarded { .. }, Effect::Discard { .. }) => true,
        // Nothing more is done for what is gone.
        (
            Record::Removed { video, what: Removal::Video, .. },
            Effect::Process { video: of, .. }
            | Effect::Pictures { video: of, .. }
            | Effect::Analyse { video: of, .. }
            | Effect::Compose { video: of, .. }
            | Effect::Produce { video: of }
            | Effect::Ask { subject: Subject::Video(of), .. },
        ) => video == of,
        // Without a part there is nothing to compose.
        (Record::Removed { .. }, Effect::Ask { subject: Subject::Compose, .. }) => true,
        (Record::ComposeFinished { .. }, Effect::Produce { .. }) => true,
        (Record::ComposeFinished { .. }, Effect::Compose { .. }) => true,
        _ => false,
    }
}

fn calls_for(record: &Record, effect: &Effect) -> bool {
    match (record, effect) {
        (Record::Ended { .. }, Effect::DropPublisher { .. } | Effect::ClosePart { .. }) => true,
        (Record::Ended { .. }, Effect::Ask { subject, .. }) => *subject == Subject::Compose,
        (Record::PartClosed { .. } | Record::ComposeFinished { .. }, Effect::Ask { subject, .. }) => {
            *subject != Subject::Compose
        }
        (Record::Decided { subject, .. }, Effect::Process { video, .. }) => *subject == Subject::Video(video.clone()),
        (Record::TaskOpened { task: opened, .. }, Effect::Process { task, .. }) => opened == task,
        (Record::PicturesAsked { job: asked, .. }, Effect::Pictures { job, .. })
        | (Record::AnalysisAsked { job: asked, .. }, Effect::Analyse { job, .. }) => asked == job,
        (Record::PartClosed { .. }, Effect::Analyse { .. }) => true,
        (Record::Removed { video, .. }, Effect::Discard { video: of, .. }) => video == of,
        (Record::ProduceOpened { .. }, Effect::Produce { .. }) => true,
        (Record::Decided { subject, .. }, Effect::Compose { .. }) => *subject == Subject::Compose,
        _ => false,
    }
}
