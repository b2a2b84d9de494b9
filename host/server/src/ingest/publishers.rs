//! The connected publishers, by broadcast and epoch: how a decision reaches a connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use reprise_lifecycle::id::{BroadcastId, Epoch};
use tokio_util::sync::CancellationToken;

/// All connected publishers.
#[derive(Debug, Default)]
pub struct Publishers {
    connected: Mutex<BTreeMap<(BroadcastId, Epoch), CancellationToken>>,
}

/// A publisher's entry; it is gone when this is dropped.
#[derive(Debug)]
pub struct Entry {
    publishers: Arc<Publishers>,
    key: (BroadcastId, Epoch),
    /// Set when the publisher is to be sent away.
    pub dropped: CancellationToken,
}

impl Publishers {
    /// Enters a publisher.
    pub fn enter(self: &Arc<Self>, broadcast: &BroadcastId, epoch: Epoch) -> Entry {
        let (key, dropped) = ((broadcast.clone(), epoch), CancellationToken::new());
        self.lock().insert(key.clone(), dropped.clone());
        Entry { publishers: Arc::clone(self), key, dropped }
    }

    /// Sends a publisher away. Says whether it was connected.
    pub fn send_away(&self, broadcast: &BroadcastId, epoch: Epoch) -> bool {
        let connected = self.lock();
        let token = connected.get(&(broadcast.clone(), epoch));
        token.inspect(|token| token.cancel()).is_some()
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(BroadcastId, Epoch), CancellationToken>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.publishers.lock().remove(&self.key);
    }
}
