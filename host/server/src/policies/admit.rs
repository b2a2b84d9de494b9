//! Admitted components made ready to be asked.

use std::sync::{Arc, PoisonError};

use reprise_lifecycle::decision::CodeSource;
use reprise_policy::{AdmissionLimits, Class, CompileLimits, Inspection, Loaded, compile, inspect};

use super::Policies;
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
        self.code.keep(&artefact, &self.engine);
        // From here on its pages are those of the file, where it could be kept; the copy goes.
        drop(artefact);
        Ok(self.code.open(&inspection.digest, &self.engine).unwrap_or(loaded))
    }

    /// The policy of this digest, ready to be asked, and where its code came from: from memory, from the sealed cache, or
    /// compiled again. Of many threads that need the same, one does the work. Blocks.
    pub(super) fn ready(&self, digest: &str) -> Result<(Arc<Loaded>, CodeSource), String> {
        self.loaded.get_or_load(digest, || {
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
