//! The outbox as the delivery worker sees it.

use bytes::Bytes;
use reprise_lifecycle::delivery::{DeliveryId, Pending, State};
use reprise_lifecycle::id::{EventId, TenantId};
use reprise_lifecycle::time::Timestamp;
use secrecy::ExposeSecret;
use sqlx::{FromRow, Sqlite, Transaction};

use super::{Error, Result, Store, read_json, write_json};
use crate::delivery::queue::{AttemptRecord, Due, LaneKey, Queue};
use crate::delivery::request::Callback;
use crate::delivery::signature::{AuthKey, EndpointSecret};

#[derive(FromRow)]
struct DueRow {
    id: i64,
    event: String,
    app_id: String,
    state: String,
    body: Vec<u8>,
    headers: String,
}

/// The word that the listing column carries for a state.
pub(super) fn phase_of(state: &State) -> &'static str {
    match state {
        State::Pending(_) => "pending",
        State::Delivered { .. } => "delivered",
        State::Exhausted { .. } => "exhausted",
        State::Disabled { .. } => "disabled",
        State::Dropped { .. } => "dropped",
    }
}

impl Queue for Store {
    type Error = Error;

    async fn due_tenants(&self, now: Timestamp, after: Option<&TenantId>, limit: usize) -> Result<Vec<TenantId>> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT tenant FROM deliveries WHERE due_at IS NOT NULL AND due_at <= ?1 AND tenant > ?2 \
             ORDER BY tenant LIMIT ?3",
        )
        .bind(now.0)
        .bind(after.map_or("", TenantId::as_str))
        .bind(limit as i64)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(TenantId::new).collect())
    }

    async fn due_lanes(
        &self,
        tenant: &TenantId,
        now: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<LaneKey>> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT url FROM deliveries WHERE tenant = ?1 AND due_at IS NOT NULL AND due_at <= ?2 AND url > ?3 \
             ORDER BY url LIMIT ?4",
        )
        .bind(tenant.as_str())
        .bind(now.0)
        .bind(after.unwrap_or(""))
        .bind(limit as i64)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(|url| LaneKey { tenant: tenant.clone(), url }).collect())
    }

    async fn due(&self, lane: &LaneKey, now: Timestamp, limit: usize) -> Result<Vec<Due>> {
        let rows: Vec<DueRow> = sqlx::query_as(
            // What is not due yet by a clock that was set back holds up nobody.
            "SELECT id, event, app_id, state, body, headers FROM deliveries AS d \
             WHERE tenant = ?1 AND url = ?2 AND due_at IS NOT NULL AND due_at <= ?3 AND (tried = 1 OR NOT EXISTS ( \
             SELECT 1 FROM deliveries AS e WHERE e.tried = 0 AND e.phase IN ('shaping', 'pending') AND e.tenant = ?1 \
             AND e.url = ?2 AND e.video = d.video AND e.id < d.id AND (e.due_at IS NULL OR e.due_at <= ?3))) \
             ORDER BY due_at, id LIMIT ?4",
        )
        .bind(lane.tenant.as_str())
        .bind(&lane.url)
        .bind(now.0)
        .bind(limit as i64)
        .fetch_all(&self.reader)
        .await?;
        let mut due = Vec::with_capacity(rows.len());
        let secrets = self.endpoint_secrets(lane.tenant.as_str()).await?;
        for row in rows {
            let auth = self.auth_key(lane, &row.app_id).await?;
            due.push(Due {
                delivery: DeliveryId::new(row.id.to_string()),
                state: read_json("delivery state", &row.state)?,
                callback: Callback {
                    event: EventId::new(row.event),
                    url: lane.url.clone(),
                    auth,
                    secrets: secrets.clone(),
                    headers: read_json("extra headers", &row.headers)?,
                    body: Bytes::from(row.body),
                },
            });
        }
        Ok(due)
    }

    async fn record_attempt(&self, delivery: &DeliveryId, attempt: &AttemptRecord, next: &State) -> Result<()> {
        let id: i64 = delivery.as_str().parse().unwrap_or(-1);
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO attempts (delivery, number, at, outcome, elapsed_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(attempt.attempt)
        .bind(attempt.started_at.0)
        .bind(outcome_json(attempt)?)
        .bind(attempt.elapsed_ms as i64)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("UPDATE deliveries SET tried = 1 WHERE id = ?").bind(id).execute(&mut *transaction).await?;
        let stored: Option<(String, String, String)> =
            sqlx::query_as("SELECT state, tenant, url FROM deliveries WHERE id = ?")
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await?;
        if let Some((state, tenant, url)) = stored
            && let State::Pending(Pending { attempt: number, .. }) = read_json("delivery state", &state)?
            && number == attempt.attempt
        {
            sqlx::query("UPDATE deliveries SET phase = ?2, state = ?3, due_at = ?4 WHERE id = ?1")
                .bind(id)
                .bind(phase_of(next))
                .bind(write_json("delivery state", next)?)
                .bind(next.due_at().map(|at| at.0))
                .execute(&mut *transaction)
                .await?;
            if let State::Disabled { at, .. } = next {
                disable(&mut transaction, &tenant, &url, *at).await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn next_due_after(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let next: Option<i64> =
            sqlx::query_scalar("SELECT min(due_at) FROM deliveries WHERE due_at IS NOT NULL AND due_at > ?")
                .bind(now.0)
                .fetch_one(&self.reader)
                .await?;
        Ok(next.map(Timestamp))
    }
}

impl Store {
    async fn endpoint_secrets(&self, tenant: &str) -> Result<Vec<EndpointSecret>> {
        let Some(keys) = self.tenant_keys(tenant).await? else { return Ok(Vec::new()) };
        let secret = EndpointSecret::parse(keys.webhook_secret.expose_secret()).map_err(|_| Error::Sealed)?;
        Ok(vec![secret])
    }

    /// The vendor's key, when the setting still names this receiver and wants signatures.
    async fn auth_key(&self, lane: &LaneKey, app_id: &str) -> Result<Option<AuthKey>> {
        let callback = self.message_callback(lane.tenant.as_str(), app_id).await?;
        let callback = callback.filter(|callback| callback.auth_switch && callback.url == lane.url);
        Ok(callback.and_then(|callback| callback.auth_key).map(|key| AuthKey::new(key.expose_secret())))
    }

    /// How many deliveries are due now, and since when the oldest waits.
    pub async fn outbox_depth(&self, now: Timestamp) -> Result<(i64, Option<i64>)> {
        Ok(sqlx::query_as("SELECT count(*), min(due_at) FROM deliveries WHERE due_at IS NOT NULL AND due_at <= ?")
            .bind(now.0)
            .fetch_one(&self.reader)
            .await?)
    }
}

/// The receiver wants no more: what still waits for it are dead letters, each with its own count of attempts, and
/// new events make none until the tenant configures it again.
async fn disable(transaction: &mut Transaction<'_, Sqlite>, tenant: &str, url: &str, at: Timestamp) -> Result<()> {
    let waiting: Vec<(i64, String)> = sqlx::query_as(
        "SELECT id, state FROM deliveries WHERE tenant = ? AND url = ? AND phase IN ('pending', 'shaping')",
    )
    .bind(tenant)
    .bind(url)
    .fetch_all(&mut **transaction)
    .await?;
    for (id, state) in waiting {
        let State::Pending(Pending { attempt, .. }) = read_json("delivery state", &state)? else { continue };
        let disabled = State::Disabled { attempt: attempt.saturating_sub(1), at };
        sqlx::query("UPDATE deliveries SET phase = 'disabled', state = ?2, due_at = NULL WHERE id = ?1")
            .bind(id)
            .bind(write_json("delivery state", &disabled)?)
            .execute(&mut **transaction)
            .await?;
    }
    sqlx::query("UPDATE message_callbacks SET event_types = '' WHERE tenant = ? AND url = ?")
        .bind(tenant)
        .bind(url)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn outcome_json(attempt: &AttemptRecord) -> Result<String> {
    let mut outcome =
        serde_json::to_value(attempt.outcome).map_err(|source| Error::Unreadable { what: "outcome", source })?;
    if let Some(fields) = outcome.as_object_mut() {
        fields.insert("peer".to_owned(), attempt.peer.map(|peer| peer.to_string()).into());
        fields.insert("answer".to_owned(), attempt.answer.as_ref().map(|(text, _)| text.clone()).into());
        fields.insert("detail".to_owned(), attempt.detail.clone().into());
    }
    Ok(outcome.to_string())
}

#[cfg(test)]
mod tests {
    use reprise_lifecycle::delivery::Outcome;
    use reprise_lifecycle::retry::Schedule;

    use super::*;
    use crate::store::deliveries::{OutboxEvent, Shaped, write_for};
    use crate::testkit::{World, noon};

    const URL: &str = "https://hooks.example/in";

    /// Events of one commit about `video`.
    async fn tell(world: &World, video: &str, names: &[&str], shape: bool) {
        let events: Vec<OutboxEvent> = names
            .iter()
            .map(|name| OutboxEvent {
                id: format!("evt_{name}"),
                seq: 0,
                video: reprise_lifecycle::id::VideoId::new(video),
                kind: "FileUploadComplete",
                at: noon().0,
                body: "{}".to_owned(),
                callback: None,
            })
            .collect();
        let mut transaction = world.store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        write_for(&mut transaction, "acme", "b1", &events, shape).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn due(world: &World, now: Timestamp) -> Vec<Due> {
        let lane = LaneKey { tenant: TenantId::new("acme"), url: URL.to_owned() };
        world.store.due(&lane, now, 100).await.unwrap()
    }

    async fn due_events(world: &World, now: Timestamp) -> Vec<String> {
        due(world, now).await.into_iter().map(|due| due.callback.event.as_str().to_owned()).collect()
    }

    /// One attempt at what is due under this name.
    async fn attempt(world: &World, name: &str, outcome: Outcome, now: Timestamp) {
        let due = due(world, now).await.into_iter().find(|due| due.callback.event.as_str() == name).unwrap();
        let State::Pending(pending) = due.state else { panic!("{due:?}") };
        let attempting = pending.begin(now).unwrap();
        let record = AttemptRecord {
            attempt: attempting.attempt(),
            started_at: now,
            elapsed_ms: 5,
            outcome,
            peer: None,
            answer: None,
            detail: None,
        };
        let next = attempting.finish(&outcome, &Schedule::default(), 0, now);
        world.store.record_attempt(&due.delivery, &record, &next).await.unwrap();
    }

    #[tokio::test]
    async fn deliveries_about_a_video_wait_for_the_first_attempt_of_the_earlier_ones_only() {
        let world = World::new().await;
        world.tenant("acme").await;
        world.receiver("acme", URL).await;
        tell(&world, "v1", &["a1", "a2", "a3"], false).await;
        tell(&world, "v2", &["b1", "b2"], false).await;
        let now = noon();
        assert_eq!(due_events(&world, now).await, ["evt_a1", "evt_b1"]);
        let failed = Outcome::Status { code: 500, retry_after_ms: None };
        attempt(&world, "evt_a1", failed, now).await;
        assert_eq!(due_events(&world, now).await, ["evt_a2", "evt_b1"], "a failed one is out of the way");
        attempt(&world, "evt_b1", Outcome::Status { code: 200, retry_after_ms: None }, now).await;
        assert_eq!(due_events(&world, now).await, ["evt_a2", "evt_b2"]);
        // When the retry is due it stands beside what was never tried, and neither waits for the other.
        let later = now.plus_ms(7 * 86_400_000);
        let mut both = due_events(&world, later).await;
        both.sort();
        assert_eq!(both, ["evt_a1", "evt_a2", "evt_b2"]);
        attempt(&world, "evt_a1", failed, later).await;
        assert!(due_events(&world, later).await.contains(&"evt_a2".to_owned()));
    }

    #[tokio::test]
    async fn what_waits_for_its_policy_keeps_its_place_and_what_is_dropped_has_none() {
        let world = World::new().await;
        world.tenant("acme").await;
        world.receiver("acme", URL).await;
        tell(&world, "v1", &["a1", "a2"], true).await;
        tell(&world, "v1", &["a3"], false).await;
        assert!(due_events(&world, noon()).await.is_empty());
        let unshaped = world.store.unshaped("acme", 10).await.unwrap();
        let decision = reprise_lifecycle::decision::Decision {
            hook: reprise_lifecycle::question::Hook::Callback,
            question_digest: "0".repeat(64),
            verdict: reprise_lifecycle::decision::Verdict::NoPolicy,
            applied: reprise_lifecycle::decision::Applied::Default,
            provenance: None,
        };
        let steps = [("{}".to_owned(), decision)];
        let send = Shaped::Send { body: "{}".to_owned(), headers: "[]".to_owned() };
        let at = noon().0;
        world.store.shape_delivery(&unshaped[1], ("", ""), &steps, &send, at).await.unwrap();
        assert!(due_events(&world, noon()).await.is_empty());
        world.store.shape_delivery(&unshaped[0], ("", ""), &steps, &Shaped::Drop, at).await.unwrap();
        assert_eq!(due_events(&world, noon()).await, ["evt_a2"]);
    }
}
