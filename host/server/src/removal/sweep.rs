//! What is looked for again and again: videos whose time is over, trash whose grace is over, folders that belong to
//! nothing, links that composed videos need no more, decisions that are old enough, and changes that are too many.

mod components;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reprise_lifecycle::id::{BroadcastId, PartIndex, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::work::Removal;
use tokio_util::sync::CancellationToken;

use super::decisions::BATCHES;
use super::trash;
use crate::driver::{Handle, Refused};
use crate::files::Files;
use crate::store::changes::KeptChanges;
use crate::store::decisions::Retention;
use crate::store::{self, Store};
use crate::{clock, config};

/// Expired videos removed in one sweep. Each is a commit that recorders wait for; the others are next.
const EXPIRED_AT_ONCE: i64 = 200;

/// Composed videos looked at in one query.
const COMPOSED_AT_ONCE: i64 = 500;

/// Parts beyond those in the read model that a running broadcast may have opened since it was written.
const PARTS_AHEAD: i64 = 2;

/// Gives up the links that a composed video played from before it had a file of its own.
pub type DropLinks = fn(&Files, &VideoId) -> io::Result<()>;

/// Sweeps until told to stop.
#[derive(Debug)]
pub struct Sweeper {
    /// The catalogue.
    pub store: Store,
    /// The data folder.
    pub files: Arc<Files>,
    /// Records removals.
    pub driver: Handle,
    /// How often, and how long the grace is.
    pub config: config::Storage,
    /// How long decisions are kept.
    pub decisions: Retention,
    /// How many changes are kept.
    pub changes: KeptChanges,
    /// How links are given up, where videos are composed.
    pub drop_links: Option<DropLinks>,
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    pub(super) expired: usize,
    pub(super) orphans: usize,
    pub(super) unlinked: usize,
    pub(super) emptied: usize,
    pub(super) components: usize,
    pub(super) decisions: u64,
    pub(super) states: u64,
    pub(super) changes: i64,
    /// There is more of the decision log to clear at once.
    pub(super) more: bool,
}

impl Sweeper {
    /// Sweeps at once and then every so often, and again at once where there was too much for one sweep, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let every = Duration::from_secs(self.config.sweep_seconds);
        loop {
            let swept = tokio::select! {
                swept = self.sweep(clock::now()) => swept,
                () = stop.cancelled() => return,
            };
            report(swept);
            if swept.more {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// One sweep. A part that fails keeps no other from being done: one folder that cannot be moved must not let the log
    /// grow for ever.
    pub(super) async fn sweep(&self, now: Timestamp) -> Swept {
        let grace_ms = i64::try_from(self.config.trash_seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        let log = done("decisions", self.clear_log(now, BATCHES).await);
        Swept {
            expired: done("expired videos", self.expire(now).await),
            orphans: done("folders of nothing", self.orphans(grace_ms, now).await),
            unlinked: done("links", self.unlink(grace_ms, now).await),
            emptied: done("trash", self.blocking(move |files| trash::empty(files, grace_ms, now)).await),
            components: done("components", self.components(now).await),
            decisions: log.decisions,
            states: log.states,
            changes: done("changes", self.clear_changes().await),
            more: log.more,
        }
    }

    /// Removes videos that their record config keeps no longer.
    async fn expire(&self, now: Timestamp) -> Result<usize, SweepError> {
        let mut expired = 0;
        for (broadcast, video) in self.store.expired_videos(now, EXPIRED_AT_ONCE).await? {
            let input = Input::Remove { video: VideoId::new(video), what: Removal::Video };
            match self.driver.submit(&BroadcastId::new(broadcast), input).await {
                Ok(()) => expired += 1,
                Err(Refused::Unavailable) => break,
                Err(refused) => tracing::error!(error = %refused, "an expired video could not be removed"),
            }
        }
        Ok(expired)
    }

    /// Moves folders of `media` to the trash that nothing knows: what a crash left between a file and its record, and
    /// what work wrote that did not hear in time of its video's removal.
    async fn orphans(&self, grace_ms: i64, now: Timestamp) -> Result<usize, SweepError> {
        let mut folders = self.blocking(move |files| old_folders(files, grace_ms, now)).await?;
        if folders.is_empty() {
            return Ok(0);
        }
        // In this order: a part that becomes a video in between is spoken for when the first question is asked, and known
        // when the second one is.
        let spoken_for = self.spoken_for().await?;
        folders.retain(|folder| !spoken_for.contains(folder));
        let mut orphans = 0;
        for folder in folders {
            if self.store.is_video(&folder).await? {
                continue;
            }
            tracing::warn!(folder, "a folder belongs to no video; it goes to the trash");
            let name = trash::name(&VideoId::new(folder.clone()), 0, now);
            self.blocking(move |files| trash::discard_folder(files, &folder, &name)).await?;
            orphans += 1;
        }
        Ok(orphans)
    }

    /// Every id that a broadcast in which something may still happen has given out, or may be about to.
    async fn spoken_for(&self) -> Result<BTreeSet<String>, SweepError> {
        let mut ids = BTreeSet::new();
        for (broadcast, parts) in self.store.unsettled_parts().await? {
            let broadcast = BroadcastId::new(broadcast);
            for part in 0..parts.saturating_add(PARTS_AHEAD) {
                let part = PartIndex::try_from(part).unwrap_or(PartIndex::MAX);
                ids.insert(VideoId::of_part(&broadcast, part).to_string());
            }
            ids.insert(VideoId::of_compose(&broadcast).to_string());
            ids.insert(VideoId::of_edit(&broadcast).to_string());
        }
        Ok(ids)
    }

    /// Gives up the links of composed videos that have had a file of their own for a while: a viewer who began before
    /// that has ended.
    async fn unlink(&self, grace_ms: i64, now: Timestamp) -> Result<usize, SweepError> {
        let Some(drop_links) = self.drop_links else { return Ok(0) };
        let before = Timestamp(now.0.saturating_sub(grace_ms));
        let (mut unlinked, mut after) = (0, String::new());
        loop {
            let videos = self.store.composed_videos(before, &after, COMPOSED_AT_ONCE).await?;
            let Some(last) = videos.last() else { return Ok(unlinked) };
            after.clone_from(last);
            for id in videos {
                let video = VideoId::new(id);
                unlinked += self.blocking(move |files| unlink(files, &video, drop_links)).await?;
            }
        }
    }

    /// File work off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> io::Result<T> + Send + 'static,
    ) -> Result<T, SweepError> {
        let files = Arc::clone(&self.files);
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        Ok(done.unwrap_or_else(|panic| Err(io::Error::other(panic)))?)
    }
}

fn unlink(files: &Files, video: &VideoId, drop_links: DropLinks) -> io::Result<usize> {
    let has_links = files.video(video).is_ok_and(|dir| dir.is_dir("parts"));
    if !has_links {
        return Ok(0);
    }
    match drop_links(files, video) {
        Ok(()) => Ok(1),
        // Its file is not there yet, or never will be: it plays from its parts.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error),
    }
}

/// The names of folders that have not been written to for the length of the grace.
fn old_folders(files: &Files, grace_ms: i64, now: Timestamp) -> io::Result<Vec<String>> {
    let mut old = Vec::new();
    for entry in files.media().entries()? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => metadata,
            // It went while we looked, or is none of ours.
            Ok(_) | Err(_) => continue,
        };
        let written = metadata.modified()?.into_std().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let written_ms = i64::try_from(written.as_millis()).unwrap_or(i64::MAX);
        if written_ms.saturating_add(grace_ms) <= now.0 {
            old.extend(entry.file_name().into_string());
        }
    }
    Ok(old)
}

/// Why a part of a sweep ended early; the next sweep begins it anew.
#[derive(Debug, thiserror::Error)]
pub(super) enum SweepError {
    #[error("{0}")]
    Store(#[from] store::Error),
    #[error("{0}")]
    Files(#[from] io::Error),
}

/// What a part of a sweep did; nothing where it failed.
fn done<T: Default>(part: &'static str, result: Result<T, SweepError>) -> T {
    result.unwrap_or_else(|error| {
        tracing::error!(part, error = %error, "a part of a sweep ended early; the next one begins it anew");
        T::default()
    })
}

fn report(swept: Swept) {
    if swept == Swept::default() {
        return;
    }
    let Swept { expired, orphans, unlinked, emptied, components, decisions, states, changes, more } = swept;
    tracing::info!(expired, orphans, unlinked, emptied, components, decisions, states, changes, more, "swept");
}
