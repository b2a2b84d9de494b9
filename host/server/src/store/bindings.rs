//! Which streams use which version of a plugin, with which settings; and what each binding was before.

use serde_json::json;
use sqlx::{FromRow, Sqlite, Transaction};

use super::changes::{self, Change};
use super::plugins::PluginVersion;
use super::{Error, Result, Store};

/// Bindings of one tenant. All of them are looked at for each question, so that their number is part of its time.
const MAX_BINDINGS: i64 = 200;

/// What a binding was before: so many changes are kept of each, for a roll-back. The log of changes has all of them.
const KEPT_HISTORY: i64 = 100;

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

/// A binding with everything that a question to it takes.
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

/// What a binding was at some time.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct BindingPast {
    /// The version.
    pub version: i64,
    /// Its settings.
    pub settings_revision: i64,
    /// Since when.
    pub at: i64,
    /// By whom.
    pub actor: String,
    /// Whether it was gone back to then.
    pub rolled_back: bool,
}

#[derive(FromRow)]
struct WithSettings {
    #[sqlx(flatten)]
    binding: Binding,
    settings: Option<String>,
}

/// What the log of changes calls a roll-back.
pub const ROLL_BACK: &str = "roll-back";

const BOUND: &str = "SELECT b.plugin, b.name, b.version, b.settings_revision, b.domain, b.app, b.stream, b.priority, \
     b.failure_policy, b.activated_at, b.activated_by, s.settings FROM bindings b LEFT JOIN plugin_settings s \
     ON s.tenant = b.tenant AND s.plugin = b.plugin AND s.revision = b.settings_revision \
     WHERE b.tenant = ? ORDER BY b.priority DESC, b.activated_at DESC, b.plugin, b.name";

impl Store {
    /// Binds streams to a version, in place of what the binding of this name was. The log of changes calls it `action`: an
    /// activation, a roll-back.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the version or the settings are gone, or the tenant has too many bindings.
    pub async fn bind_plugin(&self, tenant: &str, binding: &Binding, action: &'static str) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        bind(&mut transaction, tenant, binding, action).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Takes a binding of a plugin away, or all of them. Says how many there were.
    pub async fn unbind_plugin(
        &self,
        tenant: &str,
        plugin: &str,
        name: Option<&str>,
        actor: &str,
        at: i64,
    ) -> Result<u64> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let gone: Vec<String> = sqlx::query_scalar(
            "DELETE FROM bindings WHERE tenant = ?1 AND plugin = ?2 AND (?3 IS NULL OR name = ?3) RETURNING name",
        )
        .bind(tenant)
        .bind(plugin)
        .bind(name)
        .fetch_all(&mut *transaction)
        .await?;
        if gone.is_empty() {
            return Ok(0);
        }
        let detail = json!({"bindings": gone});
        let change = Change { tenant, actor, action: "deactivate", plugin: Some(plugin), detail };
        changes::write(&mut transaction, &change, at).await?;
        transaction.commit().await?;
        Ok(gone.len() as u64)
    }

    /// A tenant's bindings with their versions and settings, the larger priority first, then the newer.
    pub async fn bindings(&self, tenant: &str) -> Result<Vec<Bound>> {
        let rows: Vec<WithSettings> = sqlx::query_as(BOUND).bind(tenant).fetch_all(&self.reader).await?;
        let mut bound = Vec::with_capacity(rows.len());
        for WithSettings { binding, settings } in rows {
            // Versions never change, so it does not matter that they are read one after the other.
            if let Some(version) = self.plugin_version(tenant, &binding.plugin, Some(binding.version)).await? {
                let settings = settings.unwrap_or_else(|| version.settings.clone());
                bound.push(Bound { binding, version, settings, rollout: None });
            }
        }
        Ok(bound)
    }

    /// Whether a tenant has a plugin of this name, with versions or without.
    pub async fn has_plugin(&self, tenant: &str, plugin: &str) -> Result<bool> {
        let one = "SELECT EXISTS (SELECT 1 FROM plugins WHERE tenant = ? AND name = ?)";
        Ok(sqlx::query_scalar(one).bind(tenant).bind(plugin).fetch_one(&self.reader).await?)
    }

    /// Names of the tenants that have bindings or limits of their own: those whose policies are kept in memory.
    pub async fn tenants_with_policies(&self) -> Result<Vec<String>> {
        let names = "SELECT tenant FROM bindings UNION SELECT tenant FROM policy_limits";
        Ok(sqlx::query_scalar(names).fetch_all(&self.reader).await?)
    }

    /// What a binding was, newest first. What cannot be had again, because the version was deleted, is left out.
    pub async fn binding_history(&self, tenant: &str, plugin: &str, name: &str) -> Result<Vec<BindingPast>> {
        let history = "SELECT h.version, h.settings_revision, h.at, h.actor, h.rolled_back FROM binding_history h \
                       JOIN plugin_versions v ON v.tenant = h.tenant AND v.plugin = h.plugin AND v.version = h.version \
                       WHERE h.tenant = ? AND h.plugin = ? AND h.name = ? ORDER BY h.id DESC LIMIT ?";
        let rows = sqlx::query_as(history).bind(tenant).bind(plugin).bind(name).bind(KEPT_HISTORY);
        Ok(rows.fetch_all(&self.reader).await?)
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

/// Binds in somebody's transaction, with what it takes to go back.
pub(super) async fn bind(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    binding: &Binding,
    action: &'static str,
) -> Result<()> {
    check_room(transaction, tenant, binding).await?;
    let was: Option<i64> =
        sqlx::query_scalar("SELECT version FROM bindings WHERE tenant = ? AND plugin = ? AND name = ?")
            .bind(tenant)
            .bind(&binding.plugin)
            .bind(&binding.name)
            .fetch_optional(&mut **transaction)
            .await?;
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
    remember(transaction, tenant, binding, action == ROLL_BACK).await?;
    let change = Change {
        tenant,
        actor: &binding.activated_by,
        action,
        plugin: Some(&binding.plugin),
        detail: json!({
            "binding": binding.name, "version": binding.version, "before": was,
            "settings_revision": binding.settings_revision, "domain": binding.domain, "app": binding.app,
            "stream": binding.stream, "priority": binding.priority, "failure_policy": binding.failure_policy,
        }),
    };
    changes::write(transaction, &change, binding.activated_at).await?;
    Ok(())
}

/// Refuses a version without a valid signature where the tenant requires one.
pub(super) async fn check_signed(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    plugin: &str,
    version: i64,
) -> Result<()> {
    let unsigned: Option<bool> = sqlx::query_scalar(
        "SELECT t.require_signature AND NOT EXISTS (SELECT 1 FROM plugin_versions v JOIN signing_keys k \
         ON k.tenant = v.tenant AND k.name = v.signed_by AND k.revoked_at IS NULL \
         WHERE v.tenant = ?1 AND v.plugin = ?2 AND v.version = ?3) FROM tenants t WHERE t.name = ?1",
    )
    .bind(tenant)
    .bind(plugin)
    .bind(version)
    .fetch_optional(&mut **transaction)
    .await?;
    match unsigned {
        Some(true) => Err(Error::Conflict("the tenant requires signatures, and this version has no valid one")),
        Some(false) | None => Ok(()),
    }
}

async fn check_room(transaction: &mut Transaction<'_, Sqlite>, tenant: &str, binding: &Binding) -> Result<()> {
    let (version, others): (bool, i64) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM plugin_versions WHERE tenant = ?1 AND plugin = ?2 AND version = ?3), \
         (SELECT count(*) FROM bindings WHERE tenant = ?1 AND NOT (plugin = ?2 AND name = ?4))",
    )
    .bind(tenant)
    .bind(&binding.plugin)
    .bind(binding.version)
    .bind(&binding.name)
    .fetch_one(&mut **transaction)
    .await?;
    if !version {
        return Err(Error::Conflict("the version was deleted in the meantime"));
    }
    if others >= MAX_BINDINGS {
        return Err(Error::Conflict("the tenant has 200 bindings already; deactivate one first"));
    }
    check_signed(transaction, tenant, &binding.plugin, binding.version).await
}

/// Keeps what the binding is now for a later roll-back, unless it was just that before.
pub(super) async fn remember(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    binding: &Binding,
    rolled_back: bool,
) -> Result<()> {
    let newest: Option<(i64, i64)> = sqlx::query_as(
        "SELECT version, settings_revision FROM binding_history WHERE tenant = ? AND plugin = ? AND name = ? \
         ORDER BY id DESC LIMIT 1",
    )
    .bind(tenant)
    .bind(&binding.plugin)
    .bind(&binding.name)
    .fetch_optional(&mut **transaction)
    .await?;
    if newest == Some((binding.version, binding.settings_revision)) {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO binding_history (tenant, plugin, name, version, settings_revision, at, actor, rolled_back) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(tenant)
    .bind(&binding.plugin)
    .bind(&binding.name)
    .bind(binding.version)
    .bind(binding.settings_revision)
    .bind(binding.activated_at)
    .bind(&binding.activated_by)
    .bind(rolled_back)
    .execute(&mut **transaction)
    .await?;
    sqlx::query(
        "DELETE FROM binding_history WHERE tenant = ?1 AND plugin = ?2 AND name = ?3 AND id <= (SELECT id \
         FROM binding_history WHERE tenant = ?1 AND plugin = ?2 AND name = ?3 ORDER BY id DESC LIMIT 1 OFFSET ?4)",
    )
    .bind(tenant)
    .bind(&binding.plugin)
    .bind(&binding.name)
    .bind(KEPT_HISTORY)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
