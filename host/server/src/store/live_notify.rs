//! Where notices about streams and recordings go, and who is asked whether to record.

use secrecy::SecretString;

use super::{Result, Store};

/// The receiver of notices about streams: one for each push domain.
#[derive(Clone, Debug)]
pub struct StreamNotify {
    /// The receiver; empty for none.
    pub url: String,
    /// Kept and given back.
    pub exception_url: String,
    /// Kept and given back.
    pub switch_url: String,
    /// Signs notices, if they are to be signed.
    pub auth: bool,
    /// The key of the signature.
    pub auth_key: Option<SecretString>,
}

/// The receiver of notices about recordings: one for each play domain.
#[derive(Clone, Debug)]
pub struct RecordNotify {
    /// The receiver.
    pub url: String,
    /// Who decides whether a stream is recorded; empty for nobody.
    pub on_demand_url: String,
    /// Whether the receiver wants to hear of starts, pauses and resumptions too.
    pub status: bool,
    /// Whether requests are signed.
    pub auth: bool,
    /// The key of the signature.
    pub auth_key: Option<SecretString>,
}

type StreamRow = (String, String, String, bool, Option<Vec<u8>>);
type RecordRow = (String, String, bool, bool, Option<Vec<u8>>);

impl Store {
    /// Sets the receiver of notices about a push domain's streams.
    pub async fn put_stream_notify(&self, tenant: &str, domain: &str, notify: &StreamNotify) -> Result<()> {
        let key = self.sealed(&stream_purpose(tenant, domain), notify.auth_key.as_ref())?;
        sqlx::query(
            "INSERT INTO live_stream_notify (tenant, domain, url, exception_url, switch_url, auth, auth_key) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, domain) DO UPDATE \
             SET url = ?3, exception_url = ?4, switch_url = ?5, auth = ?6, auth_key = ?7",
        )
        .bind(tenant)
        .bind(domain)
        .bind(&notify.url)
        .bind(&notify.exception_url)
        .bind(&notify.switch_url)
        .bind(notify.auth)
        .bind(key)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The receiver of notices about a push domain's streams.
    pub async fn stream_notify(&self, tenant: &str, domain: &str) -> Result<Option<StreamNotify>> {
        let row: Option<StreamRow> = sqlx::query_as(
            "SELECT url, exception_url, switch_url, auth, auth_key FROM live_stream_notify \
             WHERE tenant = ? AND domain = ?",
        )
        .bind(tenant)
        .bind(domain)
        .fetch_optional(&self.reader)
        .await?;
        let Some((url, exception_url, switch_url, auth, key)) = row else { return Ok(None) };
        let auth_key = self.opened(&stream_purpose(tenant, domain), key)?;
        Ok(Some(StreamNotify { url, exception_url, switch_url, auth, auth_key }))
    }

    /// Removes the receiver. Says whether there was one.
    pub async fn delete_stream_notify(&self, tenant: &str, domain: &str) -> Result<bool> {
        self.delete_notify("DELETE FROM live_stream_notify WHERE tenant = ? AND domain = ?", tenant, domain).await
    }

    /// Sets the receiver of notices about a play domain's recordings. With `fresh`, only if there is none. Says whether
    /// it was set.
    pub async fn put_record_notify(
        &self,
        tenant: &str,
        domain: &str,
        notify: &RecordNotify,
        fresh: bool,
    ) -> Result<bool> {
        let key = self.sealed(&record_purpose(tenant, domain), notify.auth_key.as_ref())?;
        let put = if fresh {
            "INSERT INTO live_record_notify (tenant, domain, url, on_demand_url, status, auth, auth_key) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"
        } else {
            "UPDATE live_record_notify SET url = ?3, on_demand_url = ?4, status = ?5, auth = ?6, auth_key = ?7 \
             WHERE tenant = ?1 AND domain = ?2"
        };
        let done = sqlx::query(put)
            .bind(tenant)
            .bind(domain)
            .bind(&notify.url)
            .bind(&notify.on_demand_url)
            .bind(notify.status)
            .bind(notify.auth)
            .bind(key)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The receiver of notices about a play domain's recordings.
    pub async fn record_notify(&self, tenant: &str, domain: &str) -> Result<Option<RecordNotify>> {
        let row: Option<RecordRow> = sqlx::query_as(
            "SELECT url, on_demand_url, status, auth, auth_key FROM live_record_notify WHERE tenant = ? AND domain = ?",
        )
        .bind(tenant)
        .bind(domain)
        .fetch_optional(&self.reader)
        .await?;
        let Some((url, on_demand_url, status, auth, key)) = row else { return Ok(None) };
        let auth_key = self.opened(&record_purpose(tenant, domain), key)?;
        Ok(Some(RecordNotify { url, on_demand_url, status, auth, auth_key }))
    }

    /// Removes the receiver. Says whether there was one.
    pub async fn delete_record_notify(&self, tenant: &str, domain: &str) -> Result<bool> {
        self.delete_notify("DELETE FROM live_record_notify WHERE tenant = ? AND domain = ?", tenant, domain).await
    }

    /// Sets where findings about a play domain's content would go. With `fresh`, only if there is none. Says whether it
    /// was set.
    pub async fn put_detect_notify(&self, tenant: &str, domain: &str, url: &str, fresh: bool) -> Result<bool> {
        let put = if fresh {
            "INSERT INTO live_detect_notify (tenant, domain, url) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"
        } else {
            "UPDATE live_detect_notify SET url = ?3 WHERE tenant = ?1 AND domain = ?2"
        };
        let done = sqlx::query(put).bind(tenant).bind(domain).bind(url).execute(&self.writer).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Where findings about a play domain's content would go.
    pub async fn detect_notify(&self, tenant: &str, domain: &str) -> Result<Option<String>> {
        let one = "SELECT url FROM live_detect_notify WHERE tenant = ? AND domain = ?";
        Ok(sqlx::query_scalar(one).bind(tenant).bind(domain).fetch_optional(&self.reader).await?)
    }

    /// Removes it. Says whether there was one.
    pub async fn delete_detect_notify(&self, tenant: &str, domain: &str) -> Result<bool> {
        self.delete_notify("DELETE FROM live_detect_notify WHERE tenant = ? AND domain = ?", tenant, domain).await
    }

    async fn delete_notify(&self, statement: &'static str, tenant: &str, domain: &str) -> Result<bool> {
        let done = sqlx::query(statement).bind(tenant).bind(domain).execute(&self.writer).await?;
        Ok(done.rows_affected() > 0)
    }

    fn sealed(&self, purpose: &str, key: Option<&SecretString>) -> Result<Option<Vec<u8>>> {
        key.map(|key| self.seal.seal(purpose, key)).transpose()
    }

    pub(super) fn opened(&self, purpose: &str, key: Option<Vec<u8>>) -> Result<Option<SecretString>> {
        key.map(|key| self.seal.open(purpose, &key)).transpose()
    }
}

/// What the key of stream notices is sealed for.
pub(super) fn stream_purpose(tenant: &str, domain: &str) -> String {
    format!("{tenant} stream notices {domain}")
}

/// What the key of record notices is sealed for.
pub(super) fn record_purpose(tenant: &str, domain: &str) -> String {
    format!("{tenant} record notices {domain}")
}
