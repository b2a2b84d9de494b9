//! Quotas of a tenant's plugins: everybody sees their own and what is used of them, the operator sets them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::auth::{Actor, Admin, Scope};
use super::error::{Error, ErrorBody};
use super::extract::Body;
use crate::clock;
use crate::store::quotas::TenantQuotas;

/// What is set, what applies and what is used.
#[derive(Serialize, ToSchema)]
pub(super) struct QuotasView {
    /// What the operator set for this tenant; what is absent is as configured for all.
    set: TenantQuotas,
    /// Plugins.
    plugins: QuotaView,
    /// Versions of one plugin; used are those of the plugin that has most.
    versions_per_plugin: QuotaView,
    /// Bytes of distinct components.
    component_bytes: QuotaView,
    /// Uploads and pushes in an hour; used are those of the last one.
    uploads_per_hour: QuotaView,
    /// Signing keys that are not revoked.
    signing_keys: QuotaView,
}

/// One quota. What was there before the limit was lowered stays, so more may be used than the limit.
#[derive(Serialize, ToSchema)]
struct QuotaView {
    limit: i64,
    used: i64,
}

/// Shows what a tenant may have of plugins, and how much of it is used.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/quotas",
    tag = "plugins",
    params(("tenant" = String, Path, description = "The tenant.")),
    responses((status = 200, body = QuotasView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(State(shared): State<Arc<Shared>>, Scope(tenant): Scope) -> Result<Json<QuotasView>, Error> {
    view(&shared, &tenant.name).await
}

/// Sets what a tenant may have of plugins, in place of what was set: what is absent or null is as configured for all
/// tenants. For the admin only. What the tenant has beyond it stays; only nothing can be added.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/quotas",
    tag = "plugins",
    params(("tenant" = String, Path, description = "The tenant.")),
    request_body = TenantQuotas,
    responses((status = 200, body = QuotasView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Scope(tenant): Scope,
    actor: Actor,
    Body(quotas): Body<TenantQuotas>,
) -> Result<Json<QuotasView>, Error> {
    shared.store.put_tenant_quotas(&tenant.name, &quotas, &actor.0, clock::now().0).await?;
    view(&shared, &tenant.name).await
}

async fn view(shared: &Shared, tenant: &str) -> Result<Json<QuotasView>, Error> {
    let set = shared.store.tenant_quotas(tenant).await?;
    let (limits, used) = (shared.policies.quotas().with(&set), shared.store.used_quotas(tenant, clock::now()).await?);
    let quota = |limit, used| QuotaView { limit, used };
    Ok(Json(QuotasView {
        set,
        plugins: quota(limits.plugins, used.plugins),
        versions_per_plugin: quota(limits.versions_per_plugin, used.versions_per_plugin),
        component_bytes: quota(limits.component_bytes, used.component_bytes),
        uploads_per_hour: quota(limits.uploads_per_hour, used.uploads_per_hour),
        signing_keys: quota(limits.signing_keys, used.signing_keys),
    }))
}
