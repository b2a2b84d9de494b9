//! The disk's two thresholds. Below the reserve nobody new may record; below the smaller one what is being recorded
//! is ended while there is still room to end it whole. Recovery needs nobody: the next look finds space again.
//!
//! What can be done again gives way first. Below the reserve no work on videos begins, and what runs ends: a tenant
//! whose renditions fill the disk must not end the recordings of all.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::ingest::{Kick, Publishers};

/// How often free space is looked at. All publishers together write far less than the smaller threshold within it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where free space is read; tests put their own here.
pub type FreeSpace = Arc<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// Why nothing new may be recorded.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Too little is free.
    #[error("the server's disk is below its reserve")]
    BelowReserve,
    /// Nobody knows how much is free.
    #[error("the server cannot record now")]
    Unknown(#[source] io::Error),
}

/// The disk of the data folder.
pub struct Disk {
    free: FreeSpace,
    reserve_bytes: u64,
    stop_bytes: u64,
    stopped: AtomicU64,
    /// Whether less than the reserve was free at the last look.
    short: watch::Sender<bool>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("reserve_bytes", &self.reserve_bytes).finish_non_exhaustive()
    }
}

impl Disk {
    /// The disk that `free` looks at.
    pub fn new(free: FreeSpace, limits: &config::Limits) -> Self {
        let reserve_bytes = limits.disk_reserve_mib.saturating_mul(1 << 20);
        // An operator who lowers the reserve does not want running recordings ended above it.
        let stop_bytes = limits.disk_stop_mib.saturating_mul(1 << 20).min(reserve_bytes);
        let is_short = free().is_ok_and(|free| free < reserve_bytes);
        Self { free, reserve_bytes, stop_bytes, stopped: AtomicU64::new(0), short: watch::Sender::new(is_short) }
    }

    /// Whether somebody new may record.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Refused> {
        let free = (self.free)().map_err(Refused::Unknown)?;
        if free < self.reserve_bytes { Err(Refused::BelowReserve) } else { Ok(()) }
    }

    /// Free bytes.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn free_bytes(&self) -> io::Result<u64> {
        (self.free)()
    }

    /// The reserve.
    pub fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// Recordings that were ended because the disk was full.
    pub fn stopped(&self) -> u64 {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Notes a recording that was ended because the disk was full.
    pub fn note_stopped(&self) {
        self.stopped.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns when the reserve is free, at once if it is.
    pub async fn has_room(&self) {
        // The sender is ours, so it cannot be gone.
        let _ = self.short.subscribe().wait_for(|short| !short).await;
    }

    /// Returns when less than the reserve is free, at once if it is.
    pub async fn is_short(&self) {
        let _ = self.short.subscribe().wait_for(|short| *short).await;
    }

    /// Does work that can be done again. When the disk is below its reserve it is told so by `cancel`, and then has the
    /// time it takes to end.
    pub async fn while_roomy(&self, cancel: &CancellationToken, work: impl Future<Output = ()>) {
        tokio::pin!(work);
        tokio::select! {
            () = &mut work => return,
            () = self.is_short() => cancel.cancel(),
        }
        work.await;
    }

    /// Looks at the disk until told to stop, and ends what is being recorded when it is full.
    pub async fn watch(&self, publishers: &Publishers, stop: CancellationToken) {
        let mut full = false;
        loop {
            full = self.look(publishers, full);
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// One look. Says whether the disk is full; it stays full until there is more than the reserve again.
    fn look(&self, publishers: &Publishers, was_full: bool) -> bool {
        let free = match (self.free)() {
            Ok(free) => free,
            Err(error) => {
                tracing::error!(error = %error, "the free disk space cannot be read");
                return was_full;
            }
        };
        let is_short = free < self.reserve_bytes;
        let changed = self.short.send_if_modified(|short| std::mem::replace(short, is_short) != is_short);
        if changed && is_short {
            tracing::error!(free_bytes = free, "the disk is below its reserve: work on videos waits");
        }
        if free < self.stop_bytes {
            let ended = publishers.end_recordings(Kick::Storage);
            if ended > 0 || !was_full {
                tracing::error!(
                    free_bytes = free,
                    recordings = ended,
                    "the disk is full: running recordings are ended"
                );
            }
            return true;
        }
        if was_full && free >= self.reserve_bytes {
            tracing::info!(free_bytes = free, "the disk has room again: streams are recorded");
            return false;
        }
        was_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn work_that_can_be_done_again_gives_way_before_recordings_do() {
        const MIB: u64 = 1 << 20;
        let free = Arc::new(AtomicU64::new(4096 * MIB));
        let source = Arc::clone(&free);
        let limits = Config::parse("").unwrap().limits;
        let disk = Disk::new(Arc::new(move || Ok(source.load(Ordering::Relaxed))), &limits);
        let publishers = Publishers::default();
        disk.has_room().await;
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        disk.while_roomy(&first, std::future::ready(())).await;
        assert!(!first.is_cancelled());

        // Far above where recordings end.
        free.store(1000 * MIB, Ordering::Relaxed);
        let told = async {
            assert!(!disk.look(&publishers, false));
            second.cancelled().await;
        };
        let working = disk.while_roomy(&second, async { second.cancelled().await });
        tokio::join!(working, told);

        free.store(4096 * MIB, Ordering::Relaxed);
        let waits = disk.has_room();
        tokio::join!(waits, async { disk.look(&publishers, false) });
    }
}
