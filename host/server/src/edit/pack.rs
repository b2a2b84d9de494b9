//! An encoder's file rewritten as one of ours: fragments of a second that check themselves, with an index beside it. So
//! an edited video plays at once from byte ranges, and can itself be cut and joined without an encoder.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use cap_std::fs::Dir;
use reprise_lifecycle::media::PartFacts;
use reprise_media::compose::repack;
use reprise_media::fmp4::{FragmentIndex, Sample, SampleReader, Scan, TimedSample};
use reprise_media::part;
use reprise_media::timeline::TrackKind;
use reprise_media::track::Tracks;
use tokio_util::sync::CancellationToken;

use crate::files::{SOURCE, SOURCE_INDEX};
use crate::recorder::facts_of;

/// Samples of one frame of AAC.
const FRAME_SAMPLES: u64 = 1024;

/// Writes `source.mp4` and `source.index` into `to`, out of the fragmented file `name` in `from`; gives what they hold.
///
/// # Errors
/// Those of the disk; `InvalidData` when the file is not what an encoder of ours leaves.
pub(super) fn pack(from: &Dir, name: &str, to: &Dir, cancel: &CancellationToken) -> io::Result<PartFacts> {
    let reader = || SampleReader::open(from.open(name)?.into_std());
    let tracks = reader()?.tracks().clone();
    let (pictures, sound) = (reader()?, reader()?);
    let mut out = BufWriter::new(to.create(SOURCE)?.into_std());
    let index =
        repack(&tracks, from_zero(only(TrackKind::Video, pictures)), played(only(TrackKind::Audio, sound)), |bytes| {
            if cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            out.write_all(bytes)
        })?;
    out.flush()?;
    to.write(SOURCE_INDEX, index.to_bytes())?;
    facts(index, tracks).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "nothing was encoded"))
}

fn only(track: TrackKind, mut reader: SampleReader<File>) -> impl Iterator<Item = io::Result<TimedSample>> {
    let fragments = std::iter::from_fn(move || reader.next_fragment().transpose());
    fragments.flat_map(move |fragment| match fragment {
        Ok(samples) => samples.into_iter().filter(|timed| timed.track == track).map(Ok).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    })
}

/// Pictures from zero on: the muxer moves them to make room for the start-up of the sound's encoder.
fn from_zero(pictures: impl Iterator<Item = io::Result<TimedSample>>) -> impl Iterator<Item = io::Result<TimedSample>> {
    let mut first = None;
    pictures.map(move |picture| {
        picture.map(|timed| {
            let by = *first.get_or_insert(timed.sample.start);
            let sample = Sample { start: timed.sample.start.saturating_sub(by), ..timed.sample };
            TimedSample { sample, end: timed.end.saturating_sub(by), ..timed }
        })
    })
}

/// Sound from zero on. The first frame of an AAC encoder is its start-up, and the frames after it have no holes.
fn played(sound: impl Iterator<Item = io::Result<TimedSample>>) -> impl Iterator<Item = io::Result<TimedSample>> {
    (0..).zip(sound.skip(1)).map(|(number, frame)| {
        frame.map(|timed| {
            let start = number * FRAME_SAMPLES;
            TimedSample { sample: Sample { start, ..timed.sample }, end: start + FRAME_SAMPLES, ..timed }
        })
    })
}

pub(super) fn facts(index: FragmentIndex, tracks: Tracks) -> Option<PartFacts> {
    let len = index.end_offset();
    let scan = Scan { init: Some(index.init), tracks, fragments: index.fragments, valid_len: len, file_len: len };
    part::PartFacts::from_scan(&scan).map(|facts| facts_of(&facts)).filter(|facts| !facts.is_empty())
}
