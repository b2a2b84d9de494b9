//! Inputs: what happened outside. An input is an observation, not an order; `step` says what it means.

use crate::decision::Decision;
use crate::id::{EffectId, Epoch, JobId, PartIndex, VideoId};
use crate::media::{AudioTrack, PartFacts, VideoTrack};
use crate::record::{CloseCause, CoverFacts, EndCause, LeaveCause, OutputFacts, Resolution, WorkResult};
use crate::time::Timestamp;

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
    /// The compose ended.
    ComposeFinished {
        /// The effect that did it.
        effect: EffectId,
        /// What became of it.
        result: WorkResult<PartFacts>,
    },
}
