//! Policies on the server's side: which one a stream has at a hook, a slot to run it in, and what its verdict
//! comes to. The engine itself is `reprise-policy`; it blocks, so it runs on blocking threads.

mod activate;
mod admit;
mod ask;
mod assets;
pub mod backtest;
mod binding;
mod chain;
mod change;
mod code_cache;
mod cold;
pub mod compare;
pub mod decide;
pub mod fair;
pub mod follower;
mod guard;
mod limits;
mod meters;
mod publishing;
mod push;
mod ready;
pub mod rollout;
pub mod signature;
mod tenant;
mod trial;
mod turn;

use std::collections::HashMap;
use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use reprise_lifecycle::question::{Hook, StreamKey};
use reprise_policy::{
    AdmissionLimits, CompilerCommand, Engine, EngineError, EngineOptions, Evaluator, LoadedPolicies, SealKey,
};
use tokio::sync::{Mutex, Notify};

pub use self::activate::{ActivateError, Activation};
pub use self::ask::Asked;
pub use self::chain::Chained;
pub use self::change::{SETTINGS_BYTES, ShownLimits};
pub use self::code_cache::{CodeCache, Uses};
use self::guard::{BreakerRule, Guard};
pub use self::limits::EffectiveLimits;
use self::meters::Meters;
pub use self::push::{Push, PushError, Pushed, Signed};
pub use self::tenant::TenantPolicies;
pub use self::trial::{Tried, Wanted};
use crate::config;
use crate::driver::Shapes;
use crate::files::Files;
use crate::store::quotas::Quotas;
use crate::store::{self, Store};

/// Turns to change what decides, shared by all tenants: many more than changes that happen at once.
const CHANGES: usize = 64;

/// Tenants whose bindings are read at once at the start; the catalogue has about as many readers.
const REFRESH_AT_ONCE: usize = 4;

/// All tenants' policies.
pub struct Policies {
    store: Store,
    files: Arc<Files>,
    evaluator: Evaluator,
    engine: Engine,
    /// Held by whoever compiles: one for each class of components.
    compiling: [std::sync::Mutex<()>; 2],
    recompiles: cold::Recompiles,
    failures: cold::Failures,
    loaded: LoadedPolicies,
    code: CodeCache,
    /// Which components are taken.
    admission: AdmissionLimits,
    compiler: CompilerCommand,
    /// The configured limits, under those that are set for tenants and plugins.
    defaults: limits::Defaults,
    turns: turn::Turns,
    guard: Arc<Guard>,
    quotas: Quotas,
    wait: Duration,
    meters: Meters,
    accepted: ready::Accepted,
    /// What decides for each tenant that has something that decides. Each value is swapped whole.
    snapshots: RwLock<HashMap<String, Arc<TenantPolicies>>>,
    /// What decides for all others.
    nothing: Arc<TenantPolicies>,
    changes: [Mutex<()>; CHANGES],
    changes_by: RandomState,
    canaries: rollout::Canaries,
    unpublished: publishing::Unpublished,
    /// Rung when decisions were recorded.
    follow: Arc<Notify>,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies").field("loaded", &self.loaded.len()).finish_non_exhaustive()
    }
}

impl Policies {
    /// An engine under the configured limits, with nothing bound; see [`Policies::refresh`].
    ///
    /// # Errors
    /// When the machine does not grant what the engine needs.
    pub fn new(
        config: &config::Policies,
        store: Store,
        files: Arc<Files>,
        seal: [u8; 32],
    ) -> Result<Self, EngineError> {
        let calls = u32::try_from(config.concurrent).unwrap_or(u32::MAX);
        let aside = follower::AT_ONCE.saturating_add(backtest::threads(config.backtest_threads));
        let aside = u32::try_from(aside).unwrap_or(u32::MAX);
        let engine = Engine::new(EngineOptions {
            max_concurrent_calls: calls.saturating_add(turn::TRIALS).saturating_add(aside),
            scripted_concurrent_calls: (turn::SCRIPTED.turns as u32).saturating_add(turn::TRIALS).saturating_add(aside),
        })?;
        let defaults = limits::Defaults::new(config);
        let wait = Duration::from_millis(config.wait_ms);
        let rule = BreakerRule {
            failures: config.breaker_failures.max(1),
            pause: Duration::from_secs(config.breaker_seconds),
            longest: Duration::from_secs(config.breaker_max_seconds.max(config.breaker_seconds)),
        };
        let cache = files.plugins().open_dir("cache");
        let code = cache
            .and_then(|dir| CodeCache::new(dir, SealKey::new(seal), mib(config.code_cache_mib) as u64))
            .map_err(EngineError::Cache)?;
        Ok(Self {
            store,
            files,
            evaluator: Evaluator::new(engine.clone()),
            engine,
            compiling: Default::default(),
            recompiles: cold::Recompiles::default(),
            failures: cold::Failures::default(),
            loaded: LoadedPolicies::new(config.loaded, mib(config.loaded_mib)),
            code,
            admission: if config.scripted { AdmissionLimits::default() } else { AdmissionLimits::standard() },
            compiler: CompilerCommand { program: PathBuf::from("/proc/self/exe"), args: vec!["compile-policy".into()] },
            turns: turn::Turns::new(config.concurrent),
            guard: Arc::new(Guard::new(rule, wait)),
            defaults,
            quotas: config.quotas.clone().into(),
            wait,
            meters: Meters::default(),
            accepted: ready::Accepted::default(),
            snapshots: RwLock::default(),
            nothing: Arc::default(),
            changes: std::array::from_fn(|_| Mutex::default()),
            changes_by: RandomState::new(),
            canaries: rollout::Canaries::default(),
            unpublished: publishing::Unpublished::default(),
            follow: Arc::default(),
        })
    }

    /// Compiles with another program: tests run in one that has no `compile-policy` command.
    #[must_use]
    pub fn with_compiler(mut self, program: PathBuf) -> Self {
        self.compiler.program = program;
        self
    }

    /// What is rung when decisions were recorded, for whoever follows them.
    pub fn to_follow(&self) -> Arc<Notify> {
        Arc::clone(&self.follow)
    }

    /// Reads all tenants' bindings and limits from the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn refresh(&self) -> store::Result<()> {
        let tenants = futures_util::stream::iter(self.store.tenants_with_policies().await?);
        let read = |tenant: String| async move {
            let _turn = self.changing(&tenant).await;
            self.refresh_tenant(&tenant).await
        };
        tenants.map(read).buffer_unordered(REFRESH_AT_ONCE).try_collect().await
    }

    fn snapshots(&self) -> RwLockReadGuard<'_, HashMap<String, Arc<TenantPolicies>>> {
        // Held for one look-up or one insertion, neither of which leaves anything half done.
        self.snapshots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshots_mut(&self) -> RwLockWriteGuard<'_, HashMap<String, Arc<TenantPolicies>>> {
        self.snapshots.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mib(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(1 << 20)
}

impl Shapes for Policies {
    fn shapes(&self, tenant: &str, stream: &StreamKey) -> bool {
        self.bound(tenant, Hook::Callback, Some(stream)).is_some()
    }
}
