//! A token bucket, as one moment: when it will be full again. A call that finds it empty can be told how long it is until
//! its token comes.

use std::time::{Duration, Instant};

/// Calls over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policies) struct Rate {
    /// On the average; at least 1.
    pub(in crate::policies) per_second: u32,
    /// At once after a pause; at least 1.
    pub(in crate::policies) burst: u32,
}

impl Rate {
    /// The time in which one token comes.
    fn each(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// When it will be full again, at which rate; nothing if nothing was ever taken.
    filling: Option<(Instant, Rate)>,
}

impl Bucket {
    /// When the bucket will be full again if one more token is taken now, and how long it is until that token is there.
    pub(super) fn place(&self, rate: Rate, now: Instant) -> (Instant, Duration) {
        let full_at = now + self.missing(rate, now) + rate.each();
        let empty_for = rate.each() * rate.burst.max(1);
        (full_at, full_at.duration_since(now).saturating_sub(empty_for))
    }

    /// How long it would fill. At another rate than before as many tokens are missing as were, but never more than all:
    /// who is given a higher rate does not wait for the lower one to end.
    fn missing(&self, rate: Rate, now: Instant) -> Duration {
        let Some((full_at, was)) = self.filling else { return Duration::ZERO };
        let missing = full_at.saturating_duration_since(now);
        if was == rate {
            return missing;
        }
        let tokens = missing.div_duration_f64(was.each()).min(rate.burst.max(1).into());
        rate.each().mul_f64(tokens)
    }

    /// Whether nothing was ever taken.
    pub(super) fn is_untouched(&self) -> bool {
        self.filling.is_none()
    }

    /// Takes the token of which [`Bucket::place`] told.
    pub(super) fn take(&mut self, full_at: Instant, rate: Rate) {
        self.filling = Some((full_at, rate));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_tokens_come_one_by_one() {
        let rate = Rate { per_second: 10, burst: 3 };
        let start = Instant::now();
        let mut bucket = Bucket::default();
        // Milliseconds since the start, and the wait in milliseconds.
        let table =
            [(0, 0), (0, 0), (0, 0), (0, 100), (0, 200), (250, 50), (1000, 0), (1000, 0), (1000, 0), (1000, 100)];
        for (call, (at, expected)) in table.into_iter().enumerate() {
            let now = start + Duration::from_millis(at);
            let (full_at, wait) = bucket.place(rate, now);
            bucket.take(full_at, rate);
            assert_eq!(wait, Duration::from_millis(expected), "call {call} at {at}");
        }
    }

    #[test]
    fn another_rate_holds_for_the_next_call() {
        let now = Instant::now();
        let (slow, fast) = (Rate { per_second: 1, burst: 60 }, Rate { per_second: 200, burst: 50 });
        let mut bucket = Bucket::default();
        let mut take = |rate| {
            let (full_at, wait) = bucket.place(rate, now);
            bucket.take(full_at, rate);
            wait
        };
        for call in 0..60 {
            assert_eq!(take(slow), Duration::ZERO, "call {call}");
        }
        assert_eq!(take(slow), Duration::from_secs(1));
        // All tokens are missing, of which there are fewer now, and they come faster.
        assert_eq!((take(fast), take(fast)), (Duration::from_millis(5), Duration::from_millis(10)));
        // And the other way: a token takes as long as it takes at the rate that is asked for.
        assert_eq!(take(slow), Duration::ZERO);
    }
}
