//! The playlist of a recording: byte ranges of the file itself, from the index beside it or, where that is missing or
//! does not fit, from a walk over the file's fragments. A composed video whose file is still being made plays from its
//! parts instead.

use std::io;
use std::sync::Arc;

use reprise_lifecycle::id::VideoId;
use reprise_media::hls::{PlaylistOptions, PlaylistPart, media_playlist};

use super::error::Refusal;
use super::file::off_thread;
use super::{Playback, linked};
use crate::compose::part;
use crate::files::{Files, SOURCE, SOURCE_INDEX};

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
    let (text, lasting) = off_thread(move || build(&files, &id)).await?;
    let text: Arc<str> = text.into();
    // What plays from parts is another playlist once the file is there, and is made anew until then.
    if lasting && text.len() <= MAX_CACHED_BYTES {
        playback.sources.put(video.as_str(), Arc::clone(&text));
    }
    Ok(text)
}

/// The playlist, and whether it stays as it is.
fn build(files: &Files, video: &VideoId) -> io::Result<(String, bool)> {
    let dir = files.video(video)?;
    let part = match part::read(&dir, SOURCE, SOURCE_INDEX) {
        Ok(part) => part,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((linked::build(&dir)?, false)),
        Err(error) => return Err(error),
    };
    let fragments = &part.index.fragments;
    let part = PlaylistPart { uri: SOURCE, init: part.index.init, tracks: &part.tracks, fragments };
    let text = media_playlist(&[part], &PlaylistOptions::default()).map_err(io::Error::other)?;
    Ok((text, true))
}
