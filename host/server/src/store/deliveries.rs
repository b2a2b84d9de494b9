//! The outbox: events written in their record's transaction, one delivery per receiver, and every attempt.

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::Decision;
use reprise_lifecycle::delivery::State;
use reprise_lifecycle::id::{RecordSeq, VideoId};
use reprise_lifecycle::time::Timestamp;
use sqlx::{FromRow, Sqlite, Transaction};

use super::{Result, Store, decisions, write_json};

/// An event as it goes to the outbox: frozen when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    /// Stable id.
    pub id: String,
    /// The record it comes from.
    pub seq: RecordSeq,
    /// The video it is about.
    pub video: VideoId,
    /// The vendor's event type.
    pub kind: &'static str,
    /// When it happened.
    pub at: i64,
    /// One JSON object.
    pub body: String,
    /// The receiver that the request behind it named instead of the tenant's.
    pub callback: Option<String>,
}

/// A delivery that waits for a callback policy.
#[derive(Clone, Debug, FromRow)]
pub struct Unshaped {
    /// Its number.
    pub id: i64,
    /// The event's id.
    pub event: String,
    /// The owner.
    pub tenant: String,
    /// The receiver.
    pub url: String,
    /// The vendor's event type.
    pub kind: String,
    /// The event's JSON.
    pub body: String,
    /// The broadcast.
    pub broadcast: String,
    /// The video.
    pub video: String,
}

/// What a callback policy's decision comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shaped {
    /// Send this.
    Send {
        /// The body.
        body: String,
        /// Headers to add, as a JSON list of pairs.
        headers: String,
    },
    /// Send nothing.
    Drop,
}

pub(super) async fn write(
    transaction: &mut Transaction<'_, Sqlite>,
    after: &Broadcast,
    events: &[OutboxEvent],
    shape: bool,
) -> Result<()> {
    write_for(transaction, after.tenant.as_str(), after.id.as_str(), events, shape).await
}

/// Events that come from no record, or from one: what matters is whose they are.
pub(super) async fn write_for(
    transaction: &mut Transaction<'_, Sqlite>,
    tenant: &str,
    broadcast: &str,
    events: &[OutboxEvent],
    shape: bool,
) -> Result<()> {
    for event in events {
        sqlx::query(
            "INSERT INTO events (id, tenant, broadcast, seq, video, kind, at, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&event.id)
        .bind(tenant)
        .bind(broadcast)
        .bind(event.seq as i64)
        .bind(event.video.as_str())
        .bind(event.kind)
        .bind(event.at)
        .bind(&event.body)
        .execute(&mut **transaction)
        .await?;
        let receivers: Vec<(String, String, String)> =
            sqlx::query_as("SELECT app_id, url, event_types FROM message_callbacks WHERE tenant = ? AND url <> ''")
                .bind(tenant)
                .fetch_all(&mut **transaction)
                .await?;
        for (app_id, url, event_types) in receivers {
            let wanted = super::message_callbacks::wants(&event_types, event.kind);
            if !wanted {
                continue;
            }
            let phase = if shape { "shaping" } else { "pending" };
            sqlx::query(
                "INSERT INTO deliveries (event, tenant, app_id, url, phase, state, due_at, body, created_at, video) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )
            .bind(&event.id)
            .bind(tenant)
            .bind(app_id)
            // The vendor's rule: a request's own receiver replaces one that is configured and wants the event.
            .bind(event.callback.as_ref().unwrap_or(&url))
            .bind(phase)
            .bind(write_json("delivery state", &State::new(Timestamp(event.at)))?)
            .bind((!shape).then_some(event.at))
            .bind(event.body.as_bytes())
            .bind(event.at)
            .bind(event.video.as_str())
            .execute(&mut **transaction)
            .await?;
        }
    }
    Ok(())
}

impl Store {
    /// Tenants with deliveries that wait for a callback policy. Each is found by the one before it, so that what many of
    /// one tenant wait is not looked at.
    pub async fn unshaped_tenants(&self) -> Result<Vec<String>> {
        let tenants = "WITH RECURSIVE waiting(tenant) AS ( \
                SELECT min(tenant) FROM deliveries WHERE phase = 'shaping' \
                UNION ALL \
                SELECT (SELECT min(d.tenant) FROM deliveries d WHERE d.phase = 'shaping' AND d.tenant > waiting.tenant) \
                FROM waiting WHERE waiting.tenant IS NOT NULL) \
             SELECT tenant FROM waiting WHERE tenant IS NOT NULL";
        Ok(sqlx::query_scalar(tenants).fetch_all(&self.reader).await?)
    }

    /// Deliveries of a tenant that wait for a callback policy, oldest first.
    pub async fn unshaped(&self, tenant: &str, limit: i64) -> Result<Vec<Unshaped>> {
        let rows = sqlx::query_as(
            "SELECT d.id, d.event, d.tenant, d.url, e.kind, e.body, e.broadcast, e.video FROM deliveries d \
             JOIN events e ON e.id = d.event WHERE d.phase = 'shaping' AND d.tenant = ? ORDER BY d.id LIMIT ?",
        )
        .bind(tenant)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows)
    }

    /// Records the decisions about a callback and what they come to, once: a delivery that is shaped already stays as it
    /// is. Each step is a question, as JSON, and its decision.
    pub async fn shape_delivery(
        &self,
        delivery: &Unshaped,
        stream: (&str, &str),
        steps: &[(String, Decision)],
        shaped: &Shaped,
        at: i64,
    ) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let done = match shaped {
            Shaped::Send { body, headers } => {
                sqlx::query(
                    "UPDATE deliveries SET phase = 'pending', due_at = ?2, body = ?3, headers = ?4, state = ?5 \
                     WHERE id = ?1 AND phase = 'shaping'",
                )
                .bind(delivery.id)
                .bind(at)
                .bind(body.as_bytes())
                .bind(headers)
                .bind(write_json("delivery state", &State::new(Timestamp(at)))?)
                .execute(&mut *transaction)
                .await?
            }
            Shaped::Drop => {
                let dropped = State::Dropped { at: Timestamp(at) };
                sqlx::query("UPDATE deliveries SET phase = 'dropped', due_at = NULL, state = ?2 WHERE id = ?1 AND phase = 'shaping'")
                    .bind(delivery.id)
                    .bind(write_json("delivery state", &dropped)?)
                    .execute(&mut *transaction)
                    .await?
            }
        };
        if done.rows_affected() == 1 {
            let place = decisions::Place {
                tenant: &delivery.tenant,
                broadcast: Some(&delivery.broadcast),
                video: Some(&delivery.video),
                event: Some(&delivery.event),
                app: stream.0,
                stream: stream.1,
            };
            for (question, decision) in steps {
                decisions::write_one(&mut transaction, &place, question, decision, at).await?;
            }
        }
        transaction.commit().await?;
        self.decided.send_replace(());
        Ok(())
    }
}
