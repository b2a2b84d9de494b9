//! What the delivery worker needs from the store, and nothing more. The store is the only truth: whatever the
//! worker remembers may be lost at any moment.
//!
//! Tenants and lanes are read in rings (`after`, then from the beginning) rather than by age, so that a tenant or
//! an endpoint with a large old backlog cannot stand before everyone else for ever.

use std::net::SocketAddr;

use reprise_lifecycle::delivery::{DeliveryId, Outcome, State};
use reprise_lifecycle::id::TenantId;
use reprise_lifecycle::time::Timestamp;

use super::answer::BodyEnd;
use super::request::Callback;

/// One endpoint: a tenant and a URL. Two tenants with the same URL have two lanes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The URL as configured.
    pub url: String,
}

/// A delivery that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its id in the store.
    pub delivery: DeliveryId,
    /// Where it stands.
    pub state: State,
    /// What to send.
    pub callback: Callback,
}

/// One attempt, as it is kept with its delivery. Every attempt is, whatever came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Its number, from 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, by a clock that is never set.
    pub elapsed_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The address that was connected to.
    pub peer: Option<SocketAddr>,
    /// The first of the answer's body, at most a kibibyte, and how the body ended.
    pub answer: Option<(String, BodyEnd)>,
    /// What went wrong, for people, at most 256 bytes.
    pub detail: Option<String>,
}

/// The store, as the delivery worker sees it. *Due* is: pending, and its due time is not after `now`.
///
/// A committed delivery must be followed by `notify_one` on the worker's wake-up; a missed one costs at most
/// [`super::worker::LOOK_AGAIN`].
pub trait Queue: Send + Sync + 'static {
    /// What the store reports when it cannot answer.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Tenants with something due, in the order of their ids, those after `after` only.
    fn due_tenants(
        &self,
        now: Timestamp,
        after: Option<&TenantId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<TenantId>, Self::Error>> + Send;

    /// A tenant's lanes with something due, in the order of their URLs (by bytes), those after `after` only.
    fn due_lanes(
        &self,
        tenant: &TenantId,
        now: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<LaneKey>, Self::Error>> + Send;

    /// A lane's due deliveries, earliest first, ties in the order they were made. Deliveries that are under way are
    /// still pending and are among them. One that was never tried is not among them while an earlier one about the same
    /// video was not tried either: a receiver meets the events of a video in the order in which they happened, unless
    /// it fails to take one, and then that one's later tries hold up nobody.
    fn due(
        &self,
        lane: &LaneKey,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Due>, Self::Error>> + Send;

    /// Keeps an attempt and what follows from it, in one transaction. The state is set only if the delivery is
    /// still pending at `attempt.attempt`; if not (somebody dropped it meanwhile), only the attempt is kept.
    ///
    /// [`State::Disabled`] also disables the endpoint: the lane's other pending deliveries become dead letters,
    /// and new events make no deliveries for it until the tenant configures it again.
    fn record_attempt(
        &self,
        delivery: &DeliveryId,
        attempt: &AttemptRecord,
        next: &State,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The earliest due time that is after `now`. What is due already is found by the other questions, and must
    /// not hide what becomes due next.
    fn next_due_after(&self, now: Timestamp) -> impl Future<Output = Result<Option<Timestamp>, Self::Error>> + Send;
}
