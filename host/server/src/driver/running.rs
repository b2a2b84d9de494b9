//! What is running, against what should be: start what is missing, stop what is no longer wanted, leave the
//! rest. Recovery after a crash is this same comparison with nothing running.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::id::{BroadcastId, EffectId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Handle;

/// How long work that ended without telling what came of it waits before it is tried again: it fails on
/// something that is not the tenant's doing, such as a full disk.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The longest such wait: each one is twice the one before, so that a machine in trouble is not kept busy with
/// work that fails.
const TRY_AGAIN_AT_LAST: Duration = Duration::from_secs(300);

/// How long running work may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(8);

/// One piece of work.
#[derive(Clone, Debug)]
pub struct Work {
    /// What concerns it of the broadcast it belongs to, as it was when the work was called for
    /// ([`Broadcast::excerpt`]).
    pub broadcast: Arc<Broadcast>,
    /// Its id.
    pub effect_id: EffectId,
    /// What to do.
    pub effect: Effect,
    /// Set when it is no longer wanted.
    pub cancel: CancellationToken,
}

/// Does work. It tells the driver what came of it as an input; ending without doing so means "try again".
pub trait Perform: Send + Sync {
    /// Does `work` until it is done or cancelled.
    fn perform(&self, work: Work) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

pub(super) struct Running {
    perform: Arc<dyn Perform>,
    handle: Handle,
    broadcasts: BTreeMap<BroadcastId, OfBroadcast>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What runs for one broadcast. One for which nothing runs is forgotten.
#[derive(Default)]
struct OfBroadcast {
    work: BTreeMap<EffectId, CancellationToken>,
    /// How often work that is still wanted ended without telling what came of it.
    ended_before: BTreeMap<EffectId, u32>,
}

impl Running {
    pub(super) fn new(perform: Arc<dyn Perform>, handle: Handle) -> Self {
        Self { perform, handle, broadcasts: BTreeMap::new(), tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Makes what runs for `id` equal to what should.
    pub(super) fn reconcile(&mut self, id: &BroadcastId, broadcast: Option<&Broadcast>) {
        let wanted = broadcast.map(Broadcast::outstanding).unwrap_or_default();
        let mut of = self.broadcasts.remove(id).unwrap_or_default();
        of.work.retain(|effect, cancel| {
            let keep = wanted.contains_key(effect);
            if !keep {
                cancel.cancel();
            }
            keep
        });
        of.ended_before.retain(|effect, _| wanted.contains_key(effect));
        if let Some(broadcast) = broadcast.filter(|_| !self.stop.is_cancelled()) {
            for (effect_id, effect) in wanted {
                if of.work.contains_key(&effect_id) {
                    continue;
                }
                let cancel = self.stop.child_token();
                of.work.insert(effect_id, cancel.clone());
                let broadcast = Arc::new(broadcast.excerpt(&effect));
                let work = Work { broadcast, effect_id, effect, cancel };
                self.start(work, of.ended_before.get(&effect_id).copied().unwrap_or(0));
            }
        }
        if !of.work.is_empty() || !of.ended_before.is_empty() {
            self.broadcasts.insert(id.clone(), of);
        }
    }

    fn start(&self, work: Work, ended_before: u32) {
        let (perform, handle) = (Arc::clone(&self.perform), self.handle.clone());
        let (broadcast, effect, cancel) = (work.broadcast.id.clone(), work.effect_id, work.cancel.clone());
        self.tasks.spawn(async move {
            if ended_before > 0 {
                tokio::select! {
                    () = tokio::time::sleep(wait_before(ended_before)) => {}
                    () = cancel.cancelled() => return,
                }
            }
            // A panic in one piece of work must neither take the driver down nor leave the work unowned.
            let ended = tokio::spawn(perform.perform(work)).await;
            if let Err(error) = ended {
                tracing::error!(broadcast.id = %broadcast, error = %error, "work ended by a panic; it is tried again");
            }
            handle.work_ended(broadcast, effect).await;
        });
    }

    /// Notes that work ended; if it is still wanted, the next reconciliation starts it again.
    pub(super) fn ended(&mut self, broadcast: &BroadcastId, effect: EffectId) {
        if let Some(of) = self.broadcasts.get_mut(broadcast)
            && of.work.remove(&effect).is_some()
        {
            *of.ended_before.entry(effect).or_default() += 1;
        }
    }

    /// Cancels everything; nothing is started any more. The future ends when all work has, or after a while.
    pub(super) fn stop(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stop.cancel();
        self.tasks.close();
        let tasks = self.tasks.clone();
        async move {
            if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
                tracing::warn!(running = tasks.len(), "work did not end in time; it starts again with the server");
            }
        }
    }
}

/// How long work waits that ended `ended_before` times without telling what came of it.
fn wait_before(ended_before: u32) -> Duration {
    let doublings = ended_before.saturating_sub(1).min(16);
    TRY_AGAIN.saturating_mul(1 << doublings).min(TRY_AGAIN_AT_LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_keeps_failing_is_tried_less_and_less_often() {
        let waits: Vec<u64> = [1, 2, 3, 6, 7, 8, 1_000].map(|times| wait_before(times).as_secs()).to_vec();
        assert_eq!(waits, [5, 10, 20, 160, 300, 300, 300]);
    }
}
