//! Limits of a tenant's policies: everybody sees their own, the operator sets them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::auth::{Actor, Admin, Scope};
use super::error::{Error, ErrorBody};
use super::extract::{Body, Id};
use crate::policies::{EffectiveLimits, ShownLimits};
use crate::store::limits::PolicyLimits;

/// What is set, and what applies.
#[derive(Serialize, ToSchema)]
pub(super) struct LimitsView {
    /// What the operator set; what is absent is as configured, or as set for the tenant.
    set: PolicyLimits,
    /// What applies to compiled policies.
    effective: EffectiveLimits,
    /// What applies to those that carry a script language's runtime.
    effective_scripted: EffectiveLimits,
}

/// Shows the limits of a tenant's policies. Rates and concurrency are of all its plugins together.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/limits",
    tag = "plugins",
    params(("tenant" = String, Path, description = "The tenant.")),
    responses((status = 200, body = LimitsView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(State(shared): State<Arc<Shared>>, Scope(tenant): Scope) -> Json<LimitsView> {
    Json(shared.policies.limits(&tenant.name, None).into())
}

/// Sets the limits of a tenant's policies, in place of those that were set: what is absent is as configured. For the
/// admin only. The next call keeps to them.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/limits",
    tag = "plugins",
    params(("tenant" = String, Path, description = "The tenant.")),
    request_body = PolicyLimits,
    responses((status = 200, body = LimitsView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Scope(tenant): Scope,
    actor: Actor,
    Body(limits): Body<PolicyLimits>,
) -> Result<Json<LimitsView>, Error> {
    set(&shared, &tenant.name, None, &limits, &actor).await
}

/// Shows the limits of a plugin.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/limits",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    responses((status = 200, body = LimitsView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show_plugin(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
) -> Result<Json<LimitsView>, Error> {
    let (_, name) = ids;
    shared.store.plugin_version(&tenant.name, &name, None).await?.ok_or(Error::NotFound("plugin"))?;
    Ok(Json(shared.policies.limits(&tenant.name, Some(&name)).into()))
}

/// Sets the limits of a plugin, in place of those that were set: what is absent is as for its tenant. For the admin only.
/// Rates and concurrency narrow what the tenant has.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/limits",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    request_body = PolicyLimits,
    responses((status = 200, body = LimitsView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn put_plugin(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Scope(tenant): Scope,
    actor: Actor,
    Id(ids): Id<(String, String)>,
    Body(limits): Body<PolicyLimits>,
) -> Result<Json<LimitsView>, Error> {
    let (_, name) = ids;
    shared.store.plugin_version(&tenant.name, &name, None).await?.ok_or(Error::NotFound("plugin"))?;
    set(&shared, &tenant.name, Some(&name), &limits, &actor).await
}

async fn set(
    shared: &Shared,
    tenant: &str,
    plugin: Option<&str>,
    limits: &PolicyLimits,
    actor: &Actor,
) -> Result<Json<LimitsView>, Error> {
    shared.policies.put_limits(tenant, plugin, limits, &actor.0).await?.map_err(Error::Invalid)?;
    Ok(Json(shared.policies.limits(tenant, plugin).into()))
}

impl From<ShownLimits> for LimitsView {
    fn from(limits: ShownLimits) -> Self {
        Self { set: limits.set, effective: limits.effective, effective_scripted: limits.scripted }
    }
}
