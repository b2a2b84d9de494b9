//! What a backtest has found so far.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::policies::compare::{Comparison, Said};
use crate::policies::rollout::report::{Agreement, Cost};

/// Counts and costs. Everything but the times is the same whenever the same decisions are put to the same version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Decisions to ask again; 0 until they are counted.
    pub total: u64,
    /// Decisions asked so far, in order of their numbers.
    pub done: u64,
    /// Comparisons.
    pub agreement: Agreement,
    /// Then: the recorded calls.
    pub then: Cost,
    /// Now.
    pub now: Cost,
    /// Differences that were written down; beyond a bound they are only counted.
    pub kept: u64,
    /// Wall clock, in milliseconds.
    pub wall_ms: u64,
    /// Processor time of all threads, in microseconds.
    pub cpu_us: u64,
    /// Threads that asked.
    pub threads: u64,
    /// How often it was started anew because the server had ended.
    pub restarts: u64,
    /// SHA-256 of all differences in order: two runs that found the same have the same.
    pub digest: Option<String>,
}

/// What came of one decision.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It was asked again.
    Asked(Box<Pair>),
    /// It was not, for this reason.
    NotAsked(String),
}

/// What was said then and now.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) was: Said,
    pub(super) was_elapsed_us: u64,
    pub(super) now: Said,
    pub(super) elapsed_us: u64,
    pub(super) comparison: Comparison,
}

/// A report in the making.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) report: Report,
    differences: Sha256,
    /// Not yet written.
    pub(super) fresh: Vec<(i64, String)>,
}

impl Tally {
    pub(super) fn new(report: Report) -> Self {
        Self { report, ..Self::default() }
    }

    /// Takes in what came of a decision. They come in order of their numbers.
    pub(super) fn add(&mut self, decision: i64, outcome: Outcome, most_kept: u64) {
        let report = &mut self.report;
        report.done += 1;
        match outcome {
            Outcome::NotAsked(why) => report.agreement.not_comparable(why),
            Outcome::Asked(pair) => {
                report.then.add(&pair.was, pair.was_elapsed_us);
                report.now.add(&pair.now, pair.elapsed_us);
                if let Some(difference) = report.agreement.add(pair.comparison) {
                    difference.digest_into(decision, &mut self.differences);
                    if report.kept < most_kept {
                        report.kept += 1;
                        self.fresh.push((decision, difference.shown().to_string()));
                    }
                }
            }
        }
    }

    /// The digest of all differences.
    pub(super) fn digest(&self) -> String {
        hex::encode(self.differences.clone().finalize())
    }
}

impl Report {
    /// As it is kept.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As it is shown.
    pub fn shown(&self) -> Value {
        let mut shown = self.agreement.shown();
        shown["total"] = json!(self.total);
        shown["done"] = json!(self.done);
        shown["then"] = self.then.shown();
        shown["now"] = self.now.shown();
        shown["differences_kept"] = json!(self.kept);
        shown["wall_ms"] = json!(self.wall_ms);
        shown["cpu_ms"] = json!(self.cpu_us / 1000);
        shown["threads"] = json!(self.threads);
        shown["restarts"] = json!(self.restarts);
        shown["decisions_per_second"] = json!(self.done.saturating_mul(1000) / self.wall_ms.max(1));
        shown["differences_sha256"] = json!(self.digest);
        shown
    }

    /// Everything that must be the same in two runs.
    pub fn exact(&self) -> (u64, &Agreement, &BTreeMap<String, u64>, Option<&str>) {
        (self.done, &self.agreement, &self.now.failures, self.digest.as_deref())
    }
}
