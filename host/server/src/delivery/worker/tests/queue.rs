//! The store's side of the worker, in memory.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::delivery::request::Callback;
use crate::delivery::testkit::PATIENCE;
use crate::delivery::worker::*;

#[derive(Debug, thiserror::Error)]
#[error("the store is out of order")]
pub(super) struct OutOfOrder;

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) lane: LaneKey,
    pub(super) video: String,
    pub(super) callback: Callback,
    pub(super) state: State,
    pub(super) attempts: Vec<AttemptRecord>,
}

/// The store's contract in memory. It can refuse records, and it can hang where a process would be killed.
#[derive(Default)]
pub(super) struct MemoryQueue {
    pub(super) rows: Mutex<BTreeMap<DeliveryId, Row>>,
    changed: Notify,
    pub(super) refused_records: AtomicUsize,
    pub(super) asked_to_record: AtomicUsize,
    pub(super) hang_on_record: AtomicBool,
    pub(super) looks: AtomicUsize,
    pub(super) unreadable: Mutex<Option<LaneKey>>,
}

impl MemoryQueue {
    fn due_lanes_of(&self, now: Timestamp) -> BTreeMap<LaneKey, ()> {
        let rows = self.rows.lock().unwrap();
        let due = rows.values().filter(|row| row.state.due_at().is_some_and(|at| at <= now));
        due.map(|row| (row.lane.clone(), ())).collect()
    }

    pub(super) fn row(&self, id: &DeliveryId) -> Row {
        self.rows.lock().unwrap()[id].clone()
    }

    pub(super) async fn wait_until(&self, wanted: impl Fn(&BTreeMap<DeliveryId, Row>) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if wanted(&self.rows.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        timeout(PATIENCE, wait).await.expect("the queue never comes to be as wanted");
    }

    pub(super) async fn wait_all_delivered(&self) {
        self.wait_until(|rows| rows.values().all(|row| matches!(row.state, State::Delivered { .. }))).await;
    }
}

/// Whether an earlier delivery about the same video has yet to be tried for the first time.
fn waits_for_another(rows: &BTreeMap<DeliveryId, Row>, id: &DeliveryId, row: &Row, now: Timestamp) -> bool {
    let untried = |row: &Row| row.attempts.is_empty() && row.state.due_at().is_some_and(|at| at <= now);
    let same = |other: &Row| (&other.lane, &other.video) == (&row.lane, &row.video);
    row.attempts.is_empty() && rows.range(..id).any(|(_, other)| same(other) && untried(other))
}

impl Queue for MemoryQueue {
    type Error = OutOfOrder;

    async fn due_tenants(
        &self,
        now: Timestamp,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, OutOfOrder> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let mut tenants: Vec<_> = self.due_lanes_of(now).into_keys().map(|lane| lane.tenant).collect();
        tenants.dedup();
        Ok(tenants.into_iter().filter(|tenant| after.is_none_or(|after| tenant > after)).take(limit).collect())
    }

    async fn due_lanes(
        &self,
        tenant: &TenantId,
        now: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<LaneKey>, OutOfOrder> {
        let lanes = self.due_lanes_of(now).into_keys().filter(|lane| lane.tenant == *tenant);
        Ok(lanes.filter(|lane| after.is_none_or(|after| lane.url.as_str() > after)).take(limit).collect())
    }

    async fn due(&self, lane: &LaneKey, now: Timestamp, limit: usize) -> Result<Vec<Due>, OutOfOrder> {
        if self.unreadable.lock().unwrap().as_ref() == Some(lane) {
            return Err(OutOfOrder);
        }
        let rows = self.rows.lock().unwrap();
        let mut due: Vec<_> = rows
            .iter()
            .filter(|(id, row)| row.lane == *lane && !waits_for_another(&rows, id, row, now))
            .filter_map(|(id, row)| Some((row.state.due_at().filter(|at| *at <= now)?, id, row)))
            .collect();
        due.sort_by_key(|(at, id, _)| (*at, (*id).clone()));
        let due = due.into_iter().take(limit);
        Ok(due
            .map(|(_, id, row)| Due { delivery: id.clone(), state: row.state, callback: row.callback.clone() })
            .collect())
    }

    async fn record_attempt(
        &self,
        delivery: &DeliveryId,
        attempt: &AttemptRecord,
        next: &State,
    ) -> Result<(), OutOfOrder> {
        self.asked_to_record.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
        if self.hang_on_record.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let refuse = |left: usize| left.checked_sub(1);
        if self.refused_records.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse).is_ok() {
            return Err(OutOfOrder);
        }
        let mut rows = self.rows.lock().unwrap();
        let row = rows.get_mut(delivery).unwrap();
        row.attempts.push(attempt.clone());
        let State::Pending(pending) = row.state else { panic!("an attempt at {:?}", row.state) };
        assert_eq!(pending.attempt, attempt.attempt, "attempts are made one after the other");
        row.state = *next;
        drop(rows);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn next_due_after(&self, now: Timestamp) -> Result<Option<Timestamp>, OutOfOrder> {
        let rows = self.rows.lock().unwrap();
        Ok(rows.values().filter_map(|row| row.state.due_at()).filter(|at| *at > now).min())
    }
}
