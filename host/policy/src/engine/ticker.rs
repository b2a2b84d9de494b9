//! The thread that lets epochs pass. At every tick a guest stops for a moment, looks at its deadline, and lets others have
//! its core.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a guest runs at a stretch while others wait for its core, and how exact its deadline is. Many kernels would
/// let it run for 4 ms and more.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// The same while nobody is asked, so the first tick of a guest may come that late: shorter wakes an idle machine more often
/// for nothing anybody would notice.
const IDLE_TICK: Duration = Duration::from_millis(5);

/// Ticks for as long as it lives, faster while a guest runs. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Ticker {
    /// How many guests run.
    guests: Arc<AtomicUsize>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A guest that runs, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Guest<'a>(&'a AtomicUsize);

impl Ticker {
    pub(super) fn start(engines: [wasmtime::Engine; 2]) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let guests = Arc::new(AtomicUsize::new(0));
        let running = Arc::clone(&guests);
        let thread = std::thread::Builder::new().name("policy-ticker".to_owned()).spawn(move || {
            while matches!(stopped.recv_timeout(tick(&running)), Err(RecvTimeoutError::Timeout)) {
                engines.iter().for_each(wasmtime::Engine::increment_epoch);
            }
        })?;
        Ok(Self { guests, stop: Some(stop), thread: Some(thread) })
    }

    pub(super) fn guest(&self) -> Guest<'_> {
        // Nothing else is read by it: who sees it late ticks late once.
        self.guests.fetch_add(1, Ordering::Relaxed);
        Guest(&self.guests)
    }
}

fn tick(guests: &AtomicUsize) -> Duration {
    if guests.load(Ordering::Relaxed) > 0 { TICK } else { IDLE_TICK }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread runs nothing that can panic, and there is nobody to tell.
            let _ = thread.join();
        }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ticks_faster_while_a_guest_runs() {
        let ticker = Ticker::start([(); 2].map(|()| wasmtime::Engine::default())).unwrap();
        let tick = || tick(&ticker.guests);
        assert_eq!(tick(), IDLE_TICK);
        let (one, other) = (ticker.guest(), ticker.guest());
        drop(one);
        assert_eq!(tick(), TICK);
        drop(other);
        assert_eq!(tick(), IDLE_TICK);
    }
}
