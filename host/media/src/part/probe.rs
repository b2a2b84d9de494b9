//! The time between a publisher's first message and the moment its tracks are known.
//!
//! Frames are held, within limits, until the part can open with all its tracks and at a keyframe. It does not decide
//! anything about parts; it only says when it is ready and gives the frames back.

use std::collections::VecDeque;

use super::{Frame, KEYFRAME_WAIT_MS, LEADING_AUDIO_MS, MAX_PROBE_BYTES, MAX_PROBE_FRAMES, PROBE_MS};
use crate::timeline::TrackKind;
use crate::track::Tracks;

/// What the publisher's metadata promises, as far as it says anything.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hints {
    pub(super) video: Option<bool>,
    pub(super) audio: Option<bool>,
}

#[derive(Debug, Default)]
pub(super) struct Probe {
    frames: VecDeque<Frame>,
    bytes: usize,
    has_keyframe: bool,
    first_ms: Option<i64>,
    newest_ms: i64,
}

impl Probe {
    /// Notes the time of any frame, recorded or not: waiting is measured in media.
    pub(super) fn note_time(&mut self, time_ms: i64) {
        self.first_ms.get_or_insert(time_ms);
        self.newest_ms = self.newest_ms.max(time_ms);
    }

    /// Takes a frame whose codec header is known; returns how many frames cannot be kept because of it.
    pub(super) fn push(&mut self, frame: Frame, tracks: &Tracks) -> u64 {
        let useless = frame.track == TrackKind::Video && !frame.keyframe && !self.has_keyframe;
        if useless {
            return 1;
        }
        self.has_keyframe |= frame.track == TrackKind::Video;
        self.bytes += frame.data.len();
        self.frames.push_back(frame);
        if self.has_keyframe || tracks.video.is_none() {
            return 0;
        }
        // There will be pictures: sound from long before them is not kept.
        self.drop_before(self.newest_ms - LEADING_AUDIO_MS)
    }

    /// Whether a part can open now.
    pub(super) fn is_ready(&self, tracks: &Tracks, hints: Hints) -> bool {
        if self.frames.is_empty() {
            return false;
        }
        if self.bytes > MAX_PROBE_BYTES || self.frames.len() > MAX_PROBE_FRAMES {
            return true;
        }
        let waited_ms = self.newest_ms - self.first_ms.unwrap_or(self.newest_ms);
        let startable = tracks.video.is_none() || self.has_keyframe || waited_ms >= KEYFRAME_WAIT_MS;
        let settled = |known: bool, hint: Option<bool>| known || hint == Some(false) || waited_ms >= PROBE_MS;
        startable && settled(tracks.video.is_some(), hints.video) && settled(tracks.audio.is_some(), hints.audio)
    }

    /// Whether there is anything to record if nothing more comes.
    pub(super) fn can_start(&self, tracks: &Tracks) -> bool {
        !self.frames.is_empty() && (self.has_keyframe || tracks.video.is_none())
    }

    /// Gives the frames back, from shortly before the first keyframe on, and the number of those left out.
    pub(super) fn take(mut self) -> (VecDeque<Frame>, u64) {
        let first_keyframe = self.frames.iter().find(|frame| frame.track == TrackKind::Video);
        let dropped = match first_keyframe.map(|frame| frame.time_ms) {
            Some(time_ms) => self.drop_before(time_ms - LEADING_AUDIO_MS),
            None => 0,
        };
        (self.frames, dropped)
    }

    /// How many frames are held.
    pub(super) fn len(&self) -> u64 {
        self.frames.len() as u64
    }

    fn drop_before(&mut self, time_ms: i64) -> u64 {
        let mut dropped = 0;
        while let Some(front) = self.frames.front()
            && front.track == TrackKind::Audio
            && front.time_ms < time_ms
        {
            self.bytes -= front.data.len();
            self.frames.pop_front();
            dropped += 1;
        }
        dropped
    }
}
