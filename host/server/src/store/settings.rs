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

/// Past revisions of a plugin that are kept, by number and by their bytes together. Each has at most 64 KiB, and anybody
/// with a token can make many; a decision by older ones is told to be so by whoever asks it again. Those in use stay, and
/// count in neither.
const KEPT: i64 = 1_000;
const KEPT_BYTES: i64 = 2 << 20;

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
    forget_past(transaction, tenant, plugin, revision).await?;
    Ok(revision)
}

/// Forgets the oldest revisions below the newest that are too many. Whoever adds one does.
pub(super) async fn forget_past(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    plugin: &str,
    newest: i64,
) -> Result<()> {
    let past = "DELETE FROM plugin_settings WHERE tenant = ?1 AND plugin = ?2 AND revision IN (SELECT revision FROM ( \
            SELECT revision, row_number() OVER newer AS number, sum(octet_length(settings)) OVER newer AS bytes \
            FROM plugin_settings WHERE tenant = ?1 AND plugin = ?2 AND revision < ?3 AND revision NOT IN ( \
            SELECT settings_revision FROM bindings WHERE tenant = ?1 AND plugin = ?2 \
            UNION SELECT revision FROM plugin_versions WHERE tenant = ?1 AND plugin = ?2 \
            UNION SELECT settings_revision FROM rollouts WHERE tenant = ?1 AND plugin = ?2 AND state = 'running' \
            UNION SELECT base_settings_revision FROM rollouts WHERE tenant = ?1 AND plugin = ?2 AND state = 'running') \
            WINDOW newer AS (ORDER BY revision DESC)) WHERE number > ?4 OR bytes > ?5)";
    let past = sqlx::query(past).bind(tenant).bind(plugin).bind(newest).bind(KEPT).bind(KEPT_BYTES);
    past.execute(&mut **transaction).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::World;

    async fn kept(store: &Store) -> Vec<i64> {
        let rows = store.settings_history("acme", "groups", None, 2_000).await.unwrap();
        rows.into_iter().rev().map(|row| row.revision).collect()
    }

    #[tokio::test]
    async fn past_settings_are_bounded_by_their_bytes_and_by_their_number() {
        let world = World::new().await;
        world.tenant("acme").await;
        world.store.test_plugin("acme", 1).await;
        let put = async |text: String| world.store.put_plugin_settings("acme", "groups", &text, &[1], "admin", 0).await;
        for number in 2..=41 {
            // Of 64 KiB each, most of them in characters of two bytes.
            put(format!("{number:04}{}", "ß".repeat(32 * 1024 - 2))).await.unwrap();
        }
        let large = [1].into_iter().chain(8..=41).collect::<Vec<_>>();
        assert_eq!(
            kept(&world.store).await,
            large,
            "2 MiB beside what the version, the binding (40) and the newest use"
        );

        let many = "WITH RECURSIVE n (i) AS (SELECT 42 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) \
                    INSERT INTO plugin_settings (tenant, plugin, revision, settings, created_at, created_by) \
                    SELECT 'acme', 'groups', i, '{}', 0, 'admin' FROM n";
        sqlx::query(many).execute(&world.store.writer).await.unwrap();
        assert_eq!(put("[]".to_owned()).await.unwrap().revision, 1101);
        let small = [1, 41].into_iter().chain(101..=1101).collect::<Vec<_>>();
        assert_eq!(kept(&world.store).await, small, "1,000 beside what is used");
    }
}
