//! Turns at what all tenants share, so that none of them can have all of it. A tenant's callers wait for a turn of their
//! own tenant first: no more of them than it may have turns ever stand in the queue of all, and that queue, in which who
//! came first is served first, goes round the tenants.
//!
//! It knows nothing of what a turn is for. Who is not inside is not remembered, so what is held is bounded by who waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How many turns there are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// At once, of all tenants.
    pub turns: usize,
    /// At once, of one tenant.
    pub each: usize,
    /// Callers of one tenant that may wait beside those that have its turns.
    pub waiting: usize,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTurn {
    /// The tenant itself wants too many.
    #[error("{0} such requests of the tenant run or wait already; try again when one of them has ended")]
    Crowded(usize),
    /// It did not come in time.
    #[error("others are at it, and no turn came in time; try again")]
    Late,
    /// The tenant itself had too many lately; in so many seconds there may be one more.
    #[error("the tenant had too many such requests lately; try again in {0} s")]
    Often(u64),
}

/// The turns of all tenants.
#[derive(Debug)]
pub struct Fair {
    all: Arc<Semaphore>,
    own: Lanes,
}

/// A turn; dropping it gives it back.
#[derive(Debug)]
pub struct Turn {
    _of_all: OwnedSemaphorePermit,
    _own: OwnTurn,
}

impl Fair {
    /// Nobody is inside yet.
    pub fn new(size: Size) -> Self {
        Self { all: Arc::new(Semaphore::new(size.turns)), own: Lanes::new(size.each, size.waiting) }
    }

    /// A turn of this tenant.
    ///
    /// # Errors
    /// When too many of the tenant wait already, or the turn does not come before `deadline`.
    pub async fn acquire(&self, tenant: &str, deadline: Instant) -> Result<Turn, NoTurn> {
        let both = async {
            let own = self.own.acquire(tenant).await?;
            // Nobody closes it.
            let of_all = Arc::clone(&self.all).acquire_owned().await.map_err(|_| NoTurn::Late)?;
            Ok(Turn { _of_all: of_all, _own: own })
        };
        tokio::time::timeout_at(deadline, both).await.unwrap_or(Err(NoTurn::Late))
    }
}

/// A queue for each key, of which none knows of the others.
#[derive(Debug)]
pub(super) struct Lanes {
    each: usize,
    most: usize,
    lanes: Arc<Mutex<HashMap<String, Lane>>>,
}

#[derive(Debug)]
struct Lane {
    inside: usize,
    turns: Arc<Semaphore>,
}

/// A turn in a lane. It is given back before the caller leaves the lane.
#[derive(Debug)]
pub(super) struct OwnTurn {
    _permit: OwnedSemaphorePermit,
    _inside: Inside,
}

/// Somebody who waits in a lane or has one of its turns. Who leaves it last takes it away.
#[derive(Debug)]
struct Inside {
    lanes: Arc<Mutex<HashMap<String, Lane>>>,
    key: String,
}

impl Lanes {
    /// Lanes with `each` turns, in which so many may wait.
    pub(super) fn new(each: usize, waiting: usize) -> Self {
        Self { each, most: each.saturating_add(waiting), lanes: Arc::default() }
    }

    /// A turn in this key's lane.
    ///
    /// # Errors
    /// When too many wait there already.
    pub(super) async fn acquire(&self, key: &str) -> Result<OwnTurn, NoTurn> {
        let (inside, turns) = self.enter(key)?;
        let permit = turns.acquire_owned().await.map_err(|_| NoTurn::Late)?;
        Ok(OwnTurn { _permit: permit, _inside: inside })
    }

    fn enter(&self, key: &str) -> Result<(Inside, Arc<Semaphore>), NoTurn> {
        let mut lanes = lock(&self.lanes);
        let lane = lanes
            .entry(key.to_owned())
            .or_insert_with(|| Lane { inside: 0, turns: Arc::new(Semaphore::new(self.each)) });
        if lane.inside >= self.most {
            return Err(NoTurn::Crowded(lane.inside));
        }
        lane.inside += 1;
        Ok((Inside { lanes: Arc::clone(&self.lanes), key: key.to_owned() }, Arc::clone(&lane.turns)))
    }

    /// How many have or want a turn in a key's lane.
    #[cfg(test)]
    pub(super) fn inside(&self, key: &str) -> usize {
        lock(&self.lanes).get(key).map_or(0, |lane| lane.inside)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut lanes = lock(&self.lanes);
        let Some(lane) = lanes.get_mut(&self.key) else { return };
        lane.inside -= 1;
        if lane.inside == 0 {
            lanes.remove(&self.key);
        }
    }
}

fn lock(lanes: &Mutex<HashMap<String, Lane>>) -> MutexGuard<'_, HashMap<String, Lane>> {
    // Every change is whole or was not begun, so a panic elsewhere does not spoil it.
    lanes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Fair {
    /// How many of a tenant have or want a turn.
    pub(crate) fn inside(&self, tenant: &str) -> usize {
        self.own.inside(tenant)
    }
}

#[cfg(test)]
mod tests;
