//! Who may sign a tenant's components. A revoked key stays, because versions name it: its name is not given again, and
//! the key itself is not taken again under another one.

use reprise_lifecycle::time::Timestamp;
use serde_json::json;
use sqlx::FromRow;

use super::changes::{self, Change};
use super::quotas::{Quota, Quotas};
use super::{Error, Result, Store};

/// Keys of one tenant, revoked ones included. Those cannot be cleared away, so that there must be an end to them; a key
/// a day reaches it in three years.
const KEYS_EVER: i64 = 1_000;

/// A tenant's public key.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct SigningKey {
    /// Its name.
    pub name: String,
    /// The 32 bytes in base64.
    pub public_key: String,
    /// When.
    pub created_at: i64,
    /// By whom.
    pub created_by: String,
    /// When it was revoked, if it was.
    pub revoked_at: Option<i64>,
}

impl Store {
    /// A tenant's keys by name, revoked ones too.
    pub async fn signing_keys(&self, tenant: &str) -> Result<Vec<SigningKey>> {
        let all = "SELECT name, public_key, created_at, created_by, revoked_at FROM signing_keys \
                   WHERE tenant = ? ORDER BY name";
        Ok(sqlx::query_as(all).bind(tenant).fetch_all(&self.reader).await?)
    }

    /// Adds a key. Says whether it is new; the same key under the same name is there already. Where signatures are
    /// required only the admin adds keys: whoever got hold of an access key would add one of his own otherwise.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the name or the key is taken or the admin must add it, [`Error::Quota`] when there are too
    /// many.
    pub async fn add_signing_key(
        &self,
        tenant: &str,
        key: &SigningKey,
        by_admin: bool,
        quotas: &Quotas,
    ) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let all: Vec<(String, String, bool)> =
            sqlx::query_as("SELECT name, public_key, revoked_at IS NOT NULL FROM signing_keys WHERE tenant = ?")
                .bind(tenant)
                .fetch_all(&mut *transaction)
                .await?;
        for (name, public_key, revoked) in &all {
            let why = match (*name == key.name, *public_key == key.public_key, revoked) {
                (true, true, false) => return Ok(false),
                (false, false, _) => continue,
                (true, _, true) => "a key of this name was revoked, and versions name it; take another name",
                (_, true, true) => "this key was revoked; make another one",
                (true, _, false) => {
                    "there is another key of this name; add this one under another, then remove the old"
                }
                (_, true, false) => "this key is there already, under another name",
            };
            return Err(Error::Conflict(why));
        }
        let required = "SELECT require_signature FROM tenants WHERE name = ?";
        let required: bool = sqlx::query_scalar(required).bind(tenant).fetch_one(&mut *transaction).await?;
        if required && !by_admin {
            return Err(Error::Conflict(
                "this tenant's plugins must be signed, so that only the admin adds signing keys",
            ));
        }
        let active = all.iter().filter(|(_, _, revoked)| !revoked).count();
        let quotas = quotas.of(&mut transaction, tenant).await?;
        quotas.check(Quota::SigningKeys, i64::try_from(active).unwrap_or(i64::MAX), 1)?;
        if i64::try_from(all.len()).unwrap_or(i64::MAX) >= KEYS_EVER {
            return Err(Error::Conflict("this tenant has had all the signing keys that one may ever have"));
        }
        sqlx::query(
            "INSERT INTO signing_keys (tenant, name, public_key, created_at, created_by) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(tenant)
        .bind(&key.name)
        .bind(&key.public_key)
        .bind(key.created_at)
        .bind(&key.created_by)
        .execute(&mut *transaction)
        .await?;
        let change = Change {
            tenant,
            actor: &key.created_by,
            action: "add-signing-key",
            plugin: None,
            detail: json!({"key": key.name, "public_key": key.public_key}),
        };
        changes::write(&mut transaction, &change, key.created_at).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Revokes a key: nothing can be pushed with it any more. Says whether it was there and good.
    pub async fn revoke_signing_key(&self, tenant: &str, name: &str, actor: &str, now: Timestamp) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query(
            "UPDATE signing_keys SET revoked_at = ?, revoked_by = ? WHERE tenant = ? AND name = ? AND revoked_at IS NULL",
        )
        .bind(now.0)
        .bind(actor)
        .bind(tenant)
        .bind(name)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let detail = json!({"key": name});
        let change = Change { tenant, actor, action: "revoke-signing-key", plugin: None, detail };
        changes::write(&mut transaction, &change, now.0).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Switches whether a tenant takes signed components only.
    pub async fn set_require_signature(&self, tenant: &str, required: bool, actor: &str, now: Timestamp) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query("UPDATE tenants SET require_signature = ?1 WHERE name = ?2 AND require_signature <> ?1")
            .bind(required)
            .bind(tenant)
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() > 0 {
            let detail = json!({"required": required});
            let change = Change { tenant, actor, action: "require-signature", plugin: None, detail };
            changes::write(&mut transaction, &change, now.0).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
