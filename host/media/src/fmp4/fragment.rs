//! Samples into fragments: `moof`, `mdat` (ISO/IEC 14496-12 section 8.8) and the trailer.
//!
//! Both tracks share a fragment: first all pictures, then all audio frames. A sample lasts until the next one of
//! its track begins, so durations are known only when a fragment is finished. When to finish one is decided in
//! [`crate::part`]. The payload is copied once, from the messages it arrived in to the bytes that are appended.

use bytes::Bytes;
use mp4_atom::{Atom, Encode, Header, Mdat, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry, TrunSamples};

use super::trailer::Trailer;
use super::{AUDIO_TRACK, BoxError, Fragment, VIDEO_TRACK};
use crate::timeline::{TimelinePosition, TrackKind, samples_to_ms};

/// `sample_depends_on = 2`: a picture that needs no other.
const FLAGS_SYNC: u32 = 0x0200_0000;
/// `sample_depends_on = 1`, `sample_is_non_sync_sample = 1`.
const FLAGS_DEPENDENT: u32 = 0x0101_0000;

/// One picture or audio frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Decode time in the track's timescale. Must lie behind that of the sample before it.
    pub start: u64,
    /// Presentation minus decode time in the track's timescale.
    pub composition: i32,
    /// Whether decoding may start here; always true of audio.
    pub keyframe: bool,
    /// The coded bytes.
    pub data: Bytes,
}

/// Collects the samples of one fragment at a time.
#[derive(Debug)]
pub struct Fragmenter {
    next_number: u32,
    next_offset: u64,
    has_video_track: bool,
    audio_rate: u32,
    video: Vec<Sample>,
    audio: Vec<Sample>,
    payload_bytes: usize,
}

impl Fragmenter {
    /// Goes on with fragment `next_number` at `next_offset` of a part file. `audio_rate` is the timescale of its audio
    /// track, if it has one.
    pub fn new(next_number: u32, next_offset: u64, has_video_track: bool, audio_rate: u32) -> Self {
        Self {
            next_number,
            next_offset,
            has_video_track,
            audio_rate,
            video: Vec::new(),
            audio: Vec::new(),
            payload_bytes: 0,
        }
    }

    /// Adds a sample to the current fragment.
    pub fn push(&mut self, track: TrackKind, sample: Sample) {
        self.payload_bytes += sample.data.len();
        match track {
            TrackKind::Video => self.video.push(sample),
            TrackKind::Audio => self.audio.push(sample),
        }
    }

    /// Whether the current fragment has no samples.
    pub fn is_empty(&self) -> bool {
        self.video.is_empty() && self.audio.is_empty()
    }

    /// Number of samples in the current fragment.
    pub fn samples(&self) -> usize {
        self.video.len() + self.audio.len()
    }

    /// Bytes of media in the current fragment.
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// The newest sample of a track in the current fragment.
    pub fn last(&self, track: TrackKind) -> Option<&Sample> {
        match track {
            TrackKind::Video => self.video.last(),
            TrackKind::Audio => self.audio.last(),
        }
    }

    /// Earliest decode time in the current fragment, in milliseconds.
    pub fn first_ms(&self) -> Option<u64> {
        let video = self.video.first().map(|sample| sample.start);
        let audio = self.audio.first().map(|sample| samples_to_ms(sample.start, self.audio_rate));
        video.into_iter().chain(audio).min()
    }

    /// Whether playback may start at the current fragment.
    pub fn starts_with_keyframe(&self) -> bool {
        match self.video.first() {
            Some(first) => first.keyframe,
            None => !self.has_video_track,
        }
    }

    /// The number that the next fragment gets.
    pub fn next_number(&self) -> u32 {
        self.next_number
    }

    /// Where the next fragment goes.
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Ends the current fragment where the tracks end at `ends`; `None` if there is nothing in it.
    pub fn finish(&mut self, ends: TimelinePosition) -> Result<Option<Fragment>, BoxError> {
        let Some(first_ms) = self.first_ms() else {
            return Ok(None);
        };
        let mut trailer = Trailer {
            number: self.next_number,
            covered: 0,
            crc: 0,
            keyframe: self.starts_with_keyframe(),
            first_ms,
            duration_ms: u32::try_from(self.end_ms(&ends).saturating_sub(first_ms)).unwrap_or(u32::MAX),
            video_frames: count(&self.video)?,
            audio_frames: count(&self.audio)?,
            ends,
        };
        let mut bytes = self.media(&ends)?;
        trailer.covered = u32::try_from(bytes.len()).map_err(|_| BoxError::TooLarge)?;
        trailer.crc = crc32c::crc32c(&bytes);
        trailer.append(&mut bytes)?;
        let entry = trailer.entry(self.next_offset);
        self.next_number += 1;
        self.next_offset = entry.end_offset();
        self.video.clear();
        self.audio.clear();
        self.payload_bytes = 0;
        Ok(Some(Fragment { bytes: bytes.into(), entry }))
    }

    /// End of what this fragment holds; a track without samples in it does not count.
    fn end_ms(&self, ends: &TimelinePosition) -> u64 {
        let video = if self.video.is_empty() { 0 } else { ends.video_end_ms };
        let audio = if self.audio.is_empty() { 0 } else { ends.audio_end_ms() };
        video.max(audio)
    }

    fn media(&self, ends: &TimelinePosition) -> Result<Vec<u8>, BoxError> {
        let mut moof = Moof { mfhd: Mfhd { sequence_number: self.next_number }, traf: Vec::new() };
        if !self.video.is_empty() {
            moof.traf.push(video_traf(&self.video, ends.video_end_ms)?);
        }
        if !self.audio.is_empty() {
            moof.traf.push(audio_traf(&self.audio, ends.audio_end)?);
        }
        // The data offsets depend on the size of the `moof`, which does not depend on them: write it twice.
        let mut measured = Vec::new();
        moof.encode(&mut measured)?;
        let mdat = Header { kind: Mdat::KIND, size: Some(self.payload_bytes) };
        let mut offset = measured.len() + HEADER_BYTES;
        let video_bytes: usize = self.video.iter().map(|sample| sample.data.len()).sum();
        for traf in &mut moof.traf {
            for trun in &mut traf.trun {
                trun.data_offset = Some(i32::try_from(offset).map_err(|_| BoxError::TooLarge)?);
            }
            offset += video_bytes;
        }
        let capacity = measured.len() + HEADER_BYTES + self.payload_bytes + super::TRAILER_BYTES as usize;
        let mut out = Vec::with_capacity(capacity);
        moof.encode(&mut out)?;
        mdat.encode(&mut out)?;
        for sample in self.video.iter().chain(&self.audio) {
            out.extend_from_slice(&sample.data);
        }
        Ok(out)
    }
}

const HEADER_BYTES: usize = 8;

fn count(samples: &[Sample]) -> Result<u32, BoxError> {
    u32::try_from(samples.len()).map_err(|_| BoxError::TooLarge)
}

/// Each sample's duration: to the start of the next, the last to `end`.
fn durations(samples: &[Sample], end: u64) -> impl Iterator<Item = u32> {
    let starts = samples.iter().map(|sample| sample.start);
    let nexts = starts.clone().skip(1).chain([end]);
    starts.zip(nexts).map(|(start, next)| u32::try_from(next.saturating_sub(start)).unwrap_or(u32::MAX))
}

fn size(sample: &Sample) -> Result<Option<u32>, BoxError> {
    u32::try_from(sample.data.len()).map(Some).map_err(|_| BoxError::TooLarge)
}

fn video_traf(samples: &[Sample], end: u64) -> Result<Traf, BoxError> {
    let mut entries = Vec::with_capacity(samples.len());
    for (sample, duration) in samples.iter().zip(durations(samples, end)) {
        entries.push(TrunEntry {
            duration: Some(duration),
            size: size(sample)?,
            flags: Some(if sample.keyframe { FLAGS_SYNC } else { FLAGS_DEPENDENT }),
            cts: Some(i64::from(sample.composition)),
        });
    }
    Ok(traf(Tfhd { track_id: VIDEO_TRACK, ..Tfhd::default() }, samples, entries))
}

/// Audio frames are alike but for their size; a duration is written per frame only where a seam made one differ.
fn audio_traf(samples: &[Sample], end: u64) -> Result<Traf, BoxError> {
    let usual = durations(samples, end).next().unwrap_or(0);
    let even = durations(samples, end).all(|duration| duration == usual);
    let mut entries = Vec::with_capacity(samples.len());
    for (sample, duration) in samples.iter().zip(durations(samples, end)) {
        entries.push(TrunEntry { duration: (!even).then_some(duration), size: size(sample)?, flags: None, cts: None });
    }
    let header = Tfhd {
        track_id: AUDIO_TRACK,
        default_sample_duration: Some(usual),
        default_sample_flags: Some(FLAGS_SYNC),
        ..Tfhd::default()
    };
    Ok(traf(header, samples, entries))
}

fn traf(header: Tfhd, samples: &[Sample], entries: Vec<TrunEntry>) -> Traf {
    Traf {
        tfhd: Tfhd { default_base_is_moof: true, ..header },
        tfdt: samples.first().map(|first| Tfdt { base_media_decode_time: first.start }),
        trun: vec![Trun { data_offset: Some(0), samples: TrunSamples::Explicit(entries) }],
        ..Traf::default()
    }
}
