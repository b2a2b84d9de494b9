//! Room for what can be made again: a compose, an edit, renditions. Recordings cannot, so what is made of them begins
//! only where its expected length fits beside the operator's reserve. It then never brings the disk to where all
//! recordings are ended; it waits, and nothing of it is written meanwhile.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::Disk;

/// Gives out room on the disk of the data folder.
#[derive(Debug)]
pub struct Room {
    disk: Arc<Disk>,
    /// Bytes of all that is held.
    held: AtomicU64,
}

/// Room that is spoken for until this is dropped. It counts in full also where some of it is written already: a wait
/// that is too long is better than a full disk.
#[derive(Debug)]
#[must_use = "the room is anybody's as soon as this is dropped"]
pub struct Held {
    room: Arc<Room>,
    bytes: u64,
}

/// Why there is none. It is the operator's to act, or time's.
#[derive(Debug, thiserror::Error)]
pub enum NoRoom {
    /// Too little is free.
    #[error(
        "{needed} bytes are needed beside the reserve of {reserve} and {claimed} that other work is about to write; \
         {free} are free"
    )]
    Short {
        /// What was asked for.
        needed: u64,
        /// The operator's reserve.
        reserve: u64,
        /// What others asked for.
        claimed: u64,
        /// What there is.
        free: u64,
    },
    /// Nobody knows how much is free.
    #[error("the free disk space cannot be read: {0}")]
    Unknown(#[source] io::Error),
}

impl Room {
    /// Room on `disk`.
    pub fn new(disk: Arc<Disk>) -> Self {
        Self { disk, held: AtomicU64::new(0) }
    }

    /// Holds room for this many bytes.
    ///
    /// # Errors
    /// [`NoRoom`]; it may be there later.
    pub fn hold(self: &Arc<Self>, bytes: u64) -> Result<Held, NoRoom> {
        // Before the disk is looked at, so that of two at once one sees the other.
        let claimed = self.held.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { room: Arc::clone(self), bytes };
        let (free, reserve) = (self.disk.free_bytes().map_err(NoRoom::Unknown)?, self.disk.reserve_bytes());
        let wanted = reserve.saturating_add(claimed).saturating_add(bytes);
        if free < wanted { Err(NoRoom::Short { needed: bytes, reserve, claimed, free }) } else { Ok(held) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl From<NoRoom> for io::Error {
    fn from(none: NoRoom) -> Self {
        io::Error::new(io::ErrorKind::StorageFull, none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const MIB: u64 = 1 << 20;

    #[test]
    fn held_room_leaves_the_reserve_alone_and_counts_until_it_is_dropped() {
        let mut limits = Config::parse("").unwrap().limits;
        limits.disk_reserve_mib = 100;
        let free = Arc::new(AtomicU64::new(150 * MIB));
        let source = Arc::clone(&free);
        let disk = Arc::new(Disk::new(Arc::new(move || Ok(source.load(Ordering::Relaxed))), &limits));
        let room = Arc::new(Room::new(disk));
        drop(room.hold(50 * MIB).unwrap());
        assert!(room.hold(50 * MIB + 1).is_err());
        let first = room.hold(30 * MIB).unwrap();
        let none = room.hold(30 * MIB).unwrap_err().to_string();
        assert!(none.contains("31457280 bytes are needed") && none.contains("and 31457280 that other work"), "{none}");
        // What failed holds nothing.
        let second = room.hold(20 * MIB).unwrap();
        assert!(room.hold(1).is_err());
        drop((first, second));
        drop(room.hold(50 * MIB).unwrap());
        free.store(90 * MIB, Ordering::Relaxed);
        assert!(room.hold(0).is_err(), "below the reserve nothing begins");
        assert!(room.hold(u64::MAX).is_err());
        assert_eq!(room.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_disk_that_cannot_be_read_has_no_room() {
        let disk = Disk::new(Arc::new(|| Err(io::ErrorKind::Other.into())), &Config::parse("").unwrap().limits);
        assert!(matches!(Arc::new(Room::new(Arc::new(disk))).hold(0), Err(NoRoom::Unknown(_))));
    }
}
