//! Admitted components made ready to be asked.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use reprise_lifecycle::decision::CodeSource;
use reprise_policy::{AdmissionLimits, Class, CompileLimits, Inspection, Loaded, compile, inspect};

use super::Policies;
use super::code_cache::Uses;
use super::push::PushError;

impl Policies {
    pub(super) fn load_fresh(&self, component: &[u8], inspection: &Inspection) -> Result<Loaded, PushError> {
        // However many need code at once, one compiler for each class runs: each takes hundreds of megabytes.
        let compiling = match inspection.class {
            Class::Standard => &self.compiling[0],
            Class::Scripted => &self.compiling[1],
        };
        let _turn = compiling.lock().unwrap_or_else(PoisonError::into_inner);
        let artefact = compile(component, inspection, &self.compiler, &CompileLimits::of(inspection.class))?;
        let loaded = self.engine.load(&artefact)?;
        self.code.keep(&artefact, &self.engine, || self.uses());
        self.failures.remove(&inspection.digest);
        // From here on its pages are those of the file, where it could be kept; the copy goes.
        drop(artefact);
        Ok(self.code.open(&inspection.digest, &self.engine).unwrap_or(loaded))
    }

    /// How components are used now.
    fn uses(&self) -> Uses {
        let tenants = self.snapshots().iter().map(|(name, own)| (name.clone(), Arc::clone(own))).collect::<Vec<_>>();
        let in_use = tenants.into_iter().map(|(tenant, policies)| {
            let bound = policies.bindings().iter().map(|bound| bound.version.digest.clone());
            bound.chain(self.canaries.digests(&tenant)).collect()
        });
        Uses { in_use: in_use.collect(), in_memory: self.loaded.uses() }
    }

    /// The policy of this digest, ready to be asked for a tenant, and where its code came from: from memory, from the sealed
    /// cache, or compiled again. Of many threads that need the same, one does the work, and what failed a short while ago
    /// is not tried again. Blocks.
    pub(super) fn ready(&self, tenant: &str, digest: &str) -> Result<(Arc<Loaded>, CodeSource), String> {
        self.loaded.get_or_load(digest, tenant, || {
            if let Some(loaded) = self.code.open(digest, &self.engine) {
                return Ok((loaded, CodeSource::Disk));
            }
            if let Some(why) = self.failures.get(digest, Instant::now()) {
                return Err(why);
            }
            let compiled = self.compile_again(digest);
            if let Err(why) = &compiled {
                self.failures.add(digest, why, Instant::now());
            }
            compiled.map(|loaded| (loaded, CodeSource::Compiled))
        })
    }

    fn compile_again(&self, digest: &str) -> Result<Loaded, String> {
        let component = self
            .files
            .read_component(digest)
            .map_err(|error| format!("the component's file cannot be read: {error}"))?;
        // It was admitted under what the operator allowed then; that it is taken no more is for the next push.
        let inspection = inspect(&component, &AdmissionLimits::default()).map_err(|error| error.to_string())?;
        self.load_fresh(&component, &inspection).map_err(|error| error.to_string())
    }

    /// What is known of a component without looking for it: that it is in memory, or that it could not be made ready a
    /// short while ago.
    pub(super) fn at_hand(&self, tenant: &str, digest: &str) -> Option<Result<Arc<Loaded>, String>> {
        match self.loaded.get(digest, tenant) {
            Some(loaded) => Some(Ok(loaded)),
            None => self.failures.get(digest, Instant::now()).map(Err),
        }
    }

    /// The policy of this digest from the sealed cache, if it is there. Waits for no compiler; takes milliseconds, and
    /// blocks.
    pub(super) fn load_from_disk(&self, tenant: &str, digest: &str) -> Option<Arc<Loaded>> {
        let loaded = self.code.open(digest, &self.engine)?;
        Some(self.loaded.insert(loaded, tenant))
    }
}
