//! What a shadow or a canary has shown so far. It is kept with the cursor, in one transaction, so that every decision is
//! in it exactly once.

use std::collections::BTreeMap;

use reprise_lifecycle::decision::FailureKind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rules::{Breach, Window};
use super::spread::Spread;
use crate::policies::compare::{Comparison, Difference, Said};

/// Counts, costs and the newest window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Comparisons.
    pub agreement: Agreement,
    /// The candidate's calls: those it was tried with, or those it answered.
    pub candidate: Cost,
    /// The active version's calls.
    pub active: Cost,
    /// Differences that were written down; beyond a bound they are only counted.
    pub kept: u64,
    /// What the rules are judged by; a shadow has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The rule that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breach: Option<Breach>,
}

/// How two versions' answers compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Agreement {
    /// Equal answers.
    pub same: u64,
    /// Different ones by kind.
    pub different: BTreeMap<String, u64>,
    /// What could not be compared, by why.
    pub not_comparable: BTreeMap<String, u64>,
}

/// What calls cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Failures by kind.
    pub failures: BTreeMap<String, u64>,
    /// Fuel of each call.
    pub fuel: Spread,
    /// Microseconds of each call.
    pub elapsed_us: Spread,
}

impl Cost {
    /// Calls that were made: not those that found no turn, came too often, or met an open breaker.
    pub fn asked(&self) -> u64 {
        let never = ["overloaded", "rate_limited", "breaker_open"];
        let never: u64 = never.iter().filter_map(|kind| self.failures.get(*kind)).sum();
        self.fuel.count().saturating_sub(never)
    }
}

impl Agreement {
    /// Takes in a comparison, and gives the difference if there is one.
    pub fn add(&mut self, comparison: Comparison) -> Option<Box<Difference>> {
        match comparison {
            Comparison::Same => self.same += 1,
            Comparison::Different(difference) => {
                *self.different.entry(difference.kind.name().to_owned()).or_default() += 1;
                return Some(difference);
            }
            Comparison::NotComparable(why) => self.not_comparable(why.to_string()),
        }
        None
    }

    /// Counts what could not be compared.
    pub fn not_comparable(&mut self, why: String) {
        *self.not_comparable.entry(why).or_default() += 1;
    }

    /// All differences.
    pub fn differences(&self) -> u64 {
        self.different.values().sum()
    }

    /// As it is shown.
    pub fn shown(&self) -> Value {
        let total = self.same + self.differences() + self.not_comparable.values().sum::<u64>();
        json!({
            "total": total, "same": self.same, "different": self.different, "not_comparable": self.not_comparable,
            "differences": self.differences(),
        })
    }
}

impl Cost {
    /// Takes in a call.
    pub fn add(&mut self, said: &Said, elapsed_us: u64) {
        if let Some(kind) = said.failure() {
            *self.failures.entry(kind.name().to_owned()).or_default() += 1;
        }
        self.fuel.add(said.fuel);
        self.elapsed_us.add(elapsed_us);
    }

    /// As it is shown.
    pub fn shown(&self) -> Value {
        json!({
            "calls": self.fuel.count(), "failures": self.failures,
            "fuel": self.fuel.summary(), "elapsed_us": self.elapsed_us.summary(),
        })
    }
}

impl Report {
    /// As it is shown.
    pub fn shown(&self) -> Value {
        let mut shown = self.agreement.shown();
        shown["candidate"] = self.candidate.shown();
        shown["active"] = self.active.shown();
        shown["differences_kept"] = json!(self.kept);
        if let Some(breach) = &self.breach {
            shown["breach"] = json!(breach);
        }
        shown
    }
}

/// Whether a failure is held against the candidate. It is not its own doing when it has no slot or is asked too often; a
/// rest that its breaker gives it is, or one that always fails would not be found out once it is asked no more.
pub fn is_own(kind: FailureKind) -> bool {
    !matches!(kind, FailureKind::Overloaded | FailureKind::RateLimited)
}
