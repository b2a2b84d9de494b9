//! Who is publishing now: every accepted publisher by its stream, recorded or not. One stream has one publisher. The
//! register is how a decision reaches a connection, and what listings show; it lives in memory only, as connections do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use reprise_lifecycle::id::{BroadcastId, Epoch};
use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::record::RecordRules;
use reprise_lifecycle::time::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::meter::Seen;

/// Orders that wait for a connection. Each is answered before the next is looked at, and who gives them waits.
const ORDERS: usize = 4;

/// Why a publisher is sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kick {
    /// Once; it may come back.
    #[error("the publisher was sent away")]
    Once,
    /// Its stream is forbidden.
    #[error("the stream is forbidden")]
    Forbidden,
    /// The disk is full.
    #[error("the server's disk is full; what was recorded is kept")]
    Storage,
    /// Its broadcast is over.
    #[error("the broadcast is over")]
    Over,
}

/// What a publisher is told to do with its recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Record from now on, by these rules.
    Start(Box<RecordRules>),
    /// Record no more; the break window runs.
    Stop,
    /// Do not wait for the break window.
    EndBreak,
    /// End the recording, if there is one, and begin a new one by these rules.
    Restart(Box<RecordRules>),
}

/// Why an order is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    /// It is being recorded already.
    #[error("the stream is being recorded already")]
    Started,
    /// There is nothing that it could apply to.
    #[error("{0}")]
    NotNow(&'static str),
    /// The recording cannot begin or end now.
    #[error("{0}")]
    Failed(String),
}

/// An order and who waits for it.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) order: Order,
    pub(super) reply: oneshot::Sender<Result<(), OrderRefused>>,
}

/// What is known of a publisher when it is accepted.
#[derive(Clone, Debug)]
pub struct Who {
    /// The owner of the stream.
    pub tenant: String,
    /// The play domain bound to the stream's push domain.
    pub play_domain: String,
    /// The stream.
    pub stream: StreamKey,
    /// Where the publisher comes from.
    pub client: IpAddr,
    /// Our address that it found.
    pub server: IpAddr,
    /// Since when.
    pub since: Timestamp,
}

/// One connected publisher.
#[derive(Debug)]
pub struct Publisher {
    /// What is known of it.
    pub who: Who,
    kicked: OnceLock<Kick>,
    /// Set when it is to go.
    pub(super) dropped: CancellationToken,
    left: CancellationToken,
    orders: mpsc::Sender<Ordered>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    recording: Option<(BroadcastId, Epoch)>,
    seen: Seen,
}

/// All connected publishers.
#[derive(Debug, Default)]
pub struct Publishers {
    streams: Mutex<BTreeMap<StreamKey, Arc<Publisher>>>,
}

/// Why a publisher is not entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEntry {
    /// The stream has a publisher.
    #[error("the stream is already live")]
    AlreadyLive,
    /// The tenant has as many as it may.
    #[error("the tenant has as many publishers as it may have")]
    TooMany,
}

/// A publisher's entry; it is gone when this is dropped.
#[derive(Debug)]
pub struct Entry {
    publishers: Arc<Publishers>,
    /// The publisher.
    pub publisher: Arc<Publisher>,
    pub(super) orders: mpsc::Receiver<Ordered>,
}

impl Publishers {
    /// Enters a publisher, if its stream has none and its tenant has fewer than `per_tenant`.
    ///
    /// # Errors
    /// Why not.
    pub fn enter(self: &Arc<Self>, who: Who, per_tenant: usize) -> Result<Entry, NoEntry> {
        let (orders, received) = mpsc::channel(ORDERS);
        let mut streams = self.lock();
        if streams.contains_key(&who.stream) {
            return Err(NoEntry::AlreadyLive);
        }
        if streams.values().filter(|other| other.who.tenant == who.tenant).count() >= per_tenant {
            return Err(NoEntry::TooMany);
        }
        let stream = who.stream.clone();
        let publisher = Arc::new(Publisher {
            who,
            kicked: OnceLock::new(),
            dropped: CancellationToken::new(),
            left: CancellationToken::new(),
            orders,
            state: Mutex::default(),
        });
        streams.insert(stream, Arc::clone(&publisher));
        Ok(Entry { publishers: Arc::clone(self), publisher, orders: received })
    }

    /// A stream's publisher.
    pub fn publisher(&self, stream: &StreamKey) -> Option<Arc<Publisher>> {
        self.lock().get(stream).cloned()
    }

    /// All publishers of a tenant, by stream.
    pub fn of_tenant(&self, tenant: &str) -> Vec<Arc<Publisher>> {
        self.lock().values().filter(|publisher| publisher.who.tenant == tenant).cloned().collect()
    }

    /// Sends away the publisher whose media goes to this broadcast. Says whether it is connected.
    pub fn send_away(&self, broadcast: &BroadcastId, epoch: Epoch) -> bool {
        let recorded =
            |publisher: &&Arc<Publisher>| publisher.recording().as_ref() == Some(&(broadcast.clone(), epoch));
        let found = self.lock().values().find(recorded).cloned();
        found.is_some_and(|publisher| {
            publisher.kick(Kick::Over);
            true
        })
    }

    /// Sends away every publisher that is being recorded. Says how many were not told before.
    pub fn end_recordings(&self, why: Kick) -> usize {
        let recorded: Vec<_> =
            self.lock().values().filter(|publisher| publisher.recording().is_some()).cloned().collect();
        recorded.iter().filter(|publisher| publisher.kick(why)).count()
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// How many of them are being recorded.
    pub fn recorded(&self) -> usize {
        self.lock().values().filter(|publisher| publisher.recording().is_some()).count()
    }

    /// Each change is one map operation, so the map is whole even if a thread panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamKey, Arc<Publisher>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publisher {
    /// Sends it away. The first reason counts; says whether this is it.
    pub fn kick(&self, why: Kick) -> bool {
        let first = self.kicked.set(why).is_ok();
        self.dropped.cancel();
        first
    }

    /// Why it was sent away, if it was.
    pub fn kicked(&self) -> Option<Kick> {
        self.kicked.get().copied()
    }

    /// Ends when it is gone and its leave is recorded.
    pub async fn gone(&self) {
        self.left.cancelled().await;
    }

    /// Gives an order and waits until it is carried out.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn order(&self, order: Order) -> Result<(), OrderRefused> {
        let gone = || OrderRefused::Failed("the publisher is gone".to_owned());
        let (reply, answer) = oneshot::channel();
        self.orders.send(Ordered { order, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The broadcast that its media goes to, and as which publisher of it.
    pub fn recording(&self) -> Option<(BroadcastId, Epoch)> {
        self.lock().recording.clone()
    }

    /// What is known of its media.
    pub fn seen(&self) -> Seen {
        self.lock().seen.clone()
    }

    pub(super) fn set_recording(&self, recording: Option<(BroadcastId, Epoch)>) {
        self.lock().recording = recording;
    }

    pub(super) fn set_seen(&self, seen: Seen) {
        self.lock().seen = seen;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.publishers.lock().remove(&self.publisher.who.stream);
        self.publisher.left.cancel();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn who(tenant: &str, name: &str) -> Who {
        Who {
            tenant: tenant.to_owned(),
            play_domain: format!("play.{tenant}.example"),
            stream: StreamKey {
                domain: format!("push.{tenant}.example"),
                app: "studio".to_owned(),
                name: name.to_owned(),
            },
            client: IpAddr::from([203, 0, 113, 9]),
            server: IpAddr::from([127, 0, 0, 1]),
            since: crate::testkit::noon(),
        }
    }

    #[test]
    fn a_stream_has_one_publisher_and_a_tenant_a_few() {
        let publishers = Arc::new(Publishers::default());
        let first = publishers.enter(who("acme", "one"), 2).unwrap();
        assert_eq!(publishers.enter(who("acme", "one"), 2).unwrap_err(), NoEntry::AlreadyLive);
        let _second = publishers.enter(who("acme", "two"), 2).unwrap();
        assert_eq!(publishers.enter(who("acme", "three"), 2).unwrap_err(), NoEntry::TooMany);
        let _other = publishers.enter(who("umbrella", "three"), 2).unwrap();
        assert_eq!((publishers.count(), publishers.of_tenant("acme").len()), (3, 2));
        drop(first);
        publishers.enter(who("acme", "one"), 2).unwrap();
    }

    #[test]
    fn the_first_reason_to_go_counts() {
        let publishers = Arc::new(Publishers::default());
        let entry = publishers.enter(who("acme", "one"), 2).unwrap();
        let broadcast = BroadcastId::new("b1");
        assert!(!publishers.send_away(&broadcast, 1));
        assert_eq!(publishers.end_recordings(Kick::Storage), 0, "it is not recorded");
        entry.publisher.set_recording(Some((broadcast.clone(), 1)));
        assert!(!publishers.send_away(&broadcast, 2));
        assert_eq!(publishers.end_recordings(Kick::Storage), 1);
        assert_eq!(publishers.end_recordings(Kick::Storage), 0, "it knows already");
        assert!(publishers.send_away(&broadcast, 1));
        assert_eq!(entry.publisher.kicked(), Some(Kick::Storage));
        assert!(entry.publisher.dropped.is_cancelled());
    }
}
