//! How much may be in flight, and to whom. A limit over everything alone would be used up by a few dead endpoints,
//! each holding its share for the whole time limit; so there is one for each lane and one for each tenant below it,
//! and lanes that only ever fail share a part of both.
//!
//! This is bookkeeping in memory: it knows neither the store nor the network, and losing it loses nothing but the
//! memory of who has been failing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reprise_lifecycle::delivery::DeliveryId;
use reprise_lifecycle::id::TenantId;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::queue::LaneKey;

/// Lanes and tenants that are remembered while nothing of theirs is in flight. Forgetting a lane closes its
/// breaker, which costs a few attempts; remembering all would let a tenant fill the memory with URLs.
const MAX_REMEMBERED: usize = 4_096;

/// The limits on attempts in flight.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of everyone together: connections, threads in lookups, and bodies in memory.
    pub global: usize,
    /// Of one tenant, so that four tenants at their worst leave room for a fifth only just: raise `global` with it.
    pub tenant: usize,
    /// Of one endpoint: a receiver that comes back meets a handful of callbacks and not its whole backlog.
    pub lane: usize,
    /// After this many failures in a row, an endpoint is sent one attempt at a time until one succeeds.
    pub breaker_after: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { global: 64, tenant: 16, lane: 4, breaker_after: 5 }
    }
}

/// Why no attempt may begin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The endpoint has its share.
    Lane,
    /// The tenant has its share.
    Tenant,
    /// Everything is in use.
    Everywhere,
}

/// The right to one attempt. It is given back when the last holder lets go, and the worker is woken then.
#[derive(Debug)]
pub struct Slot {
    permits: Vec<OwnedSemaphorePermit>,
    wake: Arc<Notify>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.permits.clear();
        self.wake.notify_one();
    }
}

/// A limit, and the part of it that failing lanes may use: half, so that the other half is always there for those
/// that answer.
#[derive(Debug)]
struct Share {
    all: Arc<Semaphore>,
    failing: Arc<Semaphore>,
    limit: usize,
}

impl Share {
    fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        Self { all: Arc::new(Semaphore::new(limit)), failing: Arc::new(Semaphore::new((limit / 2).max(1))), limit }
    }

    fn is_used_up_by_failing(&self) -> bool {
        self.failing.available_permits() == 0
    }

    fn is_idle(&self) -> bool {
        self.all.available_permits() == self.limit
    }
}

#[derive(Debug)]
struct Tenant {
    share: Share,
    /// The lane that was looked at last; the next look begins after it.
    resume: Option<String>,
}

#[derive(Debug, Default)]
struct Lane {
    in_flight: BTreeSet<DeliveryId>,
    failures: u32,
}

/// All lanes that something is known about.
#[derive(Debug)]
pub struct Lanes {
    limits: Limits,
    global: Share,
    tenants: BTreeMap<TenantId, Tenant>,
    lanes: BTreeMap<LaneKey, Lane>,
    wake: Arc<Notify>,
}

impl Lanes {
    /// Nothing in flight. `wake` is notified whenever a slot comes free.
    pub fn new(limits: Limits, wake: Arc<Notify>) -> Self {
        Self { limits, global: Share::new(limits.global), tenants: BTreeMap::new(), lanes: BTreeMap::new(), wake }
    }

    /// Whether nobody may begin anything.
    pub fn is_full(&self) -> bool {
        self.global.all.available_permits() == 0
    }

    /// How many attempts the lane may begin now; at least one.
    pub fn room(&self, key: &LaneKey) -> Result<usize, NoRoom> {
        if self.is_full() {
            return Err(NoRoom::Everywhere);
        }
        if self.is_tenant_full(&key.tenant) {
            return Err(NoRoom::Tenant);
        }
        let tenant = self.tenants.get(&key.tenant).map(|tenant| &tenant.share);
        let failing = self.is_failing(key);
        if failing && (self.global.is_used_up_by_failing() || tenant.is_some_and(Share::is_used_up_by_failing)) {
            return Err(NoRoom::Lane);
        }
        let most = if failing { 1 } else { self.limits.lane.max(1) };
        match most.saturating_sub(self.in_flight(key)) {
            0 => Err(NoRoom::Lane),
            room => Ok(room),
        }
    }

    /// Begins an attempt.
    pub fn take(&mut self, key: &LaneKey, delivery: &DeliveryId) -> Result<Arc<Slot>, NoRoom> {
        self.room(key)?;
        let failing = self.is_failing(key);
        let limit = self.limits.tenant;
        let tenant =
            self.tenants.entry(key.tenant.clone()).or_insert_with(|| Tenant { share: Share::new(limit), resume: None });
        let acquire = |semaphore: &Arc<Semaphore>, none| semaphore.clone().try_acquire_owned().map_err(|_| none);
        let mut permits = Vec::with_capacity(4);
        if failing {
            permits.push(acquire(&tenant.share.failing, NoRoom::Lane)?);
            permits.push(acquire(&self.global.failing, NoRoom::Lane)?);
        }
        permits.push(acquire(&tenant.share.all, NoRoom::Tenant)?);
        permits.push(acquire(&self.global.all, NoRoom::Everywhere)?);
        self.lanes.entry(key.clone()).or_default().in_flight.insert(delivery.clone());
        Ok(Arc::new(Slot { permits, wake: self.wake.clone() }))
    }

    /// Ends an attempt.
    pub fn done(&mut self, key: &LaneKey, delivery: &DeliveryId, delivered: bool) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        lane.in_flight.remove(delivery);
        lane.failures = if delivered { 0 } else { lane.failures.saturating_add(1) };
        if lane.in_flight.is_empty() && lane.failures == 0 {
            self.lanes.remove(key);
        }
        if self.lanes.len() > MAX_REMEMBERED {
            self.lanes.retain(|_, lane| !lane.in_flight.is_empty());
        }
        if self.tenants.len() > MAX_REMEMBERED {
            self.tenants.retain(|_, tenant| !tenant.share.is_idle());
        }
    }

    /// How many of the lane's attempts are in flight.
    pub fn in_flight(&self, key: &LaneKey) -> usize {
        self.lanes.get(key).map_or(0, |lane| lane.in_flight.len())
    }

    /// Whether this delivery is.
    pub fn is_in_flight(&self, key: &LaneKey, delivery: &DeliveryId) -> bool {
        self.lanes.get(key).is_some_and(|lane| lane.in_flight.contains(delivery))
    }

    /// Whether this tenant may begin nothing.
    pub fn is_tenant_full(&self, tenant: &TenantId) -> bool {
        self.tenants.get(tenant).is_some_and(|tenant| tenant.share.all.available_permits() == 0)
    }

    /// The tenant's lane after which the next look begins.
    pub fn resume(&self, tenant: &TenantId) -> Option<String> {
        self.tenants.get(tenant)?.resume.clone()
    }

    /// Makes the next look at this tenant begin after a lane. What has nothing in flight needs no such memory.
    pub fn resume_after(&mut self, key: &LaneKey) {
        if let Some(tenant) = self.tenants.get_mut(&key.tenant) {
            tenant.resume = Some(key.url.clone());
        }
    }

    fn is_failing(&self, key: &LaneKey) -> bool {
        self.lanes.get(key).is_some_and(|lane| lane.failures >= self.limits.breaker_after)
    }
}

/// One walk around keys that are read in pages: from after `start` to the end, then from the beginning up to and
/// with `start`. Every key is met at most once.
#[derive(Debug)]
pub struct Ring<K> {
    start: Option<K>,
    after: Option<K>,
    wrapped: bool,
}

impl<K: Ord + Clone> Ring<K> {
    /// A walk that begins after `start`.
    pub fn new(start: Option<K>) -> Self {
        Self { wrapped: start.is_none(), after: start.clone(), start }
    }

    /// The key after which the next page begins.
    pub fn after(&self) -> Option<&K> {
        self.after.as_ref()
    }

    /// Whether the walk is over before this key.
    pub fn is_over_at(&self, key: &K) -> bool {
        self.wrapped && self.start.as_ref().is_some_and(|start| key > start)
    }

    /// Goes on after a page. `last` is its last key if the page was full: a page that was not is the last before
    /// the end. Says whether there is a next page.
    pub fn turn(&mut self, last: Option<K>) -> bool {
        match last {
            Some(last) => self.after = Some(last),
            None if self.wrapped => return false,
            None => {
                self.wrapped = true;
                self.after = None;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, url: &str) -> LaneKey {
        LaneKey { tenant: TenantId::new(tenant), url: url.to_owned() }
    }

    fn id(n: usize) -> DeliveryId {
        DeliveryId::new(n.to_string())
    }

    fn lanes() -> Lanes {
        Lanes::new(Limits { global: 6, tenant: 4, lane: 2, breaker_after: 3 }, Arc::new(Notify::new()))
    }

    #[test]
    fn three_limits_hold_at_once() {
        let mut lanes = lanes();
        let mut held = vec![];
        for (tenant, url, expected) in [
            ("a", "1", None),
            ("a", "1", None),
            ("a", "1", Some(NoRoom::Lane)),
            ("a", "2", None),
            ("a", "2", None),
            ("a", "3", Some(NoRoom::Tenant)),
            ("b", "1", None),
            ("b", "1", None),
            ("c", "1", Some(NoRoom::Everywhere)),
        ] {
            match lanes.take(&key(tenant, url), &id(held.len())) {
                Ok(slot) => {
                    assert_eq!(expected, None, "{tenant} {url}");
                    held.push(slot);
                }
                Err(no_room) => assert_eq!(expected, Some(no_room), "{tenant} {url}"),
            }
        }
        assert!(lanes.is_full());
        held.pop();
        assert!(!lanes.is_full());
    }

    #[test]
    fn a_slot_is_held_by_its_last_holder() {
        let mut lanes = Lanes::new(Limits { global: 1, ..Limits::default() }, Arc::new(Notify::new()));
        let slot = lanes.take(&key("a", "1"), &id(0)).unwrap();
        let stuck_lookup = slot.clone();
        drop(slot);
        lanes.done(&key("a", "1"), &id(0), false);
        assert!(lanes.is_full(), "the lookup still holds a thread");
        drop(stuck_lookup);
        assert!(!lanes.is_full());
    }

    #[test]
    fn a_failing_lane_is_sent_one_at_a_time_until_it_answers() {
        let mut lanes = lanes();
        let dead = key("a", "dead");
        for n in 0..3 {
            assert_eq!(lanes.room(&dead), Ok(2), "after {n} failures");
            drop(lanes.take(&dead, &id(n)).unwrap());
            lanes.done(&dead, &id(n), false);
        }
        assert_eq!(lanes.room(&dead), Ok(1));
        let probe = lanes.take(&dead, &id(3)).unwrap();
        assert_eq!(lanes.room(&dead), Err(NoRoom::Lane));
        drop(probe);
        lanes.done(&dead, &id(3), true);
        assert_eq!(lanes.room(&dead), Ok(2));
    }

    #[test]
    fn failing_lanes_leave_half_of_every_limit() {
        let mut lanes = lanes();
        for (tenant, url) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("b", "2")] {
            for n in 0..3 {
                drop(lanes.take(&key(tenant, url), &id(n)).unwrap());
                lanes.done(&key(tenant, url), &id(n), false);
            }
        }
        let first = lanes.take(&key("a", "1"), &id(0)).unwrap();
        let second = lanes.take(&key("a", "2"), &id(0)).unwrap();
        assert_eq!(lanes.take(&key("a", "3"), &id(0)).err(), Some(NoRoom::Lane), "half of the tenant's");
        let third = lanes.take(&key("b", "1"), &id(0)).unwrap();
        assert_eq!(lanes.take(&key("b", "2"), &id(0)).err(), Some(NoRoom::Lane), "half of everyone's");
        assert!(lanes.take(&key("a", "well"), &id(0)).is_ok());
        drop((first, second, third));
        assert!(lanes.take(&key("b", "2"), &id(0)).is_ok());
    }

    #[test]
    fn what_is_idle_and_well_is_forgotten() {
        let mut lanes = Lanes::new(Limits { breaker_after: u32::MAX, ..Limits::default() }, Arc::new(Notify::new()));
        for n in 0..2 * MAX_REMEMBERED {
            let key = key(&n.to_string(), "1");
            drop(lanes.take(&key, &id(0)).unwrap());
            lanes.done(&key, &id(0), n % 2 == 0);
        }
        assert!(lanes.lanes.len() <= MAX_REMEMBERED && lanes.tenants.len() <= MAX_REMEMBERED);
    }

    #[test]
    fn a_ring_meets_every_key_once_wherever_it_begins() {
        const PAGE: usize = 3;
        for count in 0..10 {
            let keys: Vec<u32> = (0..count).map(|n| n * 2).collect();
            for start in [None, Some(0), Some(3), Some(4), Some(18), Some(99)] {
                let mut ring = Ring::new(start);
                let mut met = vec![];
                'walk: loop {
                    let after = ring.after().copied();
                    let page: Vec<u32> =
                        keys.iter().copied().filter(|key| after.is_none_or(|after| *key > after)).take(PAGE).collect();
                    for key in &page {
                        if ring.is_over_at(key) {
                            break 'walk;
                        }
                        met.push(*key);
                    }
                    if !ring.turn(page.get(PAGE - 1).copied()) {
                        break;
                    }
                }
                let mut expected: Vec<u32> =
                    keys.iter().copied().filter(|key| start.is_some_and(|s| *key > s)).collect();
                expected.extend(keys.iter().copied().filter(|key| start.is_none_or(|s| *key <= s)));
                assert_eq!(met, expected, "{count} keys from {start:?}");
            }
        }
    }
}
