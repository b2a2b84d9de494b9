//! The part that is being written.
//!
//! It places frames on the broadcast's timeline, collects them into fragments and keeps the part's facts. Whether a
//! frame belongs to this part, and when the part ends, is decided in [`super::cutter`].

use super::{
    CloseCause, MAX_FRAGMENT_BYTES, MAX_FRAGMENT_SAMPLES, MIN_KEYFRAME_FRAGMENT_MS, PartFacts, PartOptions, PartOutput,
    VIDEO_STALL_MS,
};
use crate::fmp4::{BoxError, Fragmenter, Sample, Scan, init_segment};
use crate::timeline::{TimelinePosition, TrackKind};
use crate::track::Tracks;

/// The duration that is taken for that of a last picture until another is known.
const DEFAULT_STEP_MS: u64 = 40;
/// The longest such duration; a slide show must not end in an hour of stillness.
const MAX_STEP_MS: u64 = 1_000;

/// What is needed to go on with an open part: after [`super::PartCutter::pause`], or from its file.
#[derive(Debug, Clone, PartialEq)]
pub struct ResumeState {
    /// Number of the next fragment.
    pub next_number: u32,
    /// Where the next fragment goes; the file must have this length.
    pub next_offset: u64,
    /// Where the part began, in milliseconds of the broadcast.
    pub start_ms: u64,
    /// What the part holds so far, its tracks and where they end.
    pub facts: PartFacts,
}

impl ResumeState {
    /// The state of a part whose file was scanned and cut to `scan.valid_len`. `start` is where the broadcast ended
    /// before this part; it counts only if the part has no fragment yet. `None` if the init segment is not whole: such
    /// a file holds nothing.
    pub fn from_scan(scan: &Scan, start: TimelinePosition) -> Option<Self> {
        let mut facts = PartFacts::from_scan(scan)?;
        if scan.fragments.is_empty() {
            facts.ends = start;
            facts.first_ms = start.end_ms();
            facts.last_ms = facts.first_ms;
        }
        Some(Self {
            next_number: scan.fragments.last().map_or(1, |entry| entry.number.saturating_add(1)),
            next_offset: scan.valid_len,
            start_ms: facts.first_ms,
            facts,
        })
    }
}

/// A frame with its place on the broadcast's timeline, in the timescale of its track.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) track: TrackKind,
    /// Decode time in milliseconds of the broadcast.
    pub(super) time_ms: u64,
    pub(super) sample: Sample,
}

#[derive(Debug)]
pub(super) struct OpenPart {
    pub(super) start_ms: u64,
    facts: PartFacts,
    fragmenter: Fragmenter,
    ends: TimelinePosition,
    video_step_ms: u64,
}

impl OpenPart {
    /// Begins a part where the tracks so far end at `ends`.
    pub(super) fn open(
        tracks: Tracks,
        start_ms: u64,
        ends: TimelinePosition,
        outputs: &mut Vec<PartOutput>,
    ) -> Result<Self, BoxError> {
        let init = init_segment(&tracks)?;
        let len = init.bytes.len() as u64;
        outputs.push(PartOutput::Open { tracks: tracks.clone(), init: init.bytes, init_range: init.range, start_ms });
        let facts = PartFacts::new(tracks, start_ms, len, ends);
        Ok(Self::resume(ResumeState { next_number: 1, next_offset: len, start_ms, facts }))
    }

    pub(super) fn resume(state: ResumeState) -> Self {
        let tracks = &state.facts.tracks;
        let audio_rate = tracks.audio.as_ref().map_or(0, |audio| audio.sample_rate);
        let mut ends = state.facts.ends;
        if audio_rate > 0 && ends.audio_rate != audio_rate {
            ends.audio_end = ends.audio_end_at(audio_rate);
            ends.audio_rate = audio_rate;
        }
        let has_video = tracks.video.is_some();
        Self {
            start_ms: state.start_ms,
            fragmenter: Fragmenter::new(state.next_number, state.next_offset, has_video, audio_rate),
            ends,
            facts: state.facts,
            video_step_ms: DEFAULT_STEP_MS,
        }
    }

    pub(super) fn tracks(&self) -> &Tracks {
        &self.facts.tracks
    }

    /// Where the tracks end, as far as fragments are finished.
    pub(super) fn ends(&self) -> TimelinePosition {
        self.ends
    }

    /// What is needed to go on later. Only whole when nothing is pending.
    pub(super) fn state(&self) -> ResumeState {
        ResumeState {
            next_number: self.fragmenter.next_number(),
            next_offset: self.fragmenter.next_offset(),
            start_ms: self.start_ms,
            facts: self.facts.clone(),
        }
    }

    pub(super) fn count_gap(&mut self) {
        self.facts.gaps = self.facts.gaps.saturating_add(1);
    }

    /// The first free decode time of a track, in its timescale.
    pub(super) fn floor(&self, track: TrackKind) -> u64 {
        match (self.fragmenter.last(track), track) {
            // Decode times strictly grow inside a fragment: players take equal ones for an error.
            (Some(last), _) => last.start.saturating_add(1),
            (None, TrackKind::Video) => self.ends.video_end_ms,
            (None, TrackKind::Audio) => self.ends.audio_end,
        }
    }

    /// Adds a frame, finishing the fragment before it if it is time.
    pub(super) fn push(
        &mut self,
        placed: Placed,
        options: &PartOptions,
        outputs: &mut Vec<PartOutput>,
    ) -> Result<(), BoxError> {
        if self.fragment_ends_before(&placed, options) {
            self.finish_fragment(Some(&placed), outputs)?;
        }
        if placed.track == TrackKind::Video
            && let Some(last) = self.fragmenter.last(TrackKind::Video)
        {
            self.video_step_ms = placed.sample.start.saturating_sub(last.start).clamp(1, MAX_STEP_MS);
        }
        self.fragmenter.push(placed.track, placed.sample);
        Ok(())
    }

    fn fragment_ends_before(&self, next: &Placed, options: &PartOptions) -> bool {
        let Some(first_ms) = self.fragmenter.first_ms() else {
            return false;
        };
        let max_bytes = options.max_fragment_bytes.min(MAX_FRAGMENT_BYTES);
        if self.fragmenter.payload_bytes().saturating_add(next.sample.data.len()) > max_bytes
            || self.fragmenter.samples() >= MAX_FRAGMENT_SAMPLES
        {
            return true;
        }
        let age_ms = next.time_ms.saturating_sub(first_ms);
        match next.track {
            TrackKind::Video => {
                // A fragment that has no picture yet can still begin with this one.
                let has_pictures = self.fragmenter.last(TrackKind::Video).is_some();
                let fresh = self.fragmenter.starts_with_keyframe() && age_ms < MIN_KEYFRAME_FRAGMENT_MS;
                next.sample.keyframe && has_pictures && !fresh || age_ms >= options.max_fragment_ms
            }
            TrackKind::Audio => {
                let patience_ms = if self.tracks().video.is_some() { VIDEO_STALL_MS } else { 0 };
                age_ms >= options.max_fragment_ms.saturating_add(patience_ms)
            }
        }
    }

    /// Finishes the current fragment. The last sample of the track of `next` lasts until it; others last as long as
    /// is usual.
    pub(super) fn finish_fragment(
        &mut self,
        next: Option<&Placed>,
        outputs: &mut Vec<PartOutput>,
    ) -> Result<(), BoxError> {
        let next_start = |track| next.filter(|next| next.track == track).map(|next| next.sample.start);
        if let Some(last) = self.fragmenter.last(TrackKind::Video) {
            let usual = last.start.saturating_add(self.video_step_ms);
            self.ends.video_end_ms = next_start(TrackKind::Video).unwrap_or(usual).max(last.start);
        }
        if let Some(last) = self.fragmenter.last(TrackKind::Audio) {
            let frame = self.tracks().audio.as_ref().map_or(0, |audio| audio.frame_samples);
            let usual = last.start.saturating_add(u64::from(frame));
            self.ends.audio_end = next_start(TrackKind::Audio).unwrap_or(usual).max(last.start);
        }
        if let Some(fragment) = self.fragmenter.finish(self.ends)? {
            self.facts.add(&fragment.entry);
            outputs.push(PartOutput::Fragment { bytes: fragment.bytes, entry: fragment.entry });
        }
        Ok(())
    }

    /// Ends the part before `next`, or altogether.
    pub(super) fn close(
        mut self,
        next: Option<&Placed>,
        dropped: u64,
        cause: CloseCause,
        outputs: &mut Vec<PartOutput>,
    ) -> Result<TimelinePosition, BoxError> {
        self.finish_fragment(next, outputs)?;
        self.facts.dropped_frames += dropped;
        outputs.push(PartOutput::Close { facts: self.facts, cause });
        Ok(self.ends)
    }
}
