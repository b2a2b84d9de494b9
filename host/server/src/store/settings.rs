//! Settings of plugins: texts that never change. A change is a new revision, and the bindings move to it.

use sqlx::FromRow;

use super::{Result, Store};

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
}
