//! Admitted components made ready to be asked.

use std::sync::{Arc, PoisonError};

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
    /// cache, or compiled again. Of many threads that need the same, one does the work. Blocks.
    pub(super) fn ready(&self, tenant: &str, digest: &str) -> Result<(Arc<Loaded>, CodeSource), String> {
        self.loaded.get_or_load(digest, tenant, || {
            if let Some(loaded) = self.code.open(digest, &self.engine) {
                return Ok((loaded, CodeSource::Disk));
            }
            let component = self
                .files
                .read_component(digest)
                .map_err(|error| format!("the component's file cannot be read: {error}"))?;
            // It was admitted under what the operator allowed then; that it is taken no more is for the next push.
            let inspection = inspect(&component, &AdmissionLimits::default()).map_err(|error| error.to_string())?;
            let loaded = self.load_fresh(&component, &inspection).map_err(|error| error.to_string())?;
            Ok((loaded, CodeSource::Compiled))
        })
    }
}
