//! Plugins and their immutable versions.

use reprise_lifecycle::time::Timestamp;
use sqlx::FromRow;

use super::{Result, Store};

/// One uploaded version.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct PluginVersion {
    /// The plugin's name.
    pub plugin: String,
    /// Counts from 1.
    pub version: i64,
    /// SHA-256 of the component, lower-case hex; the component is a file of that name.
    pub digest: String,
    /// Size of the component.
    pub bytes: i64,
    /// The interface it exports.
    pub interface: String,
    /// The hooks it has, comma separated.
    pub hooks: String,
    /// The settings given with it: JSON text.
    pub settings: String,
    /// The revision of those settings.
    pub revision: i64,
    /// When.
    pub pushed_at: i64,
}

impl Store {
    /// Adds a version with the next number, and gives that number and the settings' revision. The same component
    /// with the same settings as the newest version is that version.
    pub async fn push_plugin(&self, tenant: &str, new: &PluginVersion, now: Timestamp) -> Result<(i64, i64)> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO plugins (tenant, name, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(tenant)
            .bind(&new.plugin)
            .bind(now.0)
            .execute(&mut *transaction)
            .await?;
        let newest: Option<(i64, String, String, i64)> = sqlx::query_as(
            "SELECT version, digest, settings, revision FROM plugin_versions WHERE tenant = ? AND plugin = ? \
             ORDER BY version DESC LIMIT 1",
        )
        .bind(tenant)
        .bind(&new.plugin)
        .fetch_optional(&mut *transaction)
        .await?;
        let (version, revision) = match newest {
            Some((version, digest, settings, revision)) if digest == new.digest && settings == new.settings => {
                return Ok((version, revision));
            }
            Some((version, _, settings, revision)) => {
                (version + 1, if settings == new.settings { revision } else { revision + 1 })
            }
            None => (1, 1),
        };
        sqlx::query(
            "INSERT INTO plugin_versions (tenant, plugin, version, digest, bytes, interface, hooks, settings, revision, \
             pushed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(tenant)
        .bind(&new.plugin)
        .bind(version)
        .bind(&new.digest)
        .bind(new.bytes)
        .bind(&new.interface)
        .bind(&new.hooks)
        .bind(&new.settings)
        .bind(revision)
        .bind(now.0)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok((version, revision))
    }

    /// All versions of a tenant's plugins, by name, newest first.
    pub async fn plugin_versions(&self, tenant: &str) -> Result<Vec<PluginVersion>> {
        let all = "SELECT plugin, version, digest, bytes, interface, hooks, settings, revision, pushed_at \
                   FROM plugin_versions WHERE tenant = ? ORDER BY plugin, version DESC";
        Ok(sqlx::query_as(all).bind(tenant).fetch_all(&self.reader).await?)
    }

    /// One version; the newest when no number is given.
    pub async fn plugin_version(
        &self,
        tenant: &str,
        plugin: &str,
        version: Option<i64>,
    ) -> Result<Option<PluginVersion>> {
        let one = "SELECT plugin, version, digest, bytes, interface, hooks, settings, revision, pushed_at \
                   FROM plugin_versions WHERE tenant = ?1 AND plugin = ?2 AND (?3 IS NULL OR version = ?3) \
                   ORDER BY version DESC LIMIT 1";
        Ok(sqlx::query_as(one).bind(tenant).bind(plugin).bind(version).fetch_optional(&self.reader).await?)
    }
}
