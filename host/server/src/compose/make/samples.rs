//! The samples that a run is made of: copied, encoded, standing still or silent, each moved to where it is wanted.

use std::fs::File;
use std::io;

use bytes::Bytes;
use cap_std::fs::Dir;
use reprise_media::fmp4::{Sample, SampleReader, TimedSample};
use reprise_media::timeline::TrackKind;

use super::place::Place;
use crate::compose::manifest::names;
use crate::compose::part::PartIndex;
use crate::compose::recipe::{FRAME_SAMPLES, Stretch};

/// The samples of one track, in the order in which they are decoded.
pub(super) type Samples = Box<dyn Iterator<Item = io::Result<TimedSample>>>;

pub(super) fn open(dir: &Dir, name: &str) -> io::Result<SampleReader<File>> {
    SampleReader::open(dir.open(name)?.into_std())
}

pub(super) fn in_samples(ms: u64, rate: u32) -> u64 {
    let samples = u128::from(ms) * u128::from(rate) / 1000;
    u64::try_from(samples).unwrap_or(u64::MAX)
}

/// The samples of the fragments of a stretch, read one at a time.
pub(super) fn fragments(
    parts: &[PartIndex],
    links: &Dir,
    stretch: &Stretch,
) -> io::Result<impl Iterator<Item = io::Result<TimedSample>> + 'static> {
    let part = parts.get(stretch.part);
    let entries =
        part.and_then(|part| part.index.fragments.get(stretch.fragments.clone())).unwrap_or_default().to_vec();
    let mut reader = open(links, &names(stretch.part).0)?;
    Ok(flat(entries.into_iter().map(move |entry| reader.fragment(&entry))))
}

/// All samples of a file.
fn all_of(mut reader: SampleReader<File>) -> impl Iterator<Item = io::Result<TimedSample>> {
    flat(std::iter::from_fn(move || reader.next_fragment().transpose()))
}

fn flat(
    fragments: impl Iterator<Item = io::Result<Vec<TimedSample>>>,
) -> impl Iterator<Item = io::Result<TimedSample>> {
    fragments.flat_map(|fragment| match fragment {
        Ok(samples) => samples.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    })
}

pub(super) fn only(
    track: TrackKind,
    samples: impl Iterator<Item = io::Result<TimedSample>>,
) -> impl Iterator<Item = io::Result<TimedSample>> {
    samples.filter(move |sample| sample.as_ref().map_or(true, |timed| timed.track == track))
}

/// Encoded pictures where the pictures they were made of lie: shown when those are, and decoded in the same distance
/// before. The last one lasts until the stretch ends.
pub(super) fn encoded_pictures(
    reader: SampleReader<File>,
    place: Place,
) -> impl Iterator<Item = io::Result<TimedSample>> {
    let first = place.first_shown_ms.saturating_add_signed(-place.delay_ms);
    let composition = i32::try_from(place.delay_ms).unwrap_or(0);
    until(place.pictures_to_ms, all_of(reader).map(move |sample| sample.map(|timed| moved(timed, first, composition))))
}

pub(super) fn standing_picture(
    reader: SampleReader<File>,
    from_ms: u64,
    to_ms: u64,
) -> impl Iterator<Item = io::Result<TimedSample>> {
    until(to_ms, all_of(reader).map(move |sample| sample.map(|timed| moved(timed, from_ms, 0))))
}

fn moved(timed: TimedSample, by_ms: u64, composition: i32) -> TimedSample {
    let sample = Sample { start: timed.sample.start.saturating_add(by_ms), composition, ..timed.sample };
    TimedSample { end: timed.end.saturating_add(by_ms), sample, ..timed }
}

/// Makes the last sample last until `end`.
fn until(
    end: u64,
    samples: impl Iterator<Item = io::Result<TimedSample>>,
) -> impl Iterator<Item = io::Result<TimedSample>> {
    let mut samples = samples.peekable();
    std::iter::from_fn(move || {
        let mut next = samples.next()?;
        if let (Ok(timed), None) = (&mut next, samples.peek()) {
            timed.end = end.max(timed.sample.start + 1);
        }
        Some(next)
    })
}

/// Encoded sound from `from` on: the encoder's first frame is its start-up and is left out.
pub(super) fn encoded_sound(
    reader: SampleReader<File>,
    from: u64,
    to: u64,
) -> impl Iterator<Item = io::Result<TimedSample>> {
    let frames = all_of(reader).skip(1).enumerate();
    frames
        .map(move |(index, sample)| sample.map(|timed| placed(timed.sample.data, from, index)))
        .take_while(move |sample| sample.as_ref().map_or(true, |timed| timed.sample.start < to))
}

pub(super) fn silence(frame: Bytes, from: u64, to: u64) -> impl Iterator<Item = io::Result<TimedSample>> {
    let frames = to.saturating_sub(from) / u64::from(FRAME_SAMPLES);
    (0..usize::try_from(frames).unwrap_or(0)).map(move |index| Ok(placed(frame.clone(), from, index)))
}

fn placed(data: Bytes, from: u64, index: usize) -> TimedSample {
    let start = from + index as u64 * u64::from(FRAME_SAMPLES);
    let sample = Sample { start, composition: 0, keyframe: true, data };
    TimedSample { track: TrackKind::Audio, sample, end: start + u64::from(FRAME_SAMPLES) }
}
