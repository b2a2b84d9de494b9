//! Moving finished segments on their timeline, so that renditions which each start at zero play one after the other.
//!
//! Only the numbers that say when a fragment begins are changed (`tfdt`, and the time of a `sidx` before it); no box
//! grows, no sample is touched. Segments come from encoders, so nothing here is special to the files of this crate.

use mp4_atom::{Decode, Ftyp, Moov, Trak};

use super::BoxError;

const HEADER_BYTES: usize = 8;

/// How the times in a track's fragments are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackClock {
    /// As fragments name it.
    pub track_id: u32,
    /// Whether it is pictures; else it is sound.
    pub picture: bool,
    /// Ticks per second.
    pub timescale: u32,
    /// Ticks that the track's edit list adds to every time.
    pub edit: i64,
}

/// A segment that cannot be moved: damaged, or of a form whose times have no room. It is left as it was or partly
/// moved, and must not be used then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetimeError {
    /// A box ends before its fields do, or reaches beyond what holds it.
    #[error("a box is cut short")]
    Short,
    /// The time would not be in its field's range any more.
    #[error("the time does not fit its field")]
    Overflow,
    /// A fragment of a track that the init segments do not both declare with the same clock.
    #[error("a fragment belongs to no track")]
    UnknownTrack,
    /// No fragment was found.
    #[error("there is no fragment")]
    NoFragment,
}

/// The clocks of all tracks of an init segment.
///
/// # Errors
/// When it cannot be read.
pub fn clocks(init: &[u8]) -> Result<Vec<TrackClock>, BoxError> {
    let mut rest = init;
    Ftyp::decode(&mut rest)?;
    let moov = Moov::decode(&mut rest)?;
    let clock = |trak: &Trak| TrackClock {
        track_id: trak.tkhd.track_id,
        picture: trak.mdia.minf.vmhd.is_some(),
        timescale: trak.mdia.mdhd.timescale,
        edit: edit(trak, moov.mvhd.timescale),
    };
    Ok(moov.trak.iter().map(clock).collect())
}

/// An empty edit in front delays a track, the media time of what follows advances it.
fn edit(trak: &Trak, movie_timescale: u32) -> i64 {
    let entries = trak.edts.iter().flat_map(|edts| &edts.elst).flat_map(|elst| &elst.entries);
    let mut edit = 0_i64;
    for entry in entries {
        match entry.media_time {
            None => {
                let ticks = u128::from(entry.segment_duration) * u128::from(trak.mdia.mdhd.timescale);
                let ticks = ticks / u128::from(movie_timescale.max(1));
                edit = edit.saturating_add(i64::try_from(ticks).unwrap_or(i64::MAX));
            }
            Some(time) => return edit.saturating_sub(i64::try_from(time).unwrap_or(i64::MAX)),
        }
    }
    edit
}

/// Moves all fragments of a segment `by_ms` later, and makes them fragments of another init segment: `own` is how their
/// times are read now, `like` how they will be.
///
/// # Errors
/// [`RetimeError`].
pub fn retime(segment: &mut [u8], own: &[TrackClock], like: &[TrackClock], by_ms: u64) -> Result<(), RetimeError> {
    let shift = |track_id: u32| {
        let clock = |clocks: &[TrackClock]| clocks.iter().find(|clock| clock.track_id == track_id).copied();
        let (own, like) = clock(own).zip(clock(like)).ok_or(RetimeError::UnknownTrack)?;
        if own.timescale != like.timescale {
            return Err(RetimeError::UnknownTrack);
        }
        Ok(ticks(by_ms, own.timescale).saturating_add(own.edit).saturating_sub(like.edit))
    };
    let mut fragments = 0;
    each_box(segment, |kind, body| {
        match kind {
            b"moof" => fragments += moof(body, &shift)?,
            // Version and flags, the track, its timescale, then the earliest time.
            b"sidx" => add(body, 12, shift(u32_at(body, 4)?)?)?,
            _ => {}
        }
        Ok(())
    })?;
    if fragments == 0 { Err(RetimeError::NoFragment) } else { Ok(()) }
}

/// Gives each box in `bytes` with its body to `visit`.
fn each_box(
    mut bytes: &mut [u8],
    mut visit: impl FnMut(&[u8; 4], &mut [u8]) -> Result<(), RetimeError>,
) -> Result<(), RetimeError> {
    while !bytes.is_empty() {
        let size = usize::try_from(u32_at(bytes, 0)?).map_err(|_| RetimeError::Short)?;
        let kind: [u8; 4] = bytes.get(4..8).and_then(|kind| kind.try_into().ok()).ok_or(RetimeError::Short)?;
        // A size of 0 (to the end) or 1 (64 bits) is not what segments are written with.
        if size < HEADER_BYTES || size > bytes.len() {
            return Err(RetimeError::Short);
        }
        let (this, rest) = bytes.split_at_mut(size);
        visit(&kind, &mut this[HEADER_BYTES..])?;
        bytes = rest;
    }
    Ok(())
}

fn moof(body: &mut [u8], shift: &impl Fn(u32) -> Result<i64, RetimeError>) -> Result<u32, RetimeError> {
    let mut fragments = 0;
    each_box(body, |kind, body| {
        if kind != b"traf" {
            return Ok(());
        }
        let mut track = None;
        each_box(body, |kind, body| {
            match kind {
                // Version and flags, then the track.
                b"tfhd" => track = Some(u32_at(body, 4)?),
                b"tfdt" => {
                    add(body, 4, shift(track.ok_or(RetimeError::UnknownTrack)?)?)?;
                    fragments += 1;
                }
                _ => {}
            }
            Ok(())
        })
    })?;
    Ok(fragments)
}

fn ticks(ms: u64, timescale: u32) -> i64 {
    let exact = u128::from(ms) * u128::from(timescale) / 1000;
    i64::try_from(exact).unwrap_or(i64::MAX)
}

/// Adds to the time at `at`, which has 64 bits in version 1 of its box and 32 before.
fn add(body: &mut [u8], at: usize, ticks: i64) -> Result<(), RetimeError> {
    if body.first() == Some(&0) {
        let sum = i64::from(u32_at(body, at)?).checked_add(ticks).and_then(|sum| u32::try_from(sum).ok());
        body[at..at + 4].copy_from_slice(&sum.ok_or(RetimeError::Overflow)?.to_be_bytes());
        return Ok(());
    }
    let field = body.get_mut(at..at + 8).ok_or(RetimeError::Short)?;
    let before = u64::from_be_bytes((&*field).try_into().map_err(|_| RetimeError::Short)?);
    let sum = before.checked_add_signed(ticks).ok_or(RetimeError::Overflow)?;
    field.copy_from_slice(&sum.to_be_bytes());
    Ok(())
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, RetimeError> {
    let field = bytes.get(at..at + 4).and_then(|field| field.try_into().ok());
    field.map(u32::from_be_bytes).ok_or(RetimeError::Short)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKS: [TrackClock; 2] = [
        TrackClock { track_id: 1, picture: true, timescale: 90_000, edit: -7200 },
        TrackClock { track_id: 2, picture: false, timescale: 44_100, edit: -1024 },
    ];

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + HEADER_BYTES).unwrap();
        [&size.to_be_bytes()[..], kind, body].concat()
    }

    fn traf(track: u32, tfdt: &[u8]) -> Vec<u8> {
        let tfhd = boxed(b"tfhd", &[[0; 4], track.to_be_bytes()].concat());
        boxed(b"traf", &[tfhd, boxed(b"tfdt", tfdt), boxed(b"trun", &[7; 12])].concat())
    }

    fn long(time: u64) -> Vec<u8> {
        [&[1, 0, 0, 0][..], &time.to_be_bytes()].concat()
    }

    fn short(time: u32) -> Vec<u8> {
        [&[0; 4][..], &time.to_be_bytes()].concat()
    }

    fn segment(video: u64, audio: u32) -> Vec<u8> {
        let index = [&[1, 0, 0, 0][..], &1_u32.to_be_bytes(), &90_000_u32.to_be_bytes(), &video.to_be_bytes()].concat();
        let moof = boxed(b"moof", &[boxed(b"mfhd", &[0; 8]), traf(1, &long(video)), traf(2, &short(audio))].concat());
        [boxed(b"styp", b"msdh"), boxed(b"sidx", &index), moof, boxed(b"mdat", &[9; 40])].concat()
    }

    #[test]
    fn only_the_times_move() {
        for by_ms in [0, 1, 1500, 3_600_000] {
            let mut moved = segment(180_000, 4410);
            retime(&mut moved, &CLOCKS, &CLOCKS, by_ms).unwrap();
            let expected = segment(180_000 + by_ms * 90, 4410 + u32::try_from(by_ms * 441 / 10).unwrap());
            assert_eq!(moved, expected, "{by_ms}");
        }
    }

    #[test]
    fn the_difference_of_edit_lists_goes_into_the_times() {
        let like = [TrackClock { edit: 0, ..CLOCKS[0] }, TrackClock { edit: -24, ..CLOCKS[1] }];
        let mut moved = segment(180_000, 4410);
        retime(&mut moved, &CLOCKS, &like, 1000).unwrap();
        assert_eq!(moved, segment(180_000 + 90_000 - 7200, 4410 + 44_100 - 1000));
        let before_the_start = retime(&mut segment(7199, 1024), &CLOCKS, &like, 0);
        assert_eq!(before_the_start, Err(RetimeError::Overflow));
        let slower = [TrackClock { timescale: 1000, ..CLOCKS[0] }, CLOCKS[1]];
        assert_eq!(retime(&mut segment(0, 0), &CLOCKS, &slower, 0), Err(RetimeError::UnknownTrack));
    }

    #[test]
    fn what_cannot_be_moved_is_told() {
        let cases: [(Vec<u8>, &[TrackClock], u64, RetimeError); 5] = [
            (segment(0, u32::MAX), &CLOCKS, 1000, RetimeError::Overflow),
            (segment(u64::MAX, 0), &CLOCKS, 1000, RetimeError::Overflow),
            (segment(0, 0), &CLOCKS[..1], 0, RetimeError::UnknownTrack),
            (boxed(b"mdat", &[0; 4]), &CLOCKS, 0, RetimeError::NoFragment),
            (Vec::new(), &CLOCKS, 0, RetimeError::NoFragment),
        ];
        for (mut bytes, clocks, by_ms, expected) in cases {
            assert_eq!(retime(&mut bytes, clocks, &CLOCKS, by_ms), Err(expected));
        }
        let whole = segment(5, 5);
        for cut in 1..whole.len() {
            // Cut between two boxes a segment may still be one; anywhere else it is not, and nothing panics.
            let _either = retime(&mut whole[..cut].to_vec(), &CLOCKS, &CLOCKS, 1000);
        }
        assert_eq!(retime(&mut whole[..whole.len() - 1].to_vec(), &CLOCKS, &CLOCKS, 1), Err(RetimeError::Short));
    }
}
