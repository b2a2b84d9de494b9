//! Fragmented MP4 that validates and indexes itself.
//!
//! A part file is one *init block* followed by *fragments*:
//!
//! ```text
//! ftyp moov uuid | moof mdat uuid | moof mdat uuid | …
//! ```
//!
//! Each block ends with a small `uuid` box, the [`trailer`], with a checksum of the block and what a reader needs
//! to know about it. So one append and one sync make a fragment durable, a file cut or damaged anywhere is valid up
//! to its last whole block ([`scan()`]), and no second file has to be kept in step. Players skip `uuid` boxes.
//!
//! Video is clocked at 1000 ticks per second because RTMP stamps are milliseconds: a finer clock would only make
//! rounding visible at the seams. Audio is clocked at its sampling rate, so frames join without a seam. Decode
//! times run on over all parts of a broadcast, which is why parts can be joined without being rewritten; who plays a
//! part alone gets it with times from zero ([`zero_based`]).

use bytes::Bytes;

use crate::timeline::TimelinePosition;

pub mod fragment;
pub mod index;
pub mod init;
pub mod rebase;
pub mod retime;
pub mod samples;
pub mod scan;
pub mod trailer;
pub mod zero_based;

#[cfg(test)]
pub(crate) mod readback;

pub use fragment::{Fragmenter, Sample};
pub use index::{FragmentIndex, IndexError};
pub use init::{InitSegment, init_segment, read_tracks};
pub use rebase::{Shift, TrackStarts, rebase, track_starts};
pub use retime::{RetimeError, TrackClock, clocks, retime};
pub use samples::{SampleReader, TimedSample};
pub use scan::{Scan, scan};
pub use trailer::TRAILER_BYTES;
pub use zero_based::{MovedFragment, ZeroBased};

/// Ticks per second of the video track and of the movie.
pub const VIDEO_TIMESCALE: u32 = 1000;

/// The track numbers of a part file.
const VIDEO_TRACK: u32 = 1;
const AUDIO_TRACK: u32 = 2;

/// The longest init block that is read back. Ours are below 1 KiB; codec headers are bounded by
/// [`crate::track::MAX_RECORD_BYTES`].
const MAX_INIT_BYTES: u64 = 256 * 1024;

/// The longest `moof` that is read back; 4096 samples take 66 KiB.
const MAX_MOOF_BYTES: u64 = 1024 * 1024;

/// The longest `mdat` that is read back. Written fragments hold at most 32 MiB and one sample more.
const MAX_MDAT_BYTES: u64 = 64 * 1024 * 1024;

/// A run of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByteRange {
    /// Where it begins.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
}

/// What is known of one fragment without reading its media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FragmentEntry {
    /// Offset of the `moof` in the part file.
    pub offset: u64,
    /// Bytes of `moof` and `mdat`.
    pub size: u32,
    /// Bytes with the trailer; the next fragment begins there.
    pub total_size: u32,
    /// Number in the part, from 1.
    pub number: u32,
    /// Earliest decode time, in milliseconds of the broadcast.
    pub first_ms: u64,
    /// From `first_ms` to the end of the last sample.
    pub duration_ms: u32,
    /// Whether playback may start here: the first picture is a keyframe, or there are no pictures in the part.
    pub keyframe: bool,
    /// Number of pictures.
    pub video_frames: u32,
    /// Number of audio frames.
    pub audio_frames: u32,
    /// Where each track ends after this fragment.
    pub ends: TimelinePosition,
}

impl FragmentEntry {
    /// End of the last sample, in milliseconds of the broadcast.
    pub fn end_ms(&self) -> u64 {
        self.first_ms.saturating_add(u64::from(self.duration_ms))
    }

    /// Its `moof` and `mdat` in the file.
    pub fn range(&self) -> ByteRange {
        ByteRange { offset: self.offset, len: u64::from(self.size) }
    }

    /// Where the next fragment begins.
    pub fn end_offset(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.total_size))
    }
}

/// A finished fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// `moof`, `mdat` and the trailer, to be appended as they are.
    pub bytes: Bytes,
    /// What the trailer says.
    pub entry: FragmentEntry,
}

/// A box could not be written or read. Writing fails only on values that no caller in this crate makes, so it is
/// for us to mend; reading fails on a file that is not ours.
#[derive(Debug, thiserror::Error)]
pub enum BoxError {
    /// The box writer or reader refused.
    #[error("box is not valid")]
    Box(#[from] mp4_atom::Error),
    /// A codec header inside an init segment does not read back.
    #[error("codec header is not valid")]
    Track(#[from] crate::track::TrackError),
    /// A size does not fit its field.
    #[error("box is too large")]
    TooLarge,
    /// The init segment holds a track that is not ours.
    #[error("track is not one that this crate writes")]
    ForeignTrack,
    /// The bytes are not those of the fragment that the index describes.
    #[error("fragment is not the one that its index describes")]
    ForeignFragment,
}
