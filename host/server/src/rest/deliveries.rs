//! Deliveries: each event for each receiver, every attempt, and sending again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::{Body, Id, Params, limit, one_of};
use super::form::{json, when};
use crate::clock;
use crate::store::outbox::{Again, AttemptRow, DeliveryFilter, DeliveryRow, Redelivered};

/// Where a delivery can stand.
const PHASES: [&str; 6] = ["shaping", "pending", "delivered", "exhausted", "disabled", "dropped"];

/// Which deliveries to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// In this phase: `shaping`, `pending`, `delivered`, `exhausted`, `disabled` or `dropped`.
    phase: Option<String>,
    /// Of this event.
    event_id: Option<String>,
    /// Made before this one: the `next_before` of the page before.
    before: Option<i64>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// A page of deliveries, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryList {
    deliveries: Vec<DeliveryView>,
    /// What to pass as `before` for the next page; absent on the last one.
    next_before: Option<i64>,
}

/// One event for one receiver.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryView {
    id: i64,
    event_id: String,
    /// The event's type, as the vendor names it.
    kind: String,
    /// The application whose callback setting named the receiver.
    app_id: String,
    url: String,
    /// `shaping` waits for a policy; `exhausted` and `disabled` are dead letters; `dropped` was not to be sent.
    phase: String,
    /// When the next try is due.
    due_at: Option<String>,
    created_at: String,
}

/// One delivery in full.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryDetail {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// What is sent.
    body: Value,
    /// Name and value of each header a policy added.
    headers: Value,
    attempts: Vec<AttemptView>,
}

/// One attempt.
#[derive(Serialize, ToSchema)]
pub(super) struct AttemptView {
    number: i64,
    at: String,
    elapsed_ms: i64,
    /// How it ended: `outcome` is `status` with its `code`, or what went wrong.
    outcome: Value,
}

/// Which deliveries to send again: exactly one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AgainBody {
    /// All of this event, whatever became of them.
    event_id: Option<String>,
    /// Every dead letter.
    dead_letters: Option<bool>,
}

/// How many are sent again.
#[derive(Serialize, ToSchema)]
pub(super) struct AgainView {
    redelivered: u64,
}

/// Lists a tenant's deliveries, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/deliveries",
    tag = "deliveries",
    params(("tenant" = String, Path, description = "The tenant."), Listing),
    responses((status = 200, body = DeliveryList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Params(listing): Params<Listing>,
) -> Result<Json<DeliveryList>, Error> {
    let limit = limit(listing.limit)?;
    let phase = one_of("phase", listing.phase, &PHASES)?;
    let filter = DeliveryFilter { phase, event: listing.event_id, before: listing.before };
    let rows = shared.store.deliveries(&tenant.name, &filter, limit).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next_before = rows.last().filter(|_| full).map(|row| row.id);
    Ok(Json(DeliveryList { deliveries: rows.iter().map(DeliveryView::from).collect(), next_before }))
}

/// Shows a delivery with what is sent and every attempt.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/deliveries/{delivery}",
    tag = "deliveries",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("delivery" = i64, Path, description = "The delivery."),
    ),
    responses((status = 200, body = DeliveryDetail), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, i64)>,
) -> Result<Json<DeliveryDetail>, Error> {
    let (_, id) = ids;
    let found = shared.store.delivery(&tenant.name, id).await?;
    let (row, attempts) = found.ok_or(Error::NotFound("delivery"))?;
    Ok(Json(DeliveryDetail {
        delivery: DeliveryView::from(&row),
        body: json(&String::from_utf8_lossy(&row.body)),
        headers: json(&row.headers),
        attempts: attempts.into_iter().map(AttemptView::from).collect(),
    }))
}

/// Sends one delivery again, at once and on a fresh schedule, with the same id.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/deliveries/{delivery}/redeliver",
    tag = "deliveries",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("delivery" = i64, Path, description = "The delivery."),
    ),
    responses((status = 202, body = AgainView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn redeliver(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, i64)>,
) -> Result<(StatusCode, Json<AgainView>), Error> {
    let (_, id) = ids;
    match shared.store.redeliver(&tenant.name, id, clock::now()).await? {
        Redelivered::Due => Ok(due(&shared, 1)),
        Redelivered::Unknown => Err(Error::NotFound("delivery")),
        Redelivered::Refused => {
            let why = "it was dropped by a recorded decision, or a policy is still to decide what is sent";
            Err(Error::Conflict(why.to_owned()))
        }
    }
}

/// Sends all deliveries of one event again, or every dead letter.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/redeliver",
    tag = "deliveries",
    params(("tenant" = String, Path, description = "The tenant.")),
    request_body = AgainBody,
    responses((status = 202, body = AgainView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn redeliver_many(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Body(body): Body<AgainBody>,
) -> Result<(StatusCode, Json<AgainView>), Error> {
    let which = match (&body.event_id, body.dead_letters) {
        (Some(event), None | Some(false)) => Again::Event(event),
        (None, Some(true)) => Again::DeadLetters,
        _ => return Err(Error::Invalid("give either event_id or dead_letters: true".to_owned())),
    };
    if let Again::Event(event) = which {
        shared.store.event(&tenant.name, event).await?.ok_or(Error::NotFound("event"))?;
    }
    let count = shared.store.redeliver_all(&tenant.name, which, clock::now()).await?;
    Ok(due(&shared, count))
}

fn due(shared: &Shared, redelivered: u64) -> (StatusCode, Json<AgainView>) {
    shared.due.notify_one();
    (StatusCode::ACCEPTED, Json(AgainView { redelivered }))
}

impl From<&DeliveryRow> for DeliveryView {
    fn from(row: &DeliveryRow) -> Self {
        Self {
            id: row.id,
            event_id: row.event.clone(),
            kind: row.kind.clone(),
            app_id: row.app_id.clone(),
            url: row.url.clone(),
            phase: row.phase.clone(),
            due_at: row.due_at.map(when),
            created_at: when(row.created_at),
        }
    }
}

impl From<AttemptRow> for AttemptView {
    fn from(row: AttemptRow) -> Self {
        Self { number: row.number, at: when(row.at), elapsed_ms: row.elapsed_ms, outcome: json(&row.outcome) }
    }
}
