//! A tenant's signing keys: who may sign its components.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::auth::{Actor, Admin, Scope};
use super::error::{Error, ErrorBody};
use super::extract::{Body, Id};
use super::form::when;
use super::names::is_tenant_name;
use crate::clock;
use crate::policies::signature::public_key;
use crate::store::signing::SigningKey;

/// A public key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyBody {
    /// An ed25519 public key: PEM (SubjectPublicKeyInfo), or its 32 bytes in base64.
    public_key: String,
}

/// A signing key.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyView {
    name: String,
    /// Its 32 bytes in base64.
    public_key: String,
    created_at: String,
    /// `admin`, or `key:` and the id of an access key.
    created_by: String,
    /// Absent while pushes may be signed with it.
    revoked_at: Option<String>,
}

/// A tenant's signing keys by name, revoked ones too.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyList {
    signing_keys: Vec<KeyView>,
}

/// Lists a tenant's signing keys, revoked ones too.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/signing-keys",
    tag = "plugins",
    params(("tenant" = String, Path, description = "The tenant.")),
    responses((status = 200, body = KeyList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>, Scope(tenant): Scope) -> Result<Json<KeyList>, Error> {
    let keys = shared.store.signing_keys(&tenant.name).await?;
    Ok(Json(KeyList { signing_keys: keys.into_iter().map(KeyView::from).collect() }))
}

/// Shows a signing key.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/signing-keys/{key}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("key" = String, Path, description = "The key's name."),
    ),
    responses((status = 200, body = KeyView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(name): Id<String>,
) -> Result<Json<KeyView>, Error> {
    find(&shared, &tenant.name, &name).await
}

/// Adds a signing key. A key never changes, and neither the name nor the key of a revoked one is taken again.
/// Where signatures are required only the admin may add one.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/signing-keys/{key}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("key" = String, Path, description = "Lower-case letters, digits and hyphens, at most 64."),
    ),
    request_body = KeyBody,
    responses(
        (status = 200, description = "It was there already.", body = KeyView),
        (status = 201, description = "It is new.", body = KeyView),
        (status = "default", description = "Why not.", body = ErrorBody),
    ),
)]
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Actor(actor): Actor,
    admin: Result<Admin, Error>,
    Id(name): Id<String>,
    Body(body): Body<KeyBody>,
) -> Result<(StatusCode, Json<KeyView>), Error> {
    if !is_tenant_name(&name) {
        let why = "a key's name is 1 to 64 lower-case letters, digits and hyphens, no hyphen at either end";
        return Err(Error::Invalid(why.to_owned()));
    }
    let public_key = public_key(&body.public_key).map_err(|error| Error::Invalid(error.to_string()))?;
    let key = SigningKey { name, public_key, created_at: clock::now().0, created_by: actor, revoked_at: None };
    let quotas = shared.policies.quotas();
    let is_new = shared.store.add_signing_key(&tenant.name, &key, admin.is_ok(), &quotas).await?;
    let shown = find(&shared, &tenant.name, &key.name).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, shown))
}

/// Revokes a signing key: nothing can be pushed with it any more. Versions that it signed stay and say so.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/signing-keys/{key}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("key" = String, Path, description = "The key's name."),
    ),
    responses((status = 204), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Actor(actor): Actor,
    Id(name): Id<String>,
) -> Result<StatusCode, Error> {
    match shared.store.revoke_signing_key(&tenant.name, &name, &actor, clock::now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::NotFound("signing key")),
    }
}

async fn find(shared: &Shared, tenant: &str, name: &str) -> Result<Json<KeyView>, Error> {
    let mut keys = shared.store.signing_keys(tenant).await?.into_iter();
    let key = keys.find(|key| key.name == name).ok_or(Error::NotFound("signing key"))?;
    Ok(Json(key.into()))
}

impl From<SigningKey> for KeyView {
    fn from(key: SigningKey) -> Self {
        Self {
            name: key.name,
            public_key: key.public_key,
            created_at: when(key.created_at),
            created_by: key.created_by,
            revoked_at: key.revoked_at.map(when),
        }
    }
}
