//! How long a call may take: processor time of its thread, and time of day as the backstop. The guest stops at
//! every tick of the engine's epoch, here it is decided whether it may go on.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use wasmtime::UpdateDeadline;

/// The deadline of one call. It belongs to the thread that started it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    cpu_end: Option<Duration>,
    wall_end: Instant,
}

impl Deadline {
    /// Starts to count on this thread.
    pub(crate) fn start(cpu: Duration, wall: Duration) -> Self {
        Self { cpu_end: thread_cpu().map(|now| now + cpu), wall_end: Instant::now() + wall }
    }

    /// Whether the guest may run for another tick.
    pub(crate) fn at_tick(&self) -> UpdateDeadline {
        // Without a processor clock only the time of day is left, which errs towards letting a guest run.
        let cpu_over = self.cpu_end.zip(thread_cpu()).is_some_and(|(end, now)| now >= end);
        if cpu_over || Instant::now() >= self.wall_end {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Continue(1)
        }
    }
}

fn thread_cpu() -> Option<Duration> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok().map(Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_clock_ends_a_call() {
        let long = Duration::from_secs(3600);
        assert!(matches!(Deadline::start(long, long).at_tick(), UpdateDeadline::Continue(1)));
        assert!(matches!(Deadline::start(Duration::ZERO, long).at_tick(), UpdateDeadline::Interrupt));
        assert!(matches!(Deadline::start(long, Duration::ZERO).at_tick(), UpdateDeadline::Interrupt));
    }
}
