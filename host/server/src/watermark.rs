//! How far each running broadcast is durable: the newest media time whose bytes are synced. Recorders write it,
//! listings read it. It is a view of the disk, kept in memory only: after a restart the recorders say it anew.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reprise_lifecycle::id::BroadcastId;

/// The watermarks of all broadcasts that are being recorded, in milliseconds of media time.
#[derive(Debug, Default)]
pub struct Watermarks(Mutex<BTreeMap<BroadcastId, u64>>);

impl Watermarks {
    /// Moves a broadcast's watermark forward; an older value than the present one is late news and changes nothing.
    pub fn set(&self, broadcast: &BroadcastId, watermark_ms: u64) {
        let mut all = self.lock();
        match all.get_mut(broadcast) {
            Some(present) => *present = watermark_ms.max(*present),
            None => {
                all.insert(broadcast.clone(), watermark_ms);
            }
        }
    }

    /// A broadcast's watermark, while it is being recorded.
    pub fn get(&self, broadcast: &BroadcastId) -> Option<u64> {
        self.lock().get(broadcast).copied()
    }

    /// Forgets a broadcast that is over.
    pub fn remove(&self, broadcast: &BroadcastId) {
        self.lock().remove(broadcast);
    }

    /// Each change is one map operation, so the map is whole even if a thread panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<BroadcastId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_only_moves_forward_until_it_is_forgotten() {
        let (marks, id) = (Watermarks::default(), BroadcastId::new("b"));
        assert_eq!(marks.get(&id), None);
        for (set, seen) in [(500, 500), (1500, 1500), (900, 1500)] {
            marks.set(&id, set);
            assert_eq!(marks.get(&id), Some(seen));
        }
        marks.remove(&id);
        assert_eq!(marks.get(&id), None);
    }
}
