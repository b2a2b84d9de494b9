//! The life of one delivery: one event for one endpoint, tried until it is answered as the vendor wants, or
//! until the schedule ends.
//!
//! ```text
//!            begin              finish: 200
//! pending ──────────▶ attempting ──────────▶ delivered
//!    ▲                    │ │ └────────────▶ disabled     (410: the receiver wants no more)
//!    └────────────────────┘ └──────────────▶ exhausted    (schedule used up, or it can never be sent)
//!      finish: failed, tries left
//!
//! dropped: the tenant's policy said not to send it; never tried, never sent again.
//! ```
//!
//! *Attempting* is never stored: a crash between sending and recording leaves the delivery pending, and it is
//! repeated with the same id and the same bytes. *Exhausted* and *disabled* are the dead letters; they and
//! what was delivered may be sent again by [`State::redeliver`].
//!
//! This module knows no HTTP, no clock and no chance: times and jitter are arguments.

use serde::{Deserialize, Serialize};

use crate::retry::Schedule;
use crate::time::Timestamp;

/// The one answer that counts as received. The vendor's rule: exactly 200, so 204 is a failure.
pub const SUCCESS: u16 = 200;

/// The answer by which a receiver asks never to be called again.
pub const GONE: u16 = 410;

/// Names one delivery in the store. Receivers see the event's id instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// Wraps an id that comes from the store.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a delivery stands; this is what the store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// To be tried when due.
    Pending(Pending),
    /// The receiver answered 200.
    Delivered {
        /// The attempt that got through.
        attempt: u32,
        /// When it was answered.
        at: Timestamp,
    },
    /// A dead letter.
    Exhausted {
        /// The last attempt.
        attempt: u32,
        /// When it ended.
        at: Timestamp,
        /// Why there is no further try.
        reason: DeadReason,
    },
    /// A dead letter whose receiver answered 410. The endpoint is to be disabled with it.
    Disabled {
        /// The attempt that was refused.
        attempt: u32,
        /// When it was answered.
        at: Timestamp,
    },
    /// Not to be sent, by the recorded decision of the tenant's policy.
    Dropped {
        /// When that was decided.
        at: Timestamp,
    },
}

/// Why a delivery is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// Every try of the schedule failed.
    TriesUsedUp,
    /// It cannot be sent as it is, and trying again would not change that.
    Unsendable,
}

/// A delivery that waits for its next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The number of the next attempt, from 1. It goes on counting across redeliveries.
    pub attempt: u32,
    /// The place of that attempt in the schedule, from 0. A redelivery begins the schedule anew.
    pub step: u32,
    /// When it is due.
    pub due_at: Timestamp,
}

/// A try that is under way. It is made by [`Pending::begin`] only, so nothing terminal can be tried, and it is
/// used up by [`Attempting::finish`].
#[derive(Debug, PartialEq, Eq)]
pub struct Attempting {
    pending: Pending,
    started_at: Timestamp,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver answered. The status is the whole answer: the body is ignored, so a body that is cut or
    /// never ends does not undo a 200.
    Status {
        /// The HTTP status.
        code: u16,
        /// What the answer's `Retry-After` asks for, in milliseconds from the answer.
        retry_after_ms: Option<u64>,
    },
    /// No answer in time.
    Timeout {
        /// What was being waited for.
        phase: Phase,
    },
    /// The name could not be resolved.
    Resolve,
    /// No connection: refused, unreachable, reset.
    Connect,
    /// No TLS session: a bad certificate, no common version.
    Tls,
    /// The connection ended before an answer.
    Closed,
    /// What came back is not HTTP, or more headers than are read.
    Malformed,
    /// The address is one the server does not call.
    RefusedAddress {
        /// Whether the URL names the address itself. If so no lookup will ever change it.
        literal: bool,
    },
    /// The URL is one the server does not call: scheme, port, user information.
    RefusedUrl,
    /// The request could not be made: a header that is not allowed.
    Unsendable,
}

/// The steps of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The name is being looked up.
    Resolve,
    /// The connection is being opened.
    Connect,
    /// The TLS session is being opened.
    Tls,
    /// The request was sent, the head of the answer is awaited.
    Answer,
}

/// What an outcome means for the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Received.
    Delivered,
    /// Failed; a later try may succeed.
    Retry,
    /// The receiver wants no more.
    Disable,
    /// No later try can succeed until somebody changes the endpoint.
    GiveUp,
}

impl Outcome {
    /// What it means.
    ///
    /// A refused address that a *lookup* gave is tried again, since names change and a resolver may lie for a
    /// minute; each try is checked again. One that the URL itself names is given up at once.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Status { code: SUCCESS, .. } => Verdict::Delivered,
            Self::Status { code: GONE, .. } => Verdict::Disable,
            Self::RefusedAddress { literal: true } | Self::RefusedUrl | Self::Unsendable => Verdict::GiveUp,
            Self::Status { .. }
            | Self::Timeout { .. }
            | Self::Resolve
            | Self::Connect
            | Self::Tls
            | Self::Closed
            | Self::Malformed
            | Self::RefusedAddress { literal: false } => Verdict::Retry,
        }
    }

    /// Every name that [`Outcome::kind`] gives.
    pub const KINDS: [&str; 11] = [
        "delivered",
        "status",
        "timeout",
        "resolve",
        "connect",
        "tls",
        "closed",
        "malformed",
        "refused_address",
        "refused_url",
        "unsendable",
    ];

    /// A short stable name, for metrics and listings.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Status { code: SUCCESS, .. } => "delivered",
            Self::Status { .. } => "status",
            Self::Timeout { .. } => "timeout",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Closed => "closed",
            Self::Malformed => "malformed",
            Self::RefusedAddress { .. } => "refused_address",
            Self::RefusedUrl => "refused_url",
            Self::Unsendable => "unsendable",
        }
    }

    fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Status { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }
}

impl State {
    /// A new delivery, due at once.
    pub fn new(now: Timestamp) -> Self {
        Self::Pending(Pending { attempt: 1, step: 0, due_at: now })
    }

    /// Whether nothing more happens by itself.
    pub fn is_terminal(&self) -> bool {
        !matches!(self, Self::Pending(_))
    }

    /// Whether it waits for somebody to send it again.
    pub fn is_dead_letter(&self) -> bool {
        matches!(self, Self::Exhausted { .. } | Self::Disabled { .. })
    }

    /// When the next try is due, if there is one.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending(pending) => Some(pending.due_at),
            _ => None,
        }
    }

    /// Sends it again on a fresh schedule, due now. A pending delivery only becomes due; a dropped one stays
    /// dropped, because a recorded decision is not taken back: nothing is returned.
    pub fn redeliver(&self, now: Timestamp) -> Option<Self> {
        match *self {
            Self::Pending(pending) => Some(Self::Pending(Pending { due_at: pending.due_at.min(now), ..pending })),
            Self::Delivered { attempt, .. } | Self::Exhausted { attempt, .. } | Self::Disabled { attempt, .. } => {
                Some(Self::Pending(Pending { attempt: attempt.saturating_add(1), step: 0, due_at: now }))
            }
            Self::Dropped { .. } => None,
        }
    }
}

impl Pending {
    /// Takes the try up, if it is due.
    pub fn begin(self, now: Timestamp) -> Option<Attempting> {
        (self.due_at <= now).then_some(Attempting { pending: self, started_at: now })
    }
}

impl Attempting {
    /// The number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.pending.attempt
    }

    /// When it was taken up.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// What follows from how it ended. `roll` is any number (see [`Schedule::delay_ms`]); `now` may be earlier
    /// than the start if the clock was set back, and the next due time is later than the last one all the same.
    pub fn finish(self, outcome: &Outcome, schedule: &Schedule, roll: u32, now: Timestamp) -> State {
        let Pending { attempt, step, .. } = self.pending;
        let at = now.max(self.started_at);
        match outcome.verdict() {
            Verdict::Delivered => State::Delivered { attempt, at },
            Verdict::Disable => State::Disabled { attempt, at },
            Verdict::GiveUp => State::Exhausted { attempt, at, reason: DeadReason::Unsendable },
            Verdict::Retry => match schedule.delay_ms(step, roll, outcome.retry_after_ms()) {
                None => State::Exhausted { attempt, at, reason: DeadReason::TriesUsedUp },
                Some(delay_ms) => State::Pending(Pending {
                    attempt: attempt.saturating_add(1),
                    step: step.saturating_add(1),
                    due_at: at.plus_ms(i64::try_from(delay_ms).unwrap_or(i64::MAX)),
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests;
