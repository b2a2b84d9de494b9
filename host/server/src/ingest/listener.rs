//! Connections of publishers: a bounded number, and of these a bounded number from one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Ingest, connection};
use crate::listener::Bound;

/// How long connected publishers may take to hand over what they hold when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Accepts connections until `stop`, then lets each end.
pub async fn run(listener: Bound, ingest: Ingest, stop: CancellationToken) {
    let all = Arc::new(Semaphore::new(ingest.limits.rtmp_connections));
    let addresses = Arc::new(Addresses { limit: ingest.limits.rtmp_connections_per_address, ..Addresses::default() });
    let connections = TaskTracker::new();
    while let Some((socket, peer)) = listener.accept(&stop).await {
        let (Ok(slot), Some(place)) = (Arc::clone(&all).try_acquire_owned(), addresses.enter(peer.ip())) else {
            tracing::warn!(peer = %peer.ip(), "a connection was closed: too many are open");
            continue;
        };
        let (ingest, stop) = (ingest.clone(), stop.child_token());
        connections.spawn(async move {
            let _held = (slot, place);
            connection::run(socket, peer, ingest, stop).await;
        });
    }
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections did not end in time");
    }
}

/// How many connections each address has.
#[derive(Debug, Default)]
struct Addresses {
    limit: usize,
    open: Mutex<BTreeMap<IpAddr, usize>>,
}

struct Place {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place { addresses: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_connections() {
        let addresses = Arc::new(Addresses { limit: 2, ..Addresses::default() });
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = addresses.enter(here);
        let second = addresses.enter(here);
        assert!(first.is_some() && second.is_some());
        assert!(addresses.enter(here).is_none());
        assert!(addresses.enter(there).is_some());
        drop(first);
        assert!(addresses.enter(here).is_some());
    }
}
