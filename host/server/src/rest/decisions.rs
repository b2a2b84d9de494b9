//! Why things came out as they did: what a policy was asked, what it said, what was done, and what it cost.

pub(super) mod tail;
pub(super) mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use reprise_lifecycle::decision::FailureKind;
use reprise_lifecycle::question::Hook;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::{Id, Params, instant, limit, one_of};
use crate::store::decisions::{DecisionFilter, Page};
use view::{DecisionView, view};

/// The longest pattern: names of streams and domains are shorter.
const PATTERN_CHARS: usize = 256;

/// The words for what is done with a verdict.
const APPLIED: [&str; 4] = ["answer", "default", "fallback", "rejected"];

/// Which decisions to list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// About this video.
    video_id: Option<String>,
    /// About this broadcast or a part of it.
    broadcast: Option<String>,
    /// About this event.
    event_id: Option<String>,
    /// By the candidate of this rollout.
    rollout: Option<i64>,
    /// At this hook: `template-group`, `compose-rules` or `callback`.
    hook: Option<String>,
    /// Of this ingest domain. `*` stands for any run of characters, here and in the next two.
    domain: Option<String>,
    /// Of this application.
    app: Option<String>,
    /// Of this stream.
    stream: Option<String>,
    /// By this plugin.
    plugin: Option<String>,
    /// By this version of the plugin.
    version: Option<u32>,
    /// By this component: its SHA-256.
    digest: Option<String>,
    /// Only failed ones.
    failed: Option<bool>,
    /// Only those that failed like this: `trap`, `fuel`, `deadline`, `memory`, `stack`, `too_large`, `bad_answer`,
    /// `refused`, `overloaded`, `unavailable`, `rate_limited` or `breaker_open`.
    failure: Option<String>,
    /// Only those of which this came: `answer`, `default`, `fallback` or `rejected`.
    applied: Option<String>,
    /// Made at this time or later: RFC 3339.
    from: Option<String>,
    /// Made before this time: RFC 3339.
    to: Option<String>,
    /// Newest first, made before this one: the `next_before` of the page before.
    before: Option<i64>,
    /// Oldest first, made after this one: the `next_after` of the page before, or 0.
    after: Option<i64>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// A page of decisions. What an index does not tell is looked for among a bounded number of decisions, so a page may be
/// short or empty and yet have a next one.
#[derive(Serialize, ToSchema)]
pub(super) struct DecisionList {
    decisions: Vec<DecisionView>,
    /// Newest first: what to pass as `before` for the next page; absent on the last one.
    next_before: Option<i64>,
    /// Oldest first: what to pass as `after` for the next page; absent on the last one.
    next_after: Option<i64>,
}

impl Listing {
    fn filter(&self) -> Result<DecisionFilter, Error> {
        if self.version.is_some() && self.plugin.is_none() {
            return Err(Error::Invalid("version is a version of a plugin: name it with plugin".to_owned()));
        }
        let pattern = |name: &str, given: &Option<String>| match given {
            Some(pattern) if pattern.chars().count() > PATTERN_CHARS => {
                Err(Error::Invalid(format!("{name} can have at most {PATTERN_CHARS} characters")))
            }
            given => Ok(given.clone()),
        };
        Ok(DecisionFilter {
            video: self.video_id.clone(),
            broadcast: self.broadcast.clone(),
            event: self.event_id.clone(),
            rollout: self.rollout,
            hook: one_of("hook", self.hook.clone(), &Hook::ALL.map(Hook::name))?,
            domain: pattern("domain", &self.domain)?.map(|domain| domain.to_ascii_lowercase()),
            app: pattern("app", &self.app)?,
            stream: pattern("stream", &self.stream)?,
            plugin: self.plugin.clone(),
            version: self.version,
            digest: self.digest.clone(),
            failed: self.failed.unwrap_or(false),
            failure: one_of("failure", self.failure.clone(), &FailureKind::ALL.map(FailureKind::name))?,
            applied: one_of("applied", self.applied.clone(), &APPLIED)?,
            from: self.from.as_deref().map(|at| instant("from", at)).transpose()?,
            to: self.to.as_deref().map(|at| instant("to", at)).transpose()?,
        })
    }
}

/// Lists a tenant's decisions, newest first, or oldest first when `after` is given.
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
    let page = match (listing.before, listing.after) {
        (Some(_), Some(_)) => return Err(Error::Invalid("give before or after, not both".to_owned())),
        (before, None) => Page::Before(before),
        (None, Some(after)) => Page::After(after),
    };
    let found = shared.store.search_decisions(&tenant.name, &listing.filter()?, page, limit).await?;
    let decisions = found.rows.into_iter().map(view).collect::<Result<_, _>>()?;
    let (next_before, next_after) = match page {
        Page::Before(_) => (found.next, None),
        Page::After(_) => (None, found.next),
    };
    Ok(Json(DecisionList { decisions, next_before, next_after }))
}

/// Shows a decision.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/decisions/{decision}",
    tag = "decisions",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("decision" = i64, Path, description = "The decision's number."),
    ),
    responses((status = 200, body = DecisionView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(id): Id<i64>,
) -> Result<Json<DecisionView>, Error> {
    let row = shared.store.decision(&tenant.name, id).await?.ok_or(Error::NotFound("decision"))?;
    Ok(Json(view(row)?))
}
