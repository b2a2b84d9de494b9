//! What is taken away leaves the disk: its files go to the trash by rename, and from there for good when their grace is
//! over.
//!
//! | Module | What it knows |
//! |---|---|
//! | `trash` | which files a removal means, and how they are moved and deleted |
//! | `sweep` | what is looked for again and again: expired videos, old trash, folders that belong to nothing |
//!
//! A removal is a record first; the files follow as an effect that can be done again. Nothing here decides what may be
//! removed: the core does, and calls for the effect only when nothing that was promised reads the files any more.

mod changes;
mod decisions;
mod sweep;
mod trash;

use std::sync::Arc;

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::input::Input;
use reprise_lifecycle::work::Removal;

pub use self::sweep::{DropLinks, Sweeper};
use crate::clock;
use crate::driver::{Handle, Work};
use crate::files::Files;

/// Moves what was removed to the trash and tells so. An error is logged and tried again by whoever drives.
pub async fn discard(files: &Arc<Files>, work: &Work, handle: &Handle, video: &VideoId, what: &Removal) {
    let moved = tokio::task::spawn_blocking({
        let (files, video, what, record) = (Arc::clone(files), video.clone(), what.clone(), work.effect_id.record);
        move || trash::discard(&files, &video, &what, record, clock::now())
    });
    match moved.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(video.id = %video, error = %error, "removed files could not be moved; it is tried again");
            return;
        }
        Err(_) => return,
    }
    let input = Input::Discarded { effect: work.effect_id };
    if let Err(error) = handle.job_input(&work.broadcast.id, input).await {
        tracing::warn!(video.id = %video, error = %error, "moved files were not recorded; it is tried again");
    }
}

#[cfg(test)]
mod tests;
