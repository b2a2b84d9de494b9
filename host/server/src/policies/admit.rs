//! Uploads and bindings: a component is inspected, compiled in a limited child process, started once and shown
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
use crate::store::plugins::{Binding, PluginVersion};

/// Longest plugin name.
const NAME_BYTES: usize = 64;

/// Longest pattern of a binding.
const PATTERN_BYTES: usize = 255;

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

/// What a version is bound to.
#[derive(Clone, Debug, Default)]
pub struct Activation {
    /// Which version; the newest when absent.
    pub version: Option<i64>,
    /// Application, or `*`; all when absent.
    pub app: Option<String>,
    /// Stream name pattern; all when absent.
    pub stream: Option<String>,
    /// `fallback` or `reject`; `fallback` when absent.
    pub failure_policy: Option<String>,
}

/// Why a version was not bound.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// There is no such plugin or version.
    #[error("there is no such plugin or version")]
    NotFound,
    /// A pattern or a word is not what it may be.
    #[error("{0}")]
    Invalid(&'static str),
    /// It could not be made ready to be asked.
    #[error("the version cannot be made ready: {0}")]
    NotReady(String),
    /// The catalogue failed.
    #[error(transparent)]
    Store(#[from] store::Error),
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
        self.evaluator.trial(&loaded)?;
        self.evaluator.check_settings(&loaded, settings)?;
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

    /// Binds streams to a version: calls under way finish on the old one, the next call gets this one.
    ///
    /// # Errors
    /// Why not; the earlier binding stands then.
    pub async fn activate(
        self: &Arc<Self>,
        tenant: &str,
        plugin: &str,
        activation: Activation,
    ) -> Result<Binding, ActivateError> {
        let version = self.store.plugin_version(tenant, plugin, activation.version).await?;
        let version = version.ok_or(ActivateError::NotFound)?;
        let failure_policy = activation.failure_policy.unwrap_or_else(|| "fallback".to_owned());
        if !matches!(failure_policy.as_str(), "fallback" | "reject") {
            return Err(ActivateError::Invalid("the failure policy is `fallback` or `reject`"));
        }
        let pattern = |given: Option<String>| given.unwrap_or_else(|| "*".to_owned());
        let (app, stream) = (pattern(activation.app), pattern(activation.stream));
        if app.len() > PATTERN_BYTES || stream.len() > PATTERN_BYTES {
            return Err(ActivateError::Invalid("a pattern has at most 255 bytes"));
        }
        let (policies, digest) = (Arc::clone(self), version.digest.clone());
        let ready = tokio::task::spawn_blocking(move || policies.ready(&digest).map(drop)).await;
        ready.unwrap_or_else(|_| Err("the server is stopping".to_owned())).map_err(ActivateError::NotReady)?;
        let binding = Binding {
            plugin: plugin.to_owned(),
            version: version.version,
            app,
            stream,
            failure_policy,
            activated_at: clock::now().0,
        };
        self.store.bind_plugin(tenant, &binding).await?;
        self.refresh_tenant(tenant).await?;
        tracing::info!(
            tenant.id = tenant,
            plugin,
            version = binding.version,
            digest = version.digest,
            "a plugin version is active"
        );
        Ok(binding)
    }

    /// Takes a plugin's binding away. Says whether there was one.
    ///
    /// # Errors
    /// When the catalogue failed.
    pub async fn deactivate(&self, tenant: &str, plugin: &str) -> store::Result<bool> {
        let was = self.store.unbind_plugin(tenant, plugin).await?;
        self.refresh_tenant(tenant).await?;
        Ok(was)
    }
}
