//! `compose.json`: what a video is composed of. It is written once, whole or not at all, after all links are there.

use std::io;

use cap_std::fs::Dir;
use reprise_lifecycle::id::VideoId;
use serde::{Deserialize, Serialize};

use super::{Piece, Request};
use crate::files::Files;

/// The manifest's file name.
pub(crate) const MANIFEST: &str = "compose.json";

/// The folder of links.
pub(crate) const PARTS: &str = "parts";

/// The form that this version writes, and the only one there is so far.
const VERSION: u32 = 1;

/// What a video is composed of, and under which names the parts are linked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    version: u32,
    pub(crate) request: Request,
}

impl Manifest {
    pub(super) fn new(request: &Request) -> Self {
        Self { version: VERSION, request: request.clone() }
    }

    /// Reads a video's manifest; `None` if it has none.
    ///
    /// # Errors
    /// When it cannot be read, or was written by a later version.
    pub(crate) fn read(dir: &Dir) -> io::Result<Option<Self>> {
        let bytes = match dir.read(MANIFEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        if manifest.version != VERSION {
            return Err(io::Error::other(format!("{MANIFEST} of version {} is not known here", manifest.version)));
        }
        Ok(Some(manifest))
    }

    pub(super) fn write(&self, dir: &Dir) -> io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(io::Error::other)?;
        Files::write_whole(dir, MANIFEST, &bytes)
    }

    /// The linked parts, each once, in the order of their numbers.
    pub(crate) fn parts(&self) -> Vec<&VideoId> {
        let mut seen = std::collections::BTreeSet::new();
        self.request.pieces.iter().map(|piece| &piece.part).filter(|part| seen.insert(*part)).collect()
    }

    /// The pieces with the numbers of their parts.
    pub(crate) fn pieces(&self) -> Vec<(usize, &Piece)> {
        let numbers: std::collections::BTreeMap<&VideoId, usize> =
            self.parts().into_iter().enumerate().map(|(number, part)| (part, number)).collect();
        let number = |piece: &Piece| numbers.get(&piece.part).copied().unwrap_or(usize::MAX);
        self.request.pieces.iter().map(|piece| (number(piece), piece)).collect()
    }
}

/// The names of a linked part and of its index, in [`PARTS`].
pub(crate) fn names(number: usize) -> (String, String) {
    (format!("{number:05}.mp4"), format!("{number:05}.index"))
}

/// The names of a material of a production and of its index, in [`PARTS`]: there before anything is composed.
pub(crate) fn pin_names(video: &str) -> (String, String) {
    (format!("{video}.mp4"), format!("{video}.index"))
}
