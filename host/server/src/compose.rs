//! Composing: a broadcast's parts become one video.
//!
//! It goes in two steps, and both can be repeated. [`Composer::link`] takes the parts' files into the video's folder by
//! hard links and writes down what is composed; from then on the video plays, byte ranges of the links, and no longer
//! depends on the parts' own videos: what was composed outlives them, and no byte was copied. [`Composer::build`] makes
//! the one file: a copy of the fragments behind one `moov`. Encoders run only for what cannot be copied: pictures or
//! sound of another codec configuration than most of the video has, the one group of pictures that an exact cut goes
//! through, and what stands in for a gap.
//!
//! ```text
//! compose.json              what is composed; the video plays from the moment this is whole
//! parts/00000.mp4, .index   links to the parts' files, each part once
//! source.index, source.mp4  the result; appears by rename
//! ```
//!
//! It decides nothing: which parts, which stretches and what becomes of gaps is asked for. It knows neither the driver
//! nor events.

mod assemble;
mod build;
mod error;
mod facts;
mod gap_map;
mod link;
mod make;
mod manifest;
pub(crate) mod part;
mod planned;
mod recipe;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::question::GapRule;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

pub use self::error::Error;
pub(crate) use self::gap_map::{MappedGap, gap_map};
pub use self::link::{drop_links, give_up};
pub(crate) use self::manifest::{Manifest, PARTS, names as part_names, pin_names};
use crate::ffmpeg::tools::Tools;
use crate::files::Files;
use crate::jobs::queue::{Claim, Queue};
use crate::room::{Held, Room};

/// Pieces of one composed video. The vendor composes 40 parts at most; a day of five-minute parts has 288. Each costs a
/// link and some hundred bytes of the description.
pub const MAX_PIECES: usize = 10_000;

/// The longest gap that is filled: the widest break window that can be configured. A longer one is wrong, and would be
/// hours of a still picture.
pub const MAX_GAP_MS: u64 = 21_600_000;

/// Files that are put together at once. Each is as fast as the disk, so more of them only make all of them slow, and
/// recorders need the disk too.
const MAX_BUILDING: usize = 2;

/// What is composed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The stretches, in the order in which they play.
    pub pieces: Vec<Piece>,
    /// What viewers get where the publisher was gone.
    pub gaps: GapRule,
}

/// A stretch of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// The part's video.
    pub part: VideoId,
    /// Milliseconds into the part.
    pub from_ms: u64,
    /// Milliseconds into the part; absent is its end.
    pub to_ms: Option<u64>,
    /// How long the publisher was gone before the part began; 0 if it was not, or if the piece does not begin where the
    /// part does.
    pub gap_before_ms: u64,
    /// The gaps inside the part, in order.
    pub gaps: Vec<Gap>,
}

impl Piece {
    /// A whole part without gaps.
    pub fn whole(part: VideoId) -> Self {
        Self { part, from_ms: 0, to_ms: None, gap_before_ms: 0, gaps: Vec::new() }
    }
}

/// A stretch of wall-clock time without media inside a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Milliseconds of media before it, counted from the beginning of the part.
    pub at_ms: u64,
    /// How long it was.
    pub len_ms: u64,
}

/// Composes videos.
#[derive(Debug)]
pub struct Composer {
    files: Arc<Files>,
    tools: Tools,
    /// Threads of one encoder.
    threads: u32,
    /// Where encoders wait for their slot. Copying waits for nobody's encoder.
    queue: Queue,
    building: Semaphore,
    room: Option<Arc<Room>>,
}

impl Composer {
    /// A composer of the videos in `files`, whose encoders wait in `queue`.
    pub fn new(files: Arc<Files>, tools: Tools, threads: u32, queue: Queue) -> Self {
        Self { files, tools, threads, queue, building: Semaphore::new(MAX_BUILDING), room: None }
    }

    /// The same composer, which writes only where there is room.
    #[must_use]
    pub fn within(self, room: Arc<Room>) -> Self {
        Self { room: Some(room), ..self }
    }

    /// Room for so many bytes, for as long as what is given lives.
    fn hold(&self, bytes: u64) -> Result<Option<Held>, Error> {
        let held = self.room.as_ref().map(|room| room.hold(bytes)).transpose();
        held.map_err(|none| Error::Disk(none.into()))
    }

    /// Makes `video` playable: what it is composed of is in its folder when this returns. Done again it changes
    /// nothing, even when the parts' own videos are gone by then. Its cost is that of as many links as there are
    /// parts. The facts are those of the fragments that play; [`Composer::build`] has the final ones.
    ///
    /// # Errors
    /// See [`Error::fault`] for who must act.
    pub async fn link(&self, video: &VideoId, request: &Request) -> Result<PartFacts, Error> {
        let (files, video, request) = (Arc::clone(&self.files), video.clone(), request.clone());
        blocking(move || link::link(&files, &video, &request)).await
    }

    /// Makes the one file of a linked video; what has to be encoded for it is encoded on this claim. A file that is there
    /// already is the result of an earlier run.
    ///
    /// # Errors
    /// See [`Error::fault`] for who must act. Nothing is left that plays or counts as a result.
    pub async fn build(
        &self,
        video: &VideoId,
        claim: Claim<'_>,
        cancel: &CancellationToken,
    ) -> Result<PartFacts, Error> {
        build::build(self, video, claim, cancel).await
    }

    /// Waits for a place among those that put files together. Who has one waits for nothing else.
    async fn turn(&self, cancel: &CancellationToken) -> Result<SemaphorePermit<'_>, Error> {
        tokio::select! {
            turn = self.building.acquire() => turn.map_err(|_| Error::Cancelled),
            () = cancel.cancelled() => Err(Error::Cancelled),
        }
    }
}

/// Runs file work on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    // A runtime that stops drops the work: it is done again at the next start.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Cancelled))
}
