//! What calls cost beside what they may cost. Each case is asked over and over in fresh instances, as on a server.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use reprise_lifecycle::question::Question;
use reprise_policy::StateSnapshot;
use serde::Serialize;

use super::{Lab, Subject};

/// Calls of one case that are kept; enough for a p99, and little memory.
const MAX_CALLS: usize = 100_000;

/// Calls of one case at least, however slow they are.
const MIN_CALLS: usize = 5;

/// Calls before those that count: they fill caches and the warm slot.
const WARM_UP: usize = 3;

/// One measured quantity beside its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quantity {
    /// What was used.
    pub used: u64,
    /// What may be.
    pub limit: u64,
}

impl Quantity {
    /// Whether more than half of the limit is used.
    pub fn is_close(self) -> bool {
        self.used.saturating_mul(2) > self.limit
    }
}

/// What one question costs. Times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// How often it was asked.
    pub calls: usize,
    /// Fuel, the largest of all calls.
    pub fuel: Quantity,
    /// Processor time of the median call.
    pub cpu_p50_us: Quantity,
    /// Processor time that one in a hundred calls exceeds.
    pub cpu_p99_us: Quantity,
    /// Time of day that one in a hundred calls exceeds.
    pub wall_p99_us: Quantity,
    /// Linear memory, the largest of all calls.
    pub memory_bytes: Quantity,
    /// Of a hundred parts of the median call, those that go into making and dropping an instance.
    pub instantiate_percent: u64,
    /// Whether the policy failed.
    pub failed: bool,
}

impl Figures {
    /// The quantities that have limits, by name.
    pub fn limited(&self) -> [(&'static str, Quantity); 4] {
        [
            ("fuel", self.fuel),
            ("processor time (p99)", self.cpu_p99_us),
            ("time of day (p99)", self.wall_p99_us),
            ("memory", self.memory_bytes),
        ]
    }
}

/// Asks one question again and again for about so long.
pub fn measure(
    lab: &Lab,
    subject: &Subject,
    question: &Question,
    settings: &str,
    state: &StateSnapshot,
    length: Duration,
) -> Figures {
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    let (mut fuel, mut memory, mut failed) = (0, 0, false);
    for _ in 0..WARM_UP {
        lab.ask(subject, question, settings, state);
    }
    let began = Instant::now();
    while cpu.len() < MIN_CALLS || (began.elapsed() < length && cpu.len() < MAX_CALLS) {
        let (from, from_cpu) = (Instant::now(), thread_time());
        let evaluation = lab.ask(subject, question, settings, state);
        cpu.push(micros(thread_time().saturating_sub(from_cpu)));
        wall.push(micros(from.elapsed()));
        fuel = evaluation.fuel.max(fuel);
        memory = evaluation.memory_bytes.max(memory);
        failed |= matches!(evaluation.verdict, reprise_lifecycle::decision::Verdict::Failed(_));
    }
    let mut empty: Vec<u64> = (0..cpu.len().clamp(MIN_CALLS, 1_000))
        .map(|_| {
            let from = thread_time();
            lab.start(subject);
            micros(thread_time().saturating_sub(from))
        })
        .collect();
    let limits = &subject.limits;
    let quantity = |used: u64, limit: u64| Quantity { used, limit };
    let (calls, median) = (cpu.len(), quantile(&mut cpu, 50));
    Figures {
        calls,
        fuel: quantity(fuel, limits.fuel),
        cpu_p50_us: quantity(median, micros(limits.cpu)),
        cpu_p99_us: quantity(quantile(&mut cpu, 99), micros(limits.cpu)),
        wall_p99_us: quantity(quantile(&mut wall, 99), micros(limits.wall)),
        memory_bytes: quantity(memory, limits.memory_bytes as u64),
        instantiate_percent: (quantile(&mut empty, 50) * 100).checked_div(median).unwrap_or(100).min(100),
        failed,
    }
}

/// The value that `percent` of a hundred do not exceed.
fn quantile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or(0)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Processor time of this thread so far: calls run on it.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let mut values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!([50, 99, 100].map(|percent| quantile(&mut values, percent)), [50, 99, 100]);
        assert_eq!([50, 99].map(|percent| quantile(&mut [7], percent)), [7, 7]);
        assert_eq!(quantile(&mut [], 50), 0);
    }

    #[test]
    fn more_than_half_of_a_limit_is_close() {
        assert_eq!([50, 51].map(|used| Quantity { used, limit: 100 }.is_close()), [false, true]);
    }
}
