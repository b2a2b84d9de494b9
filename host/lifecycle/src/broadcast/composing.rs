//! The end of a broadcast: whether and how its parts become one video.

use std::collections::BTreeMap;

use super::{Broadcast, Compose, PartState, Publishing};
use crate::effect::Effect;
use crate::id::{EffectId, RecordSeq, VideoId};
use crate::media::PartFacts;
use crate::question::Hook;
use crate::record::{Record, Resolution, Subject, WorkResult};
use crate::time::Timestamp;
use crate::video::{Stage, Video};

/// The ordinal of the compose question among the effects of the record that ended the broadcast.
pub(super) const ASK: u32 = 2;

pub(super) fn outstanding(broadcast: &Broadcast, ended: RecordSeq, effects: &mut BTreeMap<EffectId, Effect>) {
    match &broadcast.compose {
        Compose::Deciding if is_asked(broadcast) => {
            let ask = Effect::Ask { hook: Hook::ComposeRules, subject: Subject::Compose };
            effects.insert(EffectId { record: ended, ordinal: ASK }, ask);
        }
        Compose::Planned(plan, record) => {
            let video = VideoId::of_compose(&broadcast.id);
            if broadcast.videos.get(&video).is_some_and(|video| video.stage == Stage::Composing) {
                let compose = Effect::Compose { video, plan: plan.clone() };
                effects.insert(EffectId { record: *record, ordinal: 0 }, compose);
            }
        }
        Compose::NotYet | Compose::Deciding | Compose::Skipped => {}
    }
}

/// Whether the compose question is being asked: it carries every part, so it waits until each is closed.
pub(super) fn is_asked(broadcast: &Broadcast) -> bool {
    broadcast.compose == Compose::Deciding && all_parts_settled(broadcast)
}

fn all_parts_settled(broadcast: &Broadcast) -> bool {
    let lingering = matches!(broadcast.publishing, Publishing::Over { lingering: Some(_), .. });
    !lingering && broadcast.open_part().is_none()
}

/// A broadcast without a single closed part has nothing to ask about.
pub(super) fn after(broadcast: &mut Broadcast) {
    let nothing = || !broadcast.parts.iter().any(|part| matches!(part.state, PartState::Closed { .. }));
    if is_asked(broadcast) && nothing() {
        broadcast.compose = Compose::Skipped;
    }
}

pub(super) fn finished(
    broadcast: &Broadcast,
    effect: EffectId,
    result: &WorkResult<PartFacts>,
    now: Timestamp,
) -> Vec<Record> {
    let Compose::Planned(_, record) = &broadcast.compose else {
        return Vec::new();
    };
    let video = VideoId::of_compose(&broadcast.id);
    let running = broadcast.videos.get(&video).is_some_and(|video| video.stage == Stage::Composing);
    if !running || effect != (EffectId { record: *record, ordinal: 0 }) {
        return Vec::new();
    }
    vec![Record::ComposeFinished { result: result.map(PartFacts::recordable), at: now }]
}

pub(super) fn apply_decided(
    broadcast: &mut Broadcast,
    resolution: &Resolution,
    seq: RecordSeq,
    at: Timestamp,
) -> Result<(), &'static str> {
    if !is_asked(broadcast) {
        return Err("a decision about a compose that is not asked for");
    }
    match resolution {
        Resolution::Compose { plan } => {
            let id = VideoId::of_compose(&broadcast.id);
            broadcast.videos.insert(id.clone(), Video::composing(id, at));
            broadcast.compose = Compose::Planned(plan.clone(), seq);
        }
        Resolution::Process(_) => return Err("a compose is not processed"),
        Resolution::Nothing => broadcast.compose = Compose::Skipped,
    }
    Ok(())
}

pub(super) fn apply_finished(
    broadcast: &mut Broadcast,
    result: &WorkResult<PartFacts>,
    seq: RecordSeq,
) -> Result<(), &'static str> {
    let id = VideoId::of_compose(&broadcast.id);
    let video = broadcast
        .videos
        .get_mut(&id)
        .filter(|video| video.stage == Stage::Composing)
        .ok_or("the end of a compose that is not running")?;
    match result {
        WorkResult::Done(facts) => {
            video.facts = Some(facts.clone());
            video.stage = Stage::Deciding(seq);
        }
        WorkResult::Failed(_) => video.stage = Stage::ProduceFailed,
    }
    Ok(())
}
