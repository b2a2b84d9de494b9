//! Which streams use which version of a plugin.

use serde_json::json;
use sqlx::{FromRow, Sqlite, Transaction};

use super::changes::{self, Change};
use super::plugins::PluginVersion;
use super::{Result, Store};

/// Which streams use a version.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Binding {
    /// The plugin's name.
    pub plugin: String,
    /// The binding's own name: a plugin may have several.
    pub name: String,
    /// The active version.
    pub version: i64,
    /// The settings it is asked with.
    pub settings_revision: i64,
    /// Ingest domain, a pattern with `*`.
    pub domain: String,
    /// Application, a pattern with `*`.
    pub app: String,
    /// Stream name, a pattern with `*`.
    pub stream: String,
    /// The larger is asked first.
    pub priority: i64,
    /// `fallback` or `reject`.
    pub failure_policy: String,
    /// When.
    pub activated_at: i64,
    /// By whom.
    pub activated_by: String,
}

/// A binding with the version it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The binding.
    pub binding: Binding,
    /// The version.
    pub version: PluginVersion,
    /// The text of its settings.
    pub settings: String,
    /// The rollout whose candidate this is, where it stands in for the active version.
    pub rollout: Option<i64>,
}

impl Store {
    /// Binds streams to a version, in place of the plugin's earlier binding.
    pub async fn bind_plugin(&self, tenant: &str, binding: &Binding) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        bind(&mut transaction, tenant, binding, "activate").await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Takes a plugin's binding away. Says whether there was one.
    pub async fn unbind_plugin(&self, tenant: &str, plugin: &str) -> Result<bool> {
        let done = sqlx::query("DELETE FROM bindings WHERE tenant = ? AND plugin = ?")
            .bind(tenant)
            .bind(plugin)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A tenant's bindings with their versions, newest activation first.
    pub async fn bindings(&self, tenant: &str) -> Result<Vec<Bound>> {
        let bindings: Vec<Binding> = sqlx::query_as(
            "SELECT plugin, name, version, settings_revision, domain, app, stream, priority, failure_policy, \
             activated_at, activated_by FROM bindings \
             WHERE tenant = ? ORDER BY priority DESC, activated_at DESC, plugin, name",
        )
        .bind(tenant)
        .fetch_all(&self.reader)
        .await?;
        let mut bound = Vec::with_capacity(bindings.len());
        for binding in bindings {
            if let Some(version) = self.plugin_version(tenant, &binding.plugin, Some(binding.version)).await? {
                bound.push(Bound { binding, settings: version.settings.clone(), rollout: None, version });
            }
        }
        Ok(bound)
    }
}

/// One binding, in somebody's transaction.
pub(super) async fn one(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    plugin: &str,
    name: &str,
) -> Result<Option<Binding>> {
    let one = "SELECT plugin, name, version, settings_revision, domain, app, stream, priority, failure_policy, \
               activated_at, activated_by FROM bindings WHERE tenant = ? AND plugin = ? AND name = ?";
    Ok(sqlx::query_as(one).bind(tenant).bind(plugin).bind(name).fetch_optional(&mut **transaction).await?)
}

/// Binds in somebody's transaction.
pub(super) async fn bind(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    binding: &Binding,
    action: &'static str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO bindings (tenant, plugin, name, version, settings_revision, domain, app, stream, priority, \
         failure_policy, activated_at, activated_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
         ON CONFLICT (tenant, plugin, name) DO UPDATE SET version = ?4, settings_revision = ?5, domain = ?6, \
         app = ?7, stream = ?8, priority = ?9, failure_policy = ?10, activated_at = ?11, activated_by = ?12",
    )
    .bind(tenant)
    .bind(&binding.plugin)
    .bind(&binding.name)
    .bind(binding.version)
    .bind(binding.settings_revision)
    .bind(&binding.domain)
    .bind(&binding.app)
    .bind(&binding.stream)
    .bind(binding.priority)
    .bind(&binding.failure_policy)
    .bind(binding.activated_at)
    .bind(&binding.activated_by)
    .execute(&mut **transaction)
    .await?;
    let change = Change {
        tenant,
        actor: &binding.activated_by,
        action,
        plugin: Some(&binding.plugin),
        detail: json!({"binding": binding.name, "version": binding.version, "settings_revision": binding.settings_revision}),
    };
    changes::write(transaction, &change, binding.activated_at).await?;
    Ok(())
}
