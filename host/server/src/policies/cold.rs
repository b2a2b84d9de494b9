//! What is remembered of code that was not on the disk: how much of the compilers' time each tenant asked for lately, and
//! what came to nothing. Without the one, a tenant with more components than its part of the disk keeps a compiler busy
//! for ever; without the other, a component that does not compile any more does.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reprise_policy::Class;

/// How much of a compiler's time a tenant may ask for at once: for 64 compiled policies, which is more than it may have
/// plugins, as all that it has bound may be asked after an upgrade of the server; or for ten scripts.
const AT_ONCE: Duration = Duration::from_secs(640);

/// Failures that are remembered, of all tenants: a few hundred bytes each.
const FAILURES: usize = 1024;

/// How long a failure is remembered: a compiler that was too slow because the machine was busy is tried again then.
const FAILED_FOR: Duration = Duration::from_secs(180);

/// Of what a compiler said, as much as people read.
const WHY_CHARS: usize = 1024;

/// The time after which a tenant may have one more component of this class compiled again.
fn price(class: Class) -> Duration {
    match class {
        Class::Standard => Duration::from_secs(10),
        Class::Scripted => Duration::from_secs(60),
    }
}

/// How much each tenant asked of the compilers lately.
#[derive(Debug, Default)]
pub(super) struct Recompiles {
    /// When it will all be forgotten, of those of whom there is something to forget.
    free_at: Mutex<HashMap<String, Instant>>,
}

impl Recompiles {
    /// Counts one more for a tenant; or says how long it is until there may be one.
    pub(super) fn count(&self, tenant: &str, class: Class, now: Instant) -> Result<(), Duration> {
        let mut all = lock(&self.free_at);
        all.retain(|_, free_at| *free_at > now);
        let free_at = all.get(tenant).copied().unwrap_or(now) + price(class);
        let over = free_at.duration_since(now).saturating_sub(AT_ONCE);
        if !over.is_zero() {
            return Err(over);
        }
        all.insert(tenant.to_owned(), free_at);
        Ok(())
    }
}

/// Why components could not be made ready to be asked, by digest.
#[derive(Debug, Default)]
pub(super) struct Failures {
    all: Mutex<HashMap<String, Failure>>,
}

#[derive(Debug)]
struct Failure {
    why: String,
    until: Instant,
}

impl Failures {
    /// What came of the last attempt, if it failed a short while ago.
    pub(super) fn get(&self, digest: &str, now: Instant) -> Option<String> {
        let all = lock(&self.all);
        let failure = all.get(digest).filter(|failure| failure.until > now)?;
        let again_in = failure.until.duration_since(now).as_secs().max(1);
        Some(format!("{}; it is tried again in {again_in} s, or when it is pushed again", failure.why))
    }

    pub(super) fn add(&self, digest: &str, why: &str, now: Instant) {
        let mut all = lock(&self.all);
        if all.len() >= FAILURES {
            all.retain(|_, failure| failure.until > now);
        }
        if all.len() >= FAILURES
            && let Some(oldest) = all.iter().min_by_key(|(_, failure)| failure.until).map(|(digest, _)| digest.clone())
        {
            all.remove(&oldest);
        }
        let why = why.chars().take(WHY_CHARS).collect();
        all.insert(digest.to_owned(), Failure { why, until: now + FAILED_FOR });
    }

    /// It was compiled.
    pub(super) fn remove(&self, digest: &str) {
        lock(&self.all).remove(digest);
    }
}

fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    // Held for single look-ups and insertions, which leave nothing half done.
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tenant_asks_of_the_compilers_is_bounded_over_time() {
        let recompiles = Recompiles::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..64 {
            recompiles.count("acme", Class::Standard, start).unwrap();
        }
        // Who, which class, when, and for how many seconds there is none yet.
        for (tenant, class, at, none_for) in [
            ("acme", Class::Standard, 0, Some(10)),
            ("beta", Class::Standard, 0, None),
            ("acme", Class::Standard, 9, Some(1)),
            ("acme", Class::Standard, 10, None),
            ("acme", Class::Standard, 10, Some(10)),
            ("acme", Class::Scripted, 10, Some(60)),
            ("acme", Class::Scripted, 70, None),
            ("acme", Class::Standard, 70, Some(10)),
        ] {
            let counted = recompiles.count(tenant, class, after(at));
            assert_eq!(counted.err(), none_for.map(Duration::from_secs), "{tenant} {class:?} at {at}");
        }
        recompiles.count("beta", Class::Standard, after(1000)).unwrap();
        assert_eq!(lock(&recompiles.free_at).len(), 1, "who asked long ago is not remembered");
    }

    #[test]
    fn a_failure_is_remembered_for_a_while_or_until_it_is_mended() {
        let (failures, start) = (Failures::default(), Instant::now());
        failures.add("d1", "too long", start);
        let told = failures.get("d1", start).unwrap();
        assert_eq!(told, "too long; it is tried again in 180 s, or when it is pushed again");
        assert_eq!(failures.get("d2", start), None);
        assert_eq!(failures.get("d1", start + FAILED_FOR), None);
        failures.remove("d1");
        assert_eq!(failures.get("d1", start), None);
        for number in 0..=FAILURES {
            let at = start + Duration::from_millis(number as u64);
            failures.add(&format!("d{number}"), &"x".repeat(2 * WHY_CHARS), at);
        }
        assert_eq!(lock(&failures.all).len(), FAILURES);
        assert_eq!(failures.get("d0", start), None, "the oldest makes room");
        assert!(failures.get("d1", start).is_some_and(|why| why.len() < WHY_CHARS + 100));
    }
}
