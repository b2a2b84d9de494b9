//! The driver: one task, the only writer of journals. It takes a bounded batch of inputs, lets the core say
//! which records follow, commits them all in one transaction with their events and read models, and only then
//! answers whoever waits and starts or stops the work that should be running.
//!
//! It awaits its inbox and the commit, nothing else. If a commit fails it answers nobody with success, forgets
//! the broadcasts it touched and folds them again from the store.

mod batch;
mod handle;
mod lost;
mod running;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reprise_lifecycle::broadcast::{Broadcast, Publishing};
use reprise_lifecycle::id::{BroadcastId, Epoch};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::record::LeaveCause;
use reprise_lifecycle::time::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::handle::Message;
pub use self::handle::{Handle, Joined, OpenPart, Produced, PublishRefused, Refused};
use self::lost::Left;
use self::running::Running;
pub use self::running::{Perform, Work};
use crate::api::urls::MediaUrls;
use crate::clock;
use crate::files::Files;
use crate::store::{self, Store};

/// Inputs that may wait. A full inbox makes recorders wait, and so at last the encoder; nothing is lost.
const INBOX: usize = 1024;

/// Inputs of one commit: enough for group commit, few enough that nobody waits long for an answer.
const BATCH: usize = 64;

/// How long the driver waits before it looks at the store again, or at the clock, after a failed commit.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// What the driver needs to know beside the store.
#[derive(Debug)]
pub struct Context {
    /// The catalogue.
    pub store: Store,
    /// The disk, for the time of the last media before a crash.
    pub files: Arc<Files>,
    /// Where videos play from; part of event bodies.
    pub urls: MediaUrls,
    /// Publishers of one tenant at once.
    pub publishers_per_tenant: usize,
    /// Whether a callback policy is bound for a stream, so that deliveries wait for it.
    pub shapes: Arc<dyn Shapes>,
    /// Rung after each commit that may have made a delivery; each listener has its own.
    pub committed: Vec<Arc<tokio::sync::Notify>>,
}

/// Says whether a callback policy is bound.
pub trait Shapes: Send + Sync + std::fmt::Debug {
    /// For this tenant and stream, now.
    fn shapes(&self, tenant: &str, stream: &StreamKey) -> bool;
}

/// The driver's state; owned by its task.
pub struct Driver {
    context: Context,
    inbox: mpsc::Receiver<Message>,
    live: BTreeMap<BroadcastId, Broadcast>,
    running: Running,
    /// When the last commit failed, if it did.
    failed_at: Option<tokio::time::Instant>,
    /// Publishers of the last run whose leave is not recorded yet. Until it is nobody can come back to their streams.
    lost: Vec<Lost>,
}

/// A publisher that was connected when the server stopped, where its media ends, and when the last of it reached the
/// disk.
#[derive(Clone)]
struct Lost {
    broadcast: BroadcastId,
    epoch: Epoch,
    media_ms: Option<u64>,
    last_media_at: Option<Timestamp>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("live", &self.live.len()).finish_non_exhaustive()
    }
}

/// An inbox, and the handle that fills it.
pub fn inbox() -> (Handle, Inbox) {
    let (sender, receiver) = mpsc::channel(INBOX);
    (Handle::new(sender), Inbox(receiver))
}

/// The receiving end of a [`Handle`].
#[derive(Debug)]
pub struct Inbox(mpsc::Receiver<Message>);

impl Driver {
    /// Folds every broadcast that is not settled. Publishers that were connected when the server stopped are
    /// reported lost: their break window runs from now.
    ///
    /// # Errors
    /// When the store cannot be read. A journal that does not fold is logged and left alone.
    pub async fn load(
        context: Context,
        handle: Handle,
        inbox: Inbox,
        perform: Arc<dyn Perform>,
    ) -> store::Result<Self> {
        let running = Running::new(perform, handle);
        let mut driver =
            Self { context, inbox: inbox.0, live: BTreeMap::new(), running, failed_at: None, lost: Vec::new() };
        for id in driver.context.store.unsettled_broadcasts().await? {
            driver.fold(&id).await?;
        }
        Ok(driver)
    }

    /// Runs until `stop`, then takes what is in the inbox already and ends all running work.
    pub async fn run(mut self, stop: CancellationToken) {
        self.lost = self.lost_publishers().await;
        self.report_lost().await;
        let everyone: Vec<BroadcastId> = self.live.keys().cloned().collect();
        self.reconcile(&everyone);
        let mut messages = Vec::with_capacity(BATCH);
        loop {
            // An inbox that is never empty must not keep break windows open.
            if self.wake_in().is_zero() {
                self.tick().await;
            }
            let wake = self.wake_in();
            tokio::select! {
                biased;
                count = self.inbox.recv_many(&mut messages, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.turn(std::mem::take(&mut messages)).await;
                }
                () = tokio::time::sleep(wake) => self.tick().await,
                () = stop.cancelled() => break,
            }
        }
        self.drain(messages).await;
    }

    /// Ends all work while still taking inputs, because work that ends may have something to tell.
    async fn drain(&mut self, mut messages: Vec<Message>) {
        let ended = self.running.stop();
        tokio::pin!(ended);
        loop {
            tokio::select! {
                biased;
                () = &mut ended => break,
                count = self.inbox.recv_many(&mut messages, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.turn(std::mem::take(&mut messages)).await;
                }
            }
        }
        self.inbox.close();
        while self.inbox.recv_many(&mut messages, BATCH).await > 0 {
            self.turn(std::mem::take(&mut messages)).await;
        }
    }

    /// The publishers that were connected when the server stopped. Their breaks begin with the last media that reached the
    /// disk, not with the restart, and lie where that media ends.
    async fn lost_publishers(&self) -> Vec<Lost> {
        let lost: Vec<(BroadcastId, Epoch, Left)> = self
            .live
            .values()
            .filter_map(|broadcast| {
                let epoch = match broadcast.publishing {
                    Publishing::Live { epoch } => epoch,
                    Publishing::Over { lingering, .. } => lingering?,
                    Publishing::Broken { .. } => return None,
                };
                Some((broadcast.id.clone(), epoch, Left::of(broadcast)))
            })
            .collect();
        let files = Arc::clone(&self.context.files);
        let looked = tokio::task::spawn_blocking(move || {
            let looked = |(broadcast, epoch, left): (BroadcastId, Epoch, Left)| {
                let (media_ms, last_media_at) = left.look(&files);
                Lost { broadcast, epoch, media_ms, last_media_at }
            };
            lost.into_iter().map(looked).collect()
        });
        looked.await.unwrap_or_default()
    }

    /// Records their leaves. What the catalogue does not take is told again later.
    async fn report_lost(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        for batch in lost.chunks(BATCH) {
            let gone = batch.iter().map(|lost| {
                let Lost { broadcast, epoch, media_ms, last_media_at } = lost.clone();
                let cause = LeaveCause::ServerStopped;
                let gone = Input::PublisherGone { epoch, cause, media_ms, last_media_at };
                Message::Input { broadcast, input: Box::new(gone), question: None, reply: None }
            });
            self.turn(gone.collect()).await;
            if self.failed_at.is_some() {
                self.lost.extend_from_slice(batch);
            }
        }
    }

    /// Time until some break window ends. One whose end could not be recorded is not tried again at once: a catalogue
    /// without room would keep a core busy and the log growing.
    fn wake_in(&self) -> Duration {
        let next = self.live.values().filter_map(Broadcast::wake_at).min();
        let wake_in = match next {
            _ if !self.lost.is_empty() => Duration::ZERO,
            Some(at) => Duration::from_millis(at.ms_since(clock::now())),
            None => Duration::from_secs(3600),
        };
        let pause = self.failed_at.map_or(Duration::ZERO, |at| AFTER_FAILURE.saturating_sub(at.elapsed()));
        wake_in.max(pause)
    }

    async fn tick(&mut self) {
        if !self.lost.is_empty() {
            self.report_lost().await;
        }
        let now = clock::now();
        let due: Vec<Message> = self
            .live
            .values()
            .filter(|broadcast| broadcast.wake_at().is_some_and(|at| at <= now))
            .map(|broadcast| Message::Input {
                broadcast: broadcast.id.clone(),
                input: Box::new(Input::Tick),
                question: None,
                reply: None,
            })
            .collect();
        for messages in batches(due) {
            self.turn(messages).await;
        }
    }

    async fn fold(&mut self, id: &BroadcastId) -> store::Result<()> {
        let records = self.context.store.journal(id).await?;
        match Broadcast::fold(id.clone(), &records) {
            Ok(Some(broadcast)) => {
                self.live.insert(id.clone(), broadcast);
            }
            Ok(None) => {
                self.live.remove(id);
            }
            Err(corrupt) => {
                self.live.remove(id);
                tracing::error!(broadcast.id = %id, error = %corrupt, "a journal does not fold; its broadcast is left alone");
            }
        }
        Ok(())
    }

    /// The broadcast that a publisher of this stream would join.
    fn current(&self, stream: &StreamKey) -> Option<&Broadcast> {
        self.live.values().find(|broadcast| !broadcast.is_over() && &broadcast.stream == stream)
    }

    fn reconcile(&mut self, touched: &[BroadcastId]) {
        for id in touched {
            match self.live.get(id) {
                Some(broadcast) if broadcast.is_settled() => {
                    self.running.reconcile(id, None);
                    self.live.remove(id);
                }
                broadcast => self.running.reconcile(id, broadcast),
            }
        }
    }

    /// Folds the touched broadcasts again from the store, which alone knows what was committed.
    async fn reload(&mut self, touched: &[BroadcastId]) {
        for id in touched {
            while let Err(error) = self.fold(id).await {
                tracing::error!(broadcast.id = %id, error = %error, "the catalogue cannot be read; trying again");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
        self.reconcile(touched);
    }
}

fn batches(mut messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut batches = Vec::new();
    while !messages.is_empty() {
        let rest = messages.split_off(messages.len().min(BATCH));
        batches.push(std::mem::replace(&mut messages, rest));
    }
    batches
}

/// A fresh broadcast's id: 128 random bits. `None` when the system has none.
pub fn fresh_id() -> Option<BroadcastId> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).ok()?;
    Some(BroadcastId::new(hex::encode(bits)))
}

/// The time of a whole turn: every record of one commit says the same.
fn turn_time() -> Timestamp {
    clock::now()
}
