//! A fragment at another place of another file: its number and its decode times change, its media does not.
//!
//! Only the `moof` and the trailer are touched. The trailer's checksum covers the media too, but a CRC is linear: the
//! sum of the changed block follows from the old sum, the two `moof`s and the length of the media, which therefore is
//! neither read nor trusted anew. Damage that was there before is still seen afterwards.

use super::trailer::Trailer;
use super::{AUDIO_TRACK, BoxError, FragmentEntry, TRAILER_BYTES, VIDEO_TRACK};

const HEADER_BYTES: usize = 8;
/// Header of a box with version and flags.
const FULL_HEADER_BYTES: usize = 12;

/// How far a fragment is moved on the timeline, per track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift {
    /// Milliseconds added to the decode times of pictures.
    pub video_ms: i64,
    /// Samples added to those of audio frames: `video_ms` as near as samples allow.
    pub audio: i64,
}

/// Where the tracks of a run of fragments begin, as far as its first fragments tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackStarts {
    /// Decode time of the first picture, in milliseconds.
    pub video_ms: Option<u64>,
    /// Position of the first audio frame, in samples.
    pub audio: Option<u64>,
}

impl TrackStarts {
    /// These, and for a track that is not among them what a later fragment says.
    pub fn or(self, later: Self) -> Self {
        Self { video_ms: self.video_ms.or(later.video_ms), audio: self.audio.or(later.audio) }
    }
}

impl Shift {
    /// The shift that moves a run of fragments which begins at `first_ms`, and whose tracks begin at `starts`, to zero.
    pub(crate) fn to_zero(first_ms: u64, starts: &TrackStarts, audio_rate: u32) -> Self {
        let video_ms = distance(0, first_ms);
        // The first frame of sound may lie less than a millisecond behind `first_ms`; it must not lie before zero.
        let audio = in_samples(video_ms, audio_rate);
        Self { video_ms, audio: starts.audio.map_or(audio, |start| audio.max(distance(0, start))) }
    }

    /// Whether nothing moves.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The index entry of a fragment that is moved to `offset` as number `number`.
    pub fn entry(&self, entry: &FragmentEntry, offset: u64, number: u32) -> FragmentEntry {
        let mut moved = FragmentEntry { offset, number, ..*entry };
        moved.first_ms = entry.first_ms.saturating_add_signed(self.video_ms);
        moved.ends.video_end_ms = entry.ends.video_end_ms.saturating_add_signed(self.video_ms);
        moved.ends.audio_end = entry.ends.audio_end.saturating_add_signed(self.audio);
        moved
    }
}

/// From one time to another, within what two of them can differ.
pub(crate) fn distance(to: u64, from: u64) -> i64 {
    let distance = i128::from(to) - i128::from(from);
    i64::try_from(distance).unwrap_or(if distance < 0 { i64::MIN / 2 } else { i64::MAX / 2 })
}

/// Milliseconds in samples, rounded down.
pub(crate) fn in_samples(ms: i64, rate: u32) -> i64 {
    let samples = (i128::from(ms) * i128::from(rate)).div_euclid(1000);
    i64::try_from(samples).unwrap_or(0)
}

/// Where the tracks begin in the fragment whose `moof` this is.
///
/// # Errors
/// When the bytes are no `moof` of ours.
pub fn track_starts(moof: &[u8]) -> Result<TrackStarts, BoxError> {
    let mut starts = TrackStarts::default();
    each_traf(moof, |track, at| {
        let time = u64::from_be_bytes(array(moof, at)?);
        match track {
            VIDEO_TRACK => starts.video_ms = Some(time),
            AUDIO_TRACK => starts.audio = Some(time),
            _ => return Err(BoxError::ForeignTrack),
        }
        Ok(())
    })?;
    Ok(starts)
}

/// Rewrites `moof` in place for its place in another file and returns the trailer that belongs there. `moved` is what
/// [`Shift::entry`] made of `entry`; `trailer` is the fragment's present one.
///
/// # Errors
/// When the bytes are not those of the fragment that `entry` describes.
pub fn rebase(
    entry: &FragmentEntry,
    moved: &FragmentEntry,
    shift: &Shift,
    moof: &mut [u8],
    trailer: &[u8; TRAILER_BYTES as usize],
) -> Result<Vec<u8>, BoxError> {
    let old = Trailer::read(trailer).ok_or(BoxError::ForeignFragment)?;
    if old.number != entry.number || old.covered != entry.size {
        return Err(BoxError::ForeignFragment);
    }
    let media_bytes = (entry.size as usize).checked_sub(moof.len()).ok_or(BoxError::ForeignFragment)?;
    let before = crc32c::crc32c(moof);
    patch(moof, moved.number, shift)?;
    let media_crc = old.crc ^ crc32c::crc32c_combine(before, 0, media_bytes);
    let crc = crc32c::crc32c_combine(crc32c::crc32c(moof), media_crc, media_bytes);
    let trailer = Trailer {
        number: moved.number,
        covered: moved.size,
        crc,
        keyframe: moved.keyframe,
        first_ms: moved.first_ms,
        duration_ms: moved.duration_ms,
        video_frames: moved.video_frames,
        audio_frames: moved.audio_frames,
        ends: moved.ends,
    };
    let mut out = Vec::with_capacity(TRAILER_BYTES as usize);
    trailer.append(&mut out)?;
    Ok(out)
}

fn patch(moof: &mut [u8], number: u32, shift: &Shift) -> Result<(), BoxError> {
    // `mfhd` is the first box in a `moof` (ISO/IEC 14496-12 section 8.8.5).
    if moof.get(12..16) != Some(b"mfhd") {
        return Err(BoxError::ForeignFragment);
    }
    put(moof, HEADER_BYTES + FULL_HEADER_BYTES, &number.to_be_bytes())?;
    let mut times = Vec::new();
    each_traf(moof, |track, at| {
        let by = if track == VIDEO_TRACK { shift.video_ms } else { shift.audio };
        let time = u64::from_be_bytes(array(moof, at)?);
        times.push((at, time.checked_add_signed(by).ok_or(BoxError::TooLarge)?));
        Ok(())
    })?;
    for (at, time) in times {
        put(moof, at, &time.to_be_bytes())?;
    }
    Ok(())
}

/// Calls `found` with the track and the place of the decode time of each `traf`.
fn each_traf(moof: &[u8], mut found: impl FnMut(u32, usize) -> Result<(), BoxError>) -> Result<(), BoxError> {
    let end = moof.len();
    if moof.get(4..8) != Some(b"moof") || u32::from_be_bytes(array(moof, 0)?) as usize != end {
        return Err(BoxError::ForeignFragment);
    }
    for (kind, at, traf_end) in boxes(moof, HEADER_BYTES, end)? {
        if kind != *b"traf" {
            continue;
        }
        let (mut track, mut time) = (None, None);
        for (kind, at, _) in boxes(moof, at + HEADER_BYTES, traf_end)? {
            match &kind {
                b"tfhd" => track = Some(u32::from_be_bytes(array(moof, at + FULL_HEADER_BYTES)?)),
                // Ours are always of version 1: 64 bits.
                b"tfdt" if moof.get(at + HEADER_BYTES) == Some(&1) => time = Some(at + FULL_HEADER_BYTES),
                _ => {}
            }
        }
        let (Some(track), Some(time)) = (track, time) else { return Err(BoxError::ForeignFragment) };
        found(track, time)?;
    }
    Ok(())
}

/// Kind, start and end of each box between `at` and `end`.
fn boxes(bytes: &[u8], mut at: usize, end: usize) -> Result<Vec<([u8; 4], usize, usize)>, BoxError> {
    let mut found = Vec::new();
    while at < end {
        let size = u32::from_be_bytes(array(bytes, at)?) as usize;
        let next = at.checked_add(size).filter(|next| *next <= end && size >= HEADER_BYTES);
        let next = next.ok_or(BoxError::ForeignFragment)?;
        found.push((array(bytes, at + 4)?, at, next));
        at = next;
    }
    Ok(found)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], BoxError> {
    let slice = at.checked_add(N).and_then(|end| bytes.get(at..end)).ok_or(BoxError::ForeignFragment)?;
    slice.try_into().map_err(|_| BoxError::ForeignFragment)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<(), BoxError> {
    let place = bytes.get_mut(at..at + value.len()).ok_or(BoxError::ForeignFragment)?;
    place.copy_from_slice(value);
    Ok(())
}
