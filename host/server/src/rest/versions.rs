//! Versions of a plugin: what they are and where they come from, their bytes, and taking them away.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use tokio_util::io::ReaderStream;
use utoipa::ToSchema;

use super::Shared;
use super::auth::{Actor, Scope};
use super::components::off_thread;
use super::error::{Error, ErrorBody};
use super::extract::Id;
use super::form::{json, when};
use crate::clock;
use crate::store::plugins::{PluginVersion, Removed};

/// Read at a time from the file of a component that is sent.
const CHUNK_BYTES: usize = 64 * 1024;

/// An uploaded version, which never changes.
#[derive(Serialize, ToSchema)]
pub(super) struct VersionView {
    plugin: String,
    /// Counts from 1; a number is never given twice.
    version: i64,
    /// SHA-256 of the component.
    digest: String,
    /// Size of the component.
    bytes: i64,
    /// The interface it exports.
    interface: String,
    /// The hooks it answers.
    hooks: Vec<String>,
    /// `standard`, or `scripted` if it carries a scripting runtime.
    class: String,
    /// What it uses beside the question: `state`, `assets`, `wasi`.
    uses: Vec<String>,
    /// The JSON Schema of its settings; absent if it carries none, and in listings.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    /// The settings that it was pushed with; absent in listings.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<String>,
    settings_revision: i64,
    pushed_at: String,
    /// `admin`, or `key:` and the id of an access key.
    pushed_by: String,
    /// Absent if it is not signed.
    signed_by: Option<Signer>,
}

/// Who signed a version.
#[derive(Serialize, ToSchema)]
struct Signer {
    /// The name of the tenant's key.
    key: String,
    /// The ed25519 signature over the component's bytes, in base64.
    signature: String,
    /// Whether the key was revoked since.
    revoked: bool,
}

/// A plugin's versions, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct VersionList {
    versions: Vec<VersionView>,
}

/// The version that a path names.
pub(super) struct Named {
    plugin: String,
    version: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::<(String, String, i64)>::from_request_parts(parts, state).await;
        let Path((_, plugin, version)) = path.map_err(|_| Error::NotFound("version"))?;
        Ok(Self { plugin, version })
    }
}

/// Lists a plugin's versions, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/versions",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    responses((status = 200, body = VersionList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(plugin): Id<String>,
) -> Result<Json<VersionList>, Error> {
    if !shared.store.plugin_names(&tenant.name).await?.contains(&plugin) {
        return Err(Error::NotFound("plugin"));
    }
    let versions = shared.store.plugin_versions(&tenant.name).await?.into_iter();
    let versions = versions.filter(|version| version.plugin == plugin).map(VersionView::listed).collect();
    Ok(Json(VersionList { versions }))
}

/// Shows a version.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/versions/{version}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
        ("version" = i64, Path, description = "Its number."),
    ),
    responses((status = 200, body = VersionView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    named: Named,
) -> Result<Json<VersionView>, Error> {
    Ok(Json(find(&shared, &tenant.name, &named).await?.into()))
}

/// Gives a version's component. Its ETag is the digest.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/versions/{version}/component",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
        ("version" = i64, Path, description = "Its number."),
    ),
    responses(
        (status = 200, description = "The component.", body = Vec<u8>, content_type = "application/wasm"),
        (status = 304, description = "The caller has it."),
        (status = "default", description = "Why not.", body = ErrorBody),
    ),
)]
pub(super) async fn component(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    named: Named,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let version = find(&shared, &tenant.name, &named).await?;
    let tag = format!("\"{}\"", version.digest);
    let mut response = Response::new(Body::empty());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        let (files, digest) = (Arc::clone(&shared.files), version.digest.clone());
        let (file, length) = off_thread(move || files.open_component(&digest)).await?;
        let chunks = ReaderStream::with_capacity(tokio::fs::File::from_std(file), CHUNK_BYTES);
        *response.body_mut() = Body::from_stream(chunks);
        let out = response.headers_mut();
        out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/wasm"));
        insert(
            out,
            header::CONTENT_DISPOSITION,
            &format!("attachment; filename=\"{}-v{}.wasm\"", named.plugin, named.version),
        );
    }
    insert(response.headers_mut(), header::ETAG, &tag);
    Ok(response)
}

/// Removes a version that nothing uses. Its number is not given again.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/versions/{version}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
        ("version" = i64, Path, description = "Its number."),
    ),
    responses((status = 204), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Actor(actor): Actor,
    named: Named,
) -> Result<StatusCode, Error> {
    let Named { plugin, version } = named;
    let removed = shared.store.remove_version(&tenant.name, &plugin, version, &actor, clock::now()).await?;
    gone("version", removed)
}

/// What a removal is answered with.
pub(super) fn gone(what: &'static str, removed: Removed) -> Result<StatusCode, Error> {
    match removed {
        Removed::Done => Ok(StatusCode::NO_CONTENT),
        Removed::Absent => Err(Error::NotFound(what)),
        Removed::InUse(uses) => {
            let why = format!("this {what} is used by {}; end that first", uses.join(", "));
            Err(Error::Conflict(why))
        }
    }
}

async fn find(shared: &Shared, tenant: &str, named: &Named) -> Result<PluginVersion, Error> {
    let version = shared.store.plugin_version(tenant, &named.plugin, Some(named.version)).await?;
    version.ok_or(Error::NotFound("version"))
}

/// Inserts a value made of names and numbers, which is always a valid one.
fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

impl VersionView {
    /// Without what may be long: a listing has thousands of versions at most.
    pub(super) fn listed(version: PluginVersion) -> Self {
        Self { schema: None, settings: None, ..version.into() }
    }
}

impl From<PluginVersion> for VersionView {
    fn from(version: PluginVersion) -> Self {
        let words = |list: &str| list.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let signed_by = version.signed_by.map(|key| Signer {
            key,
            signature: version.signature.unwrap_or_default(),
            revoked: version.revoked,
        });
        Self {
            hooks: words(&version.hooks),
            uses: words(&version.uses),
            schema: version.schema.as_deref().map(json),
            plugin: version.plugin,
            version: version.version,
            digest: version.digest,
            bytes: version.bytes,
            interface: version.interface,
            class: version.class,
            settings: Some(version.settings),
            settings_revision: version.revision,
            pushed_at: when(version.pushed_at),
            pushed_by: version.pushed_by,
            signed_by,
        }
    }
}
