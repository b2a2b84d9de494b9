//! Tenants, their domains and their keys.

use reprise_lifecycle::id::TenantId;
use reprise_lifecycle::time::Timestamp;
use secrecy::SecretString;
use sqlx::{FromRow, SqliteExecutor};

use super::{Error, Result, Store};

/// A tenant as it is looked up. Keys are opened only by who needs them, see [`Store::tenant_keys`].
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Tenant {
    /// Its name, which is its id.
    pub name: String,
    /// Ingest domain.
    pub push_domain: String,
    /// Play domain.
    pub play_domain: String,
    /// Whether push URLs must be signed.
    pub push_auth: bool,
    /// Whether playback URLs must be signed.
    pub url_auth: bool,
    /// How long a signed URL lives beyond its timestamp, in seconds.
    pub auth_validity_s: i64,
    /// Whether plugins must be signed.
    pub require_signature: bool,
    /// When it was made.
    pub created_at: i64,
}

impl Tenant {
    /// The id the core uses.
    pub fn id(&self) -> TenantId {
        TenantId::new(self.name.clone())
    }
}

/// A tenant's secrets, opened.
#[derive(Clone, Debug)]
pub struct TenantKeys {
    /// Signs push URLs.
    pub push_key: SecretString,
    /// Signs playback URLs.
    pub play_key: SecretString,
    /// Signs callbacks as Standard Webhooks does, `whsec_…`.
    pub webhook_secret: SecretString,
}

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its name.
    pub name: String,
    /// Ingest domain.
    pub push_domain: String,
    /// Play domain.
    pub play_domain: String,
    /// Whether push URLs must be signed.
    pub push_auth: bool,
    /// Its secrets.
    pub keys: TenantKeys,
    /// Its first access key.
    pub access_key_id: String,
    /// That key's secret.
    pub access_key_secret: SecretString,
}

/// An access key of a signed request.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The tenant it acts for.
    pub tenant: Tenant,
    /// Its secret.
    pub secret: SecretString,
    /// Whether it may be used.
    pub active: bool,
}

const TENANT: &str = "SELECT name, push_domain, play_domain, push_auth, url_auth, auth_validity_s, require_signature, created_at \
                      FROM tenants WHERE name = ?";

/// Rows that go in one transaction when a tenant does: a few milliseconds of the one writer.
const BATCH: i64 = 200;

/// A batch of what rollouts and backtests of a tenant found.
const DIFFERENCES: [&str; 2] = [
    "DELETE FROM rollout_differences WHERE (rollout, decision) IN (SELECT f.rollout, f.decision FROM rollouts r \
     JOIN rollout_differences f ON f.rollout = r.id WHERE r.tenant = ? LIMIT ?)",
    "DELETE FROM backtest_differences WHERE (backtest, decision) IN (SELECT f.backtest, f.decision FROM backtests b \
     JOIN backtest_differences f ON f.backtest = b.id WHERE b.tenant = ? LIMIT ?)",
];

impl Store {
    /// Makes a tenant with its first access key.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the name or a domain is taken.
    pub async fn create_tenant(&self, new: &NewTenant, now: Timestamp) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let taken: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM tenants WHERE name = ?1 OR push_domain IN (?2, ?3) OR play_domain IN (?2, ?3)",
        )
        .bind(&new.name)
        .bind(&new.push_domain)
        .bind(&new.play_domain)
        .fetch_optional(&mut *transaction)
        .await?;
        if taken.is_some() {
            return Err(Error::Conflict("the tenant's name or one of its domains is taken"));
        }
        // What a removed tenant left is searched by its name, and is nobody else's to read.
        let left: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM broadcasts WHERE tenant = ?1) OR EXISTS (SELECT 1 FROM events WHERE tenant = ?1) \
             OR EXISTS (SELECT 1 FROM decisions WHERE tenant = ?1) OR EXISTS (SELECT 1 FROM changes WHERE tenant = ?1) \
             OR EXISTS (SELECT 1 FROM plugin_state_history WHERE tenant = ?1)",
        )
        .bind(&new.name)
        .fetch_one(&mut *transaction)
        .await?;
        if left {
            return Err(Error::Conflict(
                "a removed tenant of this name left broadcasts, events, decisions, states or changes, which are still kept; \
                 choose another name",
            ));
        }
        sqlx::query(
            "INSERT INTO tenants (name, push_domain, play_domain, push_auth, push_key, play_key, webhook_secret, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&new.name)
        .bind(&new.push_domain)
        .bind(&new.play_domain)
        .bind(new.push_auth)
        .bind(self.seal.seal(&format!("{} push", new.name), &new.keys.push_key)?)
        .bind(self.seal.seal(&format!("{} play", new.name), &new.keys.play_key)?)
        .bind(self.seal.seal(&format!("{} webhook", new.name), &new.keys.webhook_secret)?)
        .bind(now.0)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("INSERT INTO access_keys (id, tenant, secret, created_at) VALUES (?, ?, ?, ?)")
            .bind(&new.access_key_id)
            .bind(&new.name)
            .bind(self.seal.seal(&format!("access {}", new.access_key_id), &new.access_key_secret)?)
            .bind(now.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// One tenant by name.
    pub async fn tenant(&self, name: &str) -> Result<Option<Tenant>> {
        Ok(sqlx::query_as(TENANT).bind(name).fetch_optional(&self.reader).await?)
    }

    /// All tenants by name.
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        let all = "SELECT name, push_domain, play_domain, push_auth, url_auth, auth_validity_s, require_signature, created_at \
                   FROM tenants ORDER BY name";
        Ok(sqlx::query_as(all).fetch_all(&self.reader).await?)
    }

    /// The tenant whose ingest domain this is.
    pub async fn tenant_of_push_domain(&self, domain: &str) -> Result<Option<Tenant>> {
        let by_domain = "SELECT name, push_domain, play_domain, push_auth, url_auth, auth_validity_s, require_signature, created_at \
                         FROM tenants WHERE push_domain = ?";
        Ok(sqlx::query_as(by_domain).bind(domain).fetch_optional(&self.reader).await?)
    }

    /// A tenant's secrets.
    pub async fn tenant_keys(&self, name: &str) -> Result<Option<TenantKeys>> {
        let row: Option<(Vec<u8>, Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT push_key, play_key, webhook_secret FROM tenants WHERE name = ?")
                .bind(name)
                .fetch_optional(&self.reader)
                .await?;
        let Some((push, play, webhook)) = row else {
            return Ok(None);
        };
        Ok(Some(TenantKeys {
            push_key: self.seal.open(&format!("{name} push"), &push)?,
            play_key: self.seal.open(&format!("{name} play"), &play)?,
            webhook_secret: self.seal.open(&format!("{name} webhook"), &webhook)?,
        }))
    }

    /// Switches signing of push and playback URLs; `None` leaves a switch as it is. Says whether the tenant exists.
    pub async fn set_tenant_switches(
        &self,
        name: &str,
        push_auth: Option<bool>,
        url_auth: Option<bool>,
    ) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE tenants SET push_auth = coalesce(?2, push_auth), url_auth = coalesce(?3, url_auth) WHERE name = ?1",
        )
        .bind(name)
        .bind(push_auth)
        .bind(url_auth)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes a tenant that owns nothing any more. Says whether it existed. Its differences, of which there can be
    /// millions, go before it, batch by batch; its past states are swept after it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when broadcasts or videos of it are still there.
    pub async fn delete_tenant(&self, name: &str) -> Result<bool> {
        owns_nothing(&self.reader, name).await?;
        for batch in DIFFERENCES {
            while sqlx::query(batch).bind(name).bind(BATCH).execute(&self.writer).await?.rows_affected() > 0 {}
        }
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        // Something may have begun meanwhile. Then the tenant stays, and lacks no more than those differences.
        owns_nothing(&mut *transaction, name).await?;
        let done = sqlx::query("DELETE FROM tenants WHERE name = ?").bind(name).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// The access key of a signed request.
    pub async fn access_key(&self, id: &str) -> Result<Option<AccessKey>> {
        let row: Option<(String, Vec<u8>, bool)> =
            sqlx::query_as("SELECT tenant, secret, active FROM access_keys WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.reader)
                .await?;
        let Some((tenant, secret, active)) = row else {
            return Ok(None);
        };
        let Some(tenant) = self.tenant(&tenant).await? else {
            return Ok(None);
        };
        let secret = self.seal.open(&format!("access {id}"), &secret)?;
        Ok(Some(AccessKey { tenant, secret, active }))
    }

    /// Switches an access key off: tests look at what becomes of it.
    #[cfg(test)]
    pub(crate) async fn switch_off_key(&self, id: &str) {
        let off = "UPDATE access_keys SET active = 0 WHERE id = ?";
        assert_eq!(sqlx::query(off).bind(id).execute(&self.writer).await.unwrap().rows_affected(), 1);
    }

    /// Notes a nonce of a signed request and forgets those older than `forget_before`. Says whether it is new.
    pub async fn note_nonce(
        &self,
        access_key: &str,
        nonce: &str,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM nonces WHERE seen_at < ?").bind(forget_before.0).execute(&mut *transaction).await?;
        let done =
            sqlx::query("INSERT INTO nonces (access_key, nonce, seen_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(access_key)
                .bind(nonce)
                .bind(now.0)
                .execute(&mut *transaction)
                .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

/// Refuses to go on if a tenant has broadcasts or videos.
async fn owns_nothing(executor: impl SqliteExecutor<'_>, tenant: &str) -> Result<()> {
    let owns = "SELECT EXISTS (SELECT 1 FROM videos WHERE tenant = ?1) \
                OR EXISTS (SELECT 1 FROM broadcasts WHERE tenant = ?1 AND settled = 0)";
    if sqlx::query_scalar(owns).bind(tenant).fetch_one(executor).await? {
        return Err(Error::Conflict("the tenant still owns videos or a running broadcast"));
    }
    Ok(())
}
