//! Shadows and canaries: a candidate version beside the active one.

mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use self::view::{RolloutList, RolloutView};
use super::Shared;
use super::auth::{Actor, Admin, Scope};
use super::differences::{DifferenceList, DifferencePage};
use super::error::{Error, ErrorBody};
use super::extract::{Body, Id, Params, limit};
use super::form::next;
use crate::policies::rollout::rules::Rules;
use crate::policies::rollout::share::{ALL, Share};
use crate::policies::rollout::{NewRollout, RolloutError, Which};
use crate::store::rollouts::{Rollout, RolloutFilter};

/// A shadow to be started.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShadowBody {
    /// The binding whose streams are followed; `default` if absent.
    binding: Option<String>,
    /// The candidate.
    version: i64,
    /// Its settings; those of the binding if absent.
    settings_revision: Option<i64>,
}

/// A canary to be started.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CanaryBody {
    /// The binding whose streams have a share; `default` if absent.
    binding: Option<String>,
    /// The candidate.
    version: i64,
    /// Its settings; those of the binding if absent.
    settings_revision: Option<i64>,
    /// How many of a thousand streams. May be absent only where `app` or `stream` says which; then it is all of these.
    share_permille: Option<u16>,
    /// An application, or a pattern with `*`.
    app: Option<String>,
    /// A stream name, or a pattern with `*`.
    stream: Option<String>,
    /// When it ends by itself; what is absent has its default.
    #[serde(default)]
    rules: Rules,
}

/// A rollout in several tenants at once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetBody {
    /// The plugin, by the same name in each.
    plugin: String,
    /// The tenants.
    tenants: Vec<String>,
    /// `shadow` or `canary`.
    kind: String,
    /// The candidate by its component's SHA-256; this or `version`.
    digest: Option<String>,
    /// The candidate by its number in each tenant.
    version: Option<i64>,
    /// The binding; `default` if absent.
    binding: Option<String>,
    /// Its settings; those of each binding if absent.
    settings_revision: Option<i64>,
    /// How many of a thousand streams of each tenant. May be absent only of a shadow, or where `app` or `stream` says
    /// which; then it is all of these.
    share_permille: Option<u16>,
    /// An application, or a pattern with `*`.
    app: Option<String>,
    /// A stream name, or a pattern with `*`.
    stream: Option<String>,
    /// When it ends by itself, in all tenants.
    #[serde(default)]
    rules: Rules,
}

/// Another share.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShareBody {
    /// How many of a thousand streams. A larger share only adds streams.
    share_permille: u16,
}

/// Which rollouts to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Of this plugin.
    plugin: Option<String>,
    /// Started together under this id.
    fleet: Option<String>,
    /// Only running ones.
    running: Option<bool>,
    /// Started before this one: the `next_before` of the page before.
    before: Option<i64>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// Starts a shadow: the candidate is asked every question that the binding's active version answered, from now on, and
/// its answers are only compared.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/shadow",
    tag = "rollouts",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    request_body = ShadowBody,
    responses((status = 201, body = RolloutView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn shadow(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(ids): Id<(String, String)>,
    Body(body): Body<ShadowBody>,
) -> Result<(StatusCode, Json<RolloutView>), Error> {
    let new = NewRollout {
        plugin: ids.1,
        binding: body.binding,
        canary: false,
        which: Which::Version(body.version),
        settings_revision: body.settings_revision,
        share: Share { permille: ALL, app: "*".to_owned(), stream: "*".to_owned() },
        rules: Rules::default(),
    };
    start_one(&shared, &tenant.name, &new, &actor).await
}

/// Starts a canary: the candidate is asked in place of the active version for a share of the streams, and is rolled back
/// by itself when it breaks a rule.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/canary",
    tag = "rollouts",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    request_body = CanaryBody,
    responses((status = 201, body = RolloutView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn canary(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(ids): Id<(String, String)>,
    Body(body): Body<CanaryBody>,
) -> Result<(StatusCode, Json<RolloutView>), Error> {
    let new = NewRollout {
        plugin: ids.1,
        binding: body.binding,
        canary: true,
        which: Which::Version(body.version),
        settings_revision: body.settings_revision,
        share: share(body.share_permille, body.app, body.stream)?,
        rules: body.rules,
    };
    start_one(&shared, &tenant.name, &new, &actor).await
}

/// Starts one rollout in each of several tenants, all or none. Canaries are judged each on its own and all that run
/// together, so that few calls of each tenant are enough. A roll-back in one is a roll-back in all that run; a tenant
/// whose canary was promoted before keeps the promoted version.
#[utoipa::path(
    post,
    path = "/v1/rollouts",
    tag = "rollouts",
    request_body = FleetBody,
    responses((status = 201, body = RolloutList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn start_fleet(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    actor: Actor,
    Body(mut body): Body<FleetBody>,
) -> Result<(StatusCode, Json<RolloutList>), Error> {
    let which = match (body.digest, body.version) {
        (Some(digest), None) => Which::Digest(digest),
        (None, Some(version)) => Which::Version(version),
        _ => return Err(Error::Invalid("give either digest or version".to_owned())),
    };
    let canary = match body.kind.as_str() {
        "canary" => true,
        "shadow" => false,
        _ => return Err(Error::Invalid("kind must be one of shadow, canary".to_owned())),
    };
    // A shadow is asked beside the active version, whatever the share.
    let permille = if canary { body.share_permille } else { body.share_permille.or(Some(ALL)) };
    body.tenants.sort_unstable();
    body.tenants.dedup();
    let new = NewRollout {
        plugin: body.plugin,
        binding: body.binding,
        canary,
        which,
        settings_revision: body.settings_revision,
        share: share(permille, body.app, body.stream)?,
        rules: body.rules,
    };
    let started = shared.policies.start_rollouts(&body.tenants, &new, true, &actor.0).await?;
    Ok((StatusCode::CREATED, Json(RolloutList::new(started, None))))
}

/// Lists the rollouts of all tenants, newest first.
#[utoipa::path(
    get,
    path = "/v1/rollouts",
    tag = "rollouts",
    params(Listing),
    responses((status = 200, body = RolloutList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list_all(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Params(listing): Params<Listing>,
) -> Result<Json<RolloutList>, Error> {
    page(&shared, None, listing).await
}

/// Lists a tenant's rollouts, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/rollouts",
    tag = "rollouts",
    params(("tenant" = String, Path, description = "The tenant."), Listing),
    responses((status = 200, body = RolloutList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Params(listing): Params<Listing>,
) -> Result<Json<RolloutList>, Error> {
    page(&shared, Some(&tenant.name), listing).await
}

/// Shows a rollout with its report.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/rollouts/{rollout}",
    tag = "rollouts",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("rollout" = i64, Path, description = "The rollout."),
    ),
    responses((status = 200, body = RolloutView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(id): Id<i64>,
) -> Result<Json<RolloutView>, Error> {
    Ok(Json(one(&shared, &tenant.name, id).await?.into()))
}

/// Changes the share of a running canary.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}/rollouts/{rollout}",
    tag = "rollouts",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("rollout" = i64, Path, description = "The rollout."),
    ),
    request_body = ShareBody,
    responses((status = 200, body = RolloutView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(id): Id<i64>,
    Body(body): Body<ShareBody>,
) -> Result<Json<RolloutView>, Error> {
    Ok(Json(shared.policies.share_rollout(&tenant.name, id, body.share_permille, &actor.0).await?.into()))
}

/// Makes the candidate the active version of its binding, and ends the rollout.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/rollouts/{rollout}/promote",
    tag = "rollouts",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("rollout" = i64, Path, description = "The rollout."),
    ),
    responses((status = 200, body = RolloutView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn promote(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(id): Id<i64>,
) -> Result<Json<RolloutView>, Error> {
    Ok(Json(shared.policies.promote_rollout(&tenant.name, id, "promoted", &actor.0).await?.into()))
}

/// Ends a rollout; all streams have the active version again.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/rollouts/{rollout}/stop",
    tag = "rollouts",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("rollout" = i64, Path, description = "The rollout."),
    ),
    responses((status = 200, body = RolloutView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn stop(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Id(id): Id<i64>,
) -> Result<Json<RolloutView>, Error> {
    Ok(Json(shared.policies.stop_rollout(&tenant.name, id, &actor.0).await?.into()))
}

/// Lists the decisions in which candidate and active version differ.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/rollouts/{rollout}/differences",
    tag = "rollouts",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("rollout" = i64, Path, description = "The rollout."),
        DifferencePage,
    ),
    responses((status = 200, body = DifferenceList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn differences(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(id): Id<i64>,
    Params(page): Params<DifferencePage>,
) -> Result<Json<DifferenceList>, Error> {
    let (rollout, (after, limit)) = (one(&shared, &tenant.name, id).await?, page.of()?);
    Ok(Json(DifferenceList::new(shared.store.rollout_differences(rollout.id, after, limit).await?, limit)))
}

async fn start_one(
    shared: &Shared,
    tenant: &str,
    new: &NewRollout,
    actor: &Actor,
) -> Result<(StatusCode, Json<RolloutView>), Error> {
    let started = shared.policies.start_rollouts(&[tenant.to_owned()], new, false, &actor.0).await?;
    let rollout = started.into_iter().next().ok_or(Error::NotFound("rollout"))?;
    Ok((StatusCode::CREATED, Json(rollout.into())))
}

async fn one(shared: &Shared, tenant: &str, id: i64) -> Result<Rollout, Error> {
    shared.store.rollout(tenant, id).await?.ok_or(Error::NotFound("rollout"))
}

async fn page(shared: &Shared, tenant: Option<&str>, listing: Listing) -> Result<Json<RolloutList>, Error> {
    let limit = limit(listing.limit)?;
    let filter = RolloutFilter {
        plugin: listing.plugin,
        fleet: listing.fleet,
        running: listing.running.unwrap_or(false),
        before: listing.before,
    };
    let rows = shared.store.rollouts(tenant, &filter, limit).await?;
    let next_before = next(&rows, limit, |row| row.id);
    Ok(Json(RolloutList::new(rows, next_before)))
}

/// The streams that are meant. All of a tenant's streams have a candidate only where somebody says so.
fn share(permille: Option<u16>, app: Option<String>, stream: Option<String>) -> Result<Share, Error> {
    if permille.is_none() && app.is_none() && stream.is_none() {
        let why = "share_permille: how many of a thousand streams? It may be left out where app or stream says which";
        return Err(Error::Invalid(why.to_owned()));
    }
    let pattern = |given: Option<String>| given.unwrap_or_else(|| "*".to_owned());
    Ok(Share { permille: permille.unwrap_or(ALL), app: pattern(app), stream: pattern(stream) })
}

impl From<RolloutError> for Error {
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::NotFound(what) => Self::NotFound(what),
            RolloutError::Invalid(why) => Self::Invalid(why),
            RolloutError::Conflict(why) => Self::Conflict(why),
            RolloutError::NotReady(error) => error.into(),
            RolloutError::Store(error) => error.into(),
        }
    }
}
