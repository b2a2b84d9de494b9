//! How long a call may take: processor time of its thread, and time of day as the backstop. The guest stops at
//! every tick of the engine's epoch, here it is decided whether it may go on, and whether others come first.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use wasmtime::UpdateDeadline;

use crate::engine::TICK;

/// The deadline of one call. It belongs to the thread that started it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    cpu_began: Option<Duration>,
    cpu: Duration,
    wall_end: Instant,
}

impl Deadline {
    /// Starts to count on this thread.
    pub(crate) fn start(cpu: Duration, wall: Duration) -> Self {
        Self { cpu_began: thread_cpu(), cpu, wall_end: Instant::now() + wall }
    }

    /// Whether the guest may run for another tick. A guest that ran for a whole one lets others have its core first: what
    /// serves streams, and the calls of other tenants, would else wait behind it until the kernel's own tick. One that has
    /// just begun goes on, as it is likely to end before anybody would notice.
    pub(crate) fn at_tick(&self) -> UpdateDeadline {
        // Without a processor clock only the time of day is left, which errs towards letting a guest run.
        let used = self.cpu_began.zip(thread_cpu()).map(|(began, now)| now.saturating_sub(began));
        if used.is_some_and(|used| used >= self.cpu) || Instant::now() >= self.wall_end {
            return UpdateDeadline::Interrupt;
        }
        if used.is_none_or(|used| used >= TICK) {
            std::thread::yield_now();
        }
        UpdateDeadline::Continue(1)
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
