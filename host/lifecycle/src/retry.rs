//! When a failed try is made again: a schedule of delays, jitter from a number the caller draws, and the
//! receiver's `Retry-After` within bounds. It knows no clock and draws nothing by itself.
//!
//! The default begins with what the vendor documents (three tries, one second apart) and goes on for three
//! days, because the vendor's receivers lose whatever happens while they restart:
//!
//! | Try | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 |
//! |---|---|---|---|---|---|---|---|---|---|---|---|---|---|
//! | Delay before it | none | 1 s | 1 s | 5 s | 30 s | 5 min | 30 min | 2 h | 5 h | 10 h | 14 h | 20 h | 24 h |
//!
//! That is 75 h 35 min 37 s before jitter.

use serde::{Deserialize, Serialize};

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// Delays of one schedule. More would only make a dead endpoint more expensive.
pub const MAX_DELAYS: usize = 31;

/// The longest single delay, so that a mistyped schedule cannot park a delivery for years.
pub const MAX_DELAY_MS: u64 = 7 * 24 * HOUR_MS;

/// Delays are spread by this much either way, so that what failed together does not come back together.
pub const JITTER_PERCENT: u64 = 20;

/// Delays up to this long are kept exactly: the vendor's receivers know the first tries as a second apart.
pub const EXACT_UP_TO_MS: u64 = SECOND_MS;

/// A receiver may stretch a delay by this factor and no further: it may ask for patience, not for silence.
pub const RETRY_AFTER_FACTOR: u64 = 2;

/// The delays between tries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub struct Schedule {
    delays_ms: Vec<u64>,
}

/// Why a list of delays is not a schedule. Whoever wrote the configuration must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Too many delays.
    #[error("a schedule has at most {MAX_DELAYS} delays, not {0}")]
    TooMany(usize),
    /// A delay of nothing or of too much.
    #[error("a delay is between 1 and {MAX_DELAY_MS} ms, not {0}")]
    Delay(u64),
}

impl Schedule {
    /// A schedule of these delays in milliseconds; the first try is made at once, so there is one try more
    /// than delays.
    pub fn new(delays_ms: Vec<u64>) -> Result<Self, ScheduleError> {
        if delays_ms.len() > MAX_DELAYS {
            return Err(ScheduleError::TooMany(delays_ms.len()));
        }
        if let Some(&bad) = delays_ms.iter().find(|&&delay| delay == 0 || delay > MAX_DELAY_MS) {
            return Err(ScheduleError::Delay(bad));
        }
        Ok(Self { delays_ms })
    }

    /// The vendor's documented minimum: three tries, a second apart.
    pub fn vendor_minimum() -> Self {
        Self { delays_ms: vec![SECOND_MS, SECOND_MS] }
    }

    /// How many tries it allows.
    pub fn tries(&self) -> u32 {
        u32::try_from(self.delays_ms.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// How long it goes on, from the first try to the last, before jitter.
    pub fn span_ms(&self) -> u64 {
        self.delays_ms.iter().sum()
    }

    /// Milliseconds to wait after the try at place `step` (from 0) failed, or nothing if that was the last.
    ///
    /// `roll` is any number; the whole range of `u32` maps evenly onto the jitter. `retry_after_ms` is what the
    /// receiver asked for; within [`RETRY_AFTER_FACTOR`] it is a floor that jitter does not go below.
    pub fn delay_ms(&self, step: u32, roll: u32, retry_after_ms: Option<u64>) -> Option<u64> {
        let planned = *self.delays_ms.get(usize::try_from(step).ok()?)?;
        let asked = retry_after_ms.map_or(0, |asked| asked.min(planned * RETRY_AFTER_FACTOR));
        Some(jittered(planned, roll).max(asked))
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            delays_ms: vec![
                SECOND_MS,
                SECOND_MS,
                5 * SECOND_MS,
                30 * SECOND_MS,
                5 * MINUTE_MS,
                30 * MINUTE_MS,
                2 * HOUR_MS,
                5 * HOUR_MS,
                10 * HOUR_MS,
                14 * HOUR_MS,
                20 * HOUR_MS,
                24 * HOUR_MS,
            ],
        }
    }
}

impl TryFrom<Vec<u64>> for Schedule {
    type Error = ScheduleError;

    fn try_from(delays_ms: Vec<u64>) -> Result<Self, ScheduleError> {
        Self::new(delays_ms)
    }
}

impl From<Schedule> for Vec<u64> {
    fn from(schedule: Schedule) -> Self {
        schedule.delays_ms
    }
}

/// `roll` 0 is the shortest, `u32::MAX` the longest. No overflow: delays are at most [`MAX_DELAY_MS`].
fn jittered(planned_ms: u64, roll: u32) -> u64 {
    if planned_ms <= EXACT_UP_TO_MS {
        return planned_ms;
    }
    let reach = planned_ms * JITTER_PERCENT / 100;
    planned_ms - reach + 2 * reach * u64::from(roll) / u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: u32 = u32::MAX / 2 + 1;

    #[test]
    fn the_default_is_the_documented_table() {
        let schedule = Schedule::default();
        assert_eq!(schedule.tries(), 13);
        assert_eq!(schedule.span_ms(), 75 * HOUR_MS + 35 * MINUTE_MS + 37 * SECOND_MS);
        assert_eq!(schedule.delays_ms[..2], Schedule::vendor_minimum().delays_ms[..]);
        assert_eq!(Schedule::vendor_minimum().tries(), 3);
    }

    #[test]
    fn delays_follow_the_schedule_jitter_and_the_receiver() {
        let minute = 60_000;
        let schedule = Schedule::new(vec![1_000, minute, 10 * minute]).unwrap();
        // (step, roll, retry-after, delay)
        let table = [
            (0, 0, None, Some(1_000)),
            (0, u32::MAX, None, Some(1_000)),
            (0, 0, Some(60_000), Some(2_000)),
            (0, 0, Some(10), Some(1_000)),
            (1, 0, None, Some(48_000)),
            (1, MIDDLE, None, Some(60_000)),
            (1, u32::MAX, None, Some(72_000)),
            (1, 0, Some(1), Some(48_000)),
            (1, 0, Some(59_000), Some(59_000)),
            (1, u32::MAX, Some(61_000), Some(72_000)),
            (1, 0, Some(90_000), Some(90_000)),
            (1, u32::MAX, Some(90_000), Some(90_000)),
            (1, u32::MAX, Some(u64::MAX), Some(120_000)),
            (2, 0, None, Some(480_000)),
            (3, 0, None, None),
            (u32::MAX, 0, Some(1), None),
        ];
        for (step, roll, retry_after, delay) in table {
            assert_eq!(schedule.delay_ms(step, roll, retry_after), delay, "step {step} roll {roll} {retry_after:?}");
        }
    }

    #[test]
    fn a_schedule_is_checked_wherever_it_comes_from() {
        assert_eq!(Schedule::new(vec![0]), Err(ScheduleError::Delay(0)));
        assert_eq!(Schedule::new(vec![MAX_DELAY_MS + 1]), Err(ScheduleError::Delay(MAX_DELAY_MS + 1)));
        assert_eq!(Schedule::new(vec![1; 32]), Err(ScheduleError::TooMany(32)));
        assert_eq!(Schedule::new(vec![]).unwrap().tries(), 1);
        assert!(serde_json::from_str::<Schedule>("[1000, 0]").is_err());
        let text = serde_json::to_string(&Schedule::vendor_minimum()).unwrap();
        assert_eq!(text, "[1000,1000]");
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), Schedule::vendor_minimum());
    }
}
