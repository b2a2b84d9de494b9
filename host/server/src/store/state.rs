//! A plugin's own memory: texts by key, with their past. Each decision that writes makes one revision of the whole
//! state, in its own transaction; so what a call saw can be had again for as long as its decision is kept.
//!
//! Two calls at the same time see the same snapshot, and of their writes to one key the one recorded later stands: an
//! update can be lost, a decision never sees half of another's writes. The bounds on keys and bytes hold for what one
//! call sees; calls at the same time can together go past them by what each may write, and then none can add more.

use std::collections::BTreeMap;

use reprise_lifecycle::decision::StateWrite;
use serde_json::json;
use sqlx::{FromRow, Sqlite, SqliteExecutor, Transaction};

use super::changes::{self, Change};
use super::{Result, Store};

/// A plugin's state at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginState {
    /// How many decisions wrote to it before.
    pub revision: u64,
    /// Values by key.
    pub entries: BTreeMap<String, String>,
}

/// Keys of all times, each looked up by the one before it, and the newest value of each that is not past a revision. The
/// revision travels with them, so that both are of one moment. Keys that are gone are left out; a last row without a key
/// carries the revision where there are none.
const SNAPSHOT: &str = "SELECT revision, key, value FROM (WITH RECURSIVE \
     state(revision) AS (SELECT coalesce(?3, state_revision) FROM plugins WHERE tenant = ?1 AND name = ?2), \
     keys(key) AS ( \
         SELECT min(key) FROM plugin_state WHERE tenant = ?1 AND plugin = ?2 \
         UNION ALL \
         SELECT (SELECT min(s.key) FROM plugin_state s WHERE s.tenant = ?1 AND s.plugin = ?2 AND s.key > keys.key) \
         FROM keys WHERE keys.key IS NOT NULL) \
     SELECT state.revision, keys.key, (SELECT s.value FROM plugin_state s WHERE s.tenant = ?1 AND s.plugin = ?2 \
         AND s.key = keys.key AND s.revision <= state.revision ORDER BY s.revision DESC LIMIT 1) AS value \
     FROM state, keys) WHERE value IS NOT NULL OR key IS NULL";

#[derive(FromRow)]
struct Entry {
    revision: i64,
    key: Option<String>,
    value: Option<String>,
}

/// Writes what a decision wrote, as one revision. Gives that revision; none when there is nothing to write, or the
/// plugin is gone.
pub(super) async fn apply(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    plugin: &str,
    writes: &[StateWrite],
    at: i64,
) -> Result<Option<u64>> {
    if writes.is_empty() {
        return Ok(None);
    }
    let revision: Option<i64> = sqlx::query_scalar(
        "UPDATE plugins SET state_revision = state_revision + 1 WHERE tenant = ? AND name = ? RETURNING state_revision",
    )
    .bind(tenant)
    .bind(plugin)
    .fetch_optional(&mut **transaction)
    .await?;
    let Some(revision) = revision else { return Ok(None) };
    for write in writes {
        sqlx::query(
            "INSERT INTO plugin_state (tenant, plugin, key, revision, value, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (tenant, plugin, key, revision) DO UPDATE SET value = ?5",
        )
        .bind(tenant)
        .bind(plugin)
        .bind(&write.key)
        .bind(revision)
        .bind(&write.value)
        .bind(at)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(u64::try_from(revision).ok())
}

/// A plugin's state as it is, or was after so many writing decisions, in somebody's transaction.
pub(super) async fn read(
    executor: impl SqliteExecutor<'_>,
    tenant: &str,
    plugin: &str,
    revision: Option<i64>,
) -> Result<PluginState> {
    let rows: Vec<Entry> =
        sqlx::query_as(SNAPSHOT).bind(tenant).bind(plugin).bind(revision).fetch_all(executor).await?;
    let revision = rows.first().map_or(0, |row| u64::try_from(row.revision).unwrap_or(0));
    let entries = rows.into_iter().filter_map(|row| Some((row.key?, row.value?))).collect();
    Ok(PluginState { revision, entries })
}

impl Store {
    /// A plugin's state as it is; of a plugin that is not there, an empty one.
    pub async fn plugin_state(&self, tenant: &str, plugin: &str) -> Result<PluginState> {
        self.state_of(tenant, plugin, None).await
    }

    /// A plugin's state as it was after so many writing decisions.
    pub async fn plugin_state_at(&self, tenant: &str, plugin: &str, revision: u64) -> Result<PluginState> {
        self.state_of(tenant, plugin, Some(i64::try_from(revision).unwrap_or(i64::MAX))).await
    }

    async fn state_of(&self, tenant: &str, plugin: &str, revision: Option<i64>) -> Result<PluginState> {
        read(&self.reader, tenant, plugin, revision).await
    }

    /// Takes all keys away, as one revision with an entry in the log of changes. Says how many keys there were.
    pub async fn clear_plugin_state(&self, tenant: &str, plugin: &str, actor: &str, at: i64) -> Result<u64> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let rows: Vec<Entry> =
            sqlx::query_as(SNAPSHOT).bind(tenant).bind(plugin).bind(None::<i64>).fetch_all(&mut *transaction).await?;
        let there = rows.into_iter().filter(|row| row.value.is_some()).filter_map(|row| row.key);
        let writes: Vec<StateWrite> = there.map(|key| StateWrite { key, value: None }).collect();
        let Some(revision) = apply(&mut transaction, tenant, plugin, &writes, at).await? else { return Ok(0) };
        let detail = json!({"keys": writes.len(), "state_revision": revision});
        let change = Change { tenant, actor, action: "clear-state", plugin: Some(plugin), detail };
        changes::write(&mut transaction, &change, at).await?;
        transaction.commit().await?;
        Ok(writes.len() as u64)
    }
}

#[cfg(test)]
mod tests;
