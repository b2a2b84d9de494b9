//! A plugin's own memory: texts by key, with their past. Each decision that writes makes one revision of the whole
//! state, in its own transaction; so what a call saw can be had again for as long as its decision is kept.
//!
//! What there is now has a table of its own, because every call reads it: however many keys a plugin had in its time, a
//! call pays for those that are there. The history lies in order of revisions, in eras: the first revision of an era has
//! all that there is once more, so that any state is made of the writes of one era, and eras can be forgotten whole.
//!
//! Two calls at the same time see the same snapshot, and of their writes to one key the one recorded later stands: an
//! update can be lost, a decision never sees half of another's writes. The bounds on keys and bytes hold for what one
//! call sees; calls at the same time can together go past them by what each may write, and then none can add more.

mod retention;

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

/// Revisions of one era, the first of which is divisible by it: a state of the past costs at most so many decisions'
/// writes to read, and all keys are written once more every so many decisions. The catalogue of today is made of eras of
/// this length, so it stays.
const ERA: i64 = 64;

/// The revision travels with the keys, so that both are of one moment; where there are none, a row without one has it.
const NOW: &str = "SELECT p.state_revision AS revision, s.key, s.value FROM plugins p \
     LEFT JOIN plugin_state s ON s.tenant = p.tenant AND s.plugin = p.name WHERE p.tenant = ?1 AND p.name = ?2";

/// The same for a revision of the past: what was written in its era up to then, in order.
const PAST: &str = "SELECT min(?3, p.state_revision) AS revision, h.key, h.value FROM plugins p \
     LEFT JOIN plugin_state_history h ON h.tenant = p.tenant AND h.plugin = p.name AND h.revision \
     BETWEEN min(?3, p.state_revision) / ?4 * ?4 AND min(?3, p.state_revision) \
     WHERE p.tenant = ?1 AND p.name = ?2 ORDER BY h.revision";

#[derive(FromRow)]
struct Entry {
    revision: i64,
    key: Option<String>,
    value: Option<String>,
}

impl PluginState {
    /// What rows of one revision, or writes in order, come to.
    fn of(rows: Vec<Entry>) -> Self {
        let revision = rows.first().map_or(0, |row| u64::try_from(row.revision).unwrap_or(0));
        let mut entries = BTreeMap::new();
        for row in rows {
            match (row.key, row.value) {
                (Some(key), Some(value)) => entries.insert(key, value),
                (Some(key), None) => entries.remove(&key),
                (None, _) => None,
            };
        }
        Self { revision, entries }
    }
}

/// Writes what a decision of a version wrote, as one revision; without a version, for whatever plugin has the name now.
/// Gives that revision; none when there is nothing to write, or the plugin is gone. A later plugin of the name counts its
/// versions on from there, so that a call which was under way when its plugin was deleted does not write to that one.
pub(super) async fn apply(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    plugin: &str,
    version: Option<u32>,
    writes: &[StateWrite],
    at: i64,
) -> Result<Option<u64>> {
    if writes.is_empty() {
        return Ok(None);
    }
    let revision: Option<i64> = sqlx::query_scalar(
        "UPDATE plugins SET state_revision = state_revision + 1 WHERE tenant = ?1 AND name = ?2 AND NOT EXISTS (SELECT 1 \
         FROM deleted_plugins gone WHERE gone.tenant = ?1 AND gone.name = ?2 AND gone.last_version >= ?3) \
         RETURNING state_revision",
    )
    .bind(tenant)
    .bind(plugin)
    .bind(version)
    .fetch_optional(&mut **transaction)
    .await?;
    let Some(revision) = revision else { return Ok(None) };
    for write in writes {
        let past = "INSERT INTO plugin_state_history (tenant, plugin, revision, key, value, at) \
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET value = ?5";
        let past =
            sqlx::query(past).bind(tenant).bind(plugin).bind(revision).bind(&write.key).bind(&write.value).bind(at);
        past.execute(&mut **transaction).await?;
        let now = match &write.value {
            Some(_) => {
                "INSERT INTO plugin_state (tenant, plugin, key, value) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET value = ?4"
            }
            None => "DELETE FROM plugin_state WHERE tenant = ?1 AND plugin = ?2 AND key = ?3",
        };
        let mut now = sqlx::query(now).bind(tenant).bind(plugin).bind(&write.key);
        if let Some(value) = &write.value {
            now = now.bind(value);
        }
        now.execute(&mut **transaction).await?;
    }
    if revision % ERA == 0 {
        // What was just written has its place there already.
        let all = "INSERT INTO plugin_state_history (tenant, plugin, revision, key, value, at) \
                   SELECT tenant, plugin, ?3, key, value, ?4 FROM plugin_state WHERE tenant = ?1 AND plugin = ?2 \
                   ON CONFLICT DO NOTHING";
        sqlx::query(all).bind(tenant).bind(plugin).bind(revision).bind(at).execute(&mut **transaction).await?;
    }
    Ok(u64::try_from(revision).ok())
}

/// The revision with which a plugin begins whose predecessor of the same name got to this one: the first of an era, so that
/// it has nothing of what the other wrote.
pub(super) fn begin_after(revision: i64) -> i64 {
    (revision / ERA + 1) * ERA
}

/// A plugin's state as it was after so many writing decisions, in somebody's transaction.
pub(super) async fn read_past(
    executor: impl SqliteExecutor<'_>,
    tenant: &str,
    plugin: &str,
    revision: i64,
) -> Result<PluginState> {
    let rows = sqlx::query_as(PAST).bind(tenant).bind(plugin).bind(revision).bind(ERA);
    Ok(PluginState::of(rows.fetch_all(executor).await?))
}

impl Store {
    /// A plugin's state as it is; of a plugin that is not there, an empty one.
    pub async fn plugin_state(&self, tenant: &str, plugin: &str) -> Result<PluginState> {
        let rows = sqlx::query_as(NOW).bind(tenant).bind(plugin).fetch_all(&self.reader).await?;
        Ok(PluginState::of(rows))
    }

    /// A plugin's state as it was after so many writing decisions.
    pub async fn plugin_state_at(&self, tenant: &str, plugin: &str, revision: u64) -> Result<PluginState> {
        read_past(&self.reader, tenant, plugin, i64::try_from(revision).unwrap_or(i64::MAX)).await
    }

    /// Takes all keys away, as one revision with an entry in the log of changes. Says how many keys there were.
    pub async fn clear_plugin_state(&self, tenant: &str, plugin: &str, actor: &str, at: i64) -> Result<u64> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let rows: Vec<Entry> = sqlx::query_as(NOW).bind(tenant).bind(plugin).fetch_all(&mut *transaction).await?;
        let keys = rows.into_iter().filter_map(|row| row.key);
        let writes: Vec<StateWrite> = keys.map(|key| StateWrite { key, value: None }).collect();
        let Some(revision) = apply(&mut transaction, tenant, plugin, None, &writes, at).await? else { return Ok(0) };
        let detail = json!({"keys": writes.len(), "state_revision": revision});
        let change = Change { tenant, actor, action: "clear-state", plugin: Some(plugin), detail };
        changes::write(&mut transaction, &change, at).await?;
        transaction.commit().await?;
        Ok(writes.len() as u64)
    }
}

#[cfg(test)]
mod tests;
