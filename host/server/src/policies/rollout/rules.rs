//! When a canary is ended by itself. Pure: samples come in with the time at which they were recorded, and the rules are
//! judged over the newest stretch of them. No clock, no store; the same samples in the same order are judged the same
//! wherever they are cut into pages.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::spread::Spread;

/// Stretches that a window is made of. What it spans is exact to one of them; more would only make reports longer.
const SLICES: i64 = 12;

/// A p99 below this is never too slow in comparison: nobody notices it, and on a busy machine it is all noise.
const FLOOR_US: u64 = 5_000;

/// The longest window and the longest wait for a promotion: a week.
const LONGEST_SECONDS: u32 = 7 * 24 * 3600;

/// Bounds of the automatic roll-back, and the time of the automatic promotion. `null` switches a bound off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RolloutRules)]
pub struct Rules {
    /// Calls that are this much older than the newest one are not judged any more. Five minutes: long enough for a few
    /// calls of every stream, short enough for a fault that has passed to be forgotten.
    pub window_seconds: u32,
    /// Rates are judged as if there were at least this many calls in the window, so that one failure among few is not a
    /// high rate; latencies only once there are.
    pub min_calls: u32,
    /// Failures in a thousand calls: what the guest did wrong, not what it was refused for lack of room.
    pub max_failure_permille: Option<u32>,
    /// Microseconds that 99 of 100 calls may take. Off by default, because what is slow depends on the machine.
    pub max_p99_us: Option<u64>,
    /// How many times the active version's p99 in the same window the candidate's may be. A p99 below 5 ms always fits.
    /// If the active version had fewer than `min_calls` calls, it is what the candidate's questions take it when put to it
    /// again.
    pub max_latency_ratio: Option<f64>,
    /// Answers in a thousand that differ from the active version's. Off by default: most versions are made to differ.
    pub max_difference_permille: Option<u32>,
    /// After how long a canary that broke no rule becomes the active version, if it had `min_calls`. Off by default.
    pub promote_after_seconds: Option<u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            window_seconds: 300,
            min_calls: 20,
            // One failure is forgiven, the second ends it.
            max_failure_permille: Some(50),
            max_p99_us: None,
            // A version that does the same work differently takes up to twice as long; five times is another algorithm.
            max_latency_ratio: Some(5.0),
            max_difference_permille: None,
            promote_after_seconds: None,
        }
    }
}

impl Rules {
    /// Whether they can be judged at all.
    ///
    /// # Errors
    /// Which field cannot work.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_share = |permille: Option<u32>| permille.is_none_or(|permille| permille <= 1000);
        let checks = [
            ((1..=LONGEST_SECONDS).contains(&self.window_seconds), "window_seconds must be 1 to 604800 (a week)"),
            ((1..=1_000_000).contains(&self.min_calls), "min_calls must be 1 to 1000000"),
            (is_share(self.max_failure_permille), "max_failure_permille must be 0 to 1000"),
            (is_share(self.max_difference_permille), "max_difference_permille must be 0 to 1000"),
            (self.max_latency_ratio.is_none_or(|ratio| ratio >= 1.0), "max_latency_ratio must be at least 1"),
            (
                self.promote_after_seconds.is_none_or(|seconds| seconds <= LONGEST_SECONDS),
                "promote_after_seconds must be at most 604800 (a week)",
            ),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }

    /// The length of one slice of the window.
    fn slice_ms(&self) -> i64 {
        (i64::from(self.window_seconds) * 1000 / SLICES).max(1)
    }

    /// Whether a canary of this age with this many calls becomes the active version by itself.
    pub fn is_due(&self, age: Duration, calls: u64) -> bool {
        self.promote_after_seconds.is_some_and(|seconds| age >= Duration::from_secs(seconds.into()))
            && calls >= u64::from(self.min_calls)
    }
}

/// One recorded call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Of the candidate.
    Candidate {
        /// Whether it failed by its own doing.
        failed: bool,
        /// How long it took.
        elapsed_us: u64,
        /// Whether the active version would have said something else; `None` where that cannot be told.
        differs: Option<bool>,
        /// How long the active version took for the same question, put to it again; `None` where it was not asked.
        replayed_us: Option<u64>,
    },
    /// Of the active version.
    Active {
        /// How long it took.
        elapsed_us: u64,
    },
}

/// The newest samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    slices: VecDeque<Slice>,
}

/// The samples of one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Slice {
    /// Which stretch: times since the epoch divided by its length.
    number: i64,
    failures: u64,
    compared: u64,
    different: u64,
    candidate_us: Spread,
    active_us: Spread,
    /// Absent in what was kept before these times were.
    #[serde(default)]
    replayed_us: Spread,
}

/// A rule that was broken, and the numbers that broke it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// The rule's name: that of its field.
    pub rule: String,
    /// What was measured: permille or microseconds.
    pub measured: u64,
    /// What was allowed.
    pub bound: u64,
    /// The candidate's calls in the window.
    pub calls: u64,
    /// Of these failed.
    pub failures: u64,
    /// The answers in the window that were compared.
    pub compared: u64,
    /// Of these different.
    pub different: u64,
    /// The candidate's p99 in the window.
    pub candidate_p99_us: u64,
    /// The active version's, by its own calls or by the candidate's questions put to it again.
    pub active_p99_us: u64,
    /// The length of the window.
    pub window_seconds: u32,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rule, measured, bound, calls, failures, compared, different, window_seconds, .. } = self;
        match rule.as_str() {
            "max_failure_permille" => write!(f, "{failures} of {calls} calls failed"),
            "max_difference_permille" => write!(f, "{different} of {compared} answers differed"),
            _ => write!(f, "99 of 100 calls took up to {measured} µs where {bound} are allowed"),
        }?;
        write!(f, " within {window_seconds} s ({rule})")
    }
}

impl Window {
    /// Takes in a sample; what is too old by then goes out.
    pub fn add(&mut self, rules: &Rules, at_ms: i64, sample: Sample) {
        if let Some(slice) = self.slice(at_ms.div_euclid(rules.slice_ms())) {
            slice.add(sample);
        }
    }

    /// What the windows of several canaries with the same rules come to together. The active versions' live calls are not in
    /// it: they are of other streams, and mostly of tenants whose candidate has few, so a candidate might be found slow
    /// for no more than whose streams it has. What is asked again is the very questions that the candidates had.
    pub fn together<'a>(windows: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for slice in windows.into_iter().flat_map(|window| &window.slices) {
            if let Some(own) = all.slice(slice.number) {
                own.merge(slice);
                own.active_us = Spread::default();
            }
        }
        all
    }

    /// The slice with this number, unless it is too old by now. What is too old beside it goes out.
    fn slice(&mut self, number: i64) -> Option<&mut Slice> {
        let newest = self.slices.back().map_or(number, |slice| slice.number.max(number));
        while self.slices.front().is_some_and(|slice| slice.number <= newest - SLICES) {
            self.slices.pop_front();
        }
        if number <= newest - SLICES {
            return None;
        }
        // Decisions are recorded nearly in order of time, so the place is at the end or close to it.
        let place = self.slices.iter().rposition(|slice| slice.number <= number).map_or(0, |at| at + 1);
        let at = match place.checked_sub(1) {
            Some(before) if self.slices[before].number == number => before,
            _ => {
                self.slices.insert(place, Slice { number, ..Slice::default() });
                place
            }
        };
        self.slices.get_mut(at)
    }

    /// Whether a rule is broken now. The first of: failures, differences, latency.
    pub fn judge(&self, rules: &Rules) -> Option<Breach> {
        let mut all = Slice::default();
        for slice in &self.slices {
            all.merge(slice);
        }
        let least = u64::from(rules.min_calls);
        let calls = all.candidate_us.count();
        // Live calls were made in the same way as the candidate's. Without enough of them, as where the candidate has all
        // of a binding's streams, what is asked again stands in. That gives way to live calls and may take longer than
        // one: a slow candidate can pass for a while, but none is rolled back for less than a live call would show.
        let active_us = if all.active_us.count() >= least { &all.active_us } else { &all.replayed_us };
        let (candidate_p99_us, active_p99_us) = (all.candidate_us.quantile(990), active_us.quantile(990));
        let breach = |rule: &str, measured: u64, bound: u64| Breach {
            rule: rule.to_owned(),
            measured,
            bound,
            calls,
            failures: all.failures,
            compared: all.compared,
            different: all.different,
            candidate_p99_us,
            active_p99_us,
            window_seconds: rules.window_seconds,
        };
        let permille = |count: u64, of: u64| count.saturating_mul(1000).div_ceil(of.max(least));
        let failed = permille(all.failures, calls);
        if let Some(bound) = rules.max_failure_permille.map(u64::from).filter(|bound| failed > *bound) {
            return Some(breach("max_failure_permille", failed, bound));
        }
        let different = permille(all.different, all.compared);
        if let Some(bound) = rules.max_difference_permille.map(u64::from).filter(|bound| different > *bound) {
            return Some(breach("max_difference_permille", different, bound));
        }
        if calls < least {
            return None;
        }
        if let Some(bound) = rules.max_p99_us.filter(|bound| candidate_p99_us > *bound) {
            return Some(breach("max_p99_us", candidate_p99_us, bound));
        }
        let ratio = rules.max_latency_ratio.filter(|_| active_us.count() >= least)?;
        let bound = ((active_p99_us as f64 * ratio) as u64).max(FLOOR_US);
        (candidate_p99_us > bound).then(|| breach("max_latency_ratio", candidate_p99_us, bound))
    }
}

impl Slice {
    fn add(&mut self, sample: Sample) {
        match sample {
            Sample::Candidate { failed, elapsed_us, differs, replayed_us } => {
                self.failures += u64::from(failed);
                self.compared += u64::from(differs.is_some());
                self.different += u64::from(differs == Some(true));
                self.candidate_us.add(elapsed_us);
                replayed_us.into_iter().for_each(|elapsed_us| self.replayed_us.add(elapsed_us));
            }
            Sample::Active { elapsed_us } => self.active_us.add(elapsed_us),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.failures += other.failures;
        self.compared += other.compared;
        self.different += other.different;
        self.candidate_us.merge(&other.candidate_us);
        self.active_us.merge(&other.active_us);
        self.replayed_us.merge(&other.replayed_us);
    }
}

#[cfg(test)]
mod tests;
