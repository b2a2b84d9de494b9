//! A part's file as it is read back: its index from beside it, or from a walk over its fragments.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use cap_std::fs::Dir;
use reprise_media::fmp4::{ByteRange, FragmentEntry, FragmentIndex, TrackStarts, read_tracks, scan, track_starts};
use reprise_media::track::Tracks;

/// The longest index that is read; a day of one-second fragments takes one mebibyte.
const MAX_INDEX_BYTES: u64 = 32 * 1024 * 1024;

/// The longest init segment that is read. Ours are below one kibibyte, those of other writers some.
pub(crate) const MAX_INIT_BYTES: u64 = 256 * 1024;

/// The longest `moof` that is read; 4096 samples take 66 KiB.
const MAX_MOOF_BYTES: u32 = 1024 * 1024;

/// Fragments in which a track is looked for: parts begin with at most one of sound alone.
const STARTS_SOUGHT: usize = 4;

/// What a part file holds.
#[derive(Debug, Clone)]
pub(crate) struct PartIndex {
    pub(crate) index: FragmentIndex,
    pub(crate) tracks: Tracks,
}

/// Reads what is known of the part file `name`, with the index `index_name` if that is one of this file: an index is a
/// cache and may be missing, damaged or older.
///
/// # Errors
/// `NotFound` when there is no such file, or nothing in it.
pub(crate) fn read(dir: &Dir, name: &str, index_name: &str) -> io::Result<PartIndex> {
    let mut file = dir.open(name)?.into_std();
    let len = file.metadata()?.len();
    let part = match read_index(dir, index_name, len)? {
        Some(index) => {
            let tracks = tracks_of(&mut file, index.init)?;
            PartIndex { index, tracks }
        }
        None => {
            let scanned = scan(&mut file, false)?;
            let index = FragmentIndex::from_scan(&scanned).ok_or(io::ErrorKind::NotFound)?;
            PartIndex { index, tracks: scanned.tracks }
        }
    };
    if part.index.fragments.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(part)
}

fn read_index(dir: &Dir, name: &str, source_len: u64) -> io::Result<Option<FragmentIndex>> {
    let file = match dir.open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_INDEX_BYTES).read_to_end(&mut bytes)?;
    let index = FragmentIndex::from_bytes(&Bytes::from(bytes)).ok();
    Ok(index.filter(|index| index.end_offset() == source_len && index.init.len <= MAX_INIT_BYTES))
}

fn tracks_of(file: &mut std::fs::File, init: ByteRange) -> io::Result<Tracks> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(init.offset))?;
    file.take(init.len).read_to_end(&mut bytes)?;
    read_tracks(&bytes).map_err(io::Error::other)
}

/// The `moof` at the beginning of the fragment in this range.
///
/// # Errors
/// `InvalidData` when there is none.
pub(crate) fn read_moof(file: &mut std::fs::File, fragment: ByteRange) -> io::Result<Vec<u8>> {
    // One read is enough for most: a second of media has a hundred samples.
    const USUAL_BYTES: u64 = 2048;
    file.seek(SeekFrom::Start(fragment.offset))?;
    let mut bytes = Vec::with_capacity(USUAL_BYTES as usize);
    file.by_ref().take(USUAL_BYTES.min(fragment.len)).read_to_end(&mut bytes)?;
    let size = bytes.first_chunk().map_or(0, |size| u32::from_be_bytes(*size));
    if size > MAX_MOOF_BYTES || u64::from(size) > fragment.len {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a fragment does not begin with its moof"));
    }
    let size = size as usize;
    if size > bytes.len() {
        let missing = size - bytes.len();
        file.by_ref().take(missing as u64).read_to_end(&mut bytes)?;
    }
    bytes.truncate(size);
    Ok(bytes)
}

/// Where the tracks of a run of fragments begin.
///
/// # Errors
/// `InvalidData` when the fragments are not there.
pub(crate) fn starts(
    file: &mut std::fs::File,
    tracks: &Tracks,
    fragments: &[FragmentEntry],
) -> io::Result<TrackStarts> {
    let mut found = TrackStarts::default();
    for entry in fragments.iter().take(STARTS_SOUGHT) {
        let moof = read_moof(file, entry.range())?;
        let here = track_starts(&moof).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        found = found.or(here);
        if found.video_ms.is_some() >= tracks.video.is_some() && found.audio.is_some() >= tracks.audio.is_some() {
            break;
        }
    }
    Ok(found)
}
