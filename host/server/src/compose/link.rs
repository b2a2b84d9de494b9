//! Taking the parts' files into the composed video's folder, without copying a byte where the disk can link.

use std::io;

use cap_std::fs::{Dir, MetadataExt};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::media::PartFacts;
use reprise_media::compose::select;

use super::manifest::{MANIFEST, Manifest, PARTS, names, pin_names};
use super::part::{self, PartIndex};
use super::{Error, MAX_PIECES, Request, facts};
use crate::files::{self, Files, SOURCE, SOURCE_INDEX};

pub(super) fn link(files: &Files, video: &VideoId, request: &Request) -> Result<PartFacts, Error> {
    if request.pieces.len() > MAX_PIECES {
        return Err(Error::TooManyPieces(request.pieces.len()));
    }
    let dir = files.make_video(video)?;
    let wanted = Manifest::new(request);
    if Manifest::read(&dir)?.as_ref() != Some(&wanted) {
        make_links(files, &dir, &wanted)?;
        wanted.write(&dir)?;
    }
    let parts = read_parts(&dir, &wanted)?;
    let mut playing = Vec::new();
    for (number, piece) in wanted.pieces() {
        let Some(part) = parts.get(number) else { continue };
        if let Some(found) = select(&part.index.fragments, piece.from_ms, piece.to_ms) {
            playing.push((part, found.fragments));
        }
    }
    let facts = facts::of_parts(&playing);
    if facts.is_empty() {
        return Err(Error::Empty);
    }
    Ok(facts)
}

/// The linked parts of a manifest, by number.
///
/// # Errors
/// When one is not there or not readable.
pub(super) fn read_parts(dir: &Dir, manifest: &Manifest) -> Result<Vec<PartIndex>, Error> {
    let links = dir.open_dir(PARTS)?;
    let mut parts = Vec::new();
    for (number, id) in manifest.parts().into_iter().enumerate() {
        let (name, index) = names(number);
        parts.push(part::read(&links, &name, &index).map_err(|error| gone(error, id))?);
    }
    Ok(parts)
}

fn make_links(files: &Files, dir: &Dir, manifest: &Manifest) -> Result<(), Error> {
    dir.create_dir(PARTS).or_else(ignore(io::ErrorKind::AlreadyExists))?;
    let links = dir.open_dir(PARTS)?;
    for (number, id) in manifest.parts().into_iter().enumerate() {
        let (pin, pin_index) = pin_names(id.as_str());
        let (from, source, source_index) = match files.video(id) {
            Ok(part) if part.exists(SOURCE) => (part, SOURCE, SOURCE_INDEX),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            // It was removed; if this is a production it may have been pinned before.
            Ok(_) | Err(_) => (links.try_clone()?, pin.as_str(), pin_index.as_str()),
        };
        let (name, index) = names(number);
        take(&from, source, &links, &name).map_err(|error| gone(error, id))?;
        // Without its index a part is walked over instead.
        take(&from, source_index, &links, &index).or_else(ignore(io::ErrorKind::NotFound))?;
    }
    files::sync(&links)?;
    files::sync(dir)?;
    Ok(())
}

/// Links a file, or copies it where it cannot be linked: on another disk, on a disk without links, or with as many
/// links as a file may have.
fn take(from: &Dir, name: &str, to: &Dir, new: &str) -> io::Result<()> {
    match from.hard_link(name, to, new) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let (source, present) = (from.metadata(name)?, to.metadata(new)?);
            if (source.dev(), source.ino()) == (present.dev(), present.ino()) {
                return Ok(());
            }
            // Left by an earlier attempt at another composition, which never was whole.
            to.remove_file(new)?;
            return take(from, name, to, new);
        }
        Err(_) => {}
    }
    let fresh = format!("{new}.new");
    from.copy(name, to, &fresh)?;
    to.open(&fresh)?.sync_all()?;
    to.rename(&fresh, to, new)
}

/// Removes the links of a video whose own file is there, also those of an attempt that never was whole. Who asks has
/// waited until no viewer plays from them any more.
///
/// # Errors
/// When they cannot be removed, or the video has no file of its own yet (`WouldBlock`).
pub fn drop_links(files: &Files, video: &VideoId) -> io::Result<()> {
    let dir = files.video(video)?;
    if !dir.exists(PARTS) {
        return Ok(());
    }
    if !dir.exists(SOURCE) {
        return Err(io::Error::new(io::ErrorKind::WouldBlock, "the video still plays from its parts"));
    }
    dir.remove_dir_all(PARTS).or_else(ignore(io::ErrorKind::NotFound))?;
    files::sync(&dir)
}

/// Removes what was linked for a video that will never be made, so that it does not keep its parts' bytes.
///
/// # Errors
/// When it cannot be removed.
pub fn give_up(files: &Files, video: &VideoId) -> io::Result<()> {
    let dir = match files.video(video) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    dir.remove_file(MANIFEST).or_else(ignore(io::ErrorKind::NotFound))?;
    dir.remove_dir_all(PARTS).or_else(ignore(io::ErrorKind::NotFound))?;
    files::sync(&dir)
}

fn gone(error: io::Error, part: &VideoId) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::PartGone(part.clone()),
        _ => error.into(),
    }
}

fn ignore(kind: io::ErrorKind) -> impl Fn(io::Error) -> io::Result<()> {
    move |error| if error.kind() == kind { Ok(()) } else { Err(error) }
}
