//! A tenant's plugins: uploaded as versions that never change.

use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::Shared;
use super::auth::Scope;
use super::bindings::BindingView;
use super::error::{Error, ErrorBody};
use super::extract::{Body, Id};
use super::form::when;
use crate::policies::PushError;
use crate::store::bindings::Bound;
use crate::store::plugins::PluginVersion;

/// Body of an upload: a component of the largest accepted size in base64, and its settings. What is accepted is
/// decided where components are inspected; this only bounds what is held to look at it.
const UPLOAD_BYTES: usize = 4 * 1024 * 1024;

/// Settings are a text that a guest parses within its fuel; real ones have a few hundred bytes.
const SETTINGS_BYTES: usize = 64 * 1024;

/// A component with its settings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upload {
    /// The WebAssembly component in standard base64.
    component_base64: String,
    /// The text that the policy is given as its settings, usually JSON; `{}` if absent.
    settings: Option<String>,
}

/// An uploaded version.
#[derive(Serialize, ToSchema)]
pub(super) struct VersionView {
    plugin: String,
    /// Counts from 1.
    version: i64,
    /// SHA-256 of the component.
    digest: String,
    /// Size of the component.
    bytes: i64,
    /// The interface it exports.
    interface: String,
    /// The hooks it answers.
    hooks: Vec<String>,
    settings: String,
    settings_revision: i64,
    pushed_at: String,
}

/// A plugin with all its versions, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct PluginView {
    name: String,
    /// Absent while no stream uses it.
    active: Option<BindingView>,
    versions: Vec<VersionView>,
}

/// A tenant's plugins by name.
#[derive(Serialize, ToSchema)]
pub(super) struct PluginList {
    plugins: Vec<PluginView>,
}

/// The routes that take a component.
pub(super) fn uploads() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(show, push).layer(DefaultBodyLimit::max(UPLOAD_BYTES)))
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
    Id(ids): Id<(String, String)>,
) -> Result<Json<PluginView>, Error> {
    let (_, name) = ids;
    let mut plugins = all(&shared, &tenant.name).await?.into_iter();
    plugins.find(|plugin| plugin.name == name).map(Json).ok_or(Error::NotFound("plugin"))
}

/// Uploads a component as the next version of a plugin. It is inspected, compiled and tried first, and kept only if it
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
    Id(ids): Id<(String, String)>,
    request: Request,
) -> Result<(StatusCode, Json<VersionView>), Error> {
    let (_, name) = ids;
    // The body is read only when there is a place for it.
    let _place = shared.uploads.try_acquire().map_err(|_| Error::Busy)?;
    let Body(upload) = Body::<Upload>::from_request(request, &()).await?;
    let settings = upload.settings.unwrap_or_else(|| "{}".to_owned());
    if settings.len() > SETTINGS_BYTES {
        return Err(Error::TooLarge);
    }
    let component = STANDARD.decode(upload.component_base64);
    let component = component.map_err(|error| Error::Invalid(format!("component_base64: {error}")))?;
    let version = shared.policies.push(&tenant.name, &name, component, &settings).await?;
    Ok((StatusCode::CREATED, Json(version.into())))
}

/// All plugins by name.
async fn all(shared: &Shared, tenant: &str) -> Result<Vec<PluginView>, Error> {
    let mut bindings = shared.store.bindings(tenant).await?;
    let mut plugins: Vec<PluginView> = Vec::new();
    for version in shared.store.plugin_versions(tenant).await? {
        match plugins.last_mut() {
            Some(plugin) if plugin.name == version.plugin => plugin.versions.push(version.into()),
            _ => {
                let at = bindings.iter().position(|bound| bound.binding.plugin == version.plugin);
                let active = at.map(|at| bindings.swap_remove(at)).map(|Bound { binding, .. }| binding.into());
                let name = version.plugin.clone();
                plugins.push(PluginView { name, active, versions: vec![version.into()] });
            }
        }
    }
    Ok(plugins)
}

impl From<PluginVersion> for VersionView {
    fn from(version: PluginVersion) -> Self {
        let hooks = version.hooks.split(',').filter(|hook| !hook.is_empty());
        Self {
            hooks: hooks.map(str::to_owned).collect(),
            plugin: version.plugin,
            version: version.version,
            digest: version.digest,
            bytes: version.bytes,
            interface: version.interface,
            settings: version.settings,
            settings_revision: version.revision,
            pushed_at: when(version.pushed_at),
        }
    }
}

impl From<PushError> for Error {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Name => Self::Invalid(error.to_string()),
            PushError::Refused(_) | PushError::Compile(_) | PushError::Load(_) | PushError::Settings(_) => {
                Self::Refused(error.to_string())
            }
            PushError::Store(error) => error.into(),
            PushError::Files(_) | PushError::Stopping => Self::Internal(error.to_string()),
        }
    }
}
