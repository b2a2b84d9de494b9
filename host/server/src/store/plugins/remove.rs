//! Versions and plugins that go. What is used stays, and whoever asks hears by what.

use reprise_lifecycle::time::Timestamp;
use serde_json::json;
use sqlx::{Sqlite, Transaction};

use crate::store::changes::{self, Change};
use crate::store::{Result, Store, components, state};

/// Uses that are named when there are more.
const USES_NAMED: i64 = 8;

/// What became of a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Done,
    /// There was none.
    Absent,
    /// These use it.
    InUse(Vec<String>),
}

impl Store {
    /// Removes a version that no binding, no running rollout and no running backtest uses. Its number stays taken.
    pub async fn remove_version(
        &self,
        tenant: &str,
        plugin: &str,
        version: i64,
        actor: &str,
        now: Timestamp,
    ) -> Result<Removed> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let one = "SELECT digest FROM plugin_versions WHERE tenant = ? AND plugin = ? AND version = ?";
        let digest: Option<String> =
            sqlx::query_scalar(one).bind(tenant).bind(plugin).bind(version).fetch_optional(&mut *transaction).await?;
        let Some(digest) = digest else { return Ok(Removed::Absent) };
        let uses = uses(&mut transaction, tenant, plugin, Some(version)).await?;
        if !uses.is_empty() {
            return Ok(Removed::InUse(uses));
        }
        sqlx::query("DELETE FROM plugin_versions WHERE tenant = ? AND plugin = ? AND version = ?")
            .bind(tenant)
            .bind(plugin)
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        let detail = json!({"version": version, "digest": digest});
        components::give_up(&mut transaction, tenant, &[digest]).await?;
        let change = Change { tenant, actor, action: "delete-version", plugin: Some(plugin), detail };
        changes::write(&mut transaction, &change, now.0).await?;
        transaction.commit().await?;
        Ok(Removed::Done)
    }

    /// Removes a plugin that nothing uses, with its versions, settings and state. A later one of its name counts on.
    pub async fn remove_plugin(&self, tenant: &str, plugin: &str, actor: &str, now: Timestamp) -> Result<Removed> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let counted = "SELECT last_version, (SELECT coalesce(max(revision), 0) FROM plugin_settings s WHERE \
                       s.tenant = p.tenant AND s.plugin = p.name), state_revision FROM plugins p WHERE tenant = ? AND name = ?";
        let counted: Option<(i64, i64, i64)> =
            sqlx::query_as(counted).bind(tenant).bind(plugin).fetch_optional(&mut *transaction).await?;
        let Some((last_version, settings_revision, state_revision)) = counted else { return Ok(Removed::Absent) };
        let uses = uses(&mut transaction, tenant, plugin, None).await?;
        if !uses.is_empty() {
            return Ok(Removed::InUse(uses));
        }
        let digests: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT digest FROM plugin_versions WHERE tenant = ? AND plugin = ?")
                .bind(tenant)
                .bind(plugin)
                .fetch_all(&mut *transaction)
                .await?;
        let counts = "INSERT INTO deleted_plugins (tenant, name, last_version, settings_revision, state_revision) \
                      VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET last_version = ?3, settings_revision = ?4, \
                      state_revision = ?5";
        sqlx::query(counts)
            .bind(tenant)
            .bind(plugin)
            .bind(last_version)
            .bind(settings_revision)
            .bind(state::begin_after(state_revision))
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM plugins WHERE tenant = ? AND name = ?")
            .bind(tenant)
            .bind(plugin)
            .execute(&mut *transaction)
            .await?;
        components::give_up(&mut transaction, tenant, &digests).await?;
        let detail = json!({"last_version": last_version, "digests": digests});
        let change = Change { tenant, actor, action: "delete-plugin", plugin: Some(plugin), detail };
        changes::write(&mut transaction, &change, now.0).await?;
        transaction.commit().await?;
        Ok(Removed::Done)
    }
}

/// What uses a plugin, or one version of it, in words. An audit asks every version of its plugin, and one of all plugins
/// those of each.
async fn uses(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    plugin: &str,
    version: Option<i64>,
) -> Result<Vec<String>> {
    let uses = "SELECT 'binding `' || name || '`' FROM bindings \
                WHERE tenant = ?1 AND plugin = ?2 AND (?3 IS NULL OR version = ?3) \
                UNION ALL SELECT 'the running ' || kind || ' ' || id FROM rollouts \
                WHERE tenant = ?1 AND plugin = ?2 AND (?3 IS NULL OR version = ?3) AND state = 'running' \
                UNION ALL SELECT 'the running ' || kind || ' ' || id FROM backtests WHERE tenant = ?1 AND plugin IN ('', ?2) \
                AND (?3 IS NULL OR version IS NULL OR version = ?3) AND state = 'running' LIMIT ?4";
    let uses = sqlx::query_scalar(uses).bind(tenant).bind(plugin).bind(version).bind(USES_NAMED);
    Ok(uses.fetch_all(&mut **transaction).await?)
}
