//! Inputs: what happened outside. An input is an observation, not an order; `step` says what it means.

use crate::decision::Decision;
use crate::id::{EffectId, Epoch, JobId, PartIndex, TaskId, VideoId};
use crate::media::{AudioTrack, PartFacts, VideoTrack};
use crate::record::{CloseCause, CoverFacts, EndCause, LeaveCause, OutputFacts, Resolution, TaskPlan, WorkResult};
use crate::time::Timestamp;
use crate::work::{AnalysisKind, AnalysisResult, PictureFacts, PicturesPlan, Removal, Request};

/// Something that happened outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// An authorised publisher asks for this broadcast's stream.
    PublishAsked {
        /// Where it comes from, for listings.
        client: String,
    },
    /// A publisher is gone.
    PublisherGone {
        /// Which one.
        epoch: Epoch,
        /// Why.
        cause: LeaveCause,
        /// Where the broadcast's timeline stands, as far as it is known.
        media_ms: Option<u64>,
        /// Wall clock of its last media, where that is earlier than now: the server died meanwhile.
        last_media_at: Option<Timestamp>,
    },
    /// The recorder has media for a new part and asks whether it may write it.
    PartOpening {
        /// The publisher it comes from.
        epoch: Epoch,
        /// The picture.
        video: Option<VideoTrack>,
        /// The sound.
        audio: Option<AudioTrack>,
        /// First media time on the broadcast's timeline.
        first_ms: u64,
    },
    /// A part's file is whole, synced and measured.
    PartClosed {
        /// Which part.
        part: PartIndex,
        /// What it holds.
        facts: PartFacts,
        /// Why it ended.
        cause: CloseCause,
    },
    /// Somebody ends the broadcast.
    End {
        /// Why.
        cause: EndCause,
    },
    /// Time passed.
    Tick,
    /// An `Ask` effect has its verdict, resolved against the tenant's configuration.
    VerdictGiven {
        /// The effect it answers.
        effect: EffectId,
        /// Question, verdict, provenance.
        decision: Decision,
        /// What it comes to.
        resolution: Resolution,
    },
    /// One rendition ended.
    OutputFinished {
        /// The video.
        video: VideoId,
        /// The rendition's job.
        job: JobId,
        /// What became of it.
        result: WorkResult<OutputFacts>,
        /// When work on it began.
        started_at: Timestamp,
    },
    /// The cover pictures ended.
    CoverFinished {
        /// The video.
        video: VideoId,
        /// The job.
        job: JobId,
        /// What became of it.
        result: WorkResult<CoverFacts>,
    },
    /// The composed video plays as an index over its parts.
    ComposeLinked {
        /// The effect that did it.
        effect: EffectId,
        /// What it holds.
        facts: PartFacts,
    },
    /// The compose, or the production of an edited video, ended.
    ComposeFinished {
        /// The effect that did it.
        effect: EffectId,
        /// What became of it.
        result: WorkResult<PartFacts>,
    },
    /// The tenant asks for renditions.
    TaskAsked {
        /// The video.
        video: VideoId,
        /// A fresh id; the same again is the same request.
        task: TaskId,
        /// What is to be done.
        plan: TaskPlan,
        /// What came with the request.
        request: Request,
    },
    /// The tenant wants a task no more: what has no result yet fails.
    TaskCancelled {
        /// The video.
        video: VideoId,
        /// The task.
        task: TaskId,
    },
    /// The tenant asks for pictures.
    PicturesAsked {
        /// The video.
        video: VideoId,
        /// A fresh id; the same again is the same request.
        job: JobId,
        /// Which.
        plan: PicturesPlan,
        /// What came with the request.
        request: Request,
    },
    /// Pictures that were asked for ended.
    PicturesFinished {
        /// The video.
        video: VideoId,
        /// The job.
        job: JobId,
        /// What became of it.
        result: WorkResult<Vec<PictureFacts>>,
    },
    /// The tenant asks what is in a video.
    AnalysisAsked {
        /// The video.
        video: VideoId,
        /// A fresh id; the same again is the same request.
        job: JobId,
        /// What is looked for.
        kind: AnalysisKind,
        /// What came with the request.
        request: Request,
    },
    /// An analysis ended.
    AnalysisFinished {
        /// The video.
        video: VideoId,
        /// The job.
        job: JobId,
        /// What became of it.
        result: WorkResult<AnalysisResult>,
    },
    /// The tenant, or the retention of its record config, takes something away.
    Remove {
        /// The video.
        video: VideoId,
        /// What of it.
        what: Removal,
    },
    /// The files of a removal are gone.
    Discarded {
        /// The effect that did it.
        effect: EffectId,
    },
}

impl Input {
    /// A publisher is gone, and nothing more is known of where it stood.
    pub fn gone(epoch: Epoch, cause: LeaveCause) -> Self {
        Self::PublisherGone { epoch, cause, media_ms: None, last_media_at: None }
    }
}
