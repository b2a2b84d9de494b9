//! Which streams use which version of a plugin.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::auth::{Actor, Scope};
use super::error::{Error, ErrorBody};
use super::extract::{Body, Id, MaybeBody};
use super::form::when;
use crate::policies::{ActivateError, Activation};
use crate::store::bindings::Binding;

/// Which streams are to use which version. What is absent stays as it is; of a new binding it is all streams, the newest
/// version and the plugin's settings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivationBody {
    /// The binding's name: a plugin may have several; `default` if absent.
    name: Option<String>,
    /// The newest if absent.
    version: Option<i64>,
    /// Those the binding has, or a new one of the newest version the plugin's, if absent; or those that came with the
    /// version where these are newer.
    settings_revision: Option<i64>,
    /// An ingest domain, or a pattern with `*`.
    domain: Option<String>,
    /// An application, or a pattern with `*`.
    app: Option<String>,
    /// A stream name, or a pattern with `*`.
    stream: Option<String>,
    /// The binding with the larger one is asked first, then the one with the more specific patterns, then the newer.
    priority: Option<i64>,
    /// What applies when the policy fails: `fallback` (the static configuration) or `reject` (nothing is done).
    failure_policy: Option<String>,
}

/// Which of a plugin's bindings goes.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeactivationBody {
    /// All of them if absent.
    name: Option<String>,
}

/// What a binding is put back to.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollBackBody {
    /// The binding's name; `default` if absent.
    name: Option<String>,
    /// A version it had, with the settings it had then; if absent, what it was before.
    to: Option<i64>,
}

/// Which streams use a version.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct BindingView {
    plugin: String,
    /// The binding's own name.
    name: String,
    version: i64,
    settings_revision: i64,
    domain: String,
    app: String,
    stream: String,
    priority: i64,
    failure_policy: String,
    activated_at: String,
    /// `admin`, `key:` and the id of an access key, or `reprise` where the server acted by a rule.
    activated_by: String,
}

/// A binding and how its version fares.
#[derive(Serialize, ToSchema)]
pub(super) struct BindingHealth {
    #[serde(flatten)]
    binding: BindingView,
    /// Failures in a row that are the version's own doing.
    failures: u32,
    /// Whether it failed so often that it is not asked for a while; the failure policy applies then.
    breaker_open: bool,
    /// How many seconds until it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    tried_again_in_seconds: Option<u64>,
}

/// Bindings, in the order in which they are asked.
#[derive(Serialize, ToSchema)]
pub(super) struct BindingList {
    bindings: Vec<BindingHealth>,
}

/// What a deactivation found.
#[derive(Serialize, ToSchema)]
pub(super) struct Deactivated {
    /// Whether streams used it until now.
    was_active: bool,
    /// How many bindings went.
    bindings: u64,
}

/// Binds streams to a version, in place of what the binding of this name was. The version is made ready first; then the
/// next call gets it, and calls under way end on the old one.
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
    let activation = Activation {
        name: body.name,
        version: body.version,
        settings_revision: body.settings_revision,
        domain: body.domain,
        app: body.app,
        stream: body.stream,
        priority: body.priority,
        failure_policy: body.failure_policy,
    };
    let binding = shared.policies.activate(&tenant.name, &name, activation, &actor.0).await?;
    Ok(Json(binding.into()))
}

/// Lists a plugin's bindings in the order in which they are asked, with how their versions fare.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/bindings",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    responses((status = 200, body = BindingList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
) -> Result<Json<BindingList>, Error> {
    let (_, name) = ids;
    known(&shared, &tenant.name, &name).await?;
    Ok(Json(in_order(&shared, &tenant.name, |binding| binding.plugin == name)))
}

/// Lists the bindings of all of a tenant's plugins in the order in which they are asked.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/bindings",
    tag = "plugins",
    params(("tenant" = String, Path, description = "The tenant.")),
    responses((status = 200, body = BindingList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list_all(State(shared): State<Arc<Shared>>, Scope(tenant): Scope) -> Json<BindingList> {
    Json(in_order(&shared, &tenant.name, |_| true))
}

fn in_order(shared: &Shared, tenant: &str, is_meant: impl Fn(&Binding) -> bool) -> BindingList {
    let policies = shared.policies.of(tenant);
    let bindings = policies.bindings().iter().map(|bound| &bound.binding).filter(|binding| is_meant(binding));
    let bindings = bindings.map(|binding| {
        let asked = (binding.version, binding.settings_revision);
        let (failures, open_for) = shared.policies.breaker(tenant, &binding.plugin, asked);
        BindingHealth {
            binding: binding.clone().into(),
            failures,
            breaker_open: open_for.is_some(),
            tried_again_in_seconds: open_for.map(|open_for| open_for.as_secs_f64().ceil() as u64),
        }
    });
    BindingList { bindings: bindings.collect() }
}

/// Takes a plugin's bindings away, or one of them: its hooks answer as if it were not there.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/deactivate",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    request_body(content = Option<DeactivationBody>),
    responses((status = 200, body = Deactivated), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn deactivate(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(ids): Id<(String, String)>,
    MaybeBody(body): MaybeBody<DeactivationBody>,
) -> Result<Json<Deactivated>, Error> {
    let (_, name) = ids;
    known(&shared, &tenant.name, &name).await?;
    let bindings = shared.policies.deactivate(&tenant.name, &name, body.name.as_deref(), &actor.0).await?;
    if bindings == 0 && body.name.is_some() {
        return Err(Error::NotFound("binding of this plugin"));
    }
    Ok(Json(Deactivated { was_active: bindings > 0, bindings }))
}

/// Puts a binding back to what it was before, in one act: the version and the settings it had then. Again, it is put back
/// further.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/rollback",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    request_body(content = Option<RollBackBody>),
    responses((status = 200, body = BindingView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn roll_back(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(ids): Id<(String, String)>,
    MaybeBody(body): MaybeBody<RollBackBody>,
) -> Result<Json<BindingView>, Error> {
    let (_, name) = ids;
    known(&shared, &tenant.name, &name).await?;
    let binding = shared.policies.roll_back(&tenant.name, &name, body.name.as_deref(), body.to, &actor.0).await?;
    Ok(Json(binding.into()))
}

/// Refuses what is about no plugin of this tenant.
pub(super) async fn known(shared: &Shared, tenant: &str, plugin: &str) -> Result<(), Error> {
    match shared.store.has_plugin(tenant, plugin).await? {
        true => Ok(()),
        false => Err(Error::NotFound("plugin")),
    }
}

impl From<Binding> for BindingView {
    fn from(binding: Binding) -> Self {
        Self {
            plugin: binding.plugin,
            name: binding.name,
            version: binding.version,
            settings_revision: binding.settings_revision,
            domain: binding.domain,
            app: binding.app,
            stream: binding.stream,
            priority: binding.priority,
            failure_policy: binding.failure_policy,
            activated_at: when(binding.activated_at),
            activated_by: binding.activated_by,
        }
    }
}

impl From<ActivateError> for Error {
    fn from(error: ActivateError) -> Self {
        match error {
            ActivateError::NotFound(what) => Self::Missing(what),
            ActivateError::No(what) => Self::NotFound(what),
            ActivateError::Invalid(why) => Self::Invalid(why.to_owned()),
            ActivateError::Conflict(why) => Self::Conflict(why.to_owned()),
            ActivateError::Settings { .. } => Self::Refused(error.to_string()),
            ActivateError::NotReady(_) => Self::Internal(error.to_string()),
            ActivateError::Busy(why) => Self::no_turn(why, &error),
            ActivateError::Store(error) => error.into(),
        }
    }
}
