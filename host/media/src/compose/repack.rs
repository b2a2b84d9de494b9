//! Samples into a file of ours.

use std::io;
use std::iter::Peekable;

use bytes::Bytes;

use crate::fmp4::samples::invalid;
use crate::fmp4::{FragmentIndex, Fragmenter, TimedSample, init_segment};
use crate::part::{MAX_FRAGMENT_SAMPLES, MIN_KEYFRAME_FRAGMENT_MS};
use crate::timeline::{TimelinePosition, TrackKind, samples_to_ms};
use crate::track::Tracks;

/// The longest fragment, as a recorder writes them.
const MAX_FRAGMENT_MS: u64 = 1_000;
/// The largest fragment, as a recorder writes them.
const MAX_FRAGMENT_BYTES: usize = 8 * 1024 * 1024;

/// Writes a file of these tracks out of the samples of each, both in order of decoding. What is written goes to
/// `sink`, in order. A sample lasts until the next one of its track, the last one until its own end.
///
/// # Errors
/// Those of the samples and of the sink, and when a sample does not fit a fragment.
pub fn repack<V, A>(
    tracks: &Tracks,
    video: V,
    audio: A,
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<FragmentIndex>
where
    V: Iterator<Item = io::Result<TimedSample>>,
    A: Iterator<Item = io::Result<TimedSample>>,
{
    let rate = tracks.audio.as_ref().map_or(0, |audio| audio.sample_rate);
    let init = init_segment(tracks).map_err(invalid)?;
    sink(&init.bytes)?;
    let mut packer = Packer {
        fragmenter: Fragmenter::new(1, init.bytes.len() as u64, tracks.video.is_some(), rate),
        ends: TimelinePosition { audio_rate: rate, ..TimelinePosition::default() },
        rate,
        index: FragmentIndex { init: init.range, fragments: Vec::new() },
    };
    let (mut video, mut audio) = (video.peekable(), audio.peekable());
    while let Some(next) = earlier(&mut video, &mut audio, rate)? {
        if packer.is_full(&next)
            && let Some(bytes) = packer.finish(&next)?
        {
            sink(&bytes)?;
        }
        packer.push(next);
    }
    if let Some(bytes) = packer.last()? {
        sink(&bytes)?;
    }
    Ok(packer.index)
}

/// The sample that is decoded first; a picture before a frame of sound at the same time.
fn earlier<V, A>(video: &mut Peekable<V>, audio: &mut Peekable<A>, rate: u32) -> io::Result<Option<TimedSample>>
where
    V: Iterator<Item = io::Result<TimedSample>>,
    A: Iterator<Item = io::Result<TimedSample>>,
{
    let picture = match video.peek() {
        Some(Ok(next)) => Some(next.sample.start),
        Some(Err(_)) => Some(0),
        None => None,
    };
    let sound = match audio.peek() {
        Some(Ok(next)) => Some(samples_to_ms(next.sample.start, rate)),
        Some(Err(_)) => Some(0),
        None => None,
    };
    let picture_first = match (picture, sound) {
        (Some(picture), Some(sound)) => picture <= sound,
        (picture, _) => picture.is_some(),
    };
    if picture_first { video.next().transpose() } else { audio.next().transpose() }
}

struct Packer {
    fragmenter: Fragmenter,
    ends: TimelinePosition,
    rate: u32,
    index: FragmentIndex,
}

impl Packer {
    /// Whether a fragment ends before this sample.
    fn is_full(&self, next: &TimedSample) -> bool {
        let Some(first_ms) = self.fragmenter.first_ms() else { return false };
        let start_ms = self.ms(next.track, next.sample.start);
        let span_ms = start_ms.saturating_sub(first_ms);
        let keyframe = next.track == TrackKind::Video && next.sample.keyframe;
        (keyframe && (span_ms >= MIN_KEYFRAME_FRAGMENT_MS || self.fragmenter.last(TrackKind::Video).is_none()))
            || span_ms >= MAX_FRAGMENT_MS
            || self.fragmenter.payload_bytes() >= MAX_FRAGMENT_BYTES
            || self.fragmenter.samples() >= MAX_FRAGMENT_SAMPLES
    }

    fn push(&mut self, next: TimedSample) {
        match next.track {
            TrackKind::Video => self.ends.video_end_ms = next.end.max(next.sample.start + 1),
            TrackKind::Audio => self.ends.audio_end = next.end.max(next.sample.start + 1),
        }
        self.fragmenter.push(next.track, next.sample);
    }

    /// Ends the fragment before `next`, which also says how long the last sample of its track lasts.
    fn finish(&mut self, next: &TimedSample) -> io::Result<Option<Bytes>> {
        if self.fragmenter.last(next.track).is_some() {
            match next.track {
                TrackKind::Video => self.ends.video_end_ms = next.sample.start,
                TrackKind::Audio => self.ends.audio_end = next.sample.start,
            }
        }
        self.last()
    }

    fn last(&mut self) -> io::Result<Option<Bytes>> {
        let fragment = self.fragmenter.finish(self.ends).map_err(invalid)?;
        Ok(fragment.map(|fragment| {
            self.index.fragments.push(fragment.entry);
            fragment.bytes
        }))
    }

    fn ms(&self, track: TrackKind, time: u64) -> u64 {
        match track {
            TrackKind::Video => time,
            TrackKind::Audio => samples_to_ms(time, self.rate),
        }
    }
}
