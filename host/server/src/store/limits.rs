//! Limits that the operator sets for a tenant, or for one of its plugins, in place of the configured ones.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::changes::{self, Change};
use super::{Result, Store, read_json, write_json};

/// What is set; what is absent is as configured, or as set for the tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyLimits {
    /// Calls in a second, on the average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
    /// Calls that may come at once after a pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Calls at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// Fuel of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Linear memory of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processor time of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Time of day of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    /// Lines of the log that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_lines: Option<u32>,
    /// Bytes of the log that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u32>,
}

/// A tenant's limits: its own, and those of its plugins by name.
pub type TenantLimits = (PolicyLimits, Vec<(String, PolicyLimits)>);

impl Store {
    /// What is set for a tenant and its plugins.
    pub async fn policy_limits(&self, tenant: &str) -> Result<TenantLimits> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT plugin, limits FROM policy_limits WHERE tenant = ? ORDER BY plugin")
                .bind(tenant)
                .fetch_all(&self.reader)
                .await?;
        let (mut own, mut plugins) = (PolicyLimits::default(), Vec::new());
        for (plugin, text) in rows {
            let limits = read_json("limit", &text)?;
            if plugin.is_empty() {
                own = limits;
            } else {
                plugins.push((plugin, limits));
            }
        }
        Ok((own, plugins))
    }

    /// Sets the limits of a tenant or of one of its plugins, in place of those that were set. Empty ones go.
    pub async fn put_policy_limits(
        &self,
        tenant: &str,
        plugin: Option<&str>,
        limits: &PolicyLimits,
        actor: &str,
        at: i64,
    ) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let text = write_json("limit", limits)?;
        let put = if *limits == PolicyLimits::default() {
            sqlx::query("DELETE FROM policy_limits WHERE tenant = ? AND plugin = ?")
                .bind(tenant)
                .bind(plugin.unwrap_or_default())
        } else {
            sqlx::query(
                "INSERT INTO policy_limits (tenant, plugin, limits, set_at, set_by) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (tenant, plugin) DO UPDATE SET limits = ?3, set_at = ?4, set_by = ?5",
            )
            .bind(tenant)
            .bind(plugin.unwrap_or_default())
            .bind(&text)
            .bind(at)
            .bind(actor)
        };
        put.execute(&mut *transaction).await?;
        let change = Change { tenant, actor, action: "limits", plugin, detail: json!({"limits": limits}) };
        changes::write(&mut transaction, &change, at).await?;
        transaction.commit().await?;
        Ok(())
    }
}
