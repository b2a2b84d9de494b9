//! Samples out of fragments: of our own files, and of the fragmented MP4 that an encoder of ours leaves.
//!
//! One fragment is in memory at a time. Declared sizes are checked before anything is read for them, so a file that is
//! not what it should be is an error and never a panic.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use bytes::Bytes;
use mp4_atom::{Decode, Header, Moof, Moov};

use super::{FragmentEntry, MAX_INIT_BYTES, MAX_MDAT_BYTES, MAX_MOOF_BYTES, Sample, VIDEO_TIMESCALE, read_tracks};
use crate::timeline::TrackKind;
use crate::track::Tracks;

const HEADER_BYTES: u64 = 8;
/// `sample_is_non_sync_sample`.
const NON_SYNC: u32 = 0x0001_0000;

/// A sample with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedSample {
    /// Whose it is.
    pub track: TrackKind,
    /// The sample, in its track's timescale (milliseconds for pictures).
    pub sample: Sample,
    /// Where it ends, in the same.
    pub end: u64,
}

/// Reads samples of a fragmented MP4.
#[derive(Debug)]
pub struct SampleReader<R> {
    reader: R,
    tracks: Tracks,
    ids: Vec<(u32, TrackKind, u32)>,
    at: u64,
    file_len: u64,
}

impl<R: Read + Seek> SampleReader<R> {
    /// Reads the head of a file: ours, or ffmpeg's with an empty `moov` and `default_base_moof`.
    ///
    /// # Errors
    /// When the file cannot be read or is no such MP4.
    pub fn open(mut reader: R) -> io::Result<Self> {
        let file_len = reader.seek(SeekFrom::End(0))?;
        let mut opened = Self { reader, tracks: Tracks::default(), ids: Vec::new(), at: 0, file_len };
        let Some((moov_at, moov_len)) = opened.find(b"moov")? else { return Err(invalid("no moov")) };
        let end = moov_at + moov_len;
        if end > MAX_INIT_BYTES {
            return Err(invalid("init segment is too large"));
        }
        let init = opened.read(0, end)?;
        opened.tracks = read_tracks(&init).map_err(invalid)?;
        let mut moov = init.get(moov_at as usize..).unwrap_or_default();
        for trak in Moov::decode(&mut moov).map_err(invalid)?.trak {
            let kind = if trak.mdia.minf.vmhd.is_some() { TrackKind::Video } else { TrackKind::Audio };
            opened.ids.push((trak.tkhd.track_id, kind, trak.mdia.mdhd.timescale.max(1)));
        }
        opened.at = end;
        Ok(opened)
    }

    /// The tracks that the file declares.
    pub fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// The samples of the next fragment, per track in order; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or ends inside a fragment.
    pub fn next_fragment(&mut self) -> io::Result<Option<Vec<TimedSample>>> {
        let Some((moof_at, moof_len)) = self.find(b"moof")? else { return Ok(None) };
        self.at = moof_at + moof_len;
        let Some((mdat_at, mdat_len)) = self.find(b"mdat")? else { return Err(invalid("a moof without mdat")) };
        self.at = mdat_at + mdat_len;
        if moof_len > MAX_MOOF_BYTES || mdat_len > MAX_MDAT_BYTES {
            return Err(invalid("a fragment is too large"));
        }
        let bytes = self.read(moof_at, mdat_at + mdat_len - moof_at)?;
        self.samples(&bytes).map(Some)
    }

    /// The samples of one fragment of ours.
    ///
    /// # Errors
    /// When the file cannot be read, or has no such fragment.
    pub fn fragment(&mut self, entry: &FragmentEntry) -> io::Result<Vec<TimedSample>> {
        if u64::from(entry.size) > MAX_MOOF_BYTES + MAX_MDAT_BYTES {
            return Err(invalid("a fragment is too large"));
        }
        let bytes = self.read(entry.offset, u64::from(entry.size))?;
        self.samples(&bytes)
    }

    /// Place and length of the next box of a kind; others are passed over.
    fn find(&mut self, kind: &[u8; 4]) -> io::Result<Option<(u64, u64)>> {
        let mut at = self.at;
        while self.file_len.saturating_sub(at) >= HEADER_BYTES {
            let bytes = self.read(at, HEADER_BYTES)?;
            let header = Header::decode(&mut bytes.as_ref()).map_err(invalid)?;
            let len = header.size.ok_or_else(|| invalid("a box without a size"))? as u64 + HEADER_BYTES;
            if len > self.file_len - at {
                return Err(invalid("a box ends behind the file"));
            }
            if bytes[4..8] == *kind {
                return Ok(Some((at, len)));
            }
            at += len;
        }
        Ok(None)
    }

    fn read(&mut self, at: u64, len: u64) -> io::Result<Bytes> {
        if len > self.file_len.saturating_sub(at) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.reader.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![0; usize::try_from(len).map_err(invalid)?];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }

    fn samples(&self, fragment: &Bytes) -> io::Result<Vec<TimedSample>> {
        let moof = Moof::decode(&mut fragment.as_ref()).map_err(invalid)?;
        let mut found = Vec::new();
        for traf in moof.traf {
            let id = self.ids.iter().find(|(id, ..)| *id == traf.tfhd.track_id);
            let (_, track, timescale) = *id.ok_or_else(|| invalid("a fragment of an unknown track"))?;
            // Pictures are clocked in milliseconds here, whatever the file's clock.
            let scale = |time: u64| match track {
                TrackKind::Video => time.saturating_mul(u64::from(VIDEO_TIMESCALE)) / u64::from(timescale),
                TrackKind::Audio => time,
            };
            let mut time = traf.tfdt.as_ref().map_or(0, |tfdt| tfdt.base_media_decode_time);
            for trun in &traf.trun {
                let offset = trun.data_offset.and_then(|offset| usize::try_from(offset).ok());
                let mut offset = offset.ok_or_else(|| invalid("a run without an offset"))?;
                for entry in trun.samples.iter() {
                    let size = entry.size.or(traf.tfhd.default_sample_size);
                    let size = size.ok_or_else(|| invalid("a sample without a size"))? as usize;
                    let end = offset.checked_add(size).filter(|end| *end <= fragment.len());
                    let end = end.ok_or_else(|| invalid("a sample outside its fragment"))?;
                    let duration = u64::from(entry.duration.or(traf.tfhd.default_sample_duration).unwrap_or(0));
                    let flags = entry.flags.or(traf.tfhd.default_sample_flags).unwrap_or(0);
                    let shown =
                        entry.cts.unwrap_or(0).saturating_mul(i64::from(VIDEO_TIMESCALE)) / i64::from(timescale);
                    let ends = time.checked_add(duration).ok_or_else(|| invalid("a sample without an end"))?;
                    let sample = Sample {
                        start: scale(time),
                        composition: match track {
                            TrackKind::Video => i32::try_from(shown).map_err(invalid)?,
                            TrackKind::Audio => 0,
                        },
                        keyframe: track == TrackKind::Audio || flags & NON_SYNC == 0,
                        data: fragment.slice(offset..end),
                    };
                    found.push(TimedSample { track, sample, end: scale(ends) });
                    (time, offset) = (ends, end);
                }
            }
        }
        Ok(found)
    }
}

pub(crate) fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
