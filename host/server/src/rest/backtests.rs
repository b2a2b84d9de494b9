//! Backtests and audits: recorded questions put again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use reprise_lifecycle::question::Hook;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::auth::{Actor, Scope};
use super::differences::{DifferenceList, DifferencePage};
use super::error::{Error, ErrorBody};
use super::extract::{Body, Id, Params, instant, limit, one_of};
use super::form::{json, next, when};
use crate::policies::backtest::report::Report;
use crate::policies::backtest::{BacktestError, NewBacktest, NewCandidate};
use crate::store::backtests::{Backtest, Recorded};

/// A backtest to begin, or an audit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BacktestBody {
    /// `backtest`: the questions are put to a candidate. `audit`: each is put to the version and the settings that
    /// answered it, which must say exactly the same again.
    kind: String,
    /// Questions that this plugin answered. May be absent in an audit: then all of the tenant's.
    plugin: Option<String>,
    /// The candidate; the newest version if absent.
    version: Option<i64>,
    /// Its settings; the newest if absent.
    settings_revision: Option<i64>,
    /// Settings to try that are no revision, in place of one.
    settings: Option<String>,
    /// Decisions made at or after this time (RFC 3339).
    from: Option<String>,
    /// Decisions made at or before this time.
    to: Option<String>,
    /// At this hook: `template-group`, `compose-rules` or `callback`.
    hook: Option<String>,
    /// Of this stream.
    stream: Option<String>,
    /// From the decision with this number on.
    first_decision: Option<i64>,
    /// Up to the decision with this number; the newest if absent.
    last_decision: Option<i64>,
}

/// A backtest, or an audit.
#[derive(Serialize, ToSchema)]
pub(super) struct BacktestView {
    id: i64,
    /// `backtest` or `audit`.
    kind: String,
    /// Absent in an audit of all plugins.
    plugin: Option<String>,
    version: Option<i64>,
    settings_revision: Option<i64>,
    /// Which decisions; `last` is where the set ends for good.
    #[schema(value_type = Object)]
    filter: Value,
    /// `running`, `done`, `failed` or `stopped`.
    state: String,
    /// Why it ended without being done.
    reason: Option<String>,
    /// `total` (0 until they are counted) and `done` decisions, `same`, `different` by kind, `not_comparable` by reason, `then` and `now` with
    /// `calls`, `failures` by kind, `fuel` and `elapsed_us`; `wall_ms`, `cpu_ms`, `decisions_per_second`;
    /// `restarts`, how often it was started anew because the server had ended; and `differences_sha256`, which is the same
    /// for two runs that found the same.
    #[schema(value_type = Object)]
    report: Value,
    started_at: String,
    started_by: String,
    ended_at: Option<String>,
}

/// A page of backtests, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct BacktestList {
    backtests: Vec<BacktestView>,
    /// What to pass as `before` for the next page; absent on the last one.
    next_before: Option<i64>,
}

/// Which backtests to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Begun before this one: the `next_before` of the page before.
    before: Option<i64>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// Begins a backtest or an audit in the background. One runs at a time for each tenant. Should the server end meanwhile,
/// it is started anew with the server, unless its settings were given with the request.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/backtests",
    tag = "backtests",
    params(("tenant" = String, Path, description = "The tenant.")),
    request_body = BacktestBody,
    responses((status = 202, body = BacktestView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn begin(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    actor: Actor,
    Body(body): Body<BacktestBody>,
) -> Result<(StatusCode, Json<BacktestView>), Error> {
    let candidate = match body.kind.as_str() {
        "backtest" if body.plugin.is_none() => {
            return Err(Error::Invalid("plugin: whose questions are to be asked again?".to_owned()));
        }
        "backtest" if body.settings.is_some() && body.settings_revision.is_some() => {
            return Err(Error::Invalid("give either settings or settings_revision".to_owned()));
        }
        "backtest" => Some(NewCandidate {
            version: body.version,
            settings_revision: body.settings_revision,
            settings: body.settings,
        }),
        "audit" if body.version.is_some() || body.settings_revision.is_some() || body.settings.is_some() => {
            return Err(Error::Invalid(
                "an audit asks the version and the settings that answered; name neither".to_owned(),
            ));
        }
        "audit" => None,
        _ => return Err(Error::Invalid("kind must be one of backtest, audit".to_owned())),
    };
    let filter = Recorded {
        from: body.from.as_deref().map(|from| instant("from", from)).transpose()?,
        to: body.to.as_deref().map(|to| instant("to", to)).transpose()?,
        hook: one_of("hook", body.hook, &Hook::ALL.map(Hook::name))?,
        stream: body.stream,
        first: body.first_decision,
        last: body.last_decision,
    };
    if let (Some(from), Some(to)) = (filter.from, filter.to)
        && from > to
    {
        return Err(Error::Invalid("from is after to: no decision is in such a period".to_owned()));
    }
    let new = NewBacktest { plugin: body.plugin, candidate, filter };
    let begun = shared.backtests.begin(&tenant.name, new, &actor.0).await?;
    Ok((StatusCode::ACCEPTED, Json(begun.into())))
}

/// Lists a tenant's backtests, newest first. The newest 50 are kept.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/backtests",
    tag = "backtests",
    params(("tenant" = String, Path, description = "The tenant."), Listing),
    responses((status = 200, body = BacktestList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Params(listing): Params<Listing>,
) -> Result<Json<BacktestList>, Error> {
    let limit = limit(listing.limit)?;
    let rows = shared.store.backtests(&tenant.name, listing.before, limit).await?;
    let next_before = next(&rows, limit, |row| row.id);
    Ok(Json(BacktestList { backtests: rows.into_iter().map(BacktestView::from).collect(), next_before }))
}

/// Shows a backtest with its report so far.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/backtests/{backtest}",
    tag = "backtests",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("backtest" = i64, Path, description = "The backtest."),
    ),
    responses((status = 200, body = BacktestView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(id): Id<i64>,
) -> Result<Json<BacktestView>, Error> {
    Ok(Json(one(&shared, &tenant.name, id).await?.into()))
}

/// Stops a running backtest; what it found until then stays.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/backtests/{backtest}/stop",
    tag = "backtests",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("backtest" = i64, Path, description = "The backtest."),
    ),
    responses((status = 202, body = BacktestView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn stop(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(id): Id<i64>,
) -> Result<(StatusCode, Json<BacktestView>), Error> {
    let backtest = one(&shared, &tenant.name, id).await?;
    if !shared.backtests.stop(&tenant.name, id).await? {
        return Err(Error::Conflict(format!("it does not run any more: {}", backtest.state)));
    }
    Ok((StatusCode::ACCEPTED, Json(one(&shared, &tenant.name, id).await?.into())))
}

/// Lists the decisions that come out differently.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/backtests/{backtest}/differences",
    tag = "backtests",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("backtest" = i64, Path, description = "The backtest."),
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
    let (backtest, (after, limit)) = (one(&shared, &tenant.name, id).await?, page.of()?);
    Ok(Json(DifferenceList::new(shared.store.backtest_differences(backtest.id, after, limit).await?, limit)))
}

async fn one(shared: &Shared, tenant: &str, id: i64) -> Result<Backtest, Error> {
    shared.store.backtest(tenant, id).await?.ok_or(Error::NotFound("backtest"))
}

impl From<Backtest> for BacktestView {
    fn from(row: Backtest) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            plugin: (!row.plugin.is_empty()).then_some(row.plugin),
            version: row.version,
            settings_revision: row.settings_revision,
            filter: json(&row.filter),
            state: row.state,
            reason: row.reason,
            report: serde_json::from_str::<Report>(&row.report).unwrap_or_default().shown(),
            started_at: when(row.started_at),
            started_by: row.started_by,
            ended_at: row.ended_at.map(when),
        }
    }
}

impl From<BacktestError> for Error {
    fn from(error: BacktestError) -> Self {
        match error {
            BacktestError::NotFound(what) => Self::NotFound(what),
            BacktestError::Store(error) => error.into(),
        }
    }
}
