//! Work that the tenant asks for by hand on a video that is there: renditions, pictures, analyses.

use super::{Broadcast, Rejected};
use crate::id::{EffectId, JobId, RecordSeq, TaskId, VideoId};
use crate::record::{Record, TaskPlan, WorkFailure, WorkResult};
use crate::time::Timestamp;
use crate::video::{Analysis, Pictures, Video};
use crate::work::{AnalysisKind, AnalysisResult, PictureFacts, PicturesPlan, Request, Trigger};

/// Requests of each kind that one video takes in its life: each is a record that every later fold reads.
pub const MAX_REQUESTS: usize = 1_000;

/// Requests of all kinds that a broadcast takes for each of its videos, and some beside. Its journal is read and folded
/// as a whole: what tenants ask for by hand must not make it many times what the broadcast itself did.
pub const REQUESTS_PER_VIDEO: usize = 10;

/// See [`REQUESTS_PER_VIDEO`].
pub const REQUESTS_BESIDE: usize = 500;

/// Settings of a task's templates, in bytes: a full group with every setting takes a quarter. They go into the journal
/// with each request.
pub const MAX_PLAN_BYTES: usize = 64 * 1024;

/// The code of a rendition that was cancelled.
pub const CANCELLED: &str = "JobCancelled";

/// A video whose source can be read.
fn readable<'a>(broadcast: &'a Broadcast, video: &VideoId) -> Result<&'a Video, Rejected> {
    let video = broadcast.videos.get(video).filter(|video| !video.removed);
    let video = video.ok_or(Rejected::Unfit("the video does not exist"))?;
    if video.source_removed {
        return Err(Rejected::Unfit("the video's source was deleted"));
    }
    if video.facts.is_none() {
        return Err(Rejected::Unfit("the video's source is not there yet"));
    }
    Ok(video)
}

fn bounded(broadcast: &Broadcast, before: usize) -> Result<(), Rejected> {
    if before >= MAX_REQUESTS {
        return Err(Rejected::Unfit("the video has had too many requests of this kind"));
    }
    let of_one = |video: &Video| video.tasks.len() + video.pictures.len() + video.analyses.len();
    let together: usize = broadcast.videos.values().map(of_one).sum();
    if together >= REQUESTS_BESIDE + REQUESTS_PER_VIDEO * broadcast.videos.len() {
        return Err(Rejected::Unfit("the videos of its broadcast have had too many requests"));
    }
    Ok(())
}

pub(super) fn task(
    broadcast: &Broadcast,
    video: &VideoId,
    task: &TaskId,
    plan: &TaskPlan,
    request: &Request,
    now: Timestamp,
) -> Result<Vec<Record>, Rejected> {
    let known = broadcast.videos.get(video).is_some_and(|video| video.task_by_id(task).is_some());
    if known {
        return Ok(Vec::new());
    }
    bounded(broadcast, readable(broadcast, video)?.tasks.len())?;
    if plan.templates.iter().map(|template| template.settings.len()).sum::<usize>() > MAX_PLAN_BYTES {
        return Err(Rejected::Unfit("the settings of the task's templates are too long"));
    }
    Ok(vec![Record::TaskOpened {
        video: video.clone(),
        task: task.clone(),
        plan: plan.clone(),
        request: request.clone(),
        at: now,
    }])
}

/// A cancelled task is one whose open renditions failed: its events say so like those of any other failure.
pub(super) fn cancel(broadcast: &Broadcast, video: &VideoId, task: &TaskId, now: Timestamp) -> Vec<Record> {
    let task = broadcast.videos.get(video).filter(|video| !video.removed).and_then(|video| video.task_by_id(task));
    let failure = WorkFailure { code: CANCELLED.to_owned(), message: "the task was cancelled".to_owned() };
    let Some(task) = task else { return Vec::new() };
    let outputs = task.outputs.iter().filter(|output| output.finished.is_none());
    let outputs = outputs.map(|output| Record::OutputFinished {
        video: video.clone(),
        job: output.job.clone(),
        result: WorkResult::Failed(failure.clone()),
        started_at: now,
        at: now,
    });
    let covers = task.cover.iter().filter(|cover| cover.result.is_none()).map(|cover| Record::CoverFinished {
        video: video.clone(),
        job: cover.job.clone(),
        result: WorkResult::Failed(failure.clone()),
        at: now,
    });
    outputs.chain(covers).collect()
}

pub(super) fn pictures(
    broadcast: &Broadcast,
    video: &VideoId,
    job: &JobId,
    plan: &PicturesPlan,
    request: &Request,
    now: Timestamp,
) -> Result<Vec<Record>, Rejected> {
    let known = |video: &Video| video.pictures.iter().any(|pictures| &pictures.job == job);
    if broadcast.videos.get(video).is_some_and(known) {
        return Ok(Vec::new());
    }
    bounded(broadcast, readable(broadcast, video)?.pictures.len())?;
    Ok(vec![Record::PicturesAsked {
        video: video.clone(),
        job: job.clone(),
        plan: plan.clone(),
        request: request.clone(),
        at: now,
    }])
}

pub(super) fn pictures_finished(
    broadcast: &Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<Vec<PictureFacts>>,
    now: Timestamp,
) -> Vec<Record> {
    let waits = |video: &Video| {
        !video.removed && video.pictures.iter().any(|pictures| &pictures.job == job && pictures.result.is_none())
    };
    if !broadcast.videos.get(video).is_some_and(waits) {
        return Vec::new();
    }
    vec![Record::PicturesFinished { video: video.clone(), job: job.clone(), result: result.clone(), at: now }]
}

pub(super) fn analysis(
    broadcast: &Broadcast,
    video: &VideoId,
    job: &JobId,
    kind: AnalysisKind,
    request: &Request,
    now: Timestamp,
) -> Result<Vec<Record>, Rejected> {
    let known = |video: &Video| video.analyses.iter().any(|analysis| &analysis.job == job);
    if broadcast.videos.get(video).is_some_and(known) {
        return Ok(Vec::new());
    }
    bounded(broadcast, readable(broadcast, video)?.analyses.len())?;
    let (video, job, request) = (video.clone(), job.clone(), request.clone());
    Ok(vec![Record::AnalysisAsked { video, job, kind, request, at: now }])
}

pub(super) fn analysis_finished(
    broadcast: &Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<AnalysisResult>,
    now: Timestamp,
) -> Result<Vec<Record>, Rejected> {
    let known = broadcast.videos.get(video).filter(|video| !video.removed);
    let known = known.and_then(|video| video.analyses.iter().find(|analysis| &analysis.job == job));
    let Some(analysis) = known.filter(|analysis| analysis.result.is_none()) else {
        return Ok(Vec::new());
    };
    let fits = match (analysis.kind, result) {
        (_, WorkResult::Failed(_))
        | (AnalysisKind::Facts, WorkResult::Done(AnalysisResult::Facts(_)))
        | (AnalysisKind::Fingerprint, WorkResult::Done(AnalysisResult::Fingerprint { .. })) => true,
        (AnalysisKind::Facts | AnalysisKind::Fingerprint, WorkResult::Done(_)) => false,
    };
    if !fits {
        return Err(Rejected::Impossible("the result of another kind of analysis"));
    }
    let result = result.map(AnalysisResult::recordable);
    Ok(vec![Record::AnalysisFinished { video: video.clone(), job: job.clone(), result, at: now }])
}

fn there<'a>(broadcast: &'a mut Broadcast, video: &VideoId) -> Result<&'a mut Video, &'static str> {
    broadcast.videos.get_mut(video).filter(|video| !video.removed).ok_or("work on an unknown video")
}

pub(super) fn apply_task(
    broadcast: &mut Broadcast,
    video: &VideoId,
    (task, record): (&TaskId, RecordSeq),
    plan: &TaskPlan,
    request: &Request,
    at: Timestamp,
) -> Result<(), &'static str> {
    let video = there(broadcast, video)?;
    if video.task_by_id(task).is_some() {
        return Err("a task opened twice");
    }
    video.open_manual(task.clone(), record, plan, request.clone(), at);
    Ok(())
}

pub(super) fn apply_pictures(
    broadcast: &mut Broadcast,
    video: &VideoId,
    (job, record): (&JobId, RecordSeq),
    plan: &PicturesPlan,
    request: &Request,
    at: Timestamp,
) -> Result<(), &'static str> {
    let video = there(broadcast, video)?;
    if video.pictures.iter().any(|pictures| &pictures.job == job) {
        return Err("pictures asked for twice");
    }
    let (job, plan, request) = (job.clone(), plan.clone(), request.clone());
    video.pictures.push(Pictures { job, plan, request, record, result: None, created_at: at });
    Ok(())
}

pub(super) fn apply_pictures_finished(
    broadcast: &mut Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<Vec<PictureFacts>>,
) -> Result<(), &'static str> {
    let pictures = there(broadcast, video)?.pictures.iter_mut().find(|pictures| &pictures.job == job);
    let pictures = pictures.filter(|pictures| pictures.result.is_none()).ok_or("pictures that nobody waits for")?;
    pictures.result = Some(result.clone());
    Ok(())
}

pub(super) fn apply_analysis(
    broadcast: &mut Broadcast,
    video: &VideoId,
    (job, record): (&JobId, RecordSeq),
    kind: AnalysisKind,
    request: &Request,
    at: Timestamp,
) -> Result<(), &'static str> {
    let video = there(broadcast, video)?;
    if video.analyses.iter().any(|analysis| &analysis.job == job) {
        return Err("an analysis asked for twice");
    }
    video.analyses.push(Analysis {
        job: job.clone(),
        kind,
        trigger: Trigger::Manual,
        request: request.clone(),
        effect: EffectId { record, ordinal: 0 },
        result: None,
        created_at: at,
    });
    Ok(())
}

pub(super) fn apply_analysis_finished(
    broadcast: &mut Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<AnalysisResult>,
    at: Timestamp,
) -> Result<(), &'static str> {
    let analysis = there(broadcast, video)?.analyses.iter_mut().find(|analysis| &analysis.job == job);
    let analysis = analysis.filter(|analysis| analysis.result.is_none()).ok_or("an analysis that nobody waits for")?;
    analysis.result = Some((result.clone(), at));
    Ok(())
}
