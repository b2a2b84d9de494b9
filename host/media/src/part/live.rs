//! A session whose tracks are known: where its frames lie, and whether the open part can take them.

use super::open::{OpenPart, Placed};
use super::{CloseCause, Frame, MAX_CHANGE_WAIT_MS, MAX_CYCLE_OVERRUN_MS};
use crate::fmp4::Sample;
use crate::timeline::{SampleClock, TrackKind};
use crate::track::{AudioConfig, Tracks};

#[derive(Debug)]
pub(super) struct Live {
    /// Broadcast time minus session time.
    offset_ms: i64,
    samples: Option<SampleClock>,
    /// Pictures are recorded from the first keyframe on.
    pub(super) video_started: bool,
    /// Which tracks of the session the open part can take.
    pub(super) admits_video: bool,
    pub(super) admits_audio: bool,
    /// Since when the open part does not fit the session's codec headers.
    changed_at_ms: Option<u64>,
}

impl Live {
    /// A session whose clock is `offset_ms` behind that of the broadcast.
    pub(super) fn new(offset_ms: i64, tracks: &Tracks) -> Self {
        let mut live = Self {
            offset_ms,
            samples: None,
            video_started: false,
            admits_video: true,
            admits_audio: true,
            changed_at_ms: None,
        };
        live.reset_samples(tracks);
        live
    }

    pub(super) fn broadcast_ms(&self, time_ms: i64) -> u64 {
        u64::try_from(time_ms.saturating_add(self.offset_ms)).unwrap_or(0)
    }

    pub(super) fn reset_samples(&mut self, tracks: &Tracks) {
        let clock = |audio: &AudioConfig| SampleClock::new(audio.sample_rate, audio.frame_samples);
        self.samples = tracks.audio.as_ref().map(clock);
    }

    /// A part has been opened for the session's present tracks.
    pub(super) fn moved_on(&mut self, cause: CloseCause, tracks: &Tracks) {
        if cause == CloseCause::CodecChanged {
            // Pictures of a new configuration can only be decoded from a keyframe on.
            self.video_started &= self.admits_video;
            if !self.admits_audio {
                self.reset_samples(tracks);
            }
        }
        (self.admits_video, self.admits_audio, self.changed_at_ms) = (true, true, None);
    }

    /// Notes which tracks of the session a part can take.
    pub(super) fn admit(&mut self, part: &Tracks, session: &Tracks) {
        self.admits_video = session.video.is_none() || session.video == part.video;
        self.admits_audio = session.audio.is_none() || session.audio == part.audio;
        if self.admits_video && self.admits_audio {
            self.changed_at_ms = None;
        }
        // The header may be the first of this session, for a track that the part has had from an earlier one.
        let counts = |audio: &AudioConfig| {
            self.samples.is_some_and(|clock| clock.counts(audio.sample_rate, audio.frame_samples))
        };
        if self.admits_audio && !session.audio.as_ref().is_none_or(counts) {
            self.reset_samples(session);
        }
    }

    pub(super) fn admits(&mut self, frame: &Frame) -> bool {
        match frame.track {
            TrackKind::Audio => self.admits_audio,
            TrackKind::Video => {
                self.video_started |= frame.keyframe && self.admits_video;
                self.admits_video && self.video_started
            }
        }
    }

    /// Whether the part ends before a frame at this time.
    pub(super) fn cut_cause(
        &mut self,
        start_ms: u64,
        cycle_ms: u64,
        time_ms: u64,
        cut_point: bool,
    ) -> Option<CloseCause> {
        if !(self.admits_video && self.admits_audio) {
            let since_ms = *self.changed_at_ms.get_or_insert(time_ms);
            let overdue = time_ms >= since_ms.saturating_add(MAX_CHANGE_WAIT_MS);
            return (cut_point || overdue).then_some(CloseCause::CodecChanged);
        }
        let end_ms = start_ms.saturating_add(cycle_ms);
        let overdue = time_ms >= end_ms.saturating_add(MAX_CYCLE_OVERRUN_MS);
        (cut_point && time_ms >= end_ms || overdue).then_some(CloseCause::Cycle)
    }

    pub(super) fn place(&mut self, frame: Frame, time_ms: u64, part: &OpenPart) -> Placed {
        let floor = part.floor(frame.track);
        let start = match (frame.track, &mut self.samples) {
            (TrackKind::Audio, Some(clock)) => clock.place(time_ms, floor),
            _ => time_ms.max(floor),
        };
        Placed {
            track: frame.track,
            time_ms,
            sample: Sample { start, composition: frame.composition_ms, keyframe: frame.keyframe, data: frame.data },
        }
    }
}
