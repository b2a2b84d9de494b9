//! The playlist of a recording: byte ranges of the file itself, from the index beside it or, where that is missing or
//! does not fit, from a walk over the file's fragments.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use cap_std::fs::Dir;
use reprise_lifecycle::id::VideoId;
use reprise_media::fmp4::{ByteRange, FragmentIndex, read_tracks, scan};
use reprise_media::hls::{PlaylistOptions, PlaylistPart, media_playlist};
use reprise_media::track::Tracks;

use super::Playback;
use super::error::Refusal;
use super::file::off_thread;
use crate::files::{Files, SOURCE, SOURCE_INDEX};

/// The longest index that is read; a day of one-second fragments takes one mebibyte.
const MAX_INDEX_BYTES: u64 = 32 * 1024 * 1024;

/// The longest init segment that is read. Ours are below one kibibyte, those of other writers some.
pub(super) const MAX_INIT_BYTES: u64 = 256 * 1024;

/// The longest playlist that is remembered; longer ones are rare and made anew each time.
const MAX_CACHED_BYTES: usize = 256 * 1024;

/// The source's playlist, without signatures.
///
/// # Errors
/// [`Refusal::NotFound`] when there is no source, or nothing in it that plays.
pub(super) async fn playlist(playback: &Playback, video: &VideoId) -> Result<Arc<str>, Refusal> {
    if let Some(known) = playback.sources.get(video.as_str()) {
        return Ok(known);
    }
    let _turn = playback.building.acquire().await.map_err(|_| Refusal::Busy)?;
    let (files, id) = (Arc::clone(&playback.files), video.clone());
    let text: Arc<str> = off_thread(move || build(&files, &id)).await?.into();
    if text.len() <= MAX_CACHED_BYTES {
        playback.sources.put(video.as_str(), Arc::clone(&text));
    }
    Ok(text)
}

fn build(files: &Files, video: &VideoId) -> io::Result<String> {
    let dir = files.video(video)?;
    let mut file = dir.open(SOURCE)?.into_std();
    let len = file.metadata()?.len();
    let (index, tracks) = match read_index(&dir, len)? {
        Some(index) => {
            let tracks = tracks_of(&mut file, index.init)?;
            (index, tracks)
        }
        None => {
            let scanned = scan(&mut file, false)?;
            let index = FragmentIndex::from_scan(&scanned).ok_or(io::ErrorKind::NotFound)?;
            (index, scanned.tracks)
        }
    };
    if index.fragments.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let part = PlaylistPart { uri: SOURCE, init: index.init, tracks: &tracks, fragments: &index.fragments };
    media_playlist(&[part], &PlaylistOptions::default()).map_err(io::Error::other)
}

/// The index beside the source, if it is one of this file: an index is a cache and may be missing, damaged or older.
fn read_index(dir: &Dir, source_len: u64) -> io::Result<Option<FragmentIndex>> {
    let file = match dir.open(SOURCE_INDEX) {
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
