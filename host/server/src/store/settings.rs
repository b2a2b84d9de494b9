//! Settings of plugins: texts that never change. A change is a new revision, and the bindings move to it.

use serde_json::json;
use sqlx::{FromRow, Sqlite, Transaction};

use super::bindings::{Binding, remember};
use super::changes::{self, Change};
use super::{Error, Result, Store};

/// One revision of a plugin's settings.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct SettingsRevision {
    /// Counts from 1.
    pub revision: i64,
    /// The text: JSON.
    pub settings: String,
    /// When it was made.
    pub created_at: i64,
    /// By whom.
    pub created_by: String,
}

/// What a change of settings came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingsMoved {
    /// The revision with this text.
    pub revision: i64,
    /// Bindings that are asked with it from now on.
    pub bindings: u64,
}

impl Store {
    /// Settings of a plugin: one revision, or the newest.
    pub async fn plugin_settings(
        &self,
        tenant: &str,
        plugin: &str,
        revision: Option<i64>,
    ) -> Result<Option<SettingsRevision>> {
        let one = "SELECT revision, settings, created_at, created_by FROM plugin_settings WHERE tenant = ?1 \
                   AND plugin = ?2 AND (?3 IS NULL OR revision = ?3) ORDER BY revision DESC LIMIT 1";
        Ok(sqlx::query_as(one).bind(tenant).bind(plugin).bind(revision).fetch_optional(&self.reader).await?)
    }

    /// Revisions below `before`, newest first.
    pub async fn settings_history(
        &self,
        tenant: &str,
        plugin: &str,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<SettingsRevision>> {
        let some = "SELECT revision, settings, created_at, created_by FROM plugin_settings WHERE tenant = ?1 \
                    AND plugin = ?2 AND (?3 IS NULL OR revision < ?3) ORDER BY revision DESC LIMIT ?4";
        Ok(sqlx::query_as(some).bind(tenant).bind(plugin).bind(before).bind(limit).fetch_all(&self.reader).await?)
    }

    /// Makes a revision of this text, unless the newest says the same, and moves all bindings of the plugin to it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when `checked` are no longer the versions that are bound: what the text was checked against
    /// has changed.
    pub async fn put_plugin_settings(
        &self,
        tenant: &str,
        plugin: &str,
        settings: &str,
        checked: &[i64],
        actor: &str,
        at: i64,
    ) -> Result<SettingsMoved> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let bindings: Vec<Binding> = sqlx::query_as(
            "SELECT plugin, name, version, settings_revision, domain, app, stream, priority, failure_policy, \
             activated_at, activated_by FROM bindings WHERE tenant = ? AND plugin = ?",
        )
        .bind(tenant)
        .bind(plugin)
        .fetch_all(&mut *transaction)
        .await?;
        if bindings.iter().any(|binding| !checked.contains(&binding.version)) {
            return Err(Error::Conflict("another version was activated in the meantime; try again"));
        }
        let revision = revision_of(&mut transaction, tenant, plugin, settings, actor, at).await?;
        sqlx::query("UPDATE bindings SET settings_revision = ? WHERE tenant = ? AND plugin = ?")
            .bind(revision)
            .bind(tenant)
            .bind(plugin)
            .execute(&mut *transaction)
            .await?;
        let moved = bindings.len() as u64;
        for binding in bindings {
            let now =
                Binding { settings_revision: revision, activated_at: at, activated_by: actor.to_owned(), ..binding };
            remember(&mut transaction, tenant, &now, false).await?;
        }
        let detail = json!({"settings_revision": revision, "bindings": moved});
        changes::write(
            &mut transaction,
            &Change { tenant, actor, action: "settings", plugin: Some(plugin), detail },
            at,
        )
        .await?;
        transaction.commit().await?;
        Ok(SettingsMoved { revision, bindings: moved })
    }
}

/// Revisions of a plugin that are kept beside those in use. Each has at most 64 KiB, and anybody with a token can make
/// many; a decision by older ones is told to be so by whoever asks it again.
const KEPT: i64 = 1_000;

/// The revision that has this text: the newest if it is the same, else a new one.
async fn revision_of(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    plugin: &str,
    settings: &str,
    actor: &str,
    at: i64,
) -> Result<i64> {
    let newest: Option<(i64, String)> = sqlx::query_as(
        "SELECT revision, settings FROM plugin_settings WHERE tenant = ? AND plugin = ? ORDER BY revision DESC LIMIT 1",
    )
    .bind(tenant)
    .bind(plugin)
    .fetch_optional(&mut **transaction)
    .await?;
    let revision = match newest {
        Some((revision, same)) if same == settings => return Ok(revision),
        Some((revision, _)) => revision + 1,
        None => 1,
    };
    sqlx::query(
        "INSERT INTO plugin_settings (tenant, plugin, revision, settings, created_at, created_by) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(tenant)
    .bind(plugin)
    .bind(revision)
    .bind(settings)
    .bind(at)
    .bind(actor)
    .execute(&mut **transaction)
    .await?;
    let past = "DELETE FROM plugin_settings WHERE tenant = ?1 AND plugin = ?2 AND revision <= ?3 AND revision NOT IN ( \
            SELECT settings_revision FROM bindings WHERE tenant = ?1 AND plugin = ?2 \
            UNION SELECT revision FROM plugin_versions WHERE tenant = ?1 AND plugin = ?2 \
            UNION SELECT settings_revision FROM rollouts WHERE tenant = ?1 AND plugin = ?2 AND state = 'running' \
            UNION SELECT base_settings_revision FROM rollouts WHERE tenant = ?1 AND plugin = ?2 AND state = 'running')";
    sqlx::query(past).bind(tenant).bind(plugin).bind(revision - KEPT).execute(&mut **transaction).await?;
    Ok(revision)
}
