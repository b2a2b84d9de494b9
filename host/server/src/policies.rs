//! Policies on the server's side: which one a stream has at a hook, a slot to run it in, and what its verdict
//! comes to. The engine itself is `reprise-policy`; it blocks, so it runs on blocking threads.

mod activate;
mod admit;
mod ask;
mod binding;
mod code_cache;
pub mod decide;
mod push;
pub mod signature;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use reprise_lifecycle::question::{Hook, StreamKey};
use reprise_policy::{
    AdmissionLimits, CallLimits, CompilerCommand, Engine, EngineError, EngineOptions, Evaluator, LoadedPolicies, SealKey,
};
use tokio::sync::Semaphore;

pub use self::activate::{ActivateError, Activation};
pub use self::ask::Asked;
pub use self::code_cache::CodeCache;
pub use self::push::{Push, PushError, Pushed, Signed};
use crate::config;
use crate::driver::Shapes;
use crate::files::Files;
use crate::store::bindings::Bound;
use crate::store::quotas::Quotas;
use crate::store::{self, Store};

/// Calls of scripts that the engine has room for: those in turn, one more for a push, and one to spare. Each may use up to
/// 64 MiB.
const SCRIPTED_CALLS: u32 = 4;

/// Components that are inspected and compiled at once; each compiler is a process with up to 768 MiB.
const COMPILERS: usize = 1;

/// All tenants' policies.
pub struct Policies {
    store: Store,
    files: Arc<Files>,
    evaluator: Evaluator,
    /// What one call may use up, as configured.
    limits: CallLimits,
    engine: Engine,
    loaded: LoadedPolicies,
    code: CodeCache,
    /// Which components are taken.
    admission: AdmissionLimits,
    compiler: CompilerCommand,
    compilers: Semaphore,
    slots: Arc<Semaphore>,
    per_tenant: usize,
    quotas: Quotas,
    wait: Duration,
    tenant_slots: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    /// Every tenant's bindings, newest activation first: the store's, kept for the callback hook's quick question.
    bound: RwLock<BTreeMap<String, Arc<Vec<Bound>>>>,
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
        let engine = Engine::new(EngineOptions {
            max_concurrent_calls: calls.saturating_add(COMPILERS as u32),
            scripted_concurrent_calls: SCRIPTED_CALLS,
        })?;
        let limits = CallLimits {
            fuel: config.fuel,
            cpu: Duration::from_millis(config.deadline_ms),
            wall: Duration::from_millis(config.wall_ms),
            ..CallLimits::default()
        };
        let cache = files.plugins().open_dir("cache");
        let code = cache
            .and_then(|dir| CodeCache::new(dir, SealKey::new(seal), mib(config.code_cache_mib) as u64))
            .map_err(EngineError::Cache)?;
        Ok(Self {
            store,
            files,
            evaluator: Evaluator::new(engine.clone()),
            limits,
            engine,
            loaded: LoadedPolicies::new(config.loaded, mib(config.loaded_mib)),
            code,
            admission: if config.scripted { AdmissionLimits::default() } else { AdmissionLimits::standard() },
            compiler: CompilerCommand { program: PathBuf::from("/proc/self/exe"), args: vec!["compile-policy".into()] },
            compilers: Semaphore::new(COMPILERS),
            slots: Arc::new(Semaphore::new(config.concurrent)),
            per_tenant: config.concurrent_per_tenant.max(1),
            quotas: config.quotas.clone().into(),
            wait: Duration::from_millis(config.wait_ms),
            tenant_slots: Mutex::default(),
            bound: RwLock::default(),
        })
    }

    /// Compiles with another program: tests run in one that has no `compile-policy` command.
    #[must_use]
    pub fn with_compiler(mut self, program: PathBuf) -> Self {
        self.compiler.program = program;
        self
    }

    /// Reads all tenants' bindings from the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn refresh(&self) -> store::Result<()> {
        for tenant in self.store.tenants().await? {
            self.refresh_tenant(&tenant.name).await?;
        }
        Ok(())
    }

    async fn refresh_tenant(&self, tenant: &str) -> store::Result<()> {
        let bound = Arc::new(self.store.bindings(tenant).await?);
        self.bound.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.to_owned(), bound);
        Ok(())
    }

    /// What is bound for a stream at a hook, if anything.
    pub fn bound(&self, tenant: &str, hook: Hook, stream: Option<&StreamKey>) -> Option<Bound> {
        let bound = self.bound.read().unwrap_or_else(PoisonError::into_inner).get(tenant).map(Arc::clone)?;
        bound.iter().find(|bound| binding::covers(bound, hook, stream)).cloned()
    }

    fn tenant_slots(&self, tenant: &str) -> Arc<Semaphore> {
        let mut slots = self.tenant_slots.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Semaphore::new(self.per_tenant));
        Arc::clone(slots.entry(tenant.to_owned()).or_insert_with(fresh))
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
