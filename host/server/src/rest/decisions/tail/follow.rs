//! The loop of one tail: look, tell, wait for a commit or for the time to show that somebody is still here.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::rest::error::Error;

/// How often what is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Something is sent when there is nothing to tell: proxies close what is silent for a minute or half of one.
    pub(super) heartbeat: Duration,
    /// A look without a wake-up, in case one was missed.
    pub(super) look_again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(15), look_again: Duration::from_secs(5) }
    }
}

/// What one look gave.
pub(super) struct Step {
    /// Numbers and texts of decisions, in order.
    pub(super) events: Vec<(i64, String)>,
    /// Everything up to this one was looked at.
    pub(super) upto: i64,
    /// Whether there is nothing more for now.
    pub(super) is_all: bool,
}

/// What a tail reads.
pub(super) trait Log: Send + Sync {
    /// Looks at what comes after a number.
    fn look(&self, after: i64) -> impl Future<Output = Result<Step, Error>> + Send;
}

/// Why a tail ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The server stops.
    Stopped,
    /// The reader left.
    Gone,
    /// The reader does not read.
    Stalled,
    /// The reader may not listen any more.
    Forbidden,
    /// The log cannot be read.
    Failed(Error),
}

/// Where events go.
pub(super) struct Out {
    pub(super) sender: mpsc::Sender<Bytes>,
    pub(super) stalled: Duration,
}

impl Out {
    pub(super) async fn send(&self, bytes: Bytes) -> Result<(), Ended> {
        match tokio::time::timeout(self.stalled, self.sender.send(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended::Gone),
            Err(_) => Err(Ended::Stalled),
        }
    }
}

/// Where a tail begins and what it listens to.
pub(super) struct Follow {
    pub(super) after: i64,
    pub(super) rings: watch::Receiver<()>,
    pub(super) pace: Pace,
    pub(super) stop: CancellationToken,
}

impl Follow {
    /// Tells what is in the log until somebody ends it.
    pub(super) async fn run(self, log: &impl Log, out: &Out) -> Ended {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => Ended::Stopped,
            ended = self.tell(log, out) => ended,
        }
    }

    async fn tell(mut self, log: &impl Log, out: &Out) -> Ended {
        let mut told = self.after;
        let mut quiet_since = Instant::now();
        loop {
            self.rings.mark_unchanged();
            let step = match log.look(self.after).await {
                Ok(step) => step,
                Err(error) => return Ended::Failed(error),
            };
            for (id, text) in step.events {
                let event = format!("id: {id}\nevent: decision\ndata: {text}\n\n");
                if let Err(ended) = out.send(Bytes::from(event)).await {
                    return ended;
                }
                told = id;
                quiet_since = Instant::now();
            }
            self.after = step.upto;
            if quiet_since.elapsed() >= self.pace.heartbeat {
                // Who comes back then does not make us look again at what did not match.
                let id = if told < self.after { format!("id: {}\n", self.after) } else { String::new() };
                if let Err(ended) = out.send(Bytes::from(format!(": still here\n{id}\n"))).await {
                    return ended;
                }
                told = self.after;
                quiet_since = Instant::now();
            }
            if !step.is_all {
                continue;
            }
            let wait = self.pace.look_again.min(self.pace.heartbeat.saturating_sub(quiet_since.elapsed()));
            tokio::select! {
                changed = self.rings.changed() => if changed.is_err() { return Ended::Stopped },
                () = tokio::time::sleep(wait) => {}
                () = out.sender.closed() => return Ended::Gone,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A log of numbers of which every second one matches, read three at a time.
    struct Evens(Mutex<Vec<i64>>);

    impl Log for Evens {
        async fn look(&self, after: i64) -> Result<Step, Error> {
            let log = self.0.lock().unwrap().clone();
            let new: Vec<i64> = log.iter().copied().filter(|id| *id > after).take(3).collect();
            let upto = new.last().copied().unwrap_or(after);
            let events = new.into_iter().filter(|id| id % 2 == 0).map(|id| (id, format!("\"{id}\""))).collect();
            Ok(Step { events, upto, is_all: log.last().is_none_or(|last| *last == upto) })
        }
    }

    /// A log without end.
    struct Endless;

    impl Log for Endless {
        async fn look(&self, after: i64) -> Result<Step, Error> {
            Ok(Step { events: vec![(after + 1, String::new())], upto: after + 1, is_all: false })
        }
    }

    /// Too long to come to pass in a test.
    const NEVER: Duration = Duration::from_secs(3600);

    fn event(id: i64) -> String {
        format!("id: {id}\nevent: decision\ndata: \"{id}\"\n\n")
    }

    /// Follows a log at a pace while `listener` listens, which ends it.
    async fn follow(
        log: &impl Log,
        pace: Pace,
        rings: watch::Receiver<()>,
        listener: impl AsyncFnOnce(mpsc::Receiver<Bytes>),
    ) {
        let (sender, events) = mpsc::channel(1);
        let (stop, out) = (CancellationToken::new(), Out { sender, stalled: NEVER });
        let follow = Follow { after: 0, rings, pace, stop: stop.clone() };
        let listening = async {
            listener(events).await;
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(follow.run(log, &out), listening);
        assert!(matches!(ended, Ended::Stopped | Ended::Gone), "{ended:?}");
    }

    #[tokio::test]
    async fn silence_is_broken_again_and_again_and_says_how_far_it_looked() {
        let (_ring, rings) = watch::channel(());
        let log = Evens(Mutex::new(vec![1, 2, 3]));
        let heartbeat = Duration::from_millis(20);
        follow(&log, Pace { heartbeat, look_again: NEVER }, rings, async |mut events: mpsc::Receiver<Bytes>| {
            assert_eq!(events.recv().await.unwrap(), event(2));
            let told = Instant::now();
            assert_eq!(events.recv().await.unwrap(), ": still here\nid: 3\n\n");
            assert_eq!(events.recv().await.unwrap(), ": still here\n\n");
            assert!(told.elapsed() >= heartbeat, "{:?}", told.elapsed());
        })
        .await;
    }

    #[tokio::test]
    async fn a_commit_wakes_it_and_one_that_did_not_ring_is_found_too() {
        let (ring, rings) = watch::channel(());
        let log = Evens(Mutex::new(vec![2]));
        let asleep = Pace { heartbeat: NEVER, look_again: NEVER };
        follow(&log, asleep, rings.clone(), async |mut events: mpsc::Receiver<Bytes>| {
            assert_eq!(events.recv().await.unwrap(), event(2));
            log.0.lock().unwrap().extend(3..=11);
            ring.send(()).unwrap();
            for id in [4, 6, 8, 10] {
                assert_eq!(events.recv().await.unwrap(), event(id));
            }
        })
        .await;
        let pace = Pace { heartbeat: NEVER, look_again: Duration::from_millis(5) };
        follow(&log, pace, rings, async |mut events: mpsc::Receiver<Bytes>| {
            for id in [2, 4, 6, 8, 10] {
                assert_eq!(events.recv().await.unwrap(), event(id));
            }
            log.0.lock().unwrap().push(12);
            assert_eq!(events.recv().await.unwrap(), event(12));
        })
        .await;
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up_and_one_that_left_is_noticed() {
        let (_ring, rings) = watch::channel(());
        let (sender, events) = mpsc::channel(1);
        let out = Out { sender, stalled: Duration::from_millis(20) };
        let fresh = || Follow { after: 0, rings: rings.clone(), pace: Pace::default(), stop: CancellationToken::new() };
        assert!(matches!(fresh().run(&Endless, &out).await, Ended::Stalled));
        drop(events);
        assert!(matches!(fresh().run(&Evens(Mutex::default()), &out).await, Ended::Gone));
    }
}
