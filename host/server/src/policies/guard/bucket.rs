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
    full_at: Option<Instant>,
}

impl Bucket {
    /// When the bucket will be full again if one more token is taken now, and how long it is until that token is there.
    pub(super) fn place(&self, rate: Rate, now: Instant) -> (Instant, Duration) {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now)) + rate.each();
        let empty_for = rate.each() * rate.burst.max(1);
        (full_at, full_at.duration_since(now).saturating_sub(empty_for))
    }

    /// Takes the token of which [`Bucket::place`] told.
    pub(super) fn take(&mut self, full_at: Instant) {
        self.full_at = Some(full_at);
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
            bucket.take(full_at);
            assert_eq!(wait, Duration::from_millis(expected), "call {call} at {at}");
        }
    }
}
