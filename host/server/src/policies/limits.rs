//! Limits of tenants and plugins: the configured ones, with what the operator set laid over them, within maxima that no
//! setting can pass.

use std::time::Duration;

use reprise_lifecycle::decision::Granted;
use reprise_policy::{CallLimits, Class, Loaded};
use serde::Serialize;

use super::guard::{Pace, Paces, Rate};
use crate::config;
use crate::store::limits::PolicyLimits;

/// What may be set at most. Rates and concurrency: more than one node can do. Memory: the pool of the engine grants no
/// more. Time: a caller waits for it, and a stopping server too. Log: it is kept with each decision.
const MAXIMA: [(&str, u64); 9] = [
    ("calls_per_second", 100_000),
    ("burst", 100_000),
    ("concurrent", 256),
    ("fuel", 20_000_000_000),
    ("memory_bytes", 256 << 20),
    ("deadline_ms", 10_000),
    ("wall_ms", 30_000),
    ("log_lines", 1024),
    ("log_bytes", 64 << 10),
];

/// What applies to a tenant, or to one of its plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct EffectiveLimits {
    /// Calls in a second, on the average.
    pub calls_per_second: u32,
    /// Calls that may come at once after a pause.
    pub burst: u32,
    /// Calls at the same time.
    pub concurrent: u32,
    /// Fuel of one call.
    pub fuel: u64,
    /// Linear memory of one call.
    pub memory_bytes: u64,
    /// Processor time of one call.
    pub deadline_ms: u64,
    /// Time of day of one call.
    pub wall_ms: u64,
    /// Lines of the log that are kept.
    pub log_lines: u32,
    /// Bytes of the log that are kept.
    pub log_bytes: u32,
}

/// The configured limits.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    pace: Pace,
    /// Of compiled policies.
    pub(super) standard: CallLimits,
    /// Of those that carry a script language's runtime.
    pub(super) scripted: CallLimits,
}

impl Defaults {
    pub(super) fn new(config: &config::Policies) -> Self {
        let standard = CallLimits {
            fuel: config.fuel,
            cpu: Duration::from_millis(config.deadline_ms),
            wall: Duration::from_millis(config.wall_ms),
            ..CallLimits::standard()
        };
        let rate = Rate { per_second: config.calls_per_second, burst: config.calls_burst };
        let pace = Pace { rate, concurrent: config.concurrent_per_tenant.max(1) };
        Self { pace, standard, scripted: CallLimits::scripted() }
    }

    /// Those of a component's class.
    pub(super) fn of(&self, loaded: &Loaded) -> &CallLimits {
        match loaded.class() {
            Class::Standard => &self.standard,
            Class::Scripted => &self.scripted,
        }
    }
}

/// A value that cannot be set, in words for the operator.
pub(super) fn check(limits: &PolicyLimits) -> Result<(), String> {
    let given = [
        limits.calls_per_second.map(u64::from),
        limits.burst.map(u64::from),
        limits.concurrent.map(u64::from),
        limits.fuel,
        limits.memory_bytes,
        limits.deadline_ms,
        limits.wall_ms,
        limits.log_lines.map(u64::from),
        limits.log_bytes.map(u64::from),
    ];
    for ((name, most), given) in MAXIMA.into_iter().zip(given) {
        if given.is_some_and(|given| given == 0 || given > most) {
            return Err(format!("{name} must be 1 to {most}"));
        }
    }
    Ok(())
}

/// How often and how many at once: the tenant's pace for all its plugins together, and a plugin's own beside it.
pub(super) fn paces(defaults: &Defaults, tenant: &PolicyLimits, plugin: Option<&PolicyLimits>) -> Paces {
    let own = plugin.filter(|own| own.calls_per_second.is_some() || own.burst.is_some());
    Paces {
        tenant: Pace {
            rate: rate(tenant, defaults.pace.rate),
            concurrent: concurrent(tenant, defaults.pace.concurrent),
        },
        plugin_rate: own.map(|own| rate(own, rate(tenant, defaults.pace.rate))),
        plugin_concurrent: plugin.and_then(|own| own.concurrent).map(|own| own as usize),
    }
}

/// What one call may use up. What is set for a tenant holds for all its plugins, of whatever class.
pub(super) fn call(base: &CallLimits, tenant: &PolicyLimits, plugin: Option<&PolicyLimits>) -> CallLimits {
    let mut limits = base.clone();
    for over in [Some(tenant), plugin].into_iter().flatten() {
        let size = |given: u64| usize::try_from(given).unwrap_or(usize::MAX);
        limits.fuel = over.fuel.unwrap_or(limits.fuel);
        limits.memory_bytes = over.memory_bytes.map_or(limits.memory_bytes, size);
        limits.cpu = over.deadline_ms.map_or(limits.cpu, Duration::from_millis);
        limits.wall = over.wall_ms.map_or(limits.wall, Duration::from_millis);
        limits.log_lines = over.log_lines.map_or(limits.log_lines, |lines| lines as usize);
        limits.log_bytes = over.log_bytes.map_or(limits.log_bytes, |bytes| bytes as usize);
    }
    limits
}

/// Of these limits, what is recorded with a decision.
pub(super) fn granted(limits: &CallLimits) -> Granted {
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Granted {
        memory_bytes: limits.memory_bytes as u64,
        log_lines: narrow(limits.log_lines),
        log_bytes: narrow(limits.log_bytes),
    }
}

/// What applies, to be shown.
pub(super) fn effective(
    defaults: &Defaults,
    base: &CallLimits,
    tenant: &PolicyLimits,
    plugin: Option<&PolicyLimits>,
) -> EffectiveLimits {
    let (paces, call) = (paces(defaults, tenant, plugin), call(base, tenant, plugin));
    let rate = paces.plugin_rate.unwrap_or(paces.tenant.rate);
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let concurrent = paces.plugin_concurrent.map_or(paces.tenant.concurrent, |own| own.min(paces.tenant.concurrent));
    EffectiveLimits {
        calls_per_second: rate.per_second,
        burst: rate.burst,
        concurrent: narrow(concurrent),
        fuel: call.fuel,
        memory_bytes: call.memory_bytes as u64,
        deadline_ms: millis(call.cpu),
        wall_ms: millis(call.wall),
        log_lines: narrow(call.log_lines),
        log_bytes: narrow(call.log_bytes),
    }
}

fn rate(over: &PolicyLimits, base: Rate) -> Rate {
    Rate { per_second: over.calls_per_second.unwrap_or(base.per_second), burst: over.burst.unwrap_or(base.burst) }
}

fn concurrent(over: &PolicyLimits, base: usize) -> usize {
    over.concurrent.map_or(base, |own| own as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Defaults {
        Defaults::new(&config::Config::parse("").unwrap().policies)
    }

    #[test]
    fn what_is_set_for_a_plugin_lies_over_the_tenants_and_that_over_the_configured() {
        let defaults = defaults();
        let tenant =
            PolicyLimits { fuel: Some(5_000), wall_ms: Some(50), concurrent: Some(4), ..PolicyLimits::default() };
        let plugin = PolicyLimits { fuel: Some(7_000), calls_per_second: Some(3), ..PolicyLimits::default() };
        let of = |plugin| effective(&defaults, &defaults.standard, &tenant, plugin);
        let configured = effective(&defaults, &defaults.standard, &PolicyLimits::default(), None);
        let whole = of(None);
        assert_eq!((whole.fuel, whole.wall_ms, whole.concurrent), (5_000, 50, 4));
        assert_eq!((whole.deadline_ms, whole.burst), (configured.deadline_ms, configured.burst));
        let own = of(Some(&plugin));
        assert_eq!((own.fuel, own.wall_ms, own.concurrent, own.calls_per_second), (7_000, 50, 4, 3));
        // The tenant's pace holds for all its plugins together, whatever a plugin's own is.
        assert_eq!(paces(&defaults, &tenant, Some(&plugin)).tenant.rate.per_second, configured.calls_per_second);
    }

    #[test]
    fn a_value_out_of_bounds_is_named() {
        let none = PolicyLimits::default();
        for (limits, name) in [
            (PolicyLimits { fuel: Some(0), ..none.clone() }, "fuel"),
            (PolicyLimits { wall_ms: Some(30_001), ..none.clone() }, "wall_ms"),
            (PolicyLimits { memory_bytes: Some(1 << 40), ..none.clone() }, "memory_bytes"),
            (PolicyLimits { log_bytes: Some(1 << 20), ..none.clone() }, "log_bytes"),
            (PolicyLimits { calls_per_second: Some(0), ..none.clone() }, "calls_per_second"),
        ] {
            assert!(check(&limits).unwrap_err().starts_with(name), "{limits:?}");
        }
        assert_eq!(check(&none), Ok(()));
    }
}
