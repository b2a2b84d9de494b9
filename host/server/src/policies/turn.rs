//! A call's turn: in which order it waits for what, and the blocking thread it then has. A tenant's callers wait for that
//! tenant's turns first, so that no more of them than it has turns ever stand in the queue of all tenants; and what is
//! slow (loading code, scripts, making versions ready) has queues of its own, of which no tenant can have all turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reprise_lifecycle::decision::{CodeSource, FailureKind};
use reprise_lifecycle::question::Question;
use reprise_policy::{Call, CallLimits, Class, Evaluation, Loaded, StateSnapshot};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ask::Called;
use super::fair::{Fair, Lanes, NoTurn, OwnTurn, Size, Turn};
use super::guard::{Entry, INSIDE, Paces, Refused, Whom};
use super::{Policies, limits};
use crate::store::bindings::Bound;
use crate::store::limits::PolicyLimits;

/// Calls of scripts at once: each takes some hundred milliseconds of a core and up to a hundred mebibytes. How many of a
/// tenant wait, the guard bounds.
pub(super) const SCRIPTED: Size = Size { turns: 2, each: 1, waiting: INSIDE };

/// Components whose code is brought from disk into memory at once, which takes milliseconds.
const LOADING: Size = Size { turns: 4, each: 2, waiting: INSIDE };

/// The same of scripts, whose code is ten times as large.
const LOADING_SCRIPTED: Size = Size { turns: 2, each: 1, waiting: INSIDE };

/// Components of each class that are compiled again at once, because their code is not on the disk. Nobody else waits for
/// them: who loads from disk gives its turn back before it waits here. How many of a tenant wait is bounded by what it
/// may ask of the compilers over time.
const COMPILING: Size = Size { turns: 1, each: 1, waiting: INSIDE };

/// How long code waits for its turn to be compiled, whether or not the call that wanted it still does: longer than one
/// script of another tenant may keep the compiler, which is three minutes.
const COMPILING_WITHIN: Duration = Duration::from_secs(240);

/// Versions of each class that are made ready at once, beside the calls: each is started and shown its settings. Who waits
/// holds its settings, 64 KiB at most.
const READYING: Size = Size { turns: 1, each: 1, waiting: 16 };

/// Pushes that are inspected and compiled at once, of large components and of others: a compiler is a process with up to
/// 768 MiB. Who waits holds at most what came with its request.
const PUSHING: Size = Size { turns: 1, each: 1, waiting: 8 };

/// Changes of one tenant to what decides that may wait while one of them is done, which is a transaction. All tenants share
/// a few queues for them, in which none stands more than once.
const CHANGES_WAITING: usize = 16;

/// Components that run outside of calls, for which the engine has room in each class: a version made ready, and a push in
/// each of its two queues, which go by the size of what was not looked at yet.
pub(super) const TRIALS: u32 = 3;

/// The queues of all tenants.
#[derive(Debug)]
pub(super) struct Turns {
    calling: ByClass<Fair>,
    loading: ByClass<Fair>,
    pub(super) compiling: ByClass<Fair>,
    /// Those that wait for the same code, by tenant and digest: it is loaded once.
    pub(super) same: Lanes,
    /// Those that change what decides, by tenant.
    pub(super) changing: Lanes,
    pub(super) readying: ByClass<Fair>,
    pub(super) pushing: ByClass<Fair>,
}

/// One for each class of components, so that a compiled policy never waits for a script.
#[derive(Debug)]
pub(super) struct ByClass<T> {
    standard: T,
    scripted: T,
}

impl<T> ByClass<T> {
    pub(super) fn of(&self, class: Class) -> &T {
        match class {
            Class::Standard => &self.standard,
            Class::Scripted => &self.scripted,
        }
    }

    /// By the class's name in the catalogue.
    pub(super) fn named(&self, class: &str) -> &T {
        self.of(class_named(class))
    }
}

/// A class by its name in the catalogue.
pub(super) fn class_named(class: &str) -> Class {
    if class == Class::Scripted.name() { Class::Scripted } else { Class::Standard }
}

/// Why there is no code to be asked.
#[derive(Debug)]
pub(super) enum NotLoaded {
    /// Its turn did not come. What was begun goes on aside; a later look may find it.
    NoTurn(NoTurn),
    /// It cannot be made ready.
    Failed(String),
}

impl From<NoTurn> for NotLoaded {
    fn from(why: NoTurn) -> Self {
        Self::NoTurn(why)
    }
}

type Permits = Vec<OwnedSemaphorePermit>;

impl Turns {
    pub(super) fn new(standard: usize) -> Self {
        let queues = |standard, scripted| ByClass { standard: Fair::new(standard), scripted: Fair::new(scripted) };
        // Of compiled policies a tenant has as many turns as its own limits say, which the guard sees to.
        let standard = Size { turns: standard, each: standard, waiting: INSIDE };
        Self {
            calling: queues(standard, SCRIPTED),
            loading: queues(LOADING, LOADING_SCRIPTED),
            compiling: queues(COMPILING, COMPILING),
            same: Lanes::new(1, INSIDE),
            changing: Lanes::new(1, CHANGES_WAITING),
            readying: queues(READYING, READYING),
            pushing: queues(PUSHING, PUSHING),
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
        // A timer of no length takes the rest of a millisecond, and most calls have nothing to wait for.
        if !entry.wait.is_zero() {
            tokio::time::sleep(entry.wait).await;
        }
        let began = Instant::now();
        let overloaded = || {
            let message = "no evaluation slot came free in time";
            Called::never(Evaluation::failed(FailureKind::Overloaded, message))
        };
        let deadline = tokio::time::Instant::now() + self.wait;
        let Some(permits) = within(deadline, &entry.turns).await else { return overloaded() };
        let (loaded, code) = match self.loaded_for(tenant, &bound.version.digest, &bound.version.class, deadline).await
        {
            Ok(loaded) => loaded,
            Err(NotLoaded::NoTurn(NoTurn::Often(seconds))) => {
                let message = format!("too much code of the tenant was compiled again lately; wait {seconds} s");
                return Called::never(Evaluation::failed(FailureKind::RateLimited, &message));
            }
            Err(NotLoaded::NoTurn(NoTurn::Crowded(_) | NoTurn::Late)) => return overloaded(),
            Err(NotLoaded::Failed(why)) => return Called::never(Evaluation::failed(FailureKind::Unavailable, &why)),
        };
        self.meters.code(code);
        let base = self.defaults.of(&loaded);
        let queue = self.turns.calling.of(loaded.class());
        let Ok(turn) = queue.acquire(tenant, deadline).await else { return overloaded() };
        self.meters.waited(began.elapsed());
        let (state, state_revision) = match self.state_for(tenant, bound, &loaded).await {
            Ok(state) => state,
            Err(why) => return Called::never(Evaluation::failed(FailureKind::Unavailable, &why)),
        };
        let limits = limits::call(base, own, plugin);
        let granted = Some(limits::granted(&limits));
        let (question, settings) = (question.clone(), bound.settings.clone());
        let call = Prepared { loaded, question, settings, state, limits };
        let evaluation = self.run((permits, turn), call).await;
        Called { evaluation, code: Some(code), state_revision, granted }
    }

    /// The code, and where it came from.
    pub(super) async fn loaded_for(
        self: &Arc<Self>,
        tenant: &str,
        digest: &str,
        class: &str,
        deadline: tokio::time::Instant,
    ) -> Result<(Arc<Loaded>, CodeSource), NotLoaded> {
        let at_hand = || {
            let known = self.at_hand(tenant, digest)?;
            Some(known.map(|loaded| (loaded, CodeSource::Memory)).map_err(NotLoaded::Failed))
        };
        if let Some(known) = at_hand() {
            return known;
        }
        // Those who want the same wait for each other first: however many they are, they take one turn.
        let same = self.alone(tenant, digest, deadline).await?;
        if let Some(known) = at_hand() {
            return known;
        }
        let (policies, class) = (Arc::clone(self), class_named(class));
        let (tenant, digest) = (tenant.to_owned(), digest.to_owned());
        let load = tokio::spawn(async move {
            let _same = same;
            policies.load(tenant, digest, class, deadline).await
        });
        // The load goes on without whoever waited; the next call finds the code.
        let loaded = tokio::time::timeout_at(deadline, load).await.map_err(|_| NoTurn::Late)?;
        loaded.unwrap_or_else(|_| Err(not_ended()))
    }

    /// Loads code from disk before `deadline`, or has it compiled, for which it waits as long as a compiler may take.
    async fn load(
        self: Arc<Self>,
        tenant: String,
        digest: String,
        class: Class,
        deadline: tokio::time::Instant,
    ) -> Result<(Arc<Loaded>, CodeSource), NotLoaded> {
        // Every turn is held for as long as the thread is.
        let turn = self.turns.loading.of(class).acquire(&tenant, deadline).await?;
        let (policies, owner, wanted) = (Arc::clone(&self), tenant.clone(), digest.clone());
        let load = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            policies.load_from_disk(&owner, &wanted)
        });
        if let Some(loaded) = load.await.map_err(|_| not_ended())? {
            return Ok((loaded, CodeSource::Disk));
        }
        let counted = self.recompiles.count(&tenant, class, Instant::now());
        counted.map_err(|wait| NoTurn::Often(wait.as_secs().max(1)))?;
        let deadline = tokio::time::Instant::now() + COMPILING_WITHIN;
        let turn = self.turns.compiling.of(class).acquire(&tenant, deadline).await?;
        let compile = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            self.ready(&tenant, &digest).map_err(NotLoaded::Failed)
        });
        compile.await.unwrap_or_else(|_| Err(not_ended()))
    }

    /// The turn among the tenant's callers that want the same code.
    pub(super) async fn alone(
        &self,
        tenant: &str,
        digest: &str,
        deadline: tokio::time::Instant,
    ) -> Result<OwnTurn, NoTurn> {
        let key = format!("{tenant} {digest}");
        tokio::time::timeout_at(deadline, self.turns.same.acquire(&key)).await.unwrap_or(Err(NoTurn::Late))
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

    async fn run(self: &Arc<Self>, turns: (Permits, Turn), call: Prepared) -> Evaluation {
        let policies = Arc::clone(self);
        let run = move || {
            // The turns are held for as long as the thread is, even if nobody waits for the answer any more.
            let _turns = turns;
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

fn not_ended() -> NotLoaded {
    NotLoaded::Failed("loading its code did not end".to_owned())
}

/// One permit of each, in this order, or none if they do not come in time.
async fn within(deadline: tokio::time::Instant, turns: &[Arc<Semaphore>]) -> Option<Permits> {
    let all = async {
        let mut permits = Vec::with_capacity(turns.len());
        for turn in turns {
            permits.push(Arc::clone(turn).acquire_owned().await.ok()?);
        }
        Some(permits)
    };
    tokio::time::timeout_at(deadline, all).await.ok().flatten()
}

#[cfg(test)]
mod tests;
