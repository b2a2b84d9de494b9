//! What calls come to, as numbers for the operator. Labels are hooks, kinds of failures and the like: few, and never a
//! tenant's name, so that the number of series does not grow with what tenants do.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use reprise_lifecycle::decision::{CodeSource, FailureKind, Verdict};
use reprise_lifecycle::question::Hook;
use reprise_lifecycle::time::Timestamp;

use super::Policies;

/// Seconds of a call: a compiled policy takes some hundred microseconds, a script some hundred milliseconds, and the wall
/// clock ends what takes longer than the last.
const CALL_SECONDS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 10.0];

/// Seconds of a wait for a turn: most wait for none.
const WAIT_SECONDS: [f64; 8] = [0.000_1, 0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0];

/// Fuel: from a policy that looks at one field to the bound of a script.
const FUEL: [f64; 9] = [1e4, 1e5, 3e5, 1e6, 3e6, 1e7, 1e8, 1e9, 1e10];

/// The outcome of a call that did not fail.
const ANSWERED: &str = "answered";

const CODE_SOURCES: [CodeSource; 3] = [CodeSource::Memory, CodeSource::Disk, CodeSource::Compiled];

/// How rollouts end; a shadow can only be stopped.
const ENDINGS: [&str; 3] = ["stopped", "promoted", "rolled_back"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    hook: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByHook {
    hook: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySource {
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEnding {
    kind: &'static str,
    outcome: &'static str,
}

/// Counts of all tenants' calls.
#[derive(Debug)]
pub(super) struct Meters {
    calls: Family<ByOutcome, Counter>,
    seconds: Family<ByHook, Histogram>,
    fuel: Family<ByHook, Histogram>,
    waited: Histogram,
    code: Family<BySource, Counter>,
    activations: Counter,
    rollouts_ended: Family<ByEnding, Counter>,
}

impl Default for Meters {
    /// All series are there from the start, at zero: a counter that is first seen as 1 never rose, and an alert on its rise
    /// misses what it waits for.
    fn default() -> Self {
        let meters = Self {
            calls: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            fuel: Family::new_with_constructor(|| Histogram::new(FUEL)),
            waited: Histogram::new(WAIT_SECONDS),
            code: Family::default(),
            activations: Counter::default(),
            rollouts_ended: Family::default(),
        };
        for hook in Hook::ALL.map(Hook::name) {
            for outcome in FailureKind::ALL.map(FailureKind::name).into_iter().chain([ANSWERED]) {
                let _ = meters.calls.get_or_create(&ByOutcome { hook, outcome });
            }
            let _ = meters.seconds.get_or_create(&ByHook { hook });
            let _ = meters.fuel.get_or_create(&ByHook { hook });
        }
        for source in CODE_SOURCES.map(source_word) {
            let _ = meters.code.get_or_create(&BySource { source });
        }
        for (kind, outcomes) in [("canary", &ENDINGS[..]), ("shadow", &ENDINGS[..1])] {
            for outcome in outcomes {
                let _ = meters.rollouts_ended.get_or_create(&ByEnding { kind, outcome });
            }
        }
        meters
    }
}

impl Meters {
    /// A call that came to this verdict; one that never ran took no time and no fuel.
    pub(super) fn called(&self, hook: Hook, verdict: &Verdict, elapsed_us: u64, fuel: u64) {
        let hook = hook.name();
        self.calls.get_or_create(&ByOutcome { hook, outcome: outcome(verdict) }).inc();
        if elapsed_us > 0 {
            self.seconds.get_or_create(&ByHook { hook }).observe(Duration::from_micros(elapsed_us).as_secs_f64());
            self.fuel.get_or_create(&ByHook { hook }).observe(fuel as f64);
        }
    }

    /// A call that waited so long for its turn.
    pub(super) fn waited(&self, time: Duration) {
        self.waited.observe(time.as_secs_f64());
    }

    /// Code was had from there.
    pub(super) fn code(&self, source: CodeSource) {
        self.code.get_or_create(&BySource { source: source_word(source) }).inc();
    }

    /// What decides for a tenant was changed.
    pub(super) fn swapped(&self) {
        self.activations.inc();
    }

    /// A rollout was promoted, rolled back or stopped.
    pub(super) fn rollout_ended(&self, kind: &str, outcome: &'static str) {
        self.rollouts_ended.get_or_create(&ByEnding { kind: kind_word(kind), outcome }).inc();
    }
}

impl Policies {
    /// Adds what calls came to.
    pub fn register(&self, registry: &mut Registry) {
        let meters = &self.meters;
        registry.register("policy_calls", "Calls of policies by hook and outcome", meters.calls.clone());
        registry.register("policy_call_seconds", "How long calls of policies take", meters.seconds.clone());
        registry.register("policy_call_fuel", "Fuel that calls of policies use", meters.fuel.clone());
        registry.register("policy_wait_seconds", "How long calls wait for their turn", meters.waited.clone());
        registry.register("policy_code", "Where the code of calls came from", meters.code.clone());
        registry.register("policy_swaps", "Changes of what decides for a tenant", meters.activations.clone());
        registry.register(
            "policy_rollouts_ended",
            "Rollouts that ended, by kind and by how",
            meters.rollouts_ended.clone(),
        );
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        registry.register(
            "policy_breakers_open",
            "Versions that are not asked because they failed too often",
            ConstGauge::new(count(self.guard.open())),
        );
        registry.register(
            "policy_code_loaded",
            "Components whose code is in memory",
            ConstGauge::new(count(self.loaded.len())),
        );
        registry.register(
            "policy_code_loaded_bytes",
            "Machine code in memory",
            ConstGauge::new(count(self.loaded.code_bytes())),
        );
        registry.register(
            "policy_tenants",
            "Tenants whose bindings or limits are in memory",
            ConstGauge::new(count(self.snapshots().len())),
        );
    }
}

impl Policies {
    /// Adds what puts recorded questions again: rollouts and backtests. What the catalogue does not tell is left out.
    pub async fn register_again(&self, registry: &mut Registry, now: Timestamp) {
        if let Ok(running) = self.store.count_running_rollouts().await {
            let by_kind: Family<ByKind, Gauge> = Family::default();
            for kind in ["shadow", "canary"] {
                let count = running.iter().find(|running| running.kind == kind).map_or(0, |running| running.count);
                by_kind.get_or_create(&ByKind { kind }).set(count);
            }
            registry.register("policy_rollouts_running", "Running rollouts by kind", by_kind);
            let oldest = running.iter().filter_map(|running| running.oldest_ahead).min();
            let lag_ms = oldest.map_or(0, |oldest| now.0.saturating_sub(oldest).max(0));
            registry.register(
                "policy_rollout_lag_seconds",
                "How old the oldest decision is that a running rollout has still to look at",
                ConstGauge::new(lag_ms as f64 / 1000.0),
            );
        }
        if let Ok(running) = self.store.running_backtests().await {
            let running = i64::try_from(running.len()).unwrap_or(i64::MAX);
            registry.register("policy_backtests_running", "Running backtests and audits", ConstGauge::new(running));
        }
    }
}

fn source_word(source: CodeSource) -> &'static str {
    match source {
        CodeSource::Memory => "memory",
        CodeSource::Disk => "disk",
        CodeSource::Compiled => "compiled",
    }
}

fn kind_word(kind: &str) -> &'static str {
    if kind == "canary" { "canary" } else { "shadow" }
}

/// Few words: how it ended, or why it did not.
fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Answered(_) | Verdict::NoPolicy => ANSWERED,
        Verdict::Failed(failure) => failure.kind.name(),
    }
}

#[cfg(test)]
mod tests;
