//! Videos: the verdict on the template group, then a result for each rendition and for the cover.

use std::collections::BTreeMap;

use super::{Broadcast, Publishing, Rejected};
use crate::decision::Decision;
use crate::effect::Effect;
use crate::id::{EffectId, JobId, RecordSeq, VideoId};
use crate::question::Hook;
use crate::record::{CoverFacts, OutputFacts, Record, Resolution, Subject, WorkResult};
use crate::time::Timestamp;
use crate::video::{Finished, Stage, Video};

/// The work on a video that is there. A composed video plays before it has a file of its own; all work here reads that
/// file, so what is asked for meanwhile waits.
pub(super) fn outstanding(video: &Video, effects: &mut BTreeMap<EffectId, Effect>) {
    if video.stage == Stage::Composing {
        return;
    }
    if let Stage::Deciding(record) = video.stage {
        let ask = Effect::Ask { hook: Hook::TemplateGroup, subject: Subject::Video(video.id.clone()) };
        effects.insert(EffectId { record, ordinal: 0 }, ask);
    }
    for task in video.tasks.iter().filter(|task| task.is_open()) {
        let process = Effect::Process { video: video.id.clone(), task: task.id.clone() };
        effects.insert(EffectId { record: task.record, ordinal: 0 }, process);
    }
    for wanted in video.pictures.iter().filter(|pictures| pictures.result.is_none()) {
        let (video, job, plan) = (video.id.clone(), wanted.job.clone(), wanted.plan.clone());
        effects.insert(EffectId { record: wanted.record, ordinal: 0 }, Effect::Pictures { video, job, plan });
    }
    for wanted in video.analyses.iter().filter(|analysis| analysis.result.is_none()) {
        let (video, job) = (video.id.clone(), wanted.job.clone());
        effects.insert(wanted.effect, Effect::Analyse { video, job, kind: wanted.kind });
    }
}

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
        (Subject::Video(_), Resolution::Process(_) | Resolution::Refused(_)) => true,
        (Subject::Compose, Resolution::Compose { .. }) => true,
        (_, Resolution::Nothing) => true,
        (Subject::Video(_), Resolution::Compose { .. }) => false,
        (Subject::Compose, Resolution::Process(_) | Resolution::Refused(_)) => false,
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
    let video = broadcast.videos.values().find(|video| !video.removed && waiting(&video.stage))?;
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
        .filter(|video| !video.removed)
        .and_then(|video| video.task_of_job(job)?.output(job))
        .is_some_and(|output| output.finished.is_none());
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
        .filter(|video| !video.removed)
        .and_then(|video| video.cover(job))
        .is_some_and(|cover| cover.result.is_none());
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
        Resolution::Process(plan) => {
            let request = broadcast.production.as_ref().map(|opening| opening.request.clone());
            video.plan(seq, plan, request.unwrap_or_default(), at);
        }
        Resolution::Nothing => video.stage = Stage::Rejected,
        Resolution::Refused(failure) => video.stage = Stage::Refused(failure.clone()),
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
    let tasks = broadcast.videos.get_mut(video).map(|video| &mut video.tasks);
    let output = tasks
        .and_then(|tasks| tasks.iter_mut().flat_map(|task| &mut task.outputs).find(|output| &output.job == job))
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
    let tasks = broadcast.videos.get_mut(video).map(|video| &mut video.tasks);
    let cover = tasks
        .and_then(|tasks| tasks.iter_mut().filter_map(|task| task.cover.as_mut()).find(|cover| &cover.job == job))
        .ok_or("a result for an unknown cover")?;
    if cover.result.is_some() {
        return Err("a second result for a cover");
    }
    cover.result = Some(result.clone());
    Ok(())
}
