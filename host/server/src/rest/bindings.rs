//! Which streams use which version of a plugin.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::auth::{Actor, Scope};
use super::error::{Error, ErrorBody};
use super::extract::{Body, Id};
use super::form::when;
use crate::policies::{ActivateError, Activation};
use crate::store::bindings::Binding;

/// Which streams are to use which version. What is absent is the newest version, all applications, all streams.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivationBody {
    /// An older version: a rollback.
    version: Option<i64>,
    /// An application, or a pattern with `*`.
    app: Option<String>,
    /// A stream name, or a pattern with `*`.
    stream: Option<String>,
    /// What applies when the policy fails: `fallback` (the static configuration) or `reject` (nothing is done).
    failure_policy: Option<String>,
}

/// Which streams use a version.
#[derive(Serialize, ToSchema)]
pub(super) struct BindingView {
    plugin: String,
    version: i64,
    app: String,
    stream: String,
    failure_policy: String,
    activated_at: String,
}

/// What a deactivation found.
#[derive(Serialize, ToSchema)]
pub(super) struct Deactivated {
    /// Whether streams used it until now.
    was_active: bool,
}

/// Binds streams to a version, in place of the plugin's earlier binding. Calls under way end on the old one.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/activate",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    request_body = ActivationBody,
    responses((status = 200, body = BindingView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn activate(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(ids): Id<(String, String)>,
    Body(body): Body<ActivationBody>,
) -> Result<Json<BindingView>, Error> {
    let (_, name) = ids;
    let activation =
        Activation { version: body.version, app: body.app, stream: body.stream, failure_policy: body.failure_policy };
    let binding = shared.policies.activate(&tenant.name, &name, activation, &actor.0).await?;
    Ok(Json(binding.into()))
}

/// Takes a plugin's binding away: its hooks answer as if it were not there.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/deactivate",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    responses((status = 200, body = Deactivated), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn deactivate(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
) -> Result<Json<Deactivated>, Error> {
    let (_, name) = ids;
    shared.store.plugin_version(&tenant.name, &name, None).await?.ok_or(Error::NotFound("plugin"))?;
    let was_active = shared.policies.deactivate(&tenant.name, &name).await?;
    Ok(Json(Deactivated { was_active }))
}

impl From<Binding> for BindingView {
    fn from(binding: Binding) -> Self {
        Self {
            plugin: binding.plugin,
            version: binding.version,
            app: binding.app,
            stream: binding.stream,
            failure_policy: binding.failure_policy,
            activated_at: when(binding.activated_at),
        }
    }
}

impl From<ActivateError> for Error {
    fn from(error: ActivateError) -> Self {
        match error {
            ActivateError::NotFound => Self::NotFound("plugin or version"),
            ActivateError::Invalid(why) => Self::Invalid(why.to_owned()),
            ActivateError::NotReady(_) => Self::Internal(error.to_string()),
            ActivateError::Store(error) => error.into(),
        }
    }
}
