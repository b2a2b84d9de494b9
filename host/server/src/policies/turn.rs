//! A call's turn: in which order it waits for what, and the blocking thread it then has. A tenant's callers wait for that
//! tenant's turns first, so that no more of them than it has turns ever stand in the queue of all tenants; and what is
//! slow (loading code, scripts) has queues of its own.

use std::sync::Arc;
use std::time::Instant;

use reprise_lifecycle::decision::{CodeSource, FailureKind};
use reprise_lifecycle::question::Question;
use reprise_policy::{Call, CallLimits, Class, Evaluation, Loaded, StateSnapshot};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ask::Called;
use super::guard::{Entry, Paces, Refused, Whom};
use super::{Policies, limits};
use crate::store::bindings::Bound;
use crate::store::limits::PolicyLimits;

/// Calls of scripts at once: each takes some hundred milliseconds of a core and up to a hundred mebibytes.
pub(super) const SCRIPTED_TURNS: usize = 2;

/// Components whose code is brought into memory at once: from disk in milliseconds, or by a compiler.
pub(super) const LOADING_TURNS: usize = 4;

/// Versions that are made ready at once, beside the calls: each is started and shown its settings.
pub(super) const READYING_TURNS: usize = 1;

/// The queues of all tenants.
#[derive(Debug)]
pub(super) struct Turns {
    standard: Arc<Semaphore>,
    scripted: Arc<Semaphore>,
    loading: Arc<Semaphore>,
    pub(super) readying: Arc<Semaphore>,
}

type Permits = Vec<OwnedSemaphorePermit>;

impl Turns {
    pub(super) fn new(standard: usize) -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self {
            standard: turns(standard),
            scripted: turns(SCRIPTED_TURNS),
            loading: turns(LOADING_TURNS),
            readying: turns(READYING_TURNS),
        }
    }
}

impl Policies {
    pub(super) fn enter(&self, tenant: &str, bound: &Bound, paces: Paces, watched: bool) -> Result<Entry, Refused> {
        let whom = Whom {
            tenant,
            plugin: &bound.binding.plugin,
            version: bound.version.version,
            settings: bound.binding.settings_revision,
            watched,
        };
        self.guard.enter(whom, paces, Instant::now())
    }

    /// The call of one that was let in.
    pub(super) async fn call_inside(
        self: &Arc<Self>,
        tenant: &str,
        entry: &Entry,
        bound: &Bound,
        (own, plugin): (&PolicyLimits, Option<&PolicyLimits>),
        question: &Question,
    ) -> Called {
        tokio::time::sleep(entry.wait).await;
        let began = Instant::now();
        let overloaded = || {
            let message = "no evaluation slot came free in time";
            Called::never(Evaluation::failed(FailureKind::Overloaded, message))
        };
        let deadline = tokio::time::Instant::now() + self.wait;
        let Some(mut permits) = within(deadline, &entry.turns).await else { return overloaded() };
        let (loaded, code) = match self.loaded_for(&bound.version.digest, deadline).await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return overloaded(),
            Err(why) => return Called::never(Evaluation::failed(FailureKind::Unavailable, &why)),
        };
        self.meters.code(code);
        let queue = match loaded.class() {
            Class::Standard => &self.turns.standard,
            Class::Scripted => &self.turns.scripted,
        };
        let base = self.defaults.of(&loaded);
        let Some(all) = within(deadline, std::slice::from_ref(queue)).await else { return overloaded() };
        permits.extend(all);
        self.meters.waited(began.elapsed());
        let (state, state_revision) = match self.state_for(tenant, bound, &loaded).await {
            Ok(state) => state,
            Err(why) => return Called::never(Evaluation::failed(FailureKind::Unavailable, &why)),
        };
        let limits = limits::call(base, own, plugin);
        let granted = Some(limits::granted(&limits));
        let (question, settings) = (question.clone(), bound.settings.clone());
        let call = Prepared { loaded, question, settings, state, limits };
        Called { evaluation: self.run(permits, call).await, code: Some(code), state_revision, granted }
    }

    /// The code, and where it came from; none if its turn did not come in time.
    async fn loaded_for(
        self: &Arc<Self>,
        digest: &str,
        deadline: tokio::time::Instant,
    ) -> Result<Option<(Arc<Loaded>, CodeSource)>, String> {
        if let Some(loaded) = self.loaded.get(digest) {
            return Ok(Some((loaded, CodeSource::Memory)));
        }
        let Some(turn) = within(deadline, std::slice::from_ref(&self.turns.loading)).await else { return Ok(None) };
        let (policies, digest) = (Arc::clone(self), digest.to_owned());
        let load = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            policies.ready(&digest)
        });
        // The load goes on without whoever waited; the next call finds the code.
        let Ok(loaded) = tokio::time::timeout_at(deadline, load).await else { return Ok(None) };
        loaded.unwrap_or_else(|_| Err("loading its code did not end".to_owned())).map(Some)
    }

    /// The state that a call sees, if it can see any.
    async fn state_for(
        &self,
        tenant: &str,
        bound: &Bound,
        loaded: &Loaded,
    ) -> Result<(StateSnapshot, Option<u64>), String> {
        if !loaded.uses_state() {
            return Ok((StateSnapshot::default(), None));
        }
        let state = self.store.plugin_state(tenant, &bound.binding.plugin).await;
        let state = state.map_err(|error| format!("its state cannot be read: {error}"))?;
        Ok((StateSnapshot::from(state.entries), Some(state.revision)))
    }

    async fn run(self: &Arc<Self>, permits: Permits, call: Prepared) -> Evaluation {
        let policies = Arc::clone(self);
        let run = move || {
            // The turns are held for as long as the thread is, even if nobody waits for the answer any more.
            let _permits = permits;
            let assets = policies.assets_of(&call.loaded);
            let Prepared { loaded, question, settings, state, limits } = &call;
            policies.evaluator.evaluate(loaded, &Call { question, settings, state, assets: &assets, limits })
        };
        let joined = tokio::task::spawn_blocking(run).await;
        joined.unwrap_or_else(|_| Evaluation::failed(FailureKind::Unavailable, "the evaluation did not end"))
    }
}

/// A call with all it needs on its thread.
struct Prepared {
    loaded: Arc<Loaded>,
    question: Question,
    settings: String,
    state: StateSnapshot,
    limits: CallLimits,
}

/// One permit of each, in this order, or none if they do not come in time.
async fn within(deadline: tokio::time::Instant, turns: &[Arc<Semaphore>]) -> Option<Permits> {
    let all = async {
        let mut permits = Vec::with_capacity(turns.len() + 1);
        for turn in turns {
            permits.push(Arc::clone(turn).acquire_owned().await.ok()?);
        }
        Some(permits)
    };
    tokio::time::timeout_at(deadline, all).await.ok().flatten()
}
