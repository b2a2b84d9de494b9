//! What happens to a broadcast from outside, as proptest draws it.

use proptest::prelude::*;
use reprise_lifecycle::broadcast::Rejected;
use reprise_lifecycle::id::GroupId;
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::{CloseCause, EndCause, LeaveCause, RecordRules};
use reprise_lifecycle::time::Timestamp;

use super::answers::{Answers, nonsense};
use super::life::{Life, connected};

/// 2027-01-01: a time at which milliseconds do not fit 32 bits.
const BEGIN: Timestamp = Timestamp(1_798_761_600_000);

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Time passes, and the driver's timer wakes it where the core asked for it.
    Wait { ms: u32 },
    /// Time passes while the driver is busy.
    Oversleep { ms: u32 },
    /// The wall clock is set back.
    SetBack { ms: u32 },
    /// A publisher asks.
    Publish,
    /// The publisher comes back this many milliseconds from the end of the break window.
    Return { from_end_ms: i64 },
    /// The publisher leaves.
    Leave(LeaveCause),
    /// The recorder has media for a new part.
    Open,
    /// The recorder closes its part.
    Close(CloseCause),
    /// The broadcast is ended.
    End(EndCause),
    /// An outstanding effect is performed; so many of its answers arrive.
    Work { pick: usize, arrive: usize },
    /// Something that was said is said again.
    Again { pick: usize },
    /// An older publisher's connection speaks up.
    Stale { epochs_ago: u32 },
    /// A tenant asks something of a video, or takes it away.
    Request { pick: u64 },
    /// Something that no correct outside says.
    Nonsense { pick: u64 },
    /// The process dies.
    Restart,
    /// The process dies after its next step, before the commit.
    DieNext,
}

/// A whole script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) answers: Answers,
    pub(crate) acts: Vec<Act>,
}

impl Script {
    /// The life it leads, up to its last act.
    pub(crate) fn play(&self) -> Life {
        let mut life = Life::begin(self.answers.clone(), BEGIN);
        for act in &self.acts {
            act.play(&mut life);
        }
        life
    }
}

impl Act {
    fn play(self, life: &mut Life) {
        match self {
            Self::Wait { ms } => wait(life, ms),
            Self::Oversleep { ms } => life.now = life.now.plus_ms(i64::from(ms)),
            Self::SetBack { ms } => life.now = life.now.plus_ms(-i64::from(ms)),
            Self::Publish => publish(life),
            Self::Return { from_end_ms } => {
                if let Some(wake) = life.broadcast.wake_at() {
                    life.now = wake.plus_ms(from_end_ms);
                    let before = life.broadcast.epoch;
                    publish(life);
                    let joined = life.broadcast.epoch > before;
                    assert!(!joined || from_end_ms < 0, "joined after the window");
                }
            }
            Self::Leave(cause) => {
                if let Some(epoch) = connected(&life.broadcast) {
                    life.hear(&Input::gone(epoch, cause));
                }
            }
            Self::Open => open(life),
            Self::Close(cause) => {
                if let Some(part) = life.broadcast.open_part() {
                    let closed = life.answers.closed(part, cause);
                    life.hear(&closed);
                }
            }
            Self::End(cause) => {
                life.hear(&Input::End { cause });
            }
            Self::Work { pick, arrive } => life.perform(pick, arrive),
            Self::Again { pick } => again(life, pick),
            Self::Stale { epochs_ago } => stale(life, epochs_ago),
            Self::Request { pick } => {
                let Some(input) = life.answers.request(&life.broadcast, pick) else { return };
                match life.try_hear(&input) {
                    Ok(_) | Err(Rejected::Unfit(_)) => {}
                    Err(why) => panic!("{why}: {input:?}"),
                }
            }
            Self::Nonsense { pick } => {
                let input = nonsense(&life.answers, &life.broadcast, pick);
                // Some of it fits by chance; the laws hold either way. It is not said again: it may have been about
                // something that comes to be.
                let _ = life.try_hear(&input);
                life.said.retain(|said| *said != input);
            }
            Self::Restart => life.restart(),
            Self::DieNext => life.dies_next = true,
        }
    }
}

fn wait(life: &mut Life, ms: u32) {
    let until = life.now.plus_ms(i64::from(ms));
    while let Some(wake) = life.broadcast.wake_at().filter(|wake| *wake <= until) {
        life.now = wake.max(life.now);
        // A process that dies at its tick is woken again.
        let dies = life.dies_next;
        let records = life.hear(&Input::Tick);
        assert!(dies || records == 1, "woken for nothing");
    }
    life.now = until;
}

fn publish(life: &mut Life) {
    life.hear(&Input::PublishAsked { client: "203.0.113.9".to_owned() });
}

/// A recorder opens a part only for a live publisher and only when none is open.
fn open(life: &mut Life) {
    let Some(epoch) = connected(&life.broadcast) else {
        return;
    };
    if life.broadcast.open_part().is_some() && !life.broadcast.is_over() {
        return;
    }
    let part = u32::try_from(life.broadcast.parts.len()).expect("a short life");
    let (video, audio) = life.answers.tracks(part);
    let opening = Input::PartOpening { epoch, video, audio, first_ms: life.answers.first_ms(part) };
    let records = life.hear(&opening);
    assert!(records == 0 || !life.broadcast.is_over(), "a part after the end");
}

/// Law 4 at a distance: nothing that comes late is folded twice, whatever happened meanwhile.
fn again(life: &mut Life, pick: usize) {
    if life.said.is_empty() {
        return;
    }
    let input = life.said[pick % life.said.len()].clone();
    let fresh = match &input {
        // These are requests, not reports: said later they are new ones.
        Input::PublishAsked { .. }
        | Input::PartOpening { .. }
        | Input::Tick
        | Input::End { .. }
        | Input::TaskAsked { .. }
        | Input::TaskCancelled { .. }
        | Input::PicturesAsked { .. }
        | Input::AnalysisAsked { .. }
        | Input::Remove { .. } => true,
        Input::PublisherGone { .. }
        | Input::PartClosed { .. }
        | Input::VerdictGiven { .. }
        | Input::OutputFinished { .. }
        | Input::CoverFinished { .. }
        | Input::PicturesFinished { .. }
        | Input::AnalysisFinished { .. }
        | Input::Discarded { .. }
        | Input::ComposeLinked { .. }
        | Input::ComposeFinished { .. } => false,
    };
    let records = match life.try_hear(&input) {
        Ok(records) => records,
        Err(why) => {
            assert!(fresh, "{why}: {input:?}");
            0
        }
    };
    assert!(fresh || records == 0, "a late {input:?}");
}

fn stale(life: &mut Life, epochs_ago: u32) {
    let Some(epoch) = life.broadcast.epoch.checked_sub(epochs_ago) else {
        return;
    };
    let (video, audio) = life.answers.tracks(0);
    let inputs =
        [Input::gone(epoch, LeaveCause::Disconnected), Input::PartOpening { epoch, video, audio, first_ms: 0 }];
    for input in inputs {
        assert_eq!(life.hear(&input), 0, "an older publisher is heard");
    }
}

/// Scripts of a correct outside.
pub(crate) fn scripts() -> impl Strategy<Value = Script> {
    scripts_of(acts().boxed())
}

/// Scripts in which every fifth act is one that no correct outside has.
pub(crate) fn hostile_scripts() -> impl Strategy<Value = Script> {
    let nonsense = any::<u64>().prop_map(|pick| Act::Nonsense { pick });
    scripts_of(prop_oneof![4 => acts(), 1 => nonsense].boxed())
}

fn scripts_of(acts: BoxedStrategy<Act>) -> impl Strategy<Value = Script> {
    // One life in six is the production of an edited video: nobody publishes, all else is the same.
    let answers = (any::<u64>(), rules(), 0..6_u8).prop_map(|(seed, rules, edit)| Answers {
        seed,
        rules,
        is_production: edit == 0,
    });
    let acts = prop::collection::vec(acts, 0..60);
    (answers, acts).prop_map(|(answers, acts)| Script { answers, acts })
}

fn rules() -> impl Strategy<Value = RecordRules> {
    let breaks = prop_oneof![
        6 => Just(15_000_u64),
        1 => Just(0),
        1 => Just(1),
        1 => Just(u64::MAX),
    ];
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    (breaks, switches).prop_map(|(break_ms, (auto_compose, group, analyse))| RecordRules {
        cycle_ms: 10_000,
        break_ms,
        auto_compose,
        compose_group: group.then(|| GroupId::new("g-two")),
        analyse,
        ..RecordRules::default()
    })
}

fn acts() -> impl Strategy<Value = Act> {
    let leave = prop::sample::select(vec![
        LeaveCause::Unpublished,
        LeaveCause::Disconnected,
        LeaveCause::Refused,
        LeaveCause::Storage,
        LeaveCause::RecordingStopped,
    ]);
    let close = prop::sample::select(vec![CloseCause::Cycle, CloseCause::CodecChanged, CloseCause::Stopped]);
    let end = prop::sample::select(vec![EndCause::Forbidden, EndCause::Shutdown, EndCause::Storage, EndCause::Stopped]);
    prop_oneof![
        6 => (0..12_000_u32).prop_map(|ms| Act::Wait { ms }),
        2 => (0..20_000_u32).prop_map(|ms| Act::Oversleep { ms }),
        1 => (0..20_000_u32).prop_map(|ms| Act::SetBack { ms }),
        4 => Just(Act::Publish),
        3 => (-1..=1_i64).prop_map(|from_end_ms| Act::Return { from_end_ms }),
        4 => leave.prop_map(Act::Leave),
        10 => Just(Act::Open),
        8 => close.prop_map(Act::Close),
        1 => end.prop_map(Act::End),
        10 => (any::<usize>(), 0..5_usize).prop_map(|(pick, arrive)| Act::Work { pick, arrive }),
        4 => any::<usize>().prop_map(|pick| Act::Again { pick }),
        1 => (1..3_u32).prop_map(|epochs_ago| Act::Stale { epochs_ago }),
        6 => any::<u64>().prop_map(|pick| Act::Request { pick }),
        2 => Just(Act::Restart),
        2 => Just(Act::DieNext),
    ]
}
