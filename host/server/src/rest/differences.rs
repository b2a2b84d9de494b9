//! Decisions that come out differently, found by a rollout or by a backtest.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::error::Error;
use super::extract::limit;
use super::form::{json, next, when};
use crate::store::rollouts::DifferenceRow;

/// A decision that differs.
#[derive(Serialize, ToSchema)]
pub(super) struct DifferenceView {
    /// The decision.
    decision: i64,
    /// Its hook; this and what follows is absent once the decision is no longer kept.
    hook: Option<String>,
    app: Option<String>,
    stream: Option<String>,
    video_id: Option<String>,
    at: Option<String>,
    /// `kind` (`failure`, `answer`, `reason`, `writes`, and in audits `log`, `fuel`), `was` and `now`, each with `verdict`,
    /// `reason` and `fuel`. Of a large verdict there is the beginning.
    #[schema(value_type = Object)]
    difference: Value,
}

/// A page of differences, in order of the decisions.
#[derive(Serialize, ToSchema)]
pub(super) struct DifferenceList {
    differences: Vec<DifferenceView>,
    /// What to pass as `after` for the next page; absent on the last one.
    next_after: Option<i64>,
}

/// Which differences to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DifferencePage {
    /// Behind this decision: the `next_after` of the page before.
    after: Option<i64>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

impl DifferencePage {
    /// Behind which decision, and how many.
    pub(super) fn of(&self) -> Result<(i64, i64), Error> {
        Ok((self.after.unwrap_or(0), limit(self.limit)?))
    }
}

impl DifferenceList {
    pub(super) fn new(rows: Vec<DifferenceRow>, limit: i64) -> Self {
        let next_after = next(&rows, limit, |row| row.decision);
        let view = |row: DifferenceRow| DifferenceView {
            decision: row.decision,
            hook: row.hook,
            app: row.app,
            stream: row.stream,
            video_id: row.video,
            at: row.at.map(when),
            difference: json(&row.difference),
        };
        Self { differences: rows.into_iter().map(view).collect(), next_after }
    }
}
