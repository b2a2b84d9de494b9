//! One video on its way from stored to playable: which group, which renditions, what became of each.

use crate::id::{EffectId, GroupId, JobId, PartIndex, RecordSeq, TaskId, VideoId};
use crate::media::{MediaFacts, PartFacts};
use crate::record::{CoverFacts, OutputFacts, TaskPlan, Template, WorkFailure, WorkResult};
use crate::time::Timestamp;
use crate::work::{AnalysisKind, AnalysisResult, PictureFacts, PicturesPlan, Removal, Request, Trigger};

/// What a video was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// One part.
    Part(PartIndex),
    /// All the broadcast's parts.
    Compose,
    /// An editing project.
    Edit,
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
    /// Every rendition failed, or the work cannot be done or must not be.
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
    /// Whether the tenant took it away since.
    pub removed: bool,
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
    /// Who called for it.
    pub trigger: Trigger,
    /// What came with the request.
    pub request: Request,
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
    fn new(id: TaskId, trigger: Trigger, request: Request, record: RecordSeq, plan: &TaskPlan, at: Timestamp) -> Self {
        let outputs = plan
            .templates
            .iter()
            .zip(0..)
            .map(|(template, ordinal)| Output {
                job: JobId::derived(&id, ordinal),
                template: template.clone(),
                finished: None,
                removed: false,
            })
            .collect();
        let cover = plan.cover.then(|| Cover { job: JobId::derived(&id, u32::MAX), result: None });
        Self { trigger, request, record, group: plan.group.clone(), outputs, cover, created_at: at, id }
    }

    /// The rendition that this job makes.
    pub fn output(&self, job: &JobId) -> Option<&Output> {
        self.outputs.iter().find(|output| &output.job == job)
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
        self.outputs.iter().any(|output| {
            !output.removed && output.finished.as_ref().is_some_and(|finished| finished.result.done().is_some())
        })
    }
}

/// Pictures that were asked for by hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Pictures {
    /// The job that takes them.
    pub job: JobId,
    /// Which.
    pub plan: PicturesPlan,
    /// What came with the request.
    pub request: Request,
    /// The record that asked.
    pub record: RecordSeq,
    /// What became of it.
    pub result: Option<WorkResult<Vec<PictureFacts>>>,
    /// When it was asked.
    pub created_at: Timestamp,
}

/// An analysis, called for by the record rules or by hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// The job that does it.
    pub job: JobId,
    /// What is looked for.
    pub kind: AnalysisKind,
    /// Who called for it.
    pub trigger: Trigger,
    /// What came with the request.
    pub request: Request,
    /// The work's id.
    pub effect: EffectId,
    /// What became of it, and when.
    pub result: Option<(WorkResult<AnalysisResult>, Timestamp)>,
    /// When it was asked.
    pub created_at: Timestamp,
}

/// Files that are yet to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discarding {
    /// The record that removed them.
    pub record: RecordSeq,
    /// What.
    pub what: Removal,
}

/// What is happening with a video.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Its source is being composed or produced.
    Composing,
    /// The template group is being asked for; the record that called for the question.
    Deciding(RecordSeq),
    /// The automatic task is decided, running or finished.
    Planned,
    /// A policy failed and its binding says that nothing is done then.
    Rejected,
    /// What was decided cannot be done: why.
    Refused(WorkFailure),
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
    /// Whether a composed video plays as an index over its parts.
    pub linked: bool,
    /// What is happening with it.
    pub stage: Stage,
    /// All tasks, the automatic one first.
    pub tasks: Vec<Task>,
    /// Pictures asked for by hand.
    pub pictures: Vec<Pictures>,
    /// Analyses.
    pub analyses: Vec<Analysis>,
    /// Whether the tenant took all of it away.
    pub removed: bool,
    /// Whether its source was taken away.
    pub source_removed: bool,
    /// What was taken away and is yet to go from the disk.
    pub discarding: Vec<Discarding>,
    /// When it came into being.
    pub created_at: Timestamp,
}

impl Video {
    fn new(id: VideoId, source: Source, facts: Option<PartFacts>, stage: Stage, at: Timestamp) -> Self {
        Self {
            id,
            source,
            facts,
            linked: false,
            stage,
            tasks: Vec::new(),
            pictures: Vec::new(),
            analyses: Vec::new(),
            removed: false,
            source_removed: false,
            discarding: Vec::new(),
            created_at: at,
        }
    }

    pub(crate) fn stored(id: VideoId, source: Source, facts: PartFacts, record: RecordSeq, at: Timestamp) -> Self {
        Self::new(id, source, Some(facts), Stage::Deciding(record), at)
    }

    pub(crate) fn composing(id: VideoId, source: Source, at: Timestamp) -> Self {
        Self::new(id, source, None, Stage::Composing, at)
    }

    pub(crate) fn plan(&mut self, record: RecordSeq, plan: &TaskPlan, request: Request, at: Timestamp) {
        let id = TaskId::derived(&self.id, record);
        self.stage = Stage::Planned;
        self.tasks.insert(0, Task::new(id, Trigger::Auto, request, record, plan, at));
    }

    pub(crate) fn open_manual(
        &mut self,
        id: TaskId,
        record: RecordSeq,
        plan: &TaskPlan,
        request: Request,
        at: Timestamp,
    ) {
        self.tasks.push(Task::new(id, Trigger::Manual, request, record, plan, at));
    }

    /// The same video with this task and the pictures or the analysis of this job alone.
    pub(crate) fn narrowed(&self, task: Option<&TaskId>, job: Option<&JobId>) -> Self {
        Self {
            linked: self.linked,
            removed: self.removed,
            source_removed: self.source_removed,
            tasks: self.tasks.iter().filter(|it| Some(&it.id) == task).cloned().collect(),
            pictures: self.pictures.iter().filter(|it| Some(&it.job) == job).cloned().collect(),
            analyses: self.analyses.iter().filter(|it| Some(&it.job) == job).cloned().collect(),
            ..Self::new(self.id.clone(), self.source, self.facts.clone(), self.stage.clone(), self.created_at)
        }
    }

    /// The automatic task, once the group is chosen.
    pub fn task(&self) -> Option<&Task> {
        self.tasks.first().filter(|task| task.trigger == Trigger::Auto)
    }

    /// The task of this id.
    pub fn task_by_id(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| &task.id == id)
    }

    /// The task that this rendition belongs to.
    pub fn task_of_job(&self, job: &JobId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.output(job).is_some())
    }

    /// The covers that this job takes.
    pub fn cover(&self, job: &JobId) -> Option<&Cover> {
        self.tasks.iter().filter_map(|task| task.cover.as_ref()).find(|cover| &cover.job == job)
    }

    /// What the newest analysis of facts found.
    pub fn media_facts(&self) -> Option<&MediaFacts> {
        self.analyses.iter().rev().find_map(|analysis| match analysis.result.as_ref()?.0.done()? {
            AnalysisResult::Facts(facts) => Some(facts),
            AnalysisResult::Fingerprint { .. } => None,
        })
    }

    /// Whether the analysis that the record rules call for has no result yet.
    pub fn awaits_analysis(&self) -> bool {
        let open = |analysis: &Analysis| analysis.trigger == Trigger::Auto && analysis.result.is_none();
        !self.removed && self.analyses.iter().any(open)
    }

    /// Whether work that reads its source is open.
    pub fn is_worked_on(&self) -> bool {
        self.tasks.iter().any(Task::is_open)
            || self.pictures.iter().any(|pictures| pictures.result.is_none())
            || self.analyses.iter().any(|analysis| analysis.result.is_none())
    }

    /// Whether nothing more happens by itself.
    pub fn is_settled(&self) -> bool {
        let waits = matches!(self.stage, Stage::Composing | Stage::Deciding(_)) || self.is_worked_on();
        self.discarding.is_empty() && (self.removed || !waits)
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        match self.stage {
            Stage::Composing => return Status::Uploading,
            Stage::ProduceFailed => return Status::ProduceFailed,
            Stage::Deciding(_) | Stage::Planned | Stage::Rejected | Stage::Refused(_) => {}
        }
        let source_plays = !self.source_removed && self.tasks.iter().any(|task| task.group.is_no_transcode());
        if source_plays || self.tasks.iter().any(Task::any_output_done) {
            Status::Ready
        } else if self.tasks.iter().any(|task| !task.outputs_finished()) {
            Status::Transcoding
        } else if matches!(self.stage, Stage::Rejected | Stage::Refused(_)) {
            Status::Failed
        } else if matches!(self.stage, Stage::Deciding(_)) || self.tasks.iter().all(|task| task.outputs.is_empty()) {
            Status::Stored
        } else {
            Status::Failed
        }
    }
}
