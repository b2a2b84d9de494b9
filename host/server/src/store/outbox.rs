//! What tenants see of the outbox: their events, the deliveries of these with every attempt, and sending them again.

use reprise_lifecycle::delivery::State;
use reprise_lifecycle::time::Timestamp;
use sqlx::{FromRow, Sqlite, Transaction};

use super::{Result, Store, read_json, write_json};

/// Deliveries set back in one transaction. Other writers wait for it, so it is kept short.
const BATCH: i64 = 500;

/// One event, as it was frozen when it happened.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct EventRow {
    /// Its id.
    pub id: String,
    /// The broadcast it comes from.
    pub broadcast: String,
    /// The video it is about.
    pub video: String,
    /// The vendor's event type.
    pub kind: String,
    /// When it happened.
    pub at: i64,
    /// One JSON object.
    pub body: String,
}

/// Which events to list; `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// About this video.
    pub video: Option<String>,
    /// Of this broadcast.
    pub broadcast: Option<String>,
    /// Of this type.
    pub kind: Option<String>,
    /// Before this event in the list; one that is unknown has none before it.
    pub before: Option<String>,
}

/// One event for one receiver.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct DeliveryRow {
    /// Its number.
    pub id: i64,
    /// The event.
    pub event: String,
    /// The event's type.
    pub kind: String,
    /// The application whose callback setting named the receiver.
    pub app_id: String,
    /// The receiver.
    pub url: String,
    /// `shaping`, then the delivery machine's words.
    pub phase: String,
    /// When the next try is due, if there is one.
    pub due_at: Option<i64>,
    /// What is sent.
    pub body: Vec<u8>,
    /// JSON list of header pairs a policy added.
    pub headers: String,
    /// When it was made.
    pub created_at: i64,
}

/// Which deliveries to list; `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// In this phase.
    pub phase: Option<String>,
    /// Of this event.
    pub event: Option<String>,
    /// With a number below this one.
    pub before: Option<i64>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct AttemptRow {
    /// From 1.
    pub number: i64,
    /// When it began.
    pub at: i64,
    /// JSON of how it ended.
    pub outcome: String,
    /// How long it took.
    pub elapsed_ms: i64,
}

/// What became of a wish to send one delivery again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivered {
    /// It is due now.
    Due,
    /// The tenant has no such delivery.
    Unknown,
    /// It was dropped by a decision, which is not taken back, or waits for one.
    Refused,
}

/// Which deliveries to send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again<'a> {
    /// All of one event, whatever became of them.
    Event(&'a str),
    /// Every dead letter.
    DeadLetters,
}

const DELIVERY: &str = "SELECT d.id, d.event, e.kind, d.app_id, d.url, d.phase, d.due_at, d.body, d.headers, d.created_at \
                        FROM deliveries d JOIN events e ON e.id = d.event";

impl Store {
    /// A tenant's events, newest first.
    pub async fn events(&self, tenant: &str, filter: &EventFilter, limit: i64) -> Result<Vec<EventRow>> {
        let rows = sqlx::query_as(
            "SELECT id, broadcast, video, kind, at, body FROM events \
             WHERE tenant = ?1 AND (?2 IS NULL OR video = ?2) AND (?3 IS NULL OR broadcast = ?3) \
             AND (?4 IS NULL OR kind = ?4) AND (?5 IS NULL OR \
             (at, rowid) < (SELECT at, rowid FROM events WHERE id = ?5 AND tenant = ?1)) \
             ORDER BY at DESC, rowid DESC LIMIT ?6",
        )
        .bind(tenant)
        .bind(&filter.video)
        .bind(&filter.broadcast)
        .bind(&filter.kind)
        .bind(&filter.before)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows)
    }

    /// One event of a tenant.
    pub async fn event(&self, tenant: &str, id: &str) -> Result<Option<EventRow>> {
        let one = "SELECT id, broadcast, video, kind, at, body FROM events WHERE tenant = ? AND id = ?";
        Ok(sqlx::query_as(one).bind(tenant).bind(id).fetch_optional(&self.reader).await?)
    }

    /// A tenant's deliveries, newest first.
    pub async fn deliveries(&self, tenant: &str, filter: &DeliveryFilter, limit: i64) -> Result<Vec<DeliveryRow>> {
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{DELIVERY} WHERE d.tenant = ?1 AND (?2 IS NULL OR d.phase = ?2) AND (?3 IS NULL OR d.event = ?3) \
             AND (?4 IS NULL OR d.id < ?4) ORDER BY d.id DESC LIMIT ?5"
        )))
        .bind(tenant)
        .bind(&filter.phase)
        .bind(&filter.event)
        .bind(filter.before)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows)
    }

    /// What a tenant is told of a video: kind, receiver and phase of the newest deliveries, oldest first; an event that
    /// nobody wants has neither receiver nor phase.
    pub async fn told_of_video(
        &self,
        tenant: &str,
        video: &str,
        limit: i64,
    ) -> Result<Vec<(String, Option<String>, Option<String>)>> {
        let newest = "SELECT e.kind, d.url, d.phase FROM events e LEFT JOIN deliveries d ON d.event = e.id \
                      WHERE e.tenant = ? AND e.video = ? ORDER BY e.at DESC, e.rowid DESC, d.id DESC LIMIT ?";
        let mut told: Vec<(String, Option<String>, Option<String>)> =
            sqlx::query_as(newest).bind(tenant).bind(video).bind(limit).fetch_all(&self.reader).await?;
        told.reverse();
        Ok(told)
    }

    /// One delivery of a tenant with its attempts in order.
    pub async fn delivery(&self, tenant: &str, id: i64) -> Result<Option<(DeliveryRow, Vec<AttemptRow>)>> {
        let delivery: Option<DeliveryRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("{DELIVERY} WHERE d.tenant = ? AND d.id = ?")))
                .bind(tenant)
                .bind(id)
                .fetch_optional(&self.reader)
                .await?;
        let Some(delivery) = delivery else { return Ok(None) };
        let all = "SELECT number, at, outcome, elapsed_ms FROM attempts WHERE delivery = ? ORDER BY number";
        let attempts = sqlx::query_as(all).bind(id).fetch_all(&self.reader).await?;
        Ok(Some((delivery, attempts)))
    }

    /// Makes one delivery due again, as the delivery machine allows.
    pub async fn redeliver(&self, tenant: &str, id: i64, now: Timestamp) -> Result<Redelivered> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let found: Option<Settled> =
            sqlx::query_as("SELECT id, phase, state FROM deliveries WHERE tenant = ? AND id = ?")
                .bind(tenant)
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await?;
        let Some(found) = found else { return Ok(Redelivered::Unknown) };
        let due = set_back(&mut transaction, &found, now).await?;
        transaction.commit().await?;
        Ok(if due { Redelivered::Due } else { Redelivered::Refused })
    }

    /// Makes many deliveries due again and says how many.
    pub async fn redeliver_all(&self, tenant: &str, which: Again<'_>, now: Timestamp) -> Result<u64> {
        let (event, dead_only) = match which {
            Again::Event(event) => (Some(event), false),
            Again::DeadLetters => (None, true),
        };
        let (mut count, mut after) = (0, 0);
        loop {
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let batch: Vec<Settled> = sqlx::query_as(
                "SELECT id, phase, state FROM deliveries WHERE tenant = ?1 AND id > ?2 \
                 AND (?3 IS NULL OR event = ?3) AND (NOT ?4 OR phase IN ('exhausted', 'disabled')) ORDER BY id LIMIT ?5",
            )
            .bind(tenant)
            .bind(after)
            .bind(event)
            .bind(dead_only)
            .bind(BATCH)
            .fetch_all(&mut *transaction)
            .await?;
            let Some(last) = batch.last() else { return Ok(count) };
            after = last.id;
            for delivery in &batch {
                count += u64::from(set_back(&mut transaction, delivery, now).await?);
            }
            transaction.commit().await?;
        }
    }
}

/// A delivery as far as sending it again is concerned.
#[derive(FromRow)]
struct Settled {
    id: i64,
    phase: String,
    state: String,
}

async fn set_back(transaction: &mut Transaction<'_, Sqlite>, delivery: &Settled, now: Timestamp) -> Result<bool> {
    // A policy is still to say what is sent; the delivery machine does not know of that.
    if delivery.phase == "shaping" {
        return Ok(false);
    }
    let state: State = read_json("delivery state", &delivery.state)?;
    let Some(again) = state.redeliver(now) else { return Ok(false) };
    sqlx::query("UPDATE deliveries SET phase = 'pending', state = ?2, due_at = ?3 WHERE id = ?1")
        .bind(delivery.id)
        .bind(write_json("delivery state", &again)?)
        .bind(again.due_at().map(|at| at.0))
        .execute(&mut **transaction)
        .await?;
    Ok(true)
}

#[cfg(test)]
mod tests;
