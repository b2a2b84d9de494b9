//! Who runs next, decided without a clock, a thread or a future: a number of slots, and tickets that wait for one.
//!
//! Tenants share the slots, priorities order a tenant's own work. A free slot goes to the tenant that runs least, and
//! of those to the one that has waited longest for its turn; so a tenant with a thousand jobs delays another tenant's
//! first job by one job at most, whatever priority it gives its own. Inside a tenant the higher priority goes first,
//! equal ones in the order in which they came, and waiting raises a job step by step, so that the lowest is not
//! passed by for ever.

use std::collections::{BTreeMap, BTreeSet};

/// The lowest priority.
pub const LOWEST: u8 = 1;

/// The highest priority.
pub const HIGHEST: u8 = 10;

/// Starts of a tenant's jobs after which one that waits counts as one priority higher. A job of the lowest priority is
/// passed by nine times as many jobs of the highest at most.
pub const STARTS_PER_STEP: u64 = 16;

/// Tickets that may wait, over all tenants. Each is some hundred bytes here and a broadcast in memory elsewhere.
const WAITING: usize = 20_000;

/// Tickets of one tenant that may wait, so that none can fill the queue for all.
const WAITING_PER_TENANT: usize = 5_000;

/// Names one request for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The queue has no room for another ticket; what asked must come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much work is waiting already")]
pub struct Full;

/// Slots and those who wait for one.
#[derive(Debug)]
pub struct Schedule {
    slots: usize,
    running: usize,
    waiting: usize,
    starts: u64,
    next_ticket: u64,
    tenants: BTreeMap<String, Tenant>,
    /// Where each ticket stands.
    tickets: BTreeMap<Ticket, Place>,
    bounds: (usize, usize),
}

/// One tenant that runs or waits for something. An idle one is forgotten.
#[derive(Debug, Default)]
struct Tenant {
    running: usize,
    starts: u64,
    /// When it last got a slot or, without one, began to wait; in half starts, see [`Schedule::enter`].
    since: u64,
    waiting: BTreeSet<(u64, Ticket)>,
}

#[derive(Debug)]
struct Place {
    tenant: String,
    /// The place in its tenant's line; `None` once it runs.
    due: Option<u64>,
}

impl Schedule {
    /// A schedule of this many slots, one at least.
    pub fn new(slots: usize) -> Self {
        Self::bounded(slots, WAITING, WAITING_PER_TENANT)
    }

    fn bounded(slots: usize, waiting: usize, waiting_per_tenant: usize) -> Self {
        Self {
            slots: slots.max(1),
            running: 0,
            waiting: 0,
            starts: 0,
            next_ticket: 0,
            tenants: BTreeMap::new(),
            tickets: BTreeMap::new(),
            bounds: (waiting, waiting_per_tenant),
        }
    }

    /// Asks for a slot for `tenant`. [`Schedule::start`] says when it has one.
    ///
    /// # Errors
    /// [`Full`] when too many wait.
    pub fn enter(&mut self, tenant: &str, priority: u8) -> Result<Ticket, Full> {
        let lined_up = self.tenants.get(tenant).map_or(0, |tenant| tenant.waiting.len());
        if self.waiting >= self.bounds.0 || lined_up >= self.bounds.1 {
            return Err(Full);
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        // Who arrives stands before whoever was served at the last start and behind whoever waited through it.
        let arrived = self.starts * 2;
        let entry =
            self.tenants.entry(tenant.to_owned()).or_insert_with(|| Tenant { since: arrived, ..Tenant::default() });
        let priority = priority.clamp(LOWEST, HIGHEST);
        // All who wait age alike, so their order never changes, and the place in line can be fixed on arrival.
        let due = entry.starts + u64::from(HIGHEST - priority) * STARTS_PER_STEP;
        entry.waiting.insert((due, ticket));
        self.waiting += 1;
        self.tickets.insert(ticket, Place { tenant: tenant.to_owned(), due: Some(due) });
        Ok(ticket)
    }

    /// Gives a free slot to whoever is next; `None` when there is no slot or nobody waits.
    pub fn start(&mut self) -> Option<Ticket> {
        if self.running >= self.slots {
            return None;
        }
        let waiting = self.tenants.iter_mut().filter(|(_, tenant)| !tenant.waiting.is_empty());
        let (_, tenant) = waiting.min_by_key(|(_, tenant)| {
            (tenant.running, tenant.since, tenant.waiting.first().map(|(_, ticket)| *ticket))
        })?;
        let (_, ticket) = tenant.waiting.pop_first()?;
        self.starts += 1;
        self.running += 1;
        self.waiting -= 1;
        tenant.running += 1;
        tenant.starts += 1;
        tenant.since = self.starts * 2 + 1;
        if let Some(place) = self.tickets.get_mut(&ticket) {
            place.due = None;
        }
        Some(ticket)
    }

    /// Takes a ticket out: it ended, or it does not want to wait any more. One that is unknown changes nothing.
    pub fn leave(&mut self, ticket: Ticket) {
        let Some(place) = self.tickets.remove(&ticket) else { return };
        let Some(tenant) = self.tenants.get_mut(&place.tenant) else { return };
        match place.due {
            Some(due) => {
                tenant.waiting.remove(&(due, ticket));
                self.waiting -= 1;
            }
            None => {
                tenant.running -= 1;
                self.running -= 1;
            }
        }
        if tenant.running == 0 && tenant.waiting.is_empty() {
            self.tenants.remove(&place.tenant);
        }
    }

    /// Slots in use.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Tickets without a slot.
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests;
