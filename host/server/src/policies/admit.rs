//! Admitted components made ready to be asked.

use std::sync::Arc;

use reprise_policy::{AdmissionLimits, Artefact, CompileLimits, Inspection, Loaded, compile, inspect};

use super::Policies;
use super::push::PushError;
use crate::files::Files;

impl Policies {
    pub(super) fn load_fresh(&self, component: &[u8], inspection: &Inspection) -> Result<Loaded, PushError> {
        let artefact = compile(component, inspection, &self.compiler, &CompileLimits::default())?;
        let sealed = artefact.seal(&self.seal, &self.engine);
        // The cache saves a compile after a restart; without it nothing is lost.
        let name = format!("cache/{}", inspection.digest);
        if let Err(error) = Files::write_whole(self.files.plugins(), &name, &sealed) {
            tracing::warn!(digest = inspection.digest, error = %error, "a compiled plugin could not be cached");
        }
        Ok(self.engine.load(&artefact)?)
    }

    /// The policy of this digest, ready to be asked: from memory, from the sealed cache, or compiled again. Blocks.
    pub(super) fn ready(&self, digest: &str) -> Result<Arc<Loaded>, String> {
        if let Some(loaded) = self.loaded.get(digest) {
            return Ok(loaded);
        }
        if let Ok(sealed) = self.files.plugins().read(format!("cache/{digest}"))
            && let Ok(artefact) = Artefact::open(&sealed, &self.seal, digest, &self.engine)
            && let Ok(loaded) = self.engine.load(&artefact)
        {
            return Ok(self.loaded.insert(loaded));
        }
        let component = self
            .files
            .plugins()
            .read(format!("{digest}.wasm"))
            .map_err(|error| format!("the component's file cannot be read: {error}"))?;
        let inspection = inspect(&component, &AdmissionLimits::default()).map_err(|error| error.to_string())?;
        if inspection.digest != digest {
            return Err("the component's file was changed since it was pushed".to_owned());
        }
        let loaded = self.load_fresh(&component, &inspection).map_err(|error| error.to_string())?;
        Ok(self.loaded.insert(loaded))
    }
}
