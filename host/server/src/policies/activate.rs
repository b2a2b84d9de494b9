//! Bindings: a version is made ready before streams use it, and calls under way finish on the one before.

use std::sync::Arc;

use super::Policies;
use crate::clock;
use crate::store;
use crate::store::bindings::Binding;

/// Longest pattern of a binding.
const PATTERN_BYTES: usize = 255;

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
    /// Binds streams to a version: calls under way finish on the old one, the next call gets this one.
    ///
    /// # Errors
    /// Why not; the earlier binding stands then.
    pub async fn activate(
        self: &Arc<Self>,
        tenant: &str,
        plugin: &str,
        activation: Activation,
        actor: &str,
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
            name: "default".to_owned(),
            version: version.version,
            settings_revision: version.revision,
            domain: "*".to_owned(),
            app,
            stream,
            priority: 0,
            failure_policy,
            activated_at: clock::now().0,
            activated_by: actor.to_owned(),
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
