//! Events: what the tenant is told. They are derived from records, so a record cannot exist without its
//! events, and their ids come from the record, so a repeat carries the same id.

use serde::{Deserialize, Serialize};

use crate::broadcast::Broadcast;
use crate::id::{EventId, JobId, PartIndex, RecordSeq, TaskId, VideoId};
use crate::media::PartFacts;
use crate::record::{
    CoverFacts, EndCause, OutputFacts, Record, Resolution, Subject, Template, WorkFailure, WorkResult,
};
use crate::time::Timestamp;
use crate::work::{AnalysisKind, AnalysisResult, PictureFacts, PicturesPlan, Removal, Request, Trigger};

/// One rendition as an event tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamReport {
    /// The job that made it.
    pub job: JobId,
    /// The template.
    pub template: Template,
    /// What became of it.
    pub result: WorkResult<OutputFacts>,
    /// When work on it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Text that came with the request.
    #[serde(default)]
    pub extend: Option<String>,
}

/// What the tenant is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A part became a video.
    PartRecorded {
        /// Wall clock of its first media.
        started_at: Timestamp,
        /// Wall clock of its end.
        ended_at: Timestamp,
    },
    /// The merge began, and what it will be plays already.
    ComposeStarted,
    /// The merge could not begin.
    ComposeRefused(WorkFailure),
    /// The video's source file is complete.
    SourceComplete {
        /// Its size.
        bytes: u64,
        /// Text that came with the request, where the video was asked for.
        #[serde(default)]
        extend: Option<String>,
    },
    /// The source was measured.
    Analysed(PartFacts),
    /// Cover pictures were taken, or not.
    CoverTaken {
        /// The job.
        job: JobId,
        /// What became of it.
        result: WorkResult<CoverFacts>,
        /// Text that came with the request.
        #[serde(default)]
        extend: Option<String>,
    },
    /// One rendition ended.
    StreamTranscoded(StreamReport),
    /// All renditions of a task ended.
    TaskComplete {
        /// The task; absent when a policy's failure forbade it.
        task: Option<TaskId>,
        /// One per rendition.
        streams: Vec<StreamReport>,
        /// Why there is none.
        failure: Option<WorkFailure>,
        /// Text that came with the request.
        #[serde(default)]
        extend: Option<String>,
    },
    /// The merge failed after it began.
    ComposeFailed(WorkFailure),
    /// Pictures that were asked for were taken, or not.
    PicturesTaken {
        /// The job.
        job: JobId,
        /// Which.
        plan: PicturesPlan,
        /// What became of it.
        result: WorkResult<Vec<PictureFacts>>,
        /// What came with the request.
        request: Request,
    },
    /// An analysis that was asked for ended.
    AnalysisDone {
        /// The job.
        job: JobId,
        /// What was looked for.
        kind: AnalysisKind,
        /// What became of it.
        result: WorkResult<AnalysisResult>,
        /// What came with the request.
        request: Request,
    },
    /// The edited video of a project is there, or never will be.
    ProduceFinished {
        /// The project.
        project: String,
        /// Why there is none.
        failure: Option<WorkFailure>,
        /// Text that came with the request.
        extend: Option<String>,
    },
    /// A video, or something of it, was taken away.
    Removed {
        /// What.
        what: Removal,
    },
    /// Recording ended on the server's account: the disk is full.
    RecordingStopped,
}

impl Told {
    /// The event's name in our words; part of its id.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PartRecorded { .. } => "part-recorded",
            Self::ComposeStarted => "compose-started",
            Self::ComposeRefused(_) => "compose-refused",
            Self::SourceComplete { .. } => "source-complete",
            Self::Analysed(_) => "analysed",
            Self::CoverTaken { .. } => "cover-taken",
            Self::StreamTranscoded(_) => "stream-transcoded",
            Self::TaskComplete { .. } => "task-complete",
            Self::ComposeFailed(_) => "compose-failed",
            Self::PicturesTaken { .. } => "pictures-taken",
            Self::AnalysisDone { .. } => "analysis-done",
            Self::ProduceFinished { .. } => "produce-finished",
            Self::Removed { .. } => "removed",
            Self::RecordingStopped => "recording-stopped",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Stable id.
    pub id: EventId,
    /// The video it is about.
    pub video: VideoId,
    /// When the record was made.
    pub at: Timestamp,
    /// What is told.
    pub told: Told,
}

/// The events of `record`, the record `seq` of `after`'s journal, where `after` has already folded it.
pub fn events(after: &Broadcast, seq: RecordSeq, record: &Record) -> Vec<Event> {
    let at = record.at();
    told(after, record)
        .into_iter()
        .enumerate()
        .map(|(ordinal, (video, told))| Event {
            id: EventId::derived(&after.id, seq, told.name(), ordinal),
            video,
            at,
            told,
        })
        .collect()
}

fn told(after: &Broadcast, record: &Record) -> Vec<(VideoId, Told)> {
    match record {
        Record::PartClosed { part, facts, ended_at, .. } => {
            let video = VideoId::of_part(&after.id, *part);
            let started_at = after.parts.get(*part as usize).map_or(*ended_at, |part| part.started_at);
            vec![
                (video.clone(), Told::PartRecorded { started_at, ended_at: *ended_at }),
                (video.clone(), Told::SourceComplete { bytes: facts.bytes, extend: None }),
                (video, Told::Analysed(facts.clone())),
            ]
        }
        Record::Decided { subject: Subject::Video(video), resolution: Resolution::Nothing, .. } => {
            vec![(video.clone(), undone(policy_rejected(), None))]
        }
        Record::Decided { subject: Subject::Video(video), resolution: Resolution::Refused(failure), .. } => {
            let extend = after.production.as_ref().and_then(|opening| opening.request.extend.clone());
            vec![(video.clone(), undone(failure.clone(), extend))]
        }
        // Told when it plays and not before: who hears of it may look at once.
        Record::ComposeLinked { .. } => vec![(VideoId::of_compose(&after.id), Told::ComposeStarted)],
        Record::OutputFinished { video, job, .. } => output_finished(after, video, job),
        Record::CoverFinished { video, job, result, .. } => {
            let extend = after.request_of_job(job).and_then(|request| request.extend.clone());
            vec![(video.clone(), Told::CoverTaken { job: job.clone(), result: result.clone(), extend })]
        }
        Record::ComposeFinished { result, .. } => source_made(after, result),
        Record::PicturesFinished { video, job, result, .. } => pictures_taken(after, video, job, result),
        Record::AnalysisFinished { video, job, result, .. } => analysis_done(after, video, job, result),
        Record::Removed { video, what, .. } => vec![(video.clone(), Told::Removed { what: what.clone() })],
        Record::Ended { cause: EndCause::Storage, .. } => {
            // There may be no video yet, and what was recorded becomes one with an event of its own.
            let part = after.parts.len().saturating_sub(1).try_into().unwrap_or(PartIndex::MAX);
            vec![(VideoId::of_part(&after.id, part), Told::RecordingStopped)]
        }
        Record::Opened { .. }
        | Record::PublisherJoined { .. }
        | Record::PublisherLeft { .. }
        | Record::PartOpened { .. }
        | Record::PartDropped { .. }
        | Record::Ended { .. }
        | Record::Decided { .. }
        | Record::ProduceOpened { .. }
        | Record::TaskOpened { .. }
        | Record::PicturesAsked { .. }
        | Record::AnalysisAsked { .. }
        | Record::Discarded { .. } => Vec::new(),
    }
}

fn source_made(after: &Broadcast, result: &WorkResult<PartFacts>) -> Vec<(VideoId, Told)> {
    let mut told = Vec::new();
    let extend = after.production.as_ref().and_then(|opening| opening.request.extend.clone());
    let video = match &after.production {
        Some(opening) => {
            let video = VideoId::of_edit(&after.id);
            let failure = match result {
                WorkResult::Done(_) => None,
                WorkResult::Failed(failure) => Some(failure.clone()),
            };
            let (project, extend) = (opening.project.clone(), extend.clone());
            told.push((video.clone(), Told::ProduceFinished { project, failure, extend }));
            video
        }
        None => VideoId::of_compose(&after.id),
    };
    match result {
        WorkResult::Done(facts) => {
            told.push((video.clone(), Told::SourceComplete { bytes: facts.bytes, extend }));
            told.push((video, Told::Analysed(facts.clone())));
        }
        WorkResult::Failed(failure) if after.production.is_none() => {
            if after.videos.get(&video).is_some_and(|video| !video.linked) {
                told.push((video.clone(), Told::ComposeRefused(failure.clone())));
            }
            told.push((video, Told::ComposeFailed(failure.clone())));
        }
        WorkResult::Failed(_) => {}
    }
    told
}

fn pictures_taken(
    after: &Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<Vec<PictureFacts>>,
) -> Vec<(VideoId, Told)> {
    let asked = after.videos.get(video).and_then(|video| video.pictures.iter().find(|asked| &asked.job == job));
    let told = asked.map(|asked| Told::PicturesTaken {
        job: job.clone(),
        plan: asked.plan.clone(),
        result: result.clone(),
        request: asked.request.clone(),
    });
    told.map(|told| (video.clone(), told)).into_iter().collect()
}

/// An analysis that the record rules called for tells nobody: the compose question carries it.
fn analysis_done(
    after: &Broadcast,
    video: &VideoId,
    job: &JobId,
    result: &WorkResult<AnalysisResult>,
) -> Vec<(VideoId, Told)> {
    let asked = after.videos.get(video).and_then(|video| video.analyses.iter().find(|asked| &asked.job == job));
    let told = asked.filter(|asked| asked.trigger == Trigger::Manual).map(|asked| Told::AnalysisDone {
        job: job.clone(),
        kind: asked.kind,
        result: result.clone(),
        request: asked.request.clone(),
    });
    told.map(|told| (video.clone(), told)).into_iter().collect()
}

/// The end of a task that never began.
fn undone(failure: WorkFailure, extend: Option<String>) -> Told {
    Told::TaskComplete { task: None, streams: Vec::new(), failure: Some(failure), extend }
}

fn policy_rejected() -> WorkFailure {
    WorkFailure {
        code: "PolicyRejected".to_owned(),
        message: "the template-group policy failed and its binding rejects then; the recording is kept".to_owned(),
    }
}

fn output_finished(after: &Broadcast, video: &VideoId, job: &JobId) -> Vec<(VideoId, Told)> {
    let Some(task) = after.videos.get(video).and_then(|video| video.task_of_job(job)) else {
        return Vec::new();
    };
    let reports: Vec<StreamReport> = task
        .outputs
        .iter()
        .filter_map(|output| {
            let finished = output.finished.as_ref()?;
            Some(StreamReport {
                job: output.job.clone(),
                template: output.template.clone(),
                result: finished.result.clone(),
                started_at: finished.started_at,
                finished_at: finished.at,
                extend: task.request.extend.clone(),
            })
        })
        .collect();
    let mut told: Vec<(VideoId, Told)> = reports
        .iter()
        .filter(|report| &report.job == job)
        .map(|report| (video.clone(), Told::StreamTranscoded(report.clone())))
        .collect();
    if task.outputs_finished() {
        let extend = task.request.extend.clone();
        let whole = Told::TaskComplete { task: Some(task.id.clone()), streams: reports, failure: None, extend };
        told.push((video.clone(), whole));
    }
    told
}
