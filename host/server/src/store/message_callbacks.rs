//! Where a tenant's events go.

use reprise_lifecycle::time::Timestamp;
use secrecy::SecretString;

use super::{Result, Store};

/// A callback setting of one application of a tenant.
#[derive(Clone, Debug)]
pub struct MessageCallback {
    /// The vendor's application id.
    pub app_id: String,
    /// The receiver.
    pub url: String,
    /// Empty for none, `ALL` for all, else a comma list of event types.
    pub event_types: String,
    /// Whether the vendor's signature headers are sent.
    pub auth_switch: bool,
    /// The key of those signatures.
    pub auth_key: Option<SecretString>,
    /// Vendor fields that are kept and given back: one JSON object.
    pub extra: String,
}

impl MessageCallback {
    /// Whether events of this type are wanted.
    pub fn wants(&self, event_type: &str) -> bool {
        wants(&self.event_types, event_type)
    }
}

/// Whether a subscription covers an event type. Every AI event is selected by the one word `AIComplete`.
pub(super) fn wants(event_types: &str, event_type: &str) -> bool {
    let ai = event_type.starts_with("AI");
    let covers = |wanted: &str| wanted == "ALL" || wanted == event_type || (ai && wanted == "AIComplete");
    event_types.split(',').map(str::trim).any(covers)
}

/// Receiver, event types, switch, sealed key, vendor fields.
type Row = (String, String, bool, Option<Vec<u8>>, String);

impl Store {
    /// Sets an application's callback; a later one replaces the earlier.
    pub async fn put_message_callback(&self, tenant: &str, callback: &MessageCallback, now: Timestamp) -> Result<()> {
        let key = match &callback.auth_key {
            Some(key) => Some(self.seal.seal(&purpose(tenant, &callback.app_id), key)?),
            None => None,
        };
        sqlx::query(
            "INSERT INTO message_callbacks (tenant, app_id, url, event_types, auth_switch, auth_key, extra, modified_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (tenant, app_id) DO UPDATE \
             SET url = ?3, event_types = ?4, auth_switch = ?5, auth_key = ?6, extra = ?7, modified_at = ?8",
        )
        .bind(tenant)
        .bind(&callback.app_id)
        .bind(&callback.url)
        .bind(&callback.event_types)
        .bind(callback.auth_switch)
        .bind(key)
        .bind(&callback.extra)
        .bind(now.0)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// An application's callback.
    pub async fn message_callback(&self, tenant: &str, app_id: &str) -> Result<Option<MessageCallback>> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT url, event_types, auth_switch, auth_key, extra FROM message_callbacks WHERE tenant = ? AND app_id = ?",
        )
        .bind(tenant)
        .bind(app_id)
        .fetch_optional(&self.reader)
        .await?;
        let Some((url, event_types, auth_switch, auth_key, extra)) = row else {
            return Ok(None);
        };
        let auth_key = match auth_key {
            Some(sealed) => Some(self.seal.open(&purpose(tenant, app_id), &sealed)?),
            None => None,
        };
        let app_id = app_id.to_owned();
        Ok(Some(MessageCallback { app_id, url, event_types, auth_switch, auth_key, extra }))
    }

    /// Removes an application's callback. Says whether it was there.
    pub async fn delete_message_callback(&self, tenant: &str, app_id: &str) -> Result<bool> {
        let done = sqlx::query("DELETE FROM message_callbacks WHERE tenant = ? AND app_id = ?")
            .bind(tenant)
            .bind(app_id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn purpose(tenant: &str, app_id: &str) -> String {
    format!("{tenant} callback {app_id}")
}
