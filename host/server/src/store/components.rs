//! Who uploaded which component. The files are shared by digest; each tenant sees its own rows alone.

use reprise_lifecycle::time::Timestamp;
use serde_json::json;
use sqlx::{FromRow, Sqlite, Transaction};

use super::changes::{self, Change};
use super::quotas::{Quota, Quotas};
use super::{Result, Store};

/// The window of [`Quotas::uploads_per_hour`].
pub(super) const HOUR_MS: i64 = 3_600_000;

/// A component that a tenant uploaded.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Component {
    /// SHA-256 of its bytes, lower-case hex.
    pub digest: String,
    /// Its size.
    pub bytes: i64,
    /// When it was last uploaded.
    pub uploaded_at: i64,
    /// Who uploaded it first.
    pub uploaded_by: String,
}

impl Store {
    /// A component, if this tenant uploaded it.
    pub async fn component(&self, tenant: &str, digest: &str) -> Result<Option<Component>> {
        let one = "SELECT digest, bytes, uploaded_at, uploaded_by FROM components WHERE tenant = ? AND digest = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(digest).fetch_optional(&self.reader).await?)
    }

    /// Whether a tenant has room for a component of this size now. [`Store::add_component`] asks again; this is so that
    /// nothing is taken in vain.
    ///
    /// # Errors
    /// [`Error::Quota`](super::Error::Quota) when it has not.
    pub async fn check_component(&self, tenant: &str, digest: &str, bytes: i64, quotas: &Quotas) -> Result<()> {
        let mut transaction = self.reader.begin().await?;
        let owns = "SELECT EXISTS (SELECT 1 FROM components WHERE tenant = ? AND digest = ?)";
        if !sqlx::query_scalar(owns).bind(tenant).bind(digest).fetch_one(&mut *transaction).await? {
            check(&mut transaction, tenant, bytes, quotas).await?;
        }
        Ok(())
    }

    /// Notes that a tenant uploaded a component, whose file gets its place next. Says whether it is new to the tenant.
    ///
    /// # Errors
    /// [`Error::Quota`](super::Error::Quota) when its bytes are too many.
    pub async fn add_component(&self, tenant: &str, component: &Component, quotas: &Quotas) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let is_new = own(&mut transaction, tenant, component, quotas).await?;
        if is_new {
            let change = Change {
                tenant,
                actor: &component.uploaded_by,
                action: "upload",
                plugin: None,
                detail: json!({"digest": component.digest, "bytes": component.bytes}),
            };
            changes::write(&mut transaction, &change, component.uploaded_at).await?;
        }
        transaction.commit().await?;
        Ok(is_new)
    }

    /// Counts an upload or a push before it is looked at: refused ones cost as much. `quotas` are those of all tenants,
    /// here and in what else adds: what is set for this one wins.
    ///
    /// # Errors
    /// [`Error::Quota`](super::Error::Quota) when there were too many in the last hour.
    pub async fn count_upload(&self, tenant: &str, quotas: &Quotas, now: Timestamp) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM component_uploads WHERE tenant = ? AND at <= ?")
            .bind(tenant)
            .bind(now.0 - HOUR_MS)
            .execute(&mut *transaction)
            .await?;
        let used = sqlx::query_scalar("SELECT count(*) FROM component_uploads WHERE tenant = ?")
            .bind(tenant)
            .fetch_one(&mut *transaction)
            .await?;
        quotas.of(&mut transaction, tenant).await?.check(Quota::UploadsPerHour, used, 1)?;
        sqlx::query("INSERT INTO component_uploads (tenant, at) VALUES (?, ?)")
            .bind(tenant)
            .bind(now.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Whether somebody's row or version names a component.
    pub async fn is_component_known(&self, digest: &str) -> Result<bool> {
        let known = "SELECT EXISTS (SELECT 1 FROM components WHERE digest = ?1) \
                     OR EXISTS (SELECT 1 FROM plugin_versions WHERE digest = ?1)";
        Ok(sqlx::query_scalar(known).bind(digest).fetch_one(&self.reader).await?)
    }

    /// Forgets uploads before `before` that no version of their tenant uses. Says how many.
    pub async fn forget_components(&self, before: Timestamp) -> Result<u64> {
        let done = sqlx::query(
            "DELETE FROM components WHERE uploaded_at <= ? AND NOT EXISTS (SELECT 1 FROM plugin_versions v \
             WHERE v.tenant = components.tenant AND v.digest = components.digest)",
        )
        .bind(before.0)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }
}

/// Makes a component a tenant's own, within its quota. Says whether it was not before.
pub(super) async fn own(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    component: &Component,
    quotas: &Quotas,
) -> Result<bool> {
    let again = sqlx::query("UPDATE components SET uploaded_at = ? WHERE tenant = ? AND digest = ?")
        .bind(component.uploaded_at)
        .bind(tenant)
        .bind(&component.digest)
        .execute(&mut **transaction)
        .await?;
    if again.rows_affected() > 0 {
        return Ok(false);
    }
    check(transaction, tenant, component.bytes, quotas).await?;
    sqlx::query("INSERT INTO components (tenant, digest, bytes, uploaded_at, uploaded_by) VALUES (?, ?, ?, ?, ?)")
        .bind(tenant)
        .bind(&component.digest)
        .bind(component.bytes)
        .bind(component.uploaded_at)
        .bind(&component.uploaded_by)
        .execute(&mut **transaction)
        .await?;
    Ok(true)
}

/// Whether a tenant has room for so many bytes more.
async fn check(transaction: &mut Transaction<'_, Sqlite>, tenant: &str, bytes: i64, quotas: &Quotas) -> Result<()> {
    let used = sqlx::query_scalar("SELECT coalesce(sum(bytes), 0) FROM components WHERE tenant = ?")
        .bind(tenant)
        .fetch_one(&mut **transaction)
        .await?;
    Ok(quotas.of(transaction, tenant).await?.check(Quota::ComponentBytes, used, bytes)?)
}

/// Gives up a tenant's components that no version of it uses, among these digests.
pub(super) async fn give_up(transaction: &mut Transaction<'_, Sqlite>, tenant: &str, digests: &[String]) -> Result<()> {
    for digest in digests {
        sqlx::query(
            "DELETE FROM components WHERE tenant = ?1 AND digest = ?2 AND NOT EXISTS \
             (SELECT 1 FROM plugin_versions WHERE tenant = ?1 AND digest = ?2)",
        )
        .bind(tenant)
        .bind(digest)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
