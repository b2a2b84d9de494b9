//! The disk's two thresholds. Below the reserve nobody new may record; below the smaller one what is being recorded
//! is ended while there is still room to end it whole. Recovery needs nobody: the next look finds space again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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
        Self { free, reserve_bytes, stop_bytes, stopped: AtomicU64::new(0) }
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
