//! Settings of plugins, by revision.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::auth::{Actor, Scope};
use super::error::{Error, ErrorBody};
use super::extract::{Id, JsonText, Params, limit};
use super::form::when;
use crate::store::settings::SettingsRevision;

/// One revision of a plugin's settings.
#[derive(Serialize, ToSchema)]
pub(super) struct SettingsView {
    /// Counts from 1.
    revision: i64,
    /// The text as it was given: JSON.
    settings: String,
    created_at: String,
    /// `admin`, or `key:` and the id of an access key.
    created_by: String,
}

/// What a change of settings came to.
#[derive(Serialize, ToSchema)]
pub(super) struct SettingsChanged {
    /// The revision with these settings: a new one, unless the newest says the same.
    revision: i64,
    /// Bindings that are asked with it from now on.
    bindings: u64,
}

/// Revisions, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct SettingsHistory {
    revisions: Vec<SettingsView>,
}

/// Which revisions to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryParams {
    /// Below this revision.
    before: Option<i64>,
    /// At most so many, up to 1000; 100 if absent.
    limit: Option<u32>,
}

/// Shows a plugin's newest settings.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/settings",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    responses((status = 200, body = SettingsView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
) -> Result<Json<SettingsView>, Error> {
    let (_, name) = ids;
    let newest = shared.store.plugin_settings(&tenant.name, &name, None).await?;
    newest.map(|newest| Json(newest.into())).ok_or(Error::NotFound("plugin"))
}

/// Gives a plugin other settings. Every bound version is shown them first, and all must accept them; then all bindings of
/// the plugin move to the new revision in one act. Calls under way end with the old settings.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/settings",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    request_body(content = serde_json::Value, description = "The settings themselves: JSON of at most 64 KiB."),
    responses((status = 200, body = SettingsChanged), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(ids): Id<(String, String)>,
    JsonText(settings): JsonText,
) -> Result<Json<SettingsChanged>, Error> {
    let (_, name) = ids;
    let moved = shared.policies.put_settings(&tenant.name, &name, &settings, &actor.0).await?;
    Ok(Json(SettingsChanged { revision: moved.revision, bindings: moved.bindings }))
}

/// Lists a plugin's settings, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/settings/history",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
        HistoryParams,
    ),
    responses((status = 200, body = SettingsHistory), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn history(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
    Params(params): Params<HistoryParams>,
) -> Result<Json<SettingsHistory>, Error> {
    let (_, name) = ids;
    shared.store.plugin_version(&tenant.name, &name, None).await?.ok_or(Error::NotFound("plugin"))?;
    let revisions = shared.store.settings_history(&tenant.name, &name, params.before, limit(params.limit)?).await?;
    Ok(Json(SettingsHistory { revisions: revisions.into_iter().map(SettingsView::from).collect() }))
}

impl From<SettingsRevision> for SettingsView {
    fn from(revision: SettingsRevision) -> Self {
        Self {
            revision: revision.revision,
            settings: revision.settings,
            created_at: when(revision.created_at),
            created_by: revision.created_by,
        }
    }
}
