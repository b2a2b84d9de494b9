//! Why things came out as they did: what a policy was asked, what it said, what was done, and what it cost.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use reprise_lifecycle::decision::{Decision, Provenance};
use reprise_lifecycle::question::Hook;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::{Params, limit, one_of};
use super::form::{json, when};
use crate::store::decisions::{DecisionFilter, DecisionRow};

/// Which decisions to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// About this video.
    video_id: Option<String>,
    /// At this hook: `template-group`, `compose-rules` or `callback`.
    hook: Option<String>,
    /// Of this stream.
    stream: Option<String>,
    /// By this plugin.
    plugin: Option<String>,
    /// Only failed ones.
    failed: Option<bool>,
    /// Made before this one: the `next_before` of the page before.
    before: Option<i64>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// A page of decisions, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct DecisionList {
    decisions: Vec<DecisionView>,
    /// What to pass as `before` for the next page; absent on the last one.
    next_before: Option<i64>,
}

/// One decision.
#[derive(Serialize, ToSchema)]
pub(super) struct DecisionView {
    id: i64,
    at: String,
    hook: String,
    broadcast: Option<String>,
    video_id: Option<String>,
    /// The event, at the callback hook.
    event_id: Option<String>,
    app: String,
    stream: String,
    /// What was asked, in full.
    question: Value,
    /// SHA-256 of the question: the same question has the same digest.
    question_digest: String,
    /// `no_policy`, `{"answered": …}` or `{"failed": {"kind", "message"}}`.
    verdict: Value,
    /// What was done: `answer`, `default`, `fallback` (the policy failed) or `rejected` (it failed, and nothing is done).
    applied: Value,
    /// Who said it, and at what cost; absent when nobody was asked.
    provenance: Option<ProvenanceView>,
}

/// Who gave a verdict.
#[derive(Serialize, ToSchema)]
pub(super) struct ProvenanceView {
    plugin: String,
    version: u32,
    /// SHA-256 of the component.
    digest: String,
    interface: String,
    settings_revision: u32,
    /// Fuel used by the call.
    fuel: u64,
    /// Wall time of the call.
    elapsed_us: u64,
    /// Lines the policy logged.
    log: Vec<String>,
}

/// Lists a tenant's decisions, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/decisions",
    tag = "decisions",
    params(("tenant" = String, Path, description = "The tenant."), Listing),
    responses((status = 200, body = DecisionList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Params(listing): Params<Listing>,
) -> Result<Json<DecisionList>, Error> {
    let limit = limit(listing.limit)?;
    let filter = DecisionFilter {
        video: listing.video_id,
        hook: one_of("hook", listing.hook, &Hook::ALL.map(Hook::name))?,
        stream: listing.stream,
        plugin: listing.plugin,
        failed: listing.failed.unwrap_or(false),
        before: listing.before,
    };
    let rows = shared.store.decisions(&tenant.name, &filter, limit).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next_before = rows.last().filter(|_| full).map(|row| row.id);
    let decisions = rows.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Json(DecisionList { decisions, next_before }))
}

fn view(row: DecisionRow) -> Result<DecisionView, Error> {
    let unreadable = |error: serde_json::Error| Error::Internal(format!("decision {} cannot be read: {error}", row.id));
    let decision: Decision = serde_json::from_str(&row.decision).map_err(unreadable)?;
    Ok(DecisionView {
        id: row.id,
        at: when(row.at),
        hook: row.hook,
        broadcast: row.broadcast,
        video_id: row.video,
        event_id: row.event,
        app: row.app,
        stream: row.stream,
        question: json(&row.question),
        question_digest: decision.question_digest,
        verdict: serde_json::to_value(&decision.verdict).map_err(unreadable)?,
        applied: serde_json::to_value(decision.applied).map_err(unreadable)?,
        provenance: decision.provenance.map(|made| ProvenanceView::from(*made)),
    })
}

impl From<Provenance> for ProvenanceView {
    fn from(made: Provenance) -> Self {
        Self {
            plugin: made.plugin,
            version: made.version,
            digest: made.digest,
            interface: made.interface,
            settings_revision: made.settings_revision,
            fuel: made.fuel,
            elapsed_us: made.elapsed_us,
            log: made.log,
        }
    }
}
