//! Records: the facts of a broadcast's journal. They are what happened, never positions in code, so a later
//! version of this crate folds an old journal to the same state. A variant is never reused for another
//! meaning; a new field gets `#[serde(default)]`.

use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::id::{Epoch, GroupId, JobId, PartIndex, RecordSeq, TaskId, TemplateId, TenantId, VideoId};
use crate::media::{AudioTrack, PartFacts, VideoTrack, recordable_fps};
use crate::question::{ComposePlan, GapRule, StreamKey};
use crate::time::Timestamp;
use crate::work::{AnalysisKind, AnalysisResult, PictureFacts, PicturesPlan, ProduceOpening, Removal, Request};

/// The version written beside each record; raised when a reader must convert older ones.
pub const VERSION: u32 = 1;

/// What the record config said when the broadcast began. A change of the config is for the next broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRules {
    /// Media length after which a part is closed at the next keyframe.
    pub cycle_ms: u64,
    /// How long the publisher may be gone before the broadcast is over.
    pub break_ms: u64,
    /// The template group of each part's video; [`GroupId::no_transcode`] is store only.
    pub group: GroupId,
    /// Whether the parts are composed when the broadcast is over.
    pub auto_compose: bool,
    /// The template group of the composed video; [`GroupId::no_transcode`] is compose only.
    pub compose_group: Option<GroupId>,
    /// What viewers of the composed video see where the publisher was gone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gaps: GapRule,
    /// Whether each part is analysed, and the compose question waits for what is found.
    #[serde(default, skip_serializing_if = "is_default")]
    pub analyse: bool,
    /// Days after which a part's video is removed; 0 keeps it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retention_days: u32,
}

/// What is as it would be by default is not written, so that a journal reads as it did before the field was there.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The vendor's defaults, storing only.
impl Default for RecordRules {
    fn default() -> Self {
        Self {
            cycle_ms: 3_600_000,
            break_ms: 180_000,
            group: GroupId::no_transcode(),
            auto_compose: false,
            compose_group: None,
            gaps: GapRule::Cut,
            analyse: false,
            retention_days: 0,
        }
    }
}

/// What a broadcast is born with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// The owner.
    pub tenant: TenantId,
    /// The stream.
    pub stream: StreamKey,
    /// The play domain bound to the stream's ingest domain.
    pub play_domain: String,
    /// Arguments of the push URL without authentication keys.
    pub push_args: Vec<(String, String)>,
    /// The rules in force.
    pub rules: RecordRules,
}

/// Why a publisher is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveCause {
    /// It said goodbye.
    Unpublished,
    /// The connection ended without a goodbye.
    Disconnected,
    /// It broke the protocol, stalled, or sent what cannot be recorded.
    Refused,
    /// The disk could not take its media.
    Storage,
    /// The server stopped or died while it was connected.
    ServerStopped,
    /// It was sent away.
    Dropped,
    /// It is still connected, but recording was stopped by command.
    RecordingStopped,
}

/// Why a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCause {
    /// The recording cycle elapsed.
    Cycle,
    /// The codec configuration changed.
    CodecChanged,
    /// Its writer stopped while the publisher was there: the server stops, the disk is full, or a command said so.
    Stopped,
    /// The broadcast is over.
    Ended,
}

/// Why a broadcast is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// The publisher did not come back within the break window.
    BreakWindow,
    /// The stream was forbidden or dropped by the tenant or the operator.
    Forbidden,
    /// The server is stopping for good and closes what it holds.
    Shutdown,
    /// Recording was ended by command.
    Stopped,
    /// The disk ran out of room.
    Storage,
    /// It never had a publisher: it is the production of an edited video.
    Produced,
}

/// One encoding setting, frozen when it was chosen: a later change of the template changes later videos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// Its name.
    pub name: String,
    /// The label the tenant gave it (the vendor's template vocabulary).
    pub definition: String,
    /// The container, `mp4` or `m3u8`.
    pub format: String,
    /// All settings as JSON text, understood by whoever plans the encode.
    pub settings: String,
}

/// What is done with a video: its group and that group's templates at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPlan {
    /// The group.
    pub group: GroupId,
    /// Its templates; none for the built-in group that encodes nothing.
    pub templates: Vec<Template>,
    /// Whether a cover is taken; sources without a picture have none.
    pub cover: bool,
}

/// One finished rendition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputFacts {
    /// The file to open, relative to the video's folder.
    pub file: String,
    /// Pixels; 0 for sound only.
    pub width: u32,
    /// Pixels; 0 for sound only.
    pub height: u32,
    /// Frames per second; 0 for sound only.
    pub fps: f64,
    /// Length in milliseconds.
    pub duration_ms: u64,
    /// Mean bitrate in kbit/s.
    pub bitrate_kbps: u64,
    /// All its files together.
    pub bytes: u64,
    /// `H.264`, `H.265`, `AAC`.
    pub codec: String,
    /// Its sound; absent if it has none, and in records older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioTrack>,
}

impl OutputFacts {
    /// The same facts with a frame rate that can be written down.
    pub(crate) fn recordable(&self) -> Self {
        Self { fps: recordable_fps(self.fps), ..self.clone() }
    }
}

/// Finished cover pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverFacts {
    /// File name pattern relative to the video's folder; `{SnapshotCount}` stands for a 5-digit index from 1.
    pub pattern: String,
    /// How many there are.
    pub count: u32,
    /// The index of the one that is the cover.
    pub cover: u32,
}

/// Why work gave nothing. Expected: media can be damaged, a template can ask for the impossible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkFailure {
    /// A stable code, the vendor's where it has one.
    pub code: String,
    /// What happened, for the tenant.
    pub message: String,
}

/// What became of one piece of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkResult<T> {
    /// It is there.
    Done(T),
    /// It is not, and trying again would not help.
    Failed(WorkFailure),
}

impl<T> WorkResult<T> {
    /// The facts, when there are any.
    pub fn done(&self) -> Option<&T> {
        match self {
            Self::Done(facts) => Some(facts),
            Self::Failed(_) => None,
        }
    }

    /// The same result with its facts, if any, seen through `change`.
    pub(crate) fn map(&self, change: impl FnOnce(&T) -> T) -> Self {
        match self {
            Self::Done(facts) => Self::Done(change(facts)),
            Self::Failed(failure) => Self::Failed(failure.clone()),
        }
    }
}

/// What a decision is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The processing of one video.
    Video(VideoId),
    /// The compose of the broadcast.
    Compose,
}

/// What a decision comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The video is processed as planned.
    Process(TaskPlan),
    /// The parts are composed as planned, then processed with this group by the record config or the policy.
    Compose {
        /// What goes in.
        plan: ComposePlan,
    },
    /// Nothing is done.
    Nothing,
    /// The video cannot be processed as was decided: why.
    Refused(WorkFailure),
}

/// A fact in a broadcast's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// The broadcast began. Always the first record, and only the first.
    Opened {
        /// What it was born with.
        opening: Opening,
        /// When.
        at: Timestamp,
    },
    /// A publisher is connected: the first, or one that came back within the break window.
    PublisherJoined {
        /// Which publisher of this broadcast.
        epoch: Epoch,
        /// Where it comes from, for listings.
        client: String,
        /// When.
        at: Timestamp,
    },
    /// The publisher is gone; the break begins.
    PublisherLeft {
        /// Which one.
        epoch: Epoch,
        /// Why.
        cause: LeaveCause,
        /// Where the broadcast's timeline stood, as far as it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media_ms: Option<u64>,
        /// Wall clock of its last media, where that is earlier than the record: the server died meanwhile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_media_at: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
    /// A part may be written, and its video id is spoken for.
    PartOpened {
        /// Which part.
        part: PartIndex,
        /// The picture.
        video: Option<VideoTrack>,
        /// The sound.
        audio: Option<AudioTrack>,
        /// First media time on the broadcast's timeline.
        first_ms: u64,
        /// When.
        at: Timestamp,
    },
    /// A part is whole and synced: it is a video now.
    PartClosed {
        /// Which part.
        part: PartIndex,
        /// What it holds.
        facts: PartFacts,
        /// Why it ended.
        cause: CloseCause,
        /// Wall clock of its end.
        ended_at: Timestamp,
        /// When it was recorded.
        at: Timestamp,
    },
    /// A part was opened but nothing whole was ever written.
    PartDropped {
        /// Which part.
        part: PartIndex,
        /// When.
        at: Timestamp,
    },
    /// No publisher may join any more.
    Ended {
        /// Why.
        cause: EndCause,
        /// When.
        at: Timestamp,
    },
    /// A policy, or nobody, was asked, and this is what applies.
    Decided {
        /// About what.
        subject: Subject,
        /// Question, verdict and provenance.
        decision: Decision,
        /// What it comes to.
        resolution: Resolution,
        /// When.
        at: Timestamp,
    },
    /// One rendition of a video is there, or never will be.
    OutputFinished {
        /// The video.
        video: VideoId,
        /// The rendition's job.
        job: JobId,
        /// What became of it.
        result: WorkResult<OutputFacts>,
        /// When work on it began.
        started_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// The cover pictures of a video are there, or never will be.
    CoverFinished {
        /// The video.
        video: VideoId,
        /// The job.
        job: JobId,
        /// What became of it.
        result: WorkResult<CoverFacts>,
        /// When.
        at: Timestamp,
    },
    /// The composed video plays, as an index over its parts; its own file is still to come.
    ComposeLinked {
        /// What it holds.
        facts: PartFacts,
        /// When.
        at: Timestamp,
    },
    /// The composed or edited video's source is there, or never will be.
    ComposeFinished {
        /// What it holds.
        result: WorkResult<PartFacts>,
        /// When.
        at: Timestamp,
    },
    /// The production of an edited video began. Always the first record of its journal, and only the first.
    ProduceOpened {
        /// What it was born with.
        opening: ProduceOpening,
        /// When.
        at: Timestamp,
    },
    /// The tenant asks for renditions.
    TaskOpened {
        /// The video.
        video: VideoId,
        /// The task's id, drawn by who asked.
        task: TaskId,
        /// What is done.
        plan: TaskPlan,
        /// What came with the request.
        request: Request,
        /// When.
        at: Timestamp,
    },
    /// The tenant asks for pictures.
    PicturesAsked {
        /// The video.
        video: VideoId,
        /// The job's id, drawn by who asked.
        job: JobId,
        /// Which.
        plan: PicturesPlan,
        /// What came with the request.
        request: Request,
        /// When.
        at: Timestamp,
    },
    /// Pictures that were asked for are there, or never will be.
    PicturesFinished {
        /// The video.
        video: VideoId,
        /// The job.
        job: JobId,
        /// What became of it.
        result: WorkResult<Vec<PictureFacts>>,
        /// When.
        at: Timestamp,
    },
    /// The tenant asks what is in a video.
    AnalysisAsked {
        /// The video.
        video: VideoId,
        /// The job's id, drawn by who asked.
        job: JobId,
        /// What is looked for.
        #[serde(rename = "analysis")]
        kind: AnalysisKind,
        /// What came with the request.
        request: Request,
        /// When.
        at: Timestamp,
    },
    /// An analysis ended.
    AnalysisFinished {
        /// The video.
        video: VideoId,
        /// The job.
        job: JobId,
        /// What became of it.
        result: WorkResult<AnalysisResult>,
        /// When.
        at: Timestamp,
    },
    /// A video, or something of it, is gone for everybody; its files are yet to go.
    Removed {
        /// The video.
        video: VideoId,
        /// What of it.
        what: Removal,
        /// When.
        at: Timestamp,
    },
    /// The files of a removal are gone.
    Discarded {
        /// The video.
        video: VideoId,
        /// The record that removed it.
        record: RecordSeq,
        /// When.
        at: Timestamp,
    },
}

impl Record {
    /// When it was recorded.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Opened { at, .. }
            | Self::PublisherJoined { at, .. }
            | Self::PublisherLeft { at, .. }
            | Self::PartOpened { at, .. }
            | Self::PartClosed { at, .. }
            | Self::PartDropped { at, .. }
            | Self::Ended { at, .. }
            | Self::Decided { at, .. }
            | Self::OutputFinished { at, .. }
            | Self::CoverFinished { at, .. }
            | Self::ComposeLinked { at, .. }
            | Self::ComposeFinished { at, .. }
            | Self::ProduceOpened { at, .. }
            | Self::TaskOpened { at, .. }
            | Self::PicturesAsked { at, .. }
            | Self::PicturesFinished { at, .. }
            | Self::AnalysisAsked { at, .. }
            | Self::AnalysisFinished { at, .. }
            | Self::Removed { at, .. }
            | Self::Discarded { at, .. } => *at,
        }
    }
}
