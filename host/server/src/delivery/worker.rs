//! The loop that empties the outbox: look what is due, send it, record what came of it, look again.
//!
//! It registers for the wake-up before it looks (a notification that comes while it looks is kept and makes it look
//! again), and it sleeps until the next due time that the store names. Claims live in memory only: there is one
//! worker, and what a crash interrupts is still pending in the store. So a crash between sending and recording
//! repeats that one attempt, with the same id and the same bytes.
//!
//! It decides nothing about deliveries (`reprise_lifecycle::delivery` does) and knows no SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use reprise_lifecycle::delivery::{Attempting, DeliveryId, Outcome, State, Verdict};
use reprise_lifecycle::id::TenantId;
use reprise_lifecycle::retry::Schedule;
use reprise_lifecycle::time::Timestamp;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::client::Client;
use super::lane::{Lanes, Limits, NoRoom, Ring, Slot};
use super::queue::{AttemptRecord, Due, LaneKey, Queue};

/// The longest sleep. Timers follow the monotonic clock and due times the wall clock; looking again bounds what a
/// clock that was set, or a wake-up that was forgotten, can cost.
pub const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// After the store failed, so that a store in trouble is not asked in a tight loop.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The longest wait between two attempts to record an attempt.
const RECORD_RETRY_MAX: Duration = Duration::from_secs(30);

/// Beyond the client's time limit, for recording what is in flight when the worker is told to stop.
const DRAIN_MARGIN: Duration = Duration::from_secs(2);

/// Tenants and lanes read at once. A page is small because most of it goes unused when slots are few.
const PAGE: usize = 32;

/// Pages of one tenant's lanes that are read in one look. A tenant with thousands of dead endpoints is walked
/// through in several, so that each look stays short for the others.
const PAGES_PER_TENANT: usize = 8;

/// Until the next look, when the last one left lanes unseen.
const UNSEEN_RETRY: Duration = Duration::from_millis(100);

/// Lanes whose trouble is remembered. Beyond it some are reported twice.
const MAX_UNREADABLE: usize = 1_024;

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How much the worker does at once, and how long it goes on trying.
#[derive(Clone, Debug, Default)]
pub struct WorkerConfig {
    /// Attempts in flight.
    pub limits: Limits,
    /// Delays between tries.
    pub schedule: Schedule,
}

/// What a delivery that is given up counts as.
const DEAD_LETTER: &str = "dead_letter";

/// Attempts counted by [`Outcome::kind`], and dead letters.
#[derive(Debug)]
pub struct Counters {
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Default for Counters {
    /// All are there from the start, so that the first of a kind is seen as a rise.
    fn default() -> Self {
        let kinds = Outcome::KINDS.into_iter().chain([DEAD_LETTER]);
        Self { counts: Mutex::new(kinds.map(|kind| (kind, 0)).collect()) }
    }
}

impl Counters {
    /// All counts so far; `dead_letter` counts deliveries given up.
    pub fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, kind: &'static str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(kind).or_default() += 1;
    }
}

/// The delivery worker.
pub struct Worker<Q> {
    shared: Arc<Shared<Q>>,
    wake: Arc<Notify>,
    lanes: Lanes,
    attempts: JoinSet<Finished>,
    last_tenant: Option<TenantId>,
    unseen: bool,
    /// Lanes the store could not read, so that each is reported once.
    unreadable: BTreeSet<LaneKey>,
}

struct Shared<Q> {
    queue: Arc<Q>,
    client: Client,
    schedule: Schedule,
    clock: Clock,
    counters: Arc<Counters>,
}

struct Finished {
    lane: LaneKey,
    delivery: DeliveryId,
    delivered: bool,
}

impl<Q: Queue> Worker<Q> {
    /// A worker that has not begun. `wake` is notified (`notify_one`) after every commit that makes something due.
    pub fn new(queue: Arc<Q>, client: Client, config: WorkerConfig, clock: Clock, wake: Arc<Notify>) -> Self {
        let WorkerConfig { limits, schedule } = config;
        let counters = Arc::new(Counters::default());
        Self {
            shared: Arc::new(Shared { queue, client, schedule, clock, counters }),
            lanes: Lanes::new(limits, wake.clone()),
            wake,
            attempts: JoinSet::new(),
            last_tenant: None,
            unseen: false,
            unreadable: BTreeSet::new(),
        }
    }

    /// The worker's counters; they outlive it.
    pub fn counters(&self) -> Arc<Counters> {
        self.shared.counters.clone()
    }

    /// Works until told to stop; then begins nothing more and lets what is in flight end.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // What has asked to look so far is about to be answered; what asks from here on is kept.
            let _ = self.wake.notified().now_or_never();
            while let Some(joined) = self.attempts.try_join_next() {
                self.settle(joined);
            }
            let wait = match self.look(&stop).await {
                Ok(wait) => wait,
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "the store did not say which callbacks are due");
                    STORE_RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = sleep(wait) => {}
                Some(joined) = self.attempts.join_next() => self.settle(joined),
            }
        }
        self.drain().await;
    }

    async fn drain(mut self) {
        let limit = self.shared.client.timeout() + DRAIN_MARGIN;
        let all = async { while self.attempts.join_next().await.is_some() {} };
        if timeout(limit, all).await.is_err() {
            warn!(
                count = self.attempts.len(),
                "callbacks in flight are left; they are sent again after the next start"
            );
        }
    }

    fn settle(&mut self, joined: Result<Finished, JoinError>) {
        match joined {
            Ok(Finished { lane, delivery, delivered }) => self.lanes.done(&lane, &delivery, delivered),
            // Its delivery stays in flight in our books, so that a bug is not met in a tight loop; it is pending
            // in the store and is sent after the next start.
            Err(error) => error!(error = &error as &dyn std::error::Error, "a callback attempt ended by itself"),
        }
    }

    /// Begins what may begin, and says how long to sleep.
    async fn look(&mut self, stop: &CancellationToken) -> Result<Duration, Q::Error> {
        let now = self.now();
        self.unseen = false;
        self.fill(now, stop).await?;
        let most = if self.unseen { UNSEEN_RETRY } else { LOOK_AGAIN };
        let next = self.shared.queue.next_due_after(now).await?;
        let wait = next.map(|next| Duration::from_millis(next.ms_since(self.now())));
        Ok(wait.map_or(most, |wait| wait.min(most)))
    }

    async fn fill(&mut self, now: Timestamp, stop: &CancellationToken) -> Result<(), Q::Error> {
        let queue = self.shared.queue.clone();
        let mut ring = Ring::new(self.last_tenant.clone());
        loop {
            let tenants = queue.due_tenants(now, ring.after(), PAGE).await?;
            for tenant in &tenants {
                if self.lanes.is_full() || ring.is_over_at(tenant) {
                    return Ok(());
                }
                if !self.lanes.is_tenant_full(tenant) {
                    self.fill_tenant(tenant, now, stop).await?;
                }
                self.last_tenant = Some(tenant.clone());
            }
            if !ring.turn(tenants.get(PAGE - 1).cloned()) {
                return Ok(());
            }
        }
    }

    async fn fill_tenant(
        &mut self,
        tenant: &TenantId,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Result<(), Q::Error> {
        let queue = self.shared.queue.clone();
        let mut ring = Ring::new(self.lanes.resume(tenant));
        for _ in 0..PAGES_PER_TENANT {
            let lanes = queue.due_lanes(tenant, now, ring.after().map(String::as_str), PAGE).await?;
            for lane in &lanes {
                if ring.is_over_at(&lane.url) {
                    return Ok(());
                }
                match self.fill_lane(lane, stop).await {
                    Ok(()) | Err(NoRoom::Lane) => self.lanes.resume_after(lane),
                    Err(NoRoom::Tenant | NoRoom::Everywhere) => return Ok(()),
                }
            }
            if !ring.turn(lanes.get(PAGE - 1).map(|lane| lane.url.clone())) {
                return Ok(());
            }
        }
        self.unseen = true;
        Ok(())
    }

    async fn fill_lane(&mut self, lane: &LaneKey, stop: &CancellationToken) -> Result<(), NoRoom> {
        let room = self.lanes.room(lane)?;
        let now = self.now();
        // What is in flight is still due in the store and may stand before what is not.
        let limit = self.lanes.in_flight(lane).saturating_add(room);
        for due in self.due(lane, now, limit).await {
            let State::Pending(pending) = due.state else {
                continue;
            };
            if self.lanes.is_in_flight(lane, &due.delivery) {
                continue;
            }
            let Some(attempting) = pending.begin(now) else {
                continue;
            };
            let slot = self.lanes.take(lane, &due.delivery)?;
            // Also if there is no room for its next: a lane with a backlog must not be first for ever.
            self.lanes.resume_after(lane);
            self.begin(lane.clone(), due, attempting, slot, stop.clone());
        }
        Ok(())
    }

    /// A lane that cannot be read (a key that does not open, a row that is damaged) must not stop the others; it is
    /// read again at the next look.
    async fn due(&mut self, lane: &LaneKey, now: Timestamp, limit: usize) -> Vec<Due> {
        match self.shared.queue.due(lane, now, limit).await {
            Ok(due) => {
                self.unreadable.remove(lane);
                due
            }
            Err(error) => {
                if self.unreadable.len() >= MAX_UNREADABLE {
                    self.unreadable.clear();
                }
                if self.unreadable.insert(lane.clone()) {
                    warn!(
                        tenant.id = lane.tenant.as_str(),
                        error = &error as &dyn std::error::Error,
                        "the store cannot read an endpoint's callbacks"
                    );
                }
                Vec::new()
            }
        }
    }

    fn begin(&mut self, lane: LaneKey, due: Due, attempting: Attempting, slot: Arc<Slot>, stop: CancellationToken) {
        let shared = self.shared.clone();
        self.attempts.spawn(async move {
            let delivered = shared.attempt(&lane, &due, attempting, slot, &stop).await;
            Finished { lane, delivery: due.delivery, delivered }
        });
    }

    fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }
}

impl<Q: Queue> Shared<Q> {
    /// Sends and records. The slot is held until the record is kept: while the store cannot keep records, slots run
    /// out and sending stops, rather than the same callback going out again and again.
    async fn attempt(
        &self,
        lane: &LaneKey,
        due: &Due,
        attempting: Attempting,
        slot: Arc<Slot>,
        stop: &CancellationToken,
    ) -> bool {
        let (attempt, started_at) = (attempting.attempt(), attempting.started_at());
        let began = Instant::now();
        let exchange = self.client.send(&due.callback, started_at, slot.clone()).await;
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = exchange.outcome;
        // Without chance the jitter is the middle of its range, which is still a valid delay.
        let roll = getrandom::u32().unwrap_or(u32::MAX / 2);
        let next = attempting.finish(&outcome, &self.schedule, roll, (self.clock)());
        let record = AttemptRecord {
            attempt,
            started_at,
            elapsed_ms,
            outcome,
            peer: exchange.peer,
            answer: exchange.answer.map(|answer| (answer.excerpt(), answer.body_end)),
            detail: exchange.detail,
        };
        self.record(&due.delivery, &record, &next, stop).await;
        drop(slot);

        self.counters.count(outcome.kind());
        let (delivery, tenant, kind) = (due.delivery.as_str(), lane.tenant.as_str(), outcome.kind());
        debug!(tenant.id = tenant, delivery.id = delivery, delivery.attempt = attempt, kind, elapsed_ms, "attempted");
        if next.is_dead_letter() {
            self.counters.count(DEAD_LETTER);
            info!(
                tenant.id = tenant,
                delivery.id = delivery,
                delivery.attempt = attempt,
                kind,
                "a callback is given up"
            );
        }
        outcome.verdict() == Verdict::Delivered
    }

    async fn record(&self, delivery: &DeliveryId, record: &AttemptRecord, next: &State, stop: &CancellationToken) {
        let mut wait = Duration::from_millis(50);
        loop {
            let Err(error) = self.queue.record_attempt(delivery, record, next).await else {
                return;
            };
            warn!(
                delivery.id = delivery.as_str(),
                error = &error as &dyn std::error::Error,
                "the store did not keep a callback attempt"
            );
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait) => wait = (wait * 2).min(RECORD_RETRY_MAX),
            }
        }
    }
}

#[cfg(test)]
mod tests;
