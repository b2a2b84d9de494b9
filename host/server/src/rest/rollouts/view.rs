//! A rollout as it is shown.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::policies::rollout::report::Report;
use crate::policies::rollout::rules::Rules;
use crate::rest::form::{json, when};
use crate::store::rollouts::Rollout;

/// A rollout.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct RolloutView {
    id: i64,
    tenant: String,
    plugin: String,
    binding: String,
    /// `shadow` or `canary`.
    kind: String,
    /// What was started for several tenants at once has one of these.
    fleet: Option<String>,
    /// The candidate.
    version: i64,
    settings_revision: i64,
    /// The version that it is beside.
    beside_version: i64,
    beside_settings_revision: i64,
    share_permille: i64,
    app: String,
    stream: String,
    #[schema(value_type = Rules)]
    rules: Value,
    /// `running`, `promoted`, `rolled_back` or `stopped`.
    state: String,
    /// Why it ended.
    reason: Option<String>,
    /// The newest decision that was compared.
    cursor: i64,
    /// `total`, `same`, `different` by kind, `not_comparable` by reason, and for `candidate` and `active` their `calls`,
    /// `failures` by kind, `fuel` and `elapsed_us` (`count`, `sum`, `p50`, `p99`, `max`); `breach` has the rule that ended
    /// it with its numbers.
    #[schema(value_type = Object)]
    report: Value,
    started_at: String,
    started_by: String,
    ended_at: Option<String>,
}

/// A page of rollouts, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct RolloutList {
    rollouts: Vec<RolloutView>,
    /// What to pass as `before` for the next page; absent on the last one.
    next_before: Option<i64>,
}

impl RolloutList {
    pub(super) fn new(rows: Vec<Rollout>, next_before: Option<i64>) -> Self {
        Self { rollouts: rows.into_iter().map(RolloutView::from).collect(), next_before }
    }
}

impl From<Rollout> for RolloutView {
    fn from(row: Rollout) -> Self {
        Self {
            id: row.id,
            tenant: row.tenant,
            plugin: row.plugin,
            binding: row.binding,
            kind: row.kind,
            fleet: row.fleet,
            version: row.version,
            settings_revision: row.settings_revision,
            beside_version: row.base_version,
            beside_settings_revision: row.base_settings_revision,
            share_permille: row.share_permille,
            app: row.app,
            stream: row.stream,
            rules: json(&row.rules),
            state: row.state,
            reason: row.reason,
            cursor: row.cursor,
            report: serde_json::from_str::<Report>(&row.report).unwrap_or_default().shown(),
            started_at: when(row.started_at),
            started_by: row.started_by,
            ended_at: row.ended_at.map(when),
        }
    }
}
