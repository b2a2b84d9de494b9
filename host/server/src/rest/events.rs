//! Events as they were frozen when they happened, whoever was told of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::{Id, Params, limit};
use super::form::{json, when};
use crate::store::outbox::{EventFilter, EventRow};

/// Which events to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// About this video.
    video_id: Option<String>,
    /// Of this broadcast.
    broadcast: Option<String>,
    /// Of this type, as the vendor names it.
    kind: Option<String>,
    /// Before this event: the `next_before` of the page before.
    before: Option<String>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// A page of events, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct EventList {
    events: Vec<EventView>,
    /// What to pass as `before` for the next page; absent on the last one.
    next_before: Option<String>,
}

/// One event.
#[derive(Serialize, ToSchema)]
pub(super) struct EventView {
    /// The same on every attempt to deliver it.
    id: String,
    /// Its type, as the vendor names it.
    kind: String,
    at: String,
    broadcast: String,
    video_id: String,
    /// What receivers get, before any policy shapes it.
    body: Value,
}

/// Lists a tenant's events, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/events",
    tag = "events",
    params(("tenant" = String, Path, description = "The tenant."), Listing),
    responses((status = 200, body = EventList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Params(listing): Params<Listing>,
) -> Result<Json<EventList>, Error> {
    let limit = limit(listing.limit)?;
    let filter = EventFilter {
        video: listing.video_id,
        broadcast: listing.broadcast,
        kind: listing.kind,
        before: listing.before,
    };
    let rows = shared.store.events(&tenant.name, &filter, limit).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next_before = rows.last().filter(|_| full).map(|row| row.id.clone());
    Ok(Json(EventList { events: rows.into_iter().map(EventView::from).collect(), next_before }))
}

/// Shows an event.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/events/{event}",
    tag = "events",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("event" = String, Path, description = "The event."),
    ),
    responses((status = 200, body = EventView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
) -> Result<Json<EventView>, Error> {
    let (_, id) = ids;
    let row = shared.store.event(&tenant.name, &id).await?.ok_or(Error::NotFound("event"))?;
    Ok(Json(row.into()))
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            at: when(row.at),
            broadcast: row.broadcast,
            video_id: row.video,
            body: json(&row.body),
        }
    }
}
