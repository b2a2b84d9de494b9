//! Uploads: a component is inspected, compiled in a limited child process, started once and shown
//! its settings before it has a version number. A version that fails any of it never exists.

use std::sync::Arc;

use reprise_policy::{
    AdmissionLimits, Artefact, CompileError, CompileLimits, Inspection, LoadError, Loaded, Refused, SettingsError,
    compile, inspect,
};

use super::Policies;
use crate::clock;
use crate::files::Files;
use crate::store;
use crate::store::plugins::PluginVersion;

/// Longest plugin name.
const NAME_BYTES: usize = 64;

/// Why a component was not accepted. The first five are for its author, the others for the operator.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The name cannot be one.
    #[error("a plugin's name is 1 to 64 lower-case letters, digits or hyphens")]
    Name,
    /// It is not a component that we can run.
    #[error("the component is refused: {0}")]
    Refused(#[from] Refused),
    /// It does not compile within the limits.
    #[error("the component does not compile: {0}")]
    Compile(#[from] CompileError),
    /// It cannot be started, or its functions have other types.
    #[error("the component cannot be loaded: {0}")]
    Load(#[from] LoadError),
    /// It does not accept its settings.
    #[error("the settings are not accepted: {0}")]
    Settings(#[from] SettingsError),
    /// The catalogue failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The component could not be kept.
    #[error("the component could not be written: {0}")]
    Files(#[from] std::io::Error),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl Policies {
    /// Accepts a component with its settings as a new version of a tenant's plugin.
    ///
    /// # Errors
    /// Why not; nothing is kept then.
    pub async fn push(
        self: &Arc<Self>,
        tenant: &str,
        name: &str,
        component: Vec<u8>,
        settings: &str,
    ) -> Result<PluginVersion, PushError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(plain) {
            return Err(PushError::Name);
        }
        let _turn = self.compilers.acquire().await.map_err(|_| PushError::Stopping)?;
        let (policies, given) = (Arc::clone(self), settings.to_owned());
        let (inspection, size) = tokio::task::spawn_blocking(move || {
            let size = component.len();
            policies.admit(&component, &given).map(|inspection| (inspection, size))
        })
        .await
        .map_err(|_| PushError::Stopping)??;
        let hooks: Vec<&str> = inspection.hooks.iter().map(|hook| hook.name()).collect();
        let mut version = PluginVersion {
            plugin: name.to_owned(),
            version: 0,
            digest: inspection.digest,
            bytes: i64::try_from(size).unwrap_or(i64::MAX),
            interface: inspection.interface,
            hooks: hooks.join(","),
            settings: settings.to_owned(),
            revision: 0,
            pushed_at: clock::now().0,
        };
        (version.version, version.revision) = self.store.push_plugin(tenant, &version, clock::now()).await?;
        tracing::info!(
            tenant.id = tenant,
            plugin = name,
            version = version.version,
            digest = version.digest,
            "a plugin version was accepted"
        );
        Ok(version)
    }

    fn admit(&self, component: &[u8], settings: &str) -> Result<Inspection, PushError> {
        let inspection = inspect(component, &AdmissionLimits::default())?;
        let loaded = self.load_fresh(component, &inspection)?;
        self.evaluator.trial(&loaded, &self.limits)?;
        self.evaluator.check_settings(&loaded, settings, &self.limits)?;
        Files::write_whole(self.files.plugins(), &format!("{}.wasm", inspection.digest), component)?;
        self.loaded.insert(loaded);
        Ok(inspection)
    }

    fn load_fresh(&self, component: &[u8], inspection: &Inspection) -> Result<Loaded, PushError> {
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
