//! Who changed what decides, and when: of one tenant, and of all for the operator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::auth::{Admin, Scope};
use super::error::{Error, ErrorBody};
use super::extract::{Params, limit, one_of};
use super::form::{json, when};
use crate::store::changes::{ChangeFilter, ChangeRow};

/// The words for what is changed, as the log has them.
pub(super) const ACTIONS: [&str; 20] = [
    "push",
    "upload",
    "activate",
    "deactivate",
    "roll-back",
    "settings",
    "clear-state",
    "shadow",
    "canary",
    "share",
    "promote",
    "roll-back-rollout",
    "stop-rollout",
    "delete-version",
    "delete-plugin",
    "limits",
    "quotas",
    "add-signing-key",
    "revoke-signing-key",
    "require-signature",
];

/// Which changes to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// About this plugin.
    plugin: Option<String>,
    /// Of this kind: `push`, `upload`, `activate`, `deactivate`, `roll-back` (or `rollback`, as the path has it),
    /// `settings`, `clear-state`, `shadow`, `canary`, `share`, `promote`, `roll-back-rollout`, `stop-rollout`,
    /// `delete-version`, `delete-plugin`, `limits`, `quotas`, `add-signing-key`, `revoke-signing-key` or
    /// `require-signature`.
    action: Option<String>,
    /// By this actor: `admin`, `key:ACCESS_KEY_ID` or `reprise`.
    actor: Option<String>,
    /// Made before this one: the `next_before` of the page before.
    before: Option<i64>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// A page of changes, newest first. One may be short, or empty, and yet have a next one.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangeList {
    changes: Vec<ChangeView>,
    /// What to pass as `before` for the next page; absent on the last one.
    next_before: Option<i64>,
}

/// A change.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangeView {
    id: i64,
    tenant: String,
    at: String,
    /// `admin`, `key:` and the id of a tenant's access key, or `reprise` where the server acted by a rule.
    actor: String,
    action: String,
    plugin: Option<String>,
    /// What exactly.
    detail: Value,
}

impl From<ChangeRow> for ChangeView {
    fn from(row: ChangeRow) -> Self {
        Self {
            id: row.id,
            tenant: row.tenant,
            at: when(row.at),
            actor: row.actor,
            action: row.action,
            plugin: row.plugin,
            detail: json(&row.detail),
        }
    }
}

/// Lists what was changed of a tenant's policies, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/changes",
    tag = "changes",
    params(("tenant" = String, Path, description = "The tenant."), Listing),
    responses((status = 200, body = ChangeList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Params(listing): Params<Listing>,
) -> Result<Json<ChangeList>, Error> {
    page(&shared, Some(tenant.name), listing).await
}

/// Lists what was changed of all tenants' policies, those of tenants that are gone too, newest first.
#[utoipa::path(
    get,
    path = "/v1/changes",
    tag = "changes",
    params(Listing),
    responses((status = 200, body = ChangeList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list_all(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Params(listing): Params<Listing>,
) -> Result<Json<ChangeList>, Error> {
    page(&shared, None, listing).await
}

async fn page(shared: &Shared, tenant: Option<String>, listing: Listing) -> Result<Json<ChangeList>, Error> {
    let limit = limit(listing.limit)?;
    let Listing { plugin, action, actor, before, limit: _ } = listing;
    let action = action.map(|word| word.replace("rollback", "roll-back"));
    let action = one_of("action", action, &ACTIONS)?;
    let filter = ChangeFilter { tenant, plugin, action, actor, before };
    let (rows, next_before) = shared.store.search_changes(&filter, limit).await?;
    Ok(Json(ChangeList { changes: rows.into_iter().map(ChangeView::from).collect(), next_before }))
}
