//! What one tenant may have of plugins, and what it is told when that is used up. The numbers are counted, and what was
//! set for the tenant is read, in the transaction that would add to them, so that two requests at once cannot both take
//! the last place.

use std::fmt;

use reprise_lifecycle::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{FromRow, Sqlite, Transaction};

use super::changes::{self, Change};
use super::components::HOUR_MS;
use super::{Result, Store, read_json, write_json};
use crate::config;

/// How much one tenant may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Plugins.
    pub plugins: i64,
    /// Versions of one plugin.
    pub versions_per_plugin: i64,
    /// Bytes of distinct components.
    pub component_bytes: i64,
    /// Uploads and pushes in an hour.
    pub uploads_per_hour: i64,
    /// Signing keys that are not revoked.
    pub signing_keys: i64,
}

/// What the operator set for one tenant; what is absent is as configured for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenantQuotas {
    /// Plugins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugins: Option<u32>,
    /// Versions of one plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions_per_plugin: Option<u32>,
    /// Distinct components together, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_mib: Option<u32>,
    /// Uploads and pushes in an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploads_per_hour: Option<u32>,
    /// Signing keys that are not revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_keys: Option<u32>,
}

/// How much a tenant has of what [`Quotas`] bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct UsedQuotas {
    /// Plugins.
    pub plugins: i64,
    /// Versions of the plugin that has most.
    pub versions_per_plugin: i64,
    /// Bytes of distinct components.
    pub component_bytes: i64,
    /// Uploads and pushes in the last hour.
    pub uploads_per_hour: i64,
    /// Signing keys that are not revoked.
    pub signing_keys: i64,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// [`Quotas::plugins`].
    Plugins,
    /// [`Quotas::versions_per_plugin`].
    VersionsPerPlugin,
    /// [`Quotas::component_bytes`].
    ComponentBytes,
    /// [`Quotas::uploads_per_hour`].
    UploadsPerHour,
    /// [`Quotas::signing_keys`].
    SigningKeys,
}

/// A quota is used up. The tenant must make room, or the operator give more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverQuota {
    /// Which.
    pub quota: Quota,
    /// How much is used.
    pub used: i64,
    /// How much more was asked for.
    pub wanted: i64,
    /// How much there is.
    pub limit: i64,
}

impl From<config::Quotas> for Quotas {
    fn from(config: config::Quotas) -> Self {
        Self {
            plugins: config.plugins.into(),
            versions_per_plugin: config.versions_per_plugin.into(),
            component_bytes: mib(config.component_mib),
            uploads_per_hour: config.uploads_per_hour.into(),
            signing_keys: config.signing_keys.into(),
        }
    }
}

impl Quotas {
    /// These, with what is set for a tenant laid over them.
    #[must_use]
    pub fn with(self, set: &TenantQuotas) -> Self {
        Self {
            plugins: set.plugins.map_or(self.plugins, i64::from),
            versions_per_plugin: set.versions_per_plugin.map_or(self.versions_per_plugin, i64::from),
            component_bytes: set.component_mib.map_or(self.component_bytes, mib),
            uploads_per_hour: set.uploads_per_hour.map_or(self.uploads_per_hour, i64::from),
            signing_keys: set.signing_keys.map_or(self.signing_keys, i64::from),
        }
    }

    /// Those of a tenant, of which these are what is configured for all.
    pub(super) async fn of(&self, transaction: &mut Transaction<'_, Sqlite>, tenant: &str) -> Result<Self> {
        let set: Option<String> = sqlx::query_scalar(SET).bind(tenant).fetch_optional(&mut **transaction).await?;
        Ok(set.map(|text| read_json("quota", &text)).transpose()?.map_or(*self, |set| self.with(&set)))
    }

    /// Whether there is room for `wanted` more beside what is `used`.
    ///
    /// # Errors
    /// [`OverQuota`] when there is not.
    pub fn check(&self, quota: Quota, used: i64, wanted: i64) -> std::result::Result<(), OverQuota> {
        let limit = match quota {
            Quota::Plugins => self.plugins,
            Quota::VersionsPerPlugin => self.versions_per_plugin,
            Quota::ComponentBytes => self.component_bytes,
            Quota::UploadsPerHour => self.uploads_per_hour,
            Quota::SigningKeys => self.signing_keys,
        };
        if used.saturating_add(wanted) > limit { Err(OverQuota { quota, used, wanted, limit }) } else { Ok(()) }
    }
}

const SET: &str = "SELECT quotas FROM tenant_quotas WHERE tenant = ?";

impl Store {
    /// What is set for a tenant.
    pub async fn tenant_quotas(&self, tenant: &str) -> Result<TenantQuotas> {
        let set: Option<String> = sqlx::query_scalar(SET).bind(tenant).fetch_optional(&self.reader).await?;
        set.map_or_else(|| Ok(TenantQuotas::default()), |text| read_json("quota", &text))
    }

    /// Sets a tenant's quotas, in place of those that were set. What it has beyond them stays; only nothing is added.
    pub async fn put_tenant_quotas(&self, tenant: &str, set: &TenantQuotas, actor: &str, at: i64) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let text = write_json("quota", set)?;
        let put = if *set == TenantQuotas::default() {
            sqlx::query("DELETE FROM tenant_quotas WHERE tenant = ?").bind(tenant)
        } else {
            sqlx::query(
                "INSERT INTO tenant_quotas (tenant, quotas, set_at, set_by) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (tenant) DO UPDATE SET quotas = ?2, set_at = ?3, set_by = ?4",
            )
            .bind(tenant)
            .bind(&text)
            .bind(at)
            .bind(actor)
        };
        put.execute(&mut *transaction).await?;
        let change = Change { tenant, actor, action: "quotas", plugin: None, detail: json!({"quotas": set}) };
        changes::write(&mut transaction, &change, at).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// How much a tenant has of what its quotas bound.
    pub async fn used_quotas(&self, tenant: &str, now: Timestamp) -> Result<UsedQuotas> {
        let used = "SELECT (SELECT count(*) FROM plugins WHERE tenant = ?1) AS plugins, \
                    (SELECT coalesce(max(versions), 0) FROM (SELECT count(*) AS versions FROM plugin_versions \
                     WHERE tenant = ?1 GROUP BY plugin)) AS versions_per_plugin, \
                    (SELECT coalesce(sum(bytes), 0) FROM components WHERE tenant = ?1) AS component_bytes, \
                    (SELECT count(*) FROM component_uploads WHERE tenant = ?1 AND at > ?2) AS uploads_per_hour, \
                    (SELECT count(*) FROM signing_keys WHERE tenant = ?1 AND revoked_at IS NULL) AS signing_keys";
        Ok(sqlx::query_as(used).bind(tenant).bind(now.0 - HOUR_MS).fetch_one(&self.reader).await?)
    }
}

fn mib(count: u32) -> i64 {
    i64::from(count) << 20
}

impl OverQuota {
    /// Whether it passes by itself.
    pub fn passes(&self) -> bool {
        self.quota == Quota::UploadsPerHour
    }
}

impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, used, wanted, limit } = self;
        match quota {
            Quota::Plugins => write!(f, "{used} of {limit} plugins are used; delete one that no stream uses"),
            Quota::VersionsPerPlugin => {
                write!(f, "{used} of {limit} versions of this plugin are used; delete versions that no stream uses")
            }
            Quota::ComponentBytes => write!(
                f,
                "{used} of {limit} bytes of components are used and this one has {wanted}; delete versions that no \
                 stream uses (a component that no version uses goes by itself a day after its upload)"
            ),
            Quota::UploadsPerHour => {
                write!(f, "{used} of {limit} uploads and pushes of the last hour are used; try again later")
            }
            Quota::SigningKeys => write!(f, "{used} of {limit} signing keys are used; remove one"),
        }?;
        f.write_str(", or ask the operator for more")
    }
}

impl std::error::Error for OverQuota {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_is_given_and_the_next_one_names_what_is_used_up() {
        let quotas =
            Quotas { plugins: 2, versions_per_plugin: 2, component_bytes: 100, uploads_per_hour: 2, signing_keys: 2 };
        let each = [Quota::Plugins, Quota::VersionsPerPlugin, Quota::UploadsPerHour, Quota::SigningKeys];
        for quota in each {
            assert_eq!(quotas.check(quota, 1, 1), Ok(()));
            let told = quotas.check(quota, 2, 1).unwrap_err().to_string();
            assert!(told.starts_with("2 of 2 ") && told.contains("operator"), "{told}");
        }
        assert_eq!(quotas.check(Quota::ComponentBytes, 60, 40), Ok(()));
        let told = quotas.check(Quota::ComponentBytes, 60, 41).unwrap_err().to_string();
        assert!(told.starts_with("60 of 100 bytes") && told.contains("has 41"), "{told}");
        assert!(quotas.check(Quota::ComponentBytes, 1, i64::MAX).is_err(), "no sum overflows into room");
    }
}
