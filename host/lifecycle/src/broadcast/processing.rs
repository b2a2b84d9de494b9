//! Videos: the verdict on the template group, then a result for each rendition and for the cover.

use super::{Broadcast, Publishing, Rejected};
use crate::decision::Decision;
use crate::id::{EffectId, JobId, RecordSeq, VideoId};
use crate::record::{CoverFacts, OutputFacts, Record, Resolution, Subject, WorkResult};
use crate::time::Timestamp;
use crate::video::{Finished, Stage};

pub(super) fn verdict(
    broadcast: &Broadcast,
    effect: EffectId,
    decision: &Decision,
    resolution: &Resolution,
    now: Timestamp,
) -> Result<Vec<Record>, Rejected> {
    let Some(subject) = asked_about(broadcast, effect) else {
        return Ok(Vec::new());
    };
    let fits = match (&subject, resolution) {
        (Subject::Video(_), Resolution::Process(_)) | (Subject::Compose, Resolution::Compose { .. }) => true,
        (_, Resolution::Nothing) => true,
        (Subject::Video(_), Resolution::Compose { .. }) | (Subject::Compose, Resolution::Process(_)) => false,
    };
    if !fits {
        return Err(Rejected::Impossible("a verdict for another question"));
    }
    Ok(vec![Record::Decided { subject, decision: decision.clone(), resolution: resolution.clone(), at: now }])
}

/// What the outstanding question `effect` is about; nothing when it has its answer already.
fn asked_about(broadcast: &Broadcast, effect: EffectId) -> Option<Subject> {
    if let Publishing::Over { record, .. } = broadcast.publishing
        && effect == (EffectId { record, ordinal: super::composing::ASK })
        && super::composing::is_asked(broadcast)
    {
        return Some(Subject::Compose);
    }
    let waiting = |stage: &Stage| *stage == Stage::Deciding(effect.record) && effect.ordinal == 0;
    let video = broadcast.videos.values().find(|video| waiting(&video.stage))?;
    Some(Subject::Video(video.id.clone()))
}

pub(super) fn output(
    broadcast: &Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<OutputFacts>,
    started_at: Timestamp,
    now: Timestamp,
) -> Vec<Record> {
    let waiting = broadcast
        .videos
        .get(video)
        .and_then(|video| video.task())
        .is_some_and(|task| task.outputs.iter().any(|output| &output.job == job && output.finished.is_none()));
    if !waiting {
        return Vec::new();
    }
    vec![Record::OutputFinished {
        video: video.clone(),
        job: job.clone(),
        result: result.map(OutputFacts::recordable),
        started_at,
        at: now,
    }]
}

pub(super) fn cover(
    broadcast: &Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<CoverFacts>,
    now: Timestamp,
) -> Vec<Record> {
    let waiting = broadcast
        .videos
        .get(video)
        .and_then(|video| video.task())
        .and_then(|task| task.cover.as_ref())
        .is_some_and(|cover| &cover.job == job && cover.result.is_none());
    if !waiting {
        return Vec::new();
    }
    vec![Record::CoverFinished { video: video.clone(), job: job.clone(), result: result.clone(), at: now }]
}

pub(super) fn apply_decided(
    broadcast: &mut Broadcast,
    video: &VideoId,
    resolution: &Resolution,
    seq: RecordSeq,
    at: Timestamp,
) -> Result<(), &'static str> {
    let video = broadcast.videos.get_mut(video).ok_or("a decision about an unknown video")?;
    if !matches!(video.stage, Stage::Deciding(_)) {
        return Err("a decision about a video that has one");
    }
    match resolution {
        Resolution::Process(plan) => video.plan(seq, plan, at),
        Resolution::Nothing => video.stage = Stage::Rejected,
        Resolution::Compose { .. } => return Err("a video cannot be composed"),
    }
    Ok(())
}

pub(super) fn apply_output(
    broadcast: &mut Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<OutputFacts>,
    started_at: Timestamp,
    at: Timestamp,
) -> Result<(), &'static str> {
    let task = broadcast.videos.get_mut(video).and_then(|video| video.task_mut());
    let output = task
        .and_then(|task| task.outputs.iter_mut().find(|output| &output.job == job))
        .ok_or("a result for an unknown rendition")?;
    if output.finished.is_some() {
        return Err("a second result for a rendition");
    }
    output.finished = Some(Finished { result: result.clone(), started_at, at });
    Ok(())
}

pub(super) fn apply_cover(
    broadcast: &mut Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<CoverFacts>,
) -> Result<(), &'static str> {
    let task = broadcast.videos.get_mut(video).and_then(|video| video.task_mut());
    let cover = task
        .and_then(|task| task.cover.as_mut())
        .filter(|cover| &cover.job == job)
        .ok_or("a result for an unknown cover")?;
    if cover.result.is_some() {
        return Err("a second result for a cover");
    }
    cover.result = Some(result.clone());
    Ok(())
}
