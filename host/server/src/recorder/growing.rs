//! A part while it is written, as others may watch it: whose it is, and how many of its bytes are synced.

use reprise_lifecycle::id::{BroadcastId, VideoId};
use tokio::sync::watch;

/// Hears of each part that is opened, and again when a publisher comes back to one. It must return at once; a recorder
/// neither waits for it nor hears of it again.
pub trait Watcher: Send + Sync + std::fmt::Debug {
    /// A part is being written from now on.
    fn part_opened(&self, part: GrowingPart);
}

/// A part that is being written.
#[derive(Clone, Debug)]
pub struct GrowingPart {
    /// Its broadcast.
    pub broadcast: BroadcastId,
    /// The video it becomes.
    pub video: VideoId,
    /// Media length after which it is closed at the next keyframe.
    pub cycle_ms: u64,
    /// How far it is. The sender is gone when the publisher is; the part may be written on later.
    pub synced: watch::Receiver<Synced>,
}

/// How far a part's file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// Bytes that are synced and never change again.
    pub bytes: u64,
    /// Whether no more will come.
    pub ended: bool,
}
