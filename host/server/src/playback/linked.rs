//! The playlist of a composed video that has no file of its own yet: byte ranges of the parts it is linked to. Cuts lie
//! at keyframes here, and gaps are cut out; the file, once it is there, has both as they were asked for.

use std::io;

use cap_std::fs::Dir;
use reprise_media::compose::select;
use reprise_media::hls::{PlaylistOptions, PlaylistPart, media_playlist};

use crate::compose::part::{self, PartIndex};
use crate::compose::{Manifest, PARTS, part_names};

/// The playlist, without signatures.
///
/// # Errors
/// `NotFound` when the video is not composed, or nothing of it plays.
pub(super) fn build(dir: &Dir) -> io::Result<String> {
    let manifest = Manifest::read(dir)?.ok_or(io::ErrorKind::NotFound)?;
    let links = dir.open_dir(PARTS)?;
    let mut parts: Vec<(String, PartIndex)> = Vec::new();
    for number in 0..manifest.parts().len() {
        let (name, index) = part_names(number);
        parts.push((format!("{PARTS}/{name}"), part::read(&links, &name, &index)?));
    }
    let mut listed = Vec::new();
    for (number, piece) in manifest.pieces() {
        let Some((uri, part)) = parts.get(number) else { continue };
        let all = &part.index.fragments;
        let Some(found) = select(all, piece.from_ms, piece.to_ms) else { continue };
        let fragments = all.get(found.fragments).unwrap_or_default();
        listed.push(PlaylistPart { uri, init: part.index.init, tracks: &part.tracks, fragments });
    }
    if listed.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    media_playlist(&listed, &PlaylistOptions::default()).map_err(io::Error::other)
}
