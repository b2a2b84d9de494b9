//! A breaker: after so many failures in a row a version is not asked for a while, then by one call at a time, until one
//! works. Every trial that fails makes the pause twice as long, up to a bound.

use std::time::{Duration, Instant};

/// When breakers open, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policies) struct BreakerRule {
    /// Failures in a row.
    pub(in crate::policies) failures: u32,
    /// The first pause.
    pub(in crate::policies) pause: Duration,
    /// The longest pause.
    pub(in crate::policies) longest: Duration,
}

/// What came of a call, as far as the guest is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Worked,
    Failed,
    /// It says nothing about the guest.
    Untold,
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Free,
    /// One call to see whether it works again.
    Trial,
    Shut {
        until: Instant,
    },
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::policies) struct Health {
    /// Failures in a row.
    pub(in crate::policies) failures: u32,
    /// How long it will not be asked, if its breaker is open.
    pub(in crate::policies) open_for: Option<Duration>,
}

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Failures in a row.
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    /// The pause that ends then.
    pause: Duration,
    /// Whether a trial is under way.
    trying: bool,
}

impl Breaker {
    pub(super) fn way(&self, now: Instant) -> Way {
        match &self.open {
            None => Way::Free,
            Some(open) if now >= open.until && !open.trying => Way::Trial,
            Some(open) => Way::Shut { until: open.until },
        }
    }

    pub(super) fn begin_trial(&mut self) {
        if let Some(open) = &mut self.open {
            open.trying = true;
        }
    }

    pub(super) fn told(&mut self, rule: &BreakerRule, outcome: Outcome, trial: bool, now: Instant) {
        match (&mut self.open, outcome) {
            // A call from before the breaker opened: the trial alone closes it.
            (Some(_), _) if !trial => {}
            (Some(open), Outcome::Failed) => {
                let pause = (open.pause * 2).min(rule.longest);
                self.failures = self.failures.saturating_add(1);
                self.open = Some(Open { until: now + pause, pause, trying: false });
            }
            (Some(open), Outcome::Untold) => open.trying = false,
            (None, Outcome::Failed) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= rule.failures {
                    self.open = Some(Open { until: now + rule.pause, pause: rule.pause, trying: false });
                }
            }
            (None, Outcome::Untold) => {}
            (Some(_) | None, Outcome::Worked) => *self = Self::default(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.failures == 0 && self.open.is_none()
    }

    pub(super) fn health(&self, now: Instant) -> Health {
        let open_for = self.open.as_ref().map(|open| open.until.saturating_duration_since(now));
        Health { failures: self.failures, open_for }
    }
}
