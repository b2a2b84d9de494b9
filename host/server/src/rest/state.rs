//! A plugin's own memory, to be looked at and emptied.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::auth::{Actor, Scope};
use super::error::{Error, ErrorBody};
use super::extract::Id;
use crate::clock;

/// A plugin's state.
#[derive(Serialize, ToSchema)]
pub(super) struct StateView {
    /// How many decisions wrote to it.
    revision: u64,
    /// Values by key.
    entries: BTreeMap<String, String>,
}

/// What was taken away.
#[derive(Serialize, ToSchema)]
pub(super) struct StateCleared {
    /// How many keys there were.
    keys: u64,
}

/// Shows what a plugin keeps from one decision to the next.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/state",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    responses((status = 200, body = StateView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
) -> Result<Json<StateView>, Error> {
    let (_, name) = ids;
    shared.store.plugin_version(&tenant.name, &name, None).await?.ok_or(Error::NotFound("plugin"))?;
    let state = shared.store.plugin_state(&tenant.name, &name).await?;
    Ok(Json(StateView { revision: state.revision, entries: state.entries }))
}

/// Takes away all that a plugin keeps. What earlier decisions saw can still be had for replays.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/state",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    responses((status = 200, body = StateCleared), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn clear(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(ids): Id<(String, String)>,
) -> Result<Json<StateCleared>, Error> {
    let (_, name) = ids;
    shared.store.plugin_version(&tenant.name, &name, None).await?.ok_or(Error::NotFound("plugin"))?;
    let keys = shared.store.clear_plugin_state(&tenant.name, &name, &actor.0, clock::now().0).await?;
    Ok(Json(StateCleared { keys }))
}
