//! Record configs: what the vendor's action cannot say of them. The rules themselves are made and removed with that
//! action; here is how long their videos are kept, what stands in for gaps, and whether parts are analysed. A change is
//! for the next broadcast.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::{Body, MAX_LIMIT};
use crate::store::record_configs::RecordConfig;
use crate::store::record_settings::{RecordSettings, SettingsChange, gap_rule, gap_word};

/// The longest that can be asked for: a hundred years.
const MAX_RETENTION_DAYS: u32 = 36_500;

/// How a path names the rule of every stream of an app.
const EVERY_STREAM: &str = "*";

/// A record config with what is said of it here.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigView {
    /// Application.
    app: String,
    /// Stream name; `*` for every stream of the app.
    stream: String,
    settings: Settings,
}

/// What the vendor's action cannot say.
#[derive(Serialize, ToSchema)]
pub(super) struct Settings {
    /// Days after which a part's video is removed; 0 keeps it.
    retention_days: u32,
    /// What viewers of a composed video see where the publisher was gone: `cut`, `hold` or `slate`.
    gaps: String,
    /// Whether each part is analysed, and the compose policy asked with what was found.
    analyse: bool,
}

/// What is to be another than it is. A field that is not given stays as it is stored, which is the default (`0`, `cut`,
/// `false`) until it is set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedSettings {
    /// Days after which a part's video is removed; 0 keeps it.
    retention_days: Option<u32>,
    /// What viewers of a composed video see where the publisher was gone: `cut`, `hold` or `slate`.
    gaps: Option<String>,
    /// Whether each part is analysed, and the compose policy asked with what was found.
    analyse: Option<bool>,
}

/// A tenant's record configs.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigList {
    record_configs: Vec<ConfigView>,
}

/// The rule that a path names.
pub(super) struct Rule {
    app: String,
    stream: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Rule {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::<(String, String, String)>::from_request_parts(parts, state).await;
        let Path((_, app, stream)) = path.map_err(|_| Error::NotFound("record config"))?;
        let stream = if stream == EVERY_STREAM { String::new() } else { stream };
        Ok(Self { app, stream })
    }
}

/// Lists a tenant's record configs with what is said of them here.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/record-configs",
    tag = "record configs",
    params(("tenant" = String, Path, description = "The tenant.")),
    responses((status = 200, body = ConfigList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>, Scope(tenant): Scope) -> Result<Json<ConfigList>, Error> {
    let (name, domain) = (&tenant.name, &tenant.play_domain);
    let (_, configs) = shared.store.record_configs(name, domain, None, None, 0, i64::from(MAX_LIMIT)).await?;
    let mut record_configs = Vec::with_capacity(configs.len());
    for config in configs {
        let settings = shared.store.record_settings(name, &config).await?;
        record_configs.push(ConfigView::new(config, settings));
    }
    Ok(Json(ConfigList { record_configs }))
}

/// Shows what is said of a record config.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/record-configs/{app}/{stream}",
    tag = "record configs",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("app" = String, Path, description = "The application."),
        ("stream" = String, Path, description = "The stream; `*` for the rule of every stream of the app."),
    ),
    responses((status = 200, body = ConfigView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    rule: Rule,
) -> Result<Json<ConfigView>, Error> {
    let config = shared.store.record_config(&tenant.name, &tenant.play_domain, &rule.app, &rule.stream).await?;
    let config = config.ok_or(Error::NotFound("record config"))?;
    let settings = shared.store.record_settings(&tenant.name, &config).await?;
    Ok(Json(ConfigView::new(config, settings)))
}

/// Says how long a record config's videos are kept, what stands in for gaps, and whether parts are analysed: any of them.
/// What the body leaves out stays as it is stored; the answer is all that is stored then.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/record-configs/{app}/{stream}",
    tag = "record configs",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("app" = String, Path, description = "The application."),
        ("stream" = String, Path, description = "The stream; `*` for the rule of every stream of the app."),
    ),
    request_body = WantedSettings,
    responses((status = 200, body = Settings), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    rule: Rule,
    Body(wanted): Body<WantedSettings>,
) -> Result<Json<Settings>, Error> {
    if wanted.retention_days.is_some_and(|days| days > MAX_RETENTION_DAYS) {
        return Err(Error::Invalid(format!("retention_days must be at most {MAX_RETENTION_DAYS}")));
    }
    let known =
        |word: &str| gap_rule(word).ok_or_else(|| Error::Invalid("gaps must be one of cut, hold, slate".to_owned()));
    let gaps = wanted.gaps.as_deref().map(known).transpose()?;
    let change = SettingsChange { retention_days: wanted.retention_days, gaps, analyse: wanted.analyse };
    let key = (tenant.play_domain.as_str(), rule.app.as_str(), rule.stream.as_str());
    let settings = shared.store.change_record_settings(&tenant.name, key, change).await?;
    Ok(Json(settings.ok_or(Error::NotFound("record config"))?.into()))
}

impl ConfigView {
    fn new(config: RecordConfig, settings: RecordSettings) -> Self {
        let stream = if config.stream.is_empty() { EVERY_STREAM.to_owned() } else { config.stream };
        Self { app: config.app, stream, settings: settings.into() }
    }
}

impl From<RecordSettings> for Settings {
    fn from(settings: RecordSettings) -> Self {
        let RecordSettings { retention_days, gaps, analyse } = settings;
        Self { retention_days, gaps: gap_word(gaps).to_owned(), analyse }
    }
}
