//! Tenants: made and removed by the admin, seen and switched by themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::auth::{Actor, Admin, Scope};
use super::error::{Error, ErrorBody};
use super::extract::Body;
use super::form::when;
use super::names::{domain, is_tenant_name};
use crate::clock;
use crate::store::tenants::{NewTenant, Tenant, TenantKeys};

/// What access key ids begin with, so that they are known for what they are when they turn up somewhere.
const KEY_PREFIX: &str = "RPAK";

/// A tenant.
#[derive(Serialize, ToSchema)]
pub(super) struct TenantView {
    /// Its name, which is its id.
    tenant: String,
    /// Where its encoders push to.
    push_domain: String,
    /// Where its viewers play from.
    play_domain: String,
    /// Whether push URLs must be signed.
    push_auth: bool,
    /// Whether playback URLs must be signed.
    url_auth: bool,
    /// What the server adds to a signed URL's timestamp, in seconds.
    auth_validity_seconds: i64,
    /// Whether plugins must be signed with one of the tenant's signing keys.
    require_signature: bool,
    created_at: String,
}

/// All tenants.
#[derive(Serialize, ToSchema)]
pub(super) struct TenantList {
    tenants: Vec<TenantView>,
}

/// A tenant to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenantBody {
    /// Lower-case letters, digits and hyphens, at most 64.
    name: String,
    /// A host name that is no other tenant's.
    push_domain: String,
    /// A host name that is no other tenant's.
    play_domain: String,
    /// Whether push URLs must be signed; they must if this is absent.
    push_auth: Option<bool>,
}

/// A tenant as it was made. This is the only time that its secrets are shown.
#[derive(Serialize, ToSchema)]
pub(super) struct NewTenantView {
    tenant: String,
    push_domain: String,
    play_domain: String,
    access_key_id: String,
    /// With the id and a dot before it, the tenant's bearer token.
    access_key_secret: String,
    /// Signs push URLs.
    push_key: String,
    /// Signs playback URLs.
    play_key: String,
    /// Verifies callbacks (Standard Webhooks).
    webhook_secret: String,
}

/// What of a tenant is to be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantChange {
    /// Whether push URLs must be signed.
    push_auth: Option<bool>,
    /// Whether playback URLs must be signed.
    url_auth: Option<bool>,
    /// Whether plugins must be signed. The tenant may switch it on; only the admin may switch it off.
    require_signature: Option<bool>,
}

/// Lists all tenants.
#[utoipa::path(
    get,
    path = "/v1/tenants",
    tag = "tenants",
    responses((status = 200, body = TenantList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>, _: Admin) -> Result<Json<TenantList>, Error> {
    let tenants = shared.store.tenants().await?;
    Ok(Json(TenantList { tenants: tenants.into_iter().map(TenantView::from).collect() }))
}

/// Makes a tenant. Its secrets are shown in this answer and never again.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    tag = "tenants",
    request_body = NewTenantBody,
    responses((status = 201, body = NewTenantView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Body(body): Body<NewTenantBody>,
) -> Result<(StatusCode, Json<NewTenantView>), Error> {
    let invalid = |why: &str| Error::Invalid(why.to_owned());
    if !is_tenant_name(&body.name) {
        return Err(invalid("name must be 1 to 64 lower-case letters, digits and hyphens"));
    }
    let push_domain = domain(&body.push_domain).ok_or_else(|| invalid("push_domain is not a host name"))?;
    let play_domain = domain(&body.play_domain).ok_or_else(|| invalid("play_domain is not a host name"))?;
    if push_domain == play_domain {
        return Err(invalid("push_domain and play_domain must differ"));
    }
    let new = NewTenant {
        name: body.name,
        push_domain,
        play_domain,
        push_auth: body.push_auth.unwrap_or(true),
        keys: TenantKeys {
            push_key: random_hex::<16>()?.into(),
            play_key: random_hex::<16>()?.into(),
            webhook_secret: SecretString::from(format!("whsec_{}", STANDARD.encode(random::<32>()?))),
        },
        access_key_id: format!("{KEY_PREFIX}{}", random_hex::<10>()?),
        access_key_secret: random_hex::<32>()?.into(),
    };
    shared.store.create_tenant(&new, clock::now()).await?;
    tracing::info!(tenant.id = new.name, "a tenant was made");
    let shown = |secret: &SecretString| secret.expose_secret().to_owned();
    let view = NewTenantView {
        access_key_secret: shown(&new.access_key_secret),
        push_key: shown(&new.keys.push_key),
        play_key: shown(&new.keys.play_key),
        webhook_secret: shown(&new.keys.webhook_secret),
        tenant: new.name,
        push_domain: new.push_domain,
        play_domain: new.play_domain,
        access_key_id: new.access_key_id,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Shows a tenant.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant.")),
    responses((status = 200, body = TenantView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(Scope(tenant): Scope) -> Json<TenantView> {
    Json(tenant.into())
}

/// Switches a tenant's signing of push and playback URLs and of plugins.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant.")),
    request_body = TenantChange,
    responses((status = 200, body = TenantView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Actor(actor): Actor,
    admin: Result<Admin, Error>,
    Body(change): Body<TenantChange>,
) -> Result<Json<TenantView>, Error> {
    // Whoever got hold of a tenant's access key must not be able to push unsigned plugins with it.
    if change.require_signature == Some(false) {
        admin?;
    }
    if let Some(required) = change.require_signature {
        shared.store.set_require_signature(&tenant.name, required, &actor, clock::now()).await?;
    }
    shared.store.set_tenant_switches(&tenant.name, change.push_auth, change.url_auth).await?;
    let tenant = shared.store.tenant(&tenant.name).await?.ok_or(Error::NotFound("tenant"))?;
    Ok(Json(tenant.into()))
}

/// Removes a tenant that owns nothing any more.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant.")),
    responses((status = 204), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Scope(tenant): Scope,
) -> Result<StatusCode, Error> {
    match shared.policies.remove_tenant(&tenant.name).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::NotFound("tenant")),
    }
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        Self {
            tenant: tenant.name,
            push_domain: tenant.push_domain,
            play_domain: tenant.play_domain,
            push_auth: tenant.push_auth,
            url_auth: tenant.url_auth,
            auth_validity_seconds: tenant.auth_validity_s,
            require_signature: tenant.require_signature,
            created_at: when(tenant.created_at),
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(format!("no random numbers: {error}")))?;
    Ok(bytes)
}

fn random_hex<const N: usize>() -> Result<String, Error> {
    random::<N>().map(hex::encode)
}
