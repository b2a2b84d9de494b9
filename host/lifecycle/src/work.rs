//! Work that a tenant asks for by hand, beside what a broadcast calls for by itself: a transcode, pictures, an
//! analysis, an edited video, a removal; and what comes of it.

use serde::{Deserialize, Serialize};

use crate::id::{GroupId, JobId, TenantId, VideoId};
use crate::media::{MediaFacts, recordable_fps};

/// The priority of work that names none, from 1 to 10 with 10 first: the vendor's default.
pub const DEFAULT_PRIORITY: u8 = 6;

/// Who called for a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The video's template group, when the video came into being.
    #[default]
    Auto,
    /// The tenant, later.
    Manual,
}

/// What came with a request for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Which queued work goes first, 1 to 10 with 10 first.
    pub priority: u8,
    /// Text that comes back in the events of this work.
    pub extend: Option<String>,
    /// Where the events of this work go instead of the tenant's receiver.
    pub callback: Option<String>,
}

impl Default for Request {
    fn default() -> Self {
        Self { priority: DEFAULT_PRIORITY, extend: None, callback: None }
    }
}

/// Kinds of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureKind {
    /// Candidates for the cover, taken of every video.
    Cover,
    /// A series at given times.
    Normal,
    /// Sheets of many small pictures.
    Sprite,
    /// The small pictures of a sheet.
    SpriteOrigin,
    /// A sheet with a WebVTT file that says which picture belongs to which time.
    WebVtt,
}

/// Pictures that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PicturesPlan {
    /// Which kind.
    pub kind: PictureKind,
    /// All settings as JSON text, understood by whoever takes the pictures.
    pub settings: String,
}

/// Finished pictures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureFacts {
    /// Which kind.
    pub kind: PictureKind,
    /// File name pattern relative to the video's folder; `{SnapshotCount}` stands for a 5-digit index from 1.
    pub pattern: String,
    /// How many there are.
    pub count: u32,
}

/// Kinds of analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisKind {
    /// Silence, black, freeze, scenes, loudness, a good cover.
    Facts,
    /// A fingerprint, and what else of the tenant's looks the same.
    Fingerprint,
}

/// Another video that shows the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// The other video.
    pub video: VideoId,
    /// How alike they are, in thousandths.
    pub similarity_permille: u32,
    /// Where.
    pub stretches: Vec<DuplicateStretch>,
}

/// A stretch that two videos share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateStretch {
    /// Its begin in the video that was asked about, in milliseconds.
    pub from_ms: u64,
    /// Its begin in the other one.
    pub other_from_ms: u64,
    /// Its length.
    pub duration_ms: u64,
}

/// What an analysis found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisResult {
    /// Of [`AnalysisKind::Facts`].
    Facts(MediaFacts),
    /// Of [`AnalysisKind::Fingerprint`].
    Fingerprint {
        /// The fingerprint's file, relative to the video's folder.
        file: String,
        /// What else shows the same, most alike first.
        duplicates: Vec<Duplicate>,
    },
}

impl AnalysisResult {
    /// The same result with numbers that can be written down.
    pub(crate) fn recordable(&self) -> Self {
        match self {
            Self::Facts(facts) => Self::Facts(facts.recordable()),
            Self::Fingerprint { .. } => self.clone(),
        }
    }
}

/// What is taken away from a video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// All of it.
    Video,
    /// Its source; what was made of it stays.
    Source,
    /// Renditions, by their jobs.
    Streams(Vec<JobId>),
}

/// What an edited video is born with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProduceOpening {
    /// The owner.
    pub tenant: TenantId,
    /// The editing project.
    pub project: String,
    /// What is to be made, as JSON text understood by whoever makes it; frozen when it was asked for.
    pub timeline: String,
    /// The video's title.
    pub title: String,
    /// The video's description.
    pub description: String,
    /// Tags, category and cover as JSON text, understood by whoever lists videos.
    pub metadata: String,
    /// The group that the video is processed with.
    pub group: GroupId,
    /// What came with the request.
    pub request: Request,
}

impl MediaFacts {
    /// The same facts with levels that can be written down.
    pub(crate) fn recordable(&self) -> Self {
        let level = |level: Option<f64>| level.filter(|level| level.is_finite() && level.abs() < 1_000.0).map(centi);
        Self {
            loudness_lufs: level(self.loudness_lufs),
            true_peak_dbfs: level(self.true_peak_dbfs),
            loudness_range_lu: level(self.loudness_range_lu),
            ..self.clone()
        }
    }
}

/// A level in whole thousandths, with its sign; see [`recordable_fps`] for the reason.
fn centi(level: f64) -> f64 {
    // Adding zero turns the negative zero, which JSON reads back as another number, into zero.
    level.signum() * recordable_fps(level.abs()) + 0.0
}
