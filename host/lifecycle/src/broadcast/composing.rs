//! The end of a broadcast: whether and how its parts become one video.

use std::collections::BTreeMap;

use super::{Broadcast, Compose, Publishing, Rejected};
use crate::effect::Effect;
use crate::id::{EffectId, RecordSeq, VideoId};
use crate::media::PartFacts;
use crate::question::Hook;
use crate::record::{Record, Resolution, Subject, WorkResult};
use crate::time::Timestamp;
use crate::video::{Source, Stage, Video};

/// The ordinal of the compose question among the effects of the record that ended the broadcast.
pub(super) const ASK: u32 = 2;

pub(super) fn outstanding(broadcast: &Broadcast, ended: RecordSeq, effects: &mut BTreeMap<EffectId, Effect>) {
    match &broadcast.compose {
        Compose::Deciding if is_asked(broadcast) => {
            let ask = Effect::Ask { hook: Hook::ComposeRules, subject: Subject::Compose };
            effects.insert(EffectId { record: ended, ordinal: ASK }, ask);
        }
        Compose::Planned(plan, record) => {
            if let Some(video) = being_composed(broadcast) {
                let compose = Effect::Compose { video: video.id.clone(), plan: plan.clone() };
                effects.insert(EffectId { record: *record, ordinal: 0 }, compose);
            }
        }
        Compose::NotYet | Compose::Deciding | Compose::Skipped => {}
    }
}

/// The video whose source is being composed.
fn being_composed(broadcast: &Broadcast) -> Option<&Video> {
    let video = broadcast.videos.get(&VideoId::of_compose(&broadcast.id))?;
    (video.stage == Stage::Composing && !video.removed).then_some(video)
}

/// The work that makes a source now: a compose or a production.
fn making(broadcast: &Broadcast) -> Option<(VideoId, EffectId)> {
    if let Compose::Planned(_, record) = &broadcast.compose {
        return Some((being_composed(broadcast)?.id.clone(), EffectId { record: *record, ordinal: 0 }));
    }
    super::producing::running(broadcast)
}

/// The end of the broadcast, while the files of the parts may not go: the compose is being decided over them, or its
/// index does not hold them yet.
pub(super) fn needs_parts(broadcast: &Broadcast) -> Option<RecordSeq> {
    let Publishing::Over { record, .. } = broadcast.publishing else { return None };
    let needed = match &broadcast.compose {
        Compose::Deciding => true,
        Compose::Planned(..) => being_composed(broadcast).is_some_and(|video| !video.linked),
        Compose::NotYet | Compose::Skipped => false,
    };
    needed.then_some(record)
}

/// Whether the compose question is being asked: it carries every part and what was found in it, so it waits until
/// each is closed and looked at.
pub(super) fn is_asked(broadcast: &Broadcast) -> bool {
    broadcast.compose == Compose::Deciding
        && all_parts_settled(broadcast)
        && !broadcast.videos.values().any(Video::awaits_analysis)
}

fn all_parts_settled(broadcast: &Broadcast) -> bool {
    let lingering = matches!(broadcast.publishing, Publishing::Over { lingering: Some(_), .. });
    !lingering && broadcast.open_part().is_none()
}

/// A broadcast without a single closed part that is still there has nothing to ask about.
pub(super) fn after(broadcast: &mut Broadcast) {
    let there = |video: &Video| matches!(video.source, Source::Part(_)) && !video.removed && !video.source_removed;
    if is_asked(broadcast) && !broadcast.videos.values().any(there) {
        broadcast.compose = Compose::Skipped;
    }
}

pub(super) fn linked(
    broadcast: &Broadcast,
    effect: EffectId,
    facts: &PartFacts,
    now: Timestamp,
) -> Result<Vec<Record>, Rejected> {
    let Compose::Planned(_, record) = &broadcast.compose else {
        return Ok(Vec::new());
    };
    let waits = being_composed(broadcast).is_some_and(|video| !video.linked);
    if !waits || effect != (EffectId { record: *record, ordinal: 0 }) {
        return Ok(Vec::new());
    }
    Ok(vec![Record::ComposeLinked { facts: facts.recordable(), at: now }])
}

pub(super) fn apply_linked(broadcast: &mut Broadcast, facts: &PartFacts) -> Result<(), &'static str> {
    let video = broadcast
        .videos
        .get_mut(&VideoId::of_compose(&broadcast.id))
        .filter(|video| video.stage == Stage::Composing && !video.linked)
        .ok_or("the index of a compose that is not running")?;
    video.linked = true;
    video.facts = Some(facts.clone());
    Ok(())
}

pub(super) fn finished(
    broadcast: &Broadcast,
    effect: EffectId,
    result: &WorkResult<PartFacts>,
    now: Timestamp,
) -> Vec<Record> {
    if making(broadcast).is_none_or(|(_, running)| running != effect) {
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
            broadcast.videos.insert(id.clone(), Video::composing(id, Source::Compose, at));
            broadcast.compose = Compose::Planned(plan.clone(), seq);
        }
        Resolution::Process(_) | Resolution::Refused(_) => return Err("a compose is not processed"),
        Resolution::Nothing => broadcast.compose = Compose::Skipped,
    }
    Ok(())
}

pub(super) fn apply_finished(
    broadcast: &mut Broadcast,
    result: &WorkResult<PartFacts>,
    seq: RecordSeq,
) -> Result<(), &'static str> {
    let (id, _) = making(broadcast).ok_or("the end of a compose that is not running")?;
    let video = broadcast.videos.get_mut(&id).ok_or("the end of a compose without a video")?;
    match result {
        WorkResult::Done(facts) => {
            video.facts = Some(facts.clone());
            video.stage = Stage::Deciding(seq);
        }
        WorkResult::Failed(_) => video.stage = Stage::ProduceFailed,
    }
    Ok(())
}
