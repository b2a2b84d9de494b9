//! The log of changes: who changed what decides, and when. It is written in the transaction of the change itself.

use serde_json::Value;
use sqlx::{FromRow, Sqlite, Transaction};

use super::{Result, Store};

/// A change to be written down.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// `admin`, `key:ACCESS_KEY_ID`, or `reprise` where the server acted by a rule.
    pub actor: &'a str,
    /// What was done, in one word: `push`, `activate`, `roll-back`.
    pub action: &'static str,
    /// The plugin, if the change is about one.
    pub plugin: Option<&'a str>,
    /// What exactly: versions, digests, names; never a secret.
    pub detail: Value,
}

/// A change as it is read back.
#[derive(Clone, Debug, FromRow)]
pub struct ChangeRow {
    /// Its number; later ones are larger.
    pub id: i64,
    /// The tenant.
    pub tenant: String,
    /// When.
    pub at: i64,
    /// By whom.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// The plugin, if it is about one.
    pub plugin: Option<String>,
    /// What exactly, as JSON.
    pub detail: String,
}

/// Writes a change down, with the change itself or not at all.
pub(super) async fn write(transaction: &mut Transaction<'_, Sqlite>, change: &Change<'_>, at: i64) -> Result<()> {
    sqlx::query("INSERT INTO changes (tenant, at, actor, action, plugin, detail) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(change.tenant)
        .bind(at)
        .bind(change.actor)
        .bind(change.action)
        .bind(change.plugin)
        .bind(change.detail.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

impl Store {
    /// Changes, newest first: of one tenant or of all, about one plugin or about anything, with a number below `before`.
    pub async fn changes(
        &self,
        tenant: Option<&str>,
        plugin: Option<&str>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<ChangeRow>> {
        let rows = sqlx::query_as(
            "SELECT id, tenant, at, actor, action, plugin, detail FROM changes WHERE (?1 IS NULL OR tenant = ?1) \
             AND (?2 IS NULL OR plugin = ?2) AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4",
        )
        .bind(tenant)
        .bind(plugin)
        .bind(before)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows)
    }
}
