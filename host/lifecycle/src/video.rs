//! One video on its way from stored to playable: which group, which renditions, what became of each.

use crate::id::{EffectId, GroupId, JobId, PartIndex, RecordSeq, TaskId, VideoId};
use crate::media::PartFacts;
use crate::record::{CoverFacts, OutputFacts, TaskPlan, Template, WorkResult};
use crate::time::Timestamp;

/// What a video was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// One part.
    Part(PartIndex),
    /// All the broadcast's parts.
    Compose,
}

/// How far a video is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its source is being made.
    Uploading,
    /// Its source is there; nothing was made of it, and nothing will be unless somebody asks.
    Stored,
    /// Renditions are being made.
    Transcoding,
    /// At least one stream plays.
    Ready,
    /// Every rendition failed, or a policy's failure forbids the work.
    Failed,
    /// Its source could not be made.
    ProduceFailed,
}

/// One rendition of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The job that makes it.
    pub job: JobId,
    /// The template.
    pub template: Template,
    /// What became of it, and when work on it began and ended.
    pub finished: Option<Finished>,
}

/// The end of one rendition.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// What became of it.
    pub result: WorkResult<OutputFacts>,
    /// When work on it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub at: Timestamp,
}

/// The cover pictures of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Cover {
    /// The job that takes them.
    pub job: JobId,
    /// What became of it.
    pub result: Option<WorkResult<CoverFacts>>,
}

/// Everything one template group asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The record that opened it.
    pub record: RecordSeq,
    /// The group.
    pub group: GroupId,
    /// One per template.
    pub outputs: Vec<Output>,
    /// The covers, when the source has a picture.
    pub cover: Option<Cover>,
    /// When it was opened.
    pub created_at: Timestamp,
}

impl Task {
    fn new(video: &VideoId, record: RecordSeq, plan: &TaskPlan, at: Timestamp) -> Self {
        let id = TaskId::derived(video, record);
        let outputs = plan
            .templates
            .iter()
            .zip(0..)
            .map(|(template, ordinal)| Output {
                job: JobId::derived(&id, ordinal),
                template: template.clone(),
                finished: None,
            })
            .collect();
        let cover = plan.cover.then(|| Cover { job: JobId::derived(&id, u32::MAX), result: None });
        Self { id, record, group: plan.group.clone(), outputs, cover, created_at: at }
    }

    /// Whether any rendition or cover has no result yet.
    pub fn is_open(&self) -> bool {
        self.outputs.iter().any(|output| output.finished.is_none())
            || self.cover.as_ref().is_some_and(|cover| cover.result.is_none())
    }

    /// Whether every rendition has its result.
    pub fn outputs_finished(&self) -> bool {
        self.outputs.iter().all(|output| output.finished.is_some())
    }

    /// Whether at least one rendition is there.
    pub fn any_output_done(&self) -> bool {
        self.outputs
            .iter()
            .any(|output| output.finished.as_ref().is_some_and(|finished| finished.result.done().is_some()))
    }
}

/// What is happening with a video.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Its source is being composed.
    Composing,
    /// The template group is being asked for; the record that called for the question.
    Deciding(RecordSeq),
    /// Work as planned, running or finished.
    Planned(Task),
    /// A policy failed and its binding says that nothing is done then.
    Rejected,
    /// The source could not be made.
    ProduceFailed,
}

/// A VOD asset.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    /// Its id.
    pub id: VideoId,
    /// What it was made from.
    pub source: Source,
    /// What the source holds, once it is there.
    pub facts: Option<PartFacts>,
    /// What is happening with it.
    pub stage: Stage,
    /// When it came into being.
    pub created_at: Timestamp,
}

impl Video {
    pub(crate) fn stored(id: VideoId, source: Source, facts: PartFacts, record: RecordSeq, at: Timestamp) -> Self {
        Self { id, source, facts: Some(facts), stage: Stage::Deciding(record), created_at: at }
    }

    pub(crate) fn composing(id: VideoId, at: Timestamp) -> Self {
        Self { id, source: Source::Compose, facts: None, stage: Stage::Composing, created_at: at }
    }

    pub(crate) fn plan(&mut self, record: RecordSeq, plan: &TaskPlan, at: Timestamp) {
        self.stage = Stage::Planned(Task::new(&self.id, record, plan, at));
    }

    /// The task, once the group is chosen.
    pub fn task(&self) -> Option<&Task> {
        match &self.stage {
            Stage::Planned(task) => Some(task),
            Stage::Composing | Stage::Deciding(_) | Stage::Rejected | Stage::ProduceFailed => None,
        }
    }

    pub(crate) fn task_mut(&mut self) -> Option<&mut Task> {
        match &mut self.stage {
            Stage::Planned(task) => Some(task),
            Stage::Composing | Stage::Deciding(_) | Stage::Rejected | Stage::ProduceFailed => None,
        }
    }

    /// The work that should be running for this video's task, if any.
    pub fn open_task(&self) -> Option<EffectId> {
        self.task().filter(|task| task.is_open()).map(|task| EffectId { record: task.record, ordinal: 0 })
    }

    /// Whether nothing more happens by itself.
    pub fn is_settled(&self) -> bool {
        match &self.stage {
            Stage::Composing | Stage::Deciding(_) => false,
            Stage::Planned(task) => !task.is_open(),
            Stage::Rejected | Stage::ProduceFailed => true,
        }
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        match &self.stage {
            Stage::Composing => Status::Uploading,
            Stage::Deciding(_) => Status::Stored,
            Stage::Rejected => Status::Failed,
            Stage::ProduceFailed => Status::ProduceFailed,
            Stage::Planned(task) if task.group.is_no_transcode() => Status::Ready,
            Stage::Planned(task) if task.outputs.is_empty() => Status::Stored,
            Stage::Planned(task) if task.any_output_done() => Status::Ready,
            Stage::Planned(task) if task.outputs_finished() => Status::Failed,
            Stage::Planned(_) => Status::Transcoding,
        }
    }
}
