//! Records: the facts of a broadcast's journal. They are what happened, never positions in code, so a later
//! version of this crate folds an old journal to the same state. A variant is never reused for another
//! meaning; a new field gets `#[serde(default)]`.

use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::id::{Epoch, GroupId, JobId, PartIndex, TemplateId, TenantId, VideoId};
use crate::media::{AudioTrack, PartFacts, VideoTrack, recordable_fps};
use crate::question::{ComposePlan, StreamKey};
use crate::time::Timestamp;

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
}

/// Why a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCause {
    /// The recording cycle elapsed.
    Cycle,
    /// The codec configuration changed.
    CodecChanged,
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
    /// The composed video's source is there, or never will be.
    ComposeFinished {
        /// What it holds.
        result: WorkResult<PartFacts>,
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
            | Self::ComposeFinished { at, .. } => *at,
        }
    }
}
