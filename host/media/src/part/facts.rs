//! What is told of a finished part.

use crate::fmp4::{FragmentEntry, Scan};
use crate::timeline::TimelinePosition;
use crate::track::Tracks;

/// What a part holds.
#[derive(Debug, Clone, PartialEq)]
pub struct PartFacts {
    /// First decode time, in milliseconds of the broadcast.
    pub first_ms: u64,
    /// End of the last frame, in milliseconds of the broadcast.
    pub last_ms: u64,
    /// Length of the file, init segment and trailers included.
    pub bytes: u64,
    /// Number of fragments.
    pub fragments: u32,
    /// Number of pictures.
    pub video_frames: u64,
    /// Number of audio frames.
    pub audio_frames: u64,
    /// The tracks that the file declares.
    pub tracks: Tracks,
    /// Whether the part can be decoded alone from its first picture on.
    pub starts_with_keyframe: bool,
    /// Frames that arrived and could not be recorded: before the first keyframe, or without a codec header.
    pub dropped_frames: u64,
    /// Jumps of the publisher's clock.
    pub gaps: u32,
    /// Where each track ends: where the next part begins.
    pub ends: TimelinePosition,
}

impl PartFacts {
    /// The facts of a scanned file, as far as it is whole; `None` if not even its init segment is. What was dropped
    /// before it was written is not known any more and counts as zero.
    pub fn from_scan(scan: &Scan) -> Option<Self> {
        scan.init?;
        let mut facts = Self::new(scan.tracks.clone(), 0, scan.valid_len, TimelinePosition::default());
        for entry in &scan.fragments {
            facts.add(entry);
        }
        facts.bytes = scan.valid_len;
        Some(facts)
    }

    pub(super) fn new(tracks: Tracks, start_ms: u64, init_bytes: u64, ends: TimelinePosition) -> Self {
        Self {
            first_ms: start_ms,
            last_ms: start_ms,
            bytes: init_bytes,
            fragments: 0,
            video_frames: 0,
            audio_frames: 0,
            tracks,
            starts_with_keyframe: false,
            dropped_frames: 0,
            gaps: 0,
            ends,
        }
    }

    pub(super) fn add(&mut self, entry: &FragmentEntry) {
        if self.fragments == 0 {
            self.first_ms = entry.first_ms;
        }
        if self.video_frames == 0 && (entry.video_frames > 0 || self.tracks.video.is_none()) {
            self.starts_with_keyframe = entry.keyframe;
        }
        self.first_ms = self.first_ms.min(entry.first_ms);
        self.last_ms = self.last_ms.max(entry.end_ms());
        self.bytes += u64::from(entry.total_size);
        self.fragments = self.fragments.saturating_add(1);
        self.video_frames += u64::from(entry.video_frames);
        self.audio_frames += u64::from(entry.audio_frames);
        self.ends = entry.ends;
    }

    /// Milliseconds of media.
    pub fn duration_ms(&self) -> u64 {
        self.last_ms.saturating_sub(self.first_ms)
    }

    /// Whether there are pictures.
    pub fn has_video(&self) -> bool {
        self.video_frames > 0
    }

    /// Whether there is sound.
    pub fn has_audio(&self) -> bool {
        self.audio_frames > 0
    }

    /// Width of the pictures.
    pub fn width(&self) -> Option<u16> {
        self.tracks.video.as_ref().map(|video| video.width)
    }

    /// Height of the pictures.
    pub fn height(&self) -> Option<u16> {
        self.tracks.video.as_ref().map(|video| video.height)
    }

    /// Pictures per second on average; `None` without pictures.
    pub fn fps(&self) -> Option<f64> {
        let duration_ms = self.ends.video_end_ms.saturating_sub(self.first_ms);
        (self.has_video() && duration_ms > 0).then(|| self.video_frames as f64 * 1000.0 / duration_ms as f64)
    }

    /// Kilobits per second on average, all tracks and boxes.
    pub fn bitrate_kbps(&self) -> u64 {
        // A bit per millisecond is a kilobit per second.
        self.bytes.saturating_mul(8) / self.duration_ms().max(1)
    }
}
