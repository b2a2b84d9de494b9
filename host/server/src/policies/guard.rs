//! Who may ask now: rates, turns and breakers of each tenant, so that none can slow another. Nothing in here is kept
//! beyond the process: after a start all buckets are full and all breakers closed.
//!
//! Time comes in with every call. What is held is bounded: an entry for each tenant that was asked something and has not
//! been removed, and in it one for each plugin that has limits of its own or fails.

mod breaker;
mod bucket;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reprise_lifecycle::decision::{FailureKind, Verdict};
use tokio::sync::Semaphore;

use self::breaker::{Breaker, Outcome, Way};
pub(super) use self::breaker::{BreakerRule, Health};
use self::bucket::Bucket;
pub(super) use self::bucket::Rate;

/// Calls of one tenant that run or wait. Each holds its question, at most some megabytes; a tenant whose two hundred
/// broadcasts end at once has fewer.
pub(super) const INSIDE: usize = 1024;

/// How often and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Calls over time.
    pub(super) rate: Rate,
    /// Calls at the same time.
    pub(super) concurrent: usize,
}

/// What a call must keep to: the tenant's pace, and its plugin's own where that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paces {
    pub(super) tenant: Pace,
    pub(super) plugin_rate: Option<Rate>,
    pub(super) plugin_concurrent: Option<usize>,
}

/// Whom a call is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whom<'a> {
    pub(super) tenant: &'a str,
    pub(super) plugin: &'a str,
    pub(super) version: i64,
    pub(super) settings: i64,
    /// Whether the breaker is asked and told: not for a trial that nothing depends on.
    pub(super) watched: bool,
}

impl Whom<'_> {
    /// What a breaker stands for: a version with its settings.
    fn asked(&self) -> (i64, i64) {
        (self.version, self.settings)
    }
}

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

/// All tenants'.
#[derive(Debug)]
pub(super) struct Guard {
    rule: BreakerRule,
    /// How long a call may wait for its turn.
    patience: Duration,
    tenants: Mutex<HashMap<String, Tenant>>,
}

#[derive(Debug, Default)]
struct Tenant {
    bucket: Bucket,
    inside: usize,
    turns: Turns,
    plugins: BTreeMap<String, Plugin>,
}

#[derive(Debug, Default)]
struct Plugin {
    bucket: Bucket,
    turns: Turns,
    /// By version and settings revision, so that a candidate which is only other settings rests alone. What works has
    /// none.
    breakers: BTreeMap<(i64, i64), Breaker>,
}

impl Plugin {
    /// Whether there is nothing to remember.
    fn is_idle(&self) -> bool {
        self.breakers.is_empty() && self.bucket.is_untouched() && self.turns.of.is_none()
    }
}

/// Turns of as many as may be inside at once. Another number begins anew: calls under way end on the old turns.
#[derive(Debug, Default)]
struct Turns {
    of: Option<(usize, Arc<Semaphore>)>,
}

impl Turns {
    fn of(&mut self, concurrent: usize) -> Arc<Semaphore> {
        match &self.of {
            Some((size, turns)) if *size == concurrent => Arc::clone(turns),
            _ => {
                let turns = Arc::new(Semaphore::new(concurrent));
                self.of = Some((concurrent, Arc::clone(&turns)));
                turns
            }
        }
    }
}

/// A call that was let in. Dropping it lets it out; what came of it is told with [`Entry::settle`].
#[derive(Debug)]
pub(super) struct Entry {
    guard: Arc<Guard>,
    tenant: String,
    plugin: String,
    asked: (i64, i64),
    watched: bool,
    trial: bool,
    settled: bool,
    /// How long to wait first, to keep the pace.
    pub(super) wait: Duration,
    /// The turns to take, in this order.
    pub(super) turns: Vec<Arc<Semaphore>>,
}

impl Guard {
    pub(super) fn new(rule: BreakerRule, patience: Duration) -> Self {
        Self { rule, patience, tenants: Mutex::default() }
    }

    /// Lets a call in, or says why not.
    pub(super) fn enter(self: &Arc<Self>, whom: Whom<'_>, paces: Paces, now: Instant) -> Result<Entry, Refused> {
        let mut tenants = self.lock();
        let tenant = tenants.entry(whom.tenant.to_owned()).or_default();
        if tenant.inside >= INSIDE {
            let message = format!("{INSIDE} calls of the tenant run or wait already");
            return Err(Refused { kind: FailureKind::Overloaded, message });
        }
        let way = if whom.watched { tenant.way(whom, now) } else { Way::Free };
        if let Way::Shut { until } = way {
            let seconds = until.saturating_duration_since(now).as_secs_f64();
            let message = format!("it failed so often that it is not asked for {seconds:.0} more seconds");
            return Err(Refused { kind: FailureKind::BreakerOpen, message });
        }
        let wait = tenant.pace(whom.plugin, paces, now, self.patience)?;
        let trial = matches!(way, Way::Trial);
        if trial && let Some(breaker) = tenant.breaker(whom.plugin, whom.asked()) {
            breaker.begin_trial();
        }
        let mut turns = vec![tenant.turns.of(paces.tenant.concurrent)];
        if let Some(concurrent) = paces.plugin_concurrent {
            // The narrower one first: who waits there keeps none of the tenant's turns from its other plugins.
            turns.insert(0, tenant.plugins.entry(whom.plugin.to_owned()).or_default().turns.of(concurrent));
        }
        tenant.inside += 1;
        Ok(Entry {
            guard: Arc::clone(self),
            tenant: whom.tenant.to_owned(),
            plugin: whom.plugin.to_owned(),
            asked: whom.asked(),
            watched: whom.watched,
            trial,
            settled: false,
            wait,
            turns,
        })
    }

    /// Closes a plugin's breakers: another version or other settings deserve a fresh start.
    pub(super) fn close(&self, tenant: &str, plugin: &str) {
        let mut tenants = self.lock();
        let Some(tenant) = tenants.get_mut(tenant) else { return };
        if let Some(plugin) = tenant.plugins.get_mut(plugin) {
            plugin.breakers.clear();
        }
        // What has no limits of its own is forgotten, so that plugins that come and go leave nothing behind.
        tenant.plugins.retain(|_, plugin| !plugin.is_idle());
    }

    /// Forgets the breakers of what a tenant's questions do not go to any more, as after the end of a canary. `asked` says
    /// of a plugin's version with its settings whether they do.
    pub(super) fn retain(&self, tenant: &str, asked: impl Fn(&str, (i64, i64)) -> bool) {
        let mut tenants = self.lock();
        let Some(tenant) = tenants.get_mut(tenant) else { return };
        for (name, plugin) in &mut tenant.plugins {
            plugin.breakers.retain(|whom, _| asked(name, *whom));
        }
        tenant.plugins.retain(|_, plugin| !plugin.is_idle());
    }

    /// Forgets a tenant that is no more.
    pub(super) fn forget(&self, tenant: &str) {
        self.lock().remove(tenant);
    }

    /// How a version's breaker stands.
    pub(super) fn health(&self, whom: Whom<'_>, now: Instant) -> Health {
        let mut tenants = self.lock();
        let breaker = tenants.get_mut(whom.tenant).and_then(|tenant| tenant.breaker(whom.plugin, whom.asked()));
        breaker.map_or_else(Health::default, |breaker| breaker.health(now))
    }

    /// How many breakers are open, of all tenants.
    pub(super) fn open(&self) -> usize {
        let tenants = self.lock();
        let plugins = tenants.values().flat_map(|tenant| tenant.plugins.values());
        plugins.flat_map(|plugin| plugin.breakers.values()).filter(|breaker| breaker.is_open()).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Tenant>> {
        // Every change below is whole or was not begun, so a panic elsewhere does not spoil it.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, entry: &Entry, outcome: Outcome, now: Instant) {
        let mut tenants = self.lock();
        let Some(tenant) = tenants.get_mut(&entry.tenant) else { return };
        if outcome == Outcome::Failed {
            let plugin = tenant.plugins.entry(entry.plugin.clone()).or_default();
            plugin.breakers.entry(entry.asked).or_default().told(&self.rule, outcome, entry.trial, now);
        } else if let Some(plugin) = tenant.plugins.get_mut(&entry.plugin)
            && let Some(breaker) = plugin.breakers.get_mut(&entry.asked)
        {
            breaker.told(&self.rule, outcome, entry.trial, now);
            if breaker.is_idle() {
                plugin.breakers.remove(&entry.asked);
            }
        }
    }
}

impl Tenant {
    fn breaker(&mut self, plugin: &str, asked: (i64, i64)) -> Option<&mut Breaker> {
        self.plugins.get_mut(plugin)?.breakers.get_mut(&asked)
    }

    fn way(&mut self, whom: Whom<'_>, now: Instant) -> Way {
        self.breaker(whom.plugin, whom.asked()).map_or(Way::Free, |breaker| breaker.way(now))
    }

    /// Takes a place in both buckets or in none, and says how long it is until then.
    fn pace(&mut self, plugin: &str, paces: Paces, now: Instant, patience: Duration) -> Result<Duration, Refused> {
        let limited = |whose: &str, rate: Rate| Refused {
            kind: FailureKind::RateLimited,
            message: format!("{whose} is asked more than {} times in a second", rate.per_second),
        };
        let own = self.bucket.place(paces.tenant.rate, now);
        let (full_at, mut wait) = own;
        if wait > patience {
            return Err(limited("the tenant", paces.tenant.rate));
        }
        if let Some(rate) = paces.plugin_rate {
            let bucket = &mut self.plugins.entry(plugin.to_owned()).or_default().bucket;
            let (plugin_full_at, plugin_wait) = bucket.place(rate, now);
            if plugin_wait > patience {
                return Err(limited("the plugin", rate));
            }
            bucket.take(plugin_full_at, rate);
            wait = wait.max(plugin_wait);
        }
        self.bucket.take(full_at, paces.tenant.rate);
        Ok(wait)
    }
}

impl Entry {
    /// Tells the breaker what came of the call.
    pub(super) fn settle(mut self, verdict: &Verdict, now: Instant) {
        self.settled = true;
        if self.watched {
            self.guard.told(&self, outcome(verdict), now);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.trial && !self.settled {
            // Nobody waited for the answer: the next call is the trial.
            self.guard.told(self, Outcome::Untold, Instant::now());
        }
        if let Some(tenant) = self.guard.lock().get_mut(&self.tenant) {
            tenant.inside = tenant.inside.saturating_sub(1);
        }
    }
}

/// What a verdict says about the guest. A refusal in its own words is no failure of the guest's: it works, costs little,
/// and may well decide about the next stream.
fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Answered(_) | Verdict::NoPolicy => Outcome::Worked,
        Verdict::Failed(failure) => match failure.kind {
            FailureKind::Refused => Outcome::Worked,
            kind if kind.has_run() => Outcome::Failed,
            _ => Outcome::Untold,
        },
    }
}

#[cfg(test)]
mod tests;
