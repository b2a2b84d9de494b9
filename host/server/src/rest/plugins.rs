//! A tenant's plugins: uploaded as versions that never change.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::auth::{Actor, Scope};
use super::bindings::BindingView;
use super::error::{Error, ErrorBody};
use super::extract::{Body, Id, announced, body_limit};
use super::versions::{VersionView, gone};
use super::{Shared, upload_place};
use crate::clock;
use crate::policies::signature::BadSignature;
use crate::policies::{Push, PushError, Pushed, Signed};

/// Body of an upload: a component of the largest accepted size in base64, and its settings. What is accepted is
/// decided where components are inspected; this only bounds what is held to look at it.
const UPLOAD_BYTES: usize = 4 * 1024 * 1024;

/// Bodies up to here are small ones: those that name a component do with it.
const SMALL_BYTES: u64 = 96 * 1024;

/// Settings are a text that a guest parses within its fuel; real ones have a few hundred bytes.
const SETTINGS_BYTES: usize = 64 * 1024;

/// A component with its settings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upload {
    /// The WebAssembly component in standard base64. This or `digest`.
    component_base64: Option<String>,
    /// The SHA-256 of a component that was uploaded under `components`. This or `component_base64`.
    digest: Option<String>,
    /// The text that the policy is given as its settings, usually JSON. Absent, it gets those of the default
    /// binding, or else the plugin's newest; a plugin that has none yet gets `{}`.
    settings: Option<String>,
    /// An ed25519 signature over the component's bytes, in base64. Verified whenever it is given.
    signature: Option<String>,
    /// The name of the signing key that made the signature; any of the tenant's if absent.
    key: Option<String>,
}

/// A plugin with all its versions, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct PluginView {
    name: String,
    /// The first of `bindings`; absent while no stream uses it.
    active: Option<BindingView>,
    /// All that stream patterns are bound to, the larger priority first, then the newer.
    bindings: Vec<BindingView>,
    versions: Vec<VersionView>,
}

/// A tenant's plugins by name.
#[derive(Serialize, ToSchema)]
pub(super) struct PluginList {
    plugins: Vec<PluginView>,
}

/// The routes that take a component.
pub(super) fn uploads() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(show, push, delete).layer(body_limit(UPLOAD_BYTES)))
}

/// Lists a tenant's plugins with their versions.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins",
    tag = "plugins",
    params(("tenant" = String, Path, description = "The tenant.")),
    responses((status = 200, body = PluginList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>, Scope(tenant): Scope) -> Result<Json<PluginList>, Error> {
    Ok(Json(PluginList { plugins: all(&shared, &tenant.name).await? }))
}

/// Shows a plugin with its versions.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/plugins/{plugin}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    responses((status = 200, body = PluginView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(name): Id<String>,
) -> Result<Json<PluginView>, Error> {
    let mut plugins = all(&shared, &tenant.name).await?.into_iter();
    plugins.find(|plugin| plugin.name == name).map(Json).ok_or(Error::NotFound("plugin"))
}

/// Adds a component as the next version of a plugin. It is inspected, compiled and tried first, and kept only if it
/// passes; no stream uses it until it is activated. The newest version again, with the same settings, is that version.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/plugins/{plugin}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "Lower-case letters, digits and hyphens, at most 64."),
    ),
    request_body = Upload,
    responses((status = 201, body = VersionView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn push(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Actor(actor): Actor,
    Id(name): Id<String>,
    request: Request,
) -> Result<(StatusCode, Json<VersionView>), Error> {
    // The body is read only when there is a place for it, here and on the disk, and was counted then, however it ends.
    shared.check_disk()?;
    let is_small = announced(&request).is_some_and(|length| length <= SMALL_BYTES);
    let places = if is_small { &shared.components } else { &shared.pushes };
    let place = upload_place(places, &tenant.name).await?;
    shared.policies.count_upload(&tenant.name).await?;
    let Body(upload) = Body::<Upload>::from_request(request, &()).await?;
    if upload.settings.as_ref().is_some_and(|settings| settings.len() > SETTINGS_BYTES) {
        return Err(Error::TooLarge { what: "the text of the settings", limit_bytes: SETTINGS_BYTES as u64 });
    }
    let component = match (upload.component_base64, upload.digest) {
        (Some(base64), None) => {
            let bytes = STANDARD.decode(base64);
            Pushed::Bytes(bytes.map_err(|error| Error::Invalid(format!("component_base64: {error}")))?)
        }
        (None, Some(digest)) => Pushed::Digest(digest),
        _ => return Err(Error::Invalid("give either component_base64 or digest".to_owned())),
    };
    let signature = match (upload.signature, upload.key) {
        (None, Some(_)) => return Err(Error::Invalid("a key is given, but no signature by it".to_owned())),
        (signature, key) => signature.map(|signature| Signed { signature, key }),
    };
    // The place stands for what is held. One that names a component holds next to nothing while it waits to be compiled, and
    // of small ones all connections together hold less than the large ones that have places.
    let _place = (!is_small && matches!(component, Pushed::Bytes(_))).then_some(place);
    let push = Push { plugin: name, component, settings: upload.settings, signature, actor };
    let version = shared.policies.push(&tenant.name, push).await?;
    Ok((StatusCode::CREATED, Json(version.into())))
}

/// Removes a plugin that nothing uses, with its versions, settings and state. A later plugin of its name goes on
/// counting where this one ended.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/plugins/{plugin}",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    responses((status = 204), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Actor(actor): Actor,
    Id(plugin): Id<String>,
) -> Result<StatusCode, Error> {
    let removed = shared.store.remove_plugin(&tenant.name, &plugin, &actor, clock::now()).await?;
    gone("plugin", removed)
}

/// All plugins by name.
async fn all(shared: &Shared, tenant: &str) -> Result<Vec<PluginView>, Error> {
    let bindings = shared.store.bindings(tenant).await?;
    let mut versions = shared.store.plugin_versions(tenant).await?.into_iter().peekable();
    let mut plugins: Vec<PluginView> = Vec::new();
    for name in shared.store.plugin_names(tenant).await? {
        let own = bindings.iter().map(|bound| &bound.binding).filter(|binding| binding.plugin == name);
        let bindings: Vec<BindingView> = own.cloned().map(BindingView::from).collect();
        let mut view = PluginView { name, active: bindings.first().cloned(), bindings, versions: Vec::new() };
        while let Some(version) = versions.next_if(|version| version.plugin <= view.name) {
            // What was added between the two questions waits for the next listing.
            if version.plugin == view.name {
                view.versions.push(VersionView::listed(version));
            }
        }
        plugins.push(view);
    }
    Ok(plugins)
}

impl From<PushError> for Error {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Name | PushError::Signature(BadSignature::Unreadable) => Self::Invalid(error.to_string()),
            PushError::NotUploaded => Self::NotFound("component among the tenant's uploads; PUT it first"),
            PushError::Unsigned => Self::Conflict(error.to_string()),
            PushError::Signature(_)
            | PushError::Refused(_)
            | PushError::Compile(_)
            | PushError::Load(_)
            | PushError::Settings(_) => Self::Refused(error.to_string()),
            PushError::Busy(why) => Self::no_turn(why, &error),
            PushError::Store(error) => error.into(),
            PushError::Files(_) | PushError::Stopping => Self::Internal(error.to_string()),
        }
    }
}
