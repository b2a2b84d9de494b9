//! Media in, parts out.
//!
//! [`PartCutter`] is fed the messages of one publisher and answers with what to do: open a part file with these
//! bytes, append these, close it. It decides where parts end (at the first keyframe once the recording cycle is
//! over, or where the codec configuration changes), which frames can be recorded at all, and where on the
//! broadcast's timeline they lie. It knows no files: the caller writes, syncs and names, and tells nothing back.
//!
//! A broadcast outlives its publishers. When one leaves, [`PartCutter::pause`] hands out what is pending and keeps the
//! part open; the next publisher goes on in the same part if its codec configuration is the same. After a
//! restart of the server [`PartCutter::resume`] does the same from a scanned file.

use bytes::Bytes;

use crate::flv::UnsupportedCodec;
use crate::fmp4::{BoxError, ByteRange, FragmentEntry};
use crate::timeline::{Jump, TimelinePosition, TrackKind};
use crate::track::{TrackError, Tracks};

mod cutter;
mod facts;
mod live;
mod open;
mod probe;

pub use cutter::PartCutter;
pub use facts::PartFacts;
pub use open::ResumeState;

/// How much media is awaited for the second codec header before a part opens with one track. Encoders send both
/// within a few frames; a stream of one kind starts late by this much, once.
pub const PROBE_MS: i64 = 1_000;

/// How much audio is recorded without pictures while a stream that announced video sends no keyframe. Common
/// distances between keyframes are 2 to 10 s.
pub const KEYFRAME_WAIT_MS: i64 = 10_000;

/// How far before the first keyframe audio is kept. Encoders start their tracks a few frames apart; more would be
/// sound to no picture.
pub const LEADING_AUDIO_MS: i64 = 200;

/// The most media held while waiting for headers and a keyframe; beyond it the part opens with what is there.
pub const MAX_PROBE_BYTES: usize = 8 * 1024 * 1024;

/// The most frames held while waiting, against floods of tiny frames.
pub const MAX_PROBE_FRAMES: usize = 4_096;

/// How long after its cycle a part may go on without a keyframe to end at. Then it is cut anyway: nothing is lost, but
/// the next part cannot be decoded alone from its first picture on.
pub const MAX_CYCLE_OVERRUN_MS: u64 = 60_000;

/// How long a changed codec header may wait for a keyframe before the part is cut without one.
pub const MAX_CHANGE_WAIT_MS: u64 = 10_000;

/// A fragment that began with a keyframe goes on for this long before another keyframe begins the next, so that
/// an encoder that sends only keyframes does not cause a sync per picture.
pub const MIN_KEYFRAME_FRAGMENT_MS: u64 = 200;

/// How much longer a fragment may get while it waits for a picture to end at: only then is the duration of its last
/// picture known.
pub const VIDEO_STALL_MS: u64 = 250;

/// The most samples in one fragment. A second of media has about 200; more is an attack on the index.
pub const MAX_FRAGMENT_SAMPLES: usize = 4_096;

/// The largest fragment that can be configured; readers refuse larger ones.
pub const MAX_FRAGMENT_BYTES: usize = 32 * 1024 * 1024;

/// The largest frame that is recorded: what an RTMP message can hold.
pub const MAX_SAMPLE_BYTES: usize = 16 * 1024 * 1024;

/// How parts are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartOptions {
    /// The recording cycle, in milliseconds of media.
    pub cycle_ms: u64,
    /// The longest fragment, in milliseconds of media; what a crash can cost.
    pub max_fragment_ms: u64,
    /// The largest fragment, at most [`MAX_FRAGMENT_BYTES`]; a single larger frame is a fragment of its own.
    pub max_fragment_bytes: usize,
    /// Where the broadcast's recorded media ends; the zero position for a new broadcast. Not used by
    /// [`PartCutter::resume`], which has it from the part.
    pub start: TimelinePosition,
}

impl PartOptions {
    /// Fragments of at most a second or 8 MiB, in a new broadcast.
    pub fn new(cycle_ms: u64) -> Self {
        Self {
            cycle_ms,
            max_fragment_ms: 1_000,
            max_fragment_bytes: 8 * 1024 * 1024,
            start: TimelinePosition::default(),
        }
    }
}

/// What the caller has to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum PartOutput {
    /// Begin a new part file with these bytes.
    Open {
        /// What the part will hold.
        tracks: Tracks,
        /// The first bytes of the file.
        init: Bytes,
        /// Where `ftyp` and `moov` are in them.
        init_range: ByteRange,
        /// Where the part begins, in milliseconds of the broadcast.
        start_ms: u64,
    },
    /// Append to the open part, then sync: the watermark is `entry.end_ms()`.
    Fragment {
        /// The bytes to append.
        bytes: Bytes,
        /// What they are.
        entry: FragmentEntry,
    },
    /// The part is complete.
    Close {
        /// What it holds.
        facts: PartFacts,
        /// Why it ends.
        cause: CloseCause,
    },
    /// The publisher's clock jumped. Recording goes on; this is for the log and the journal. A broken encoder can cause
    /// one per message.
    Gap {
        /// Where on the broadcast's timeline, in milliseconds.
        at_ms: u64,
        /// What happened.
        jump: Jump,
    },
}

/// Why a part ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCause {
    /// The recording cycle is over.
    Cycle,
    /// The codec configuration changed or a track appeared.
    CodecChanged,
    /// The caller ended the recording.
    Flush,
}

/// A message that ends the recording of its publisher.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The publisher must choose another codec.
    #[error("codec cannot be recorded: {codec}")]
    Unsupported {
        /// Where it was announced.
        track: TrackKind,
        /// Its name.
        codec: UnsupportedCodec,
    },
    /// The publisher's encoder sent a codec header that cannot be used.
    #[error("codec header cannot be used")]
    Header {
        /// Whose header.
        track: TrackKind,
        /// What is wrong with it.
        #[source]
        source: TrackError,
    },
    /// We cannot write what we decided to write.
    #[error("fragment cannot be written")]
    Box(#[from] BoxError),
}

/// A frame on its session's clock.
#[derive(Debug, Clone)]
struct Frame {
    track: TrackKind,
    time_ms: i64,
    composition_ms: i32,
    keyframe: bool,
    data: Bytes,
}

#[cfg(test)]
mod tests;
