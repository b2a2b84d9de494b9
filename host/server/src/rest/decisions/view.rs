//! A decision as it is shown, wherever it is.

use reprise_lifecycle::decision::{CodeSource, Decision, Provenance};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::rest::error::Error;
use crate::rest::form::{json, when};
use crate::store::decisions::DecisionRow;

/// One decision.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct DecisionView {
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
struct ProvenanceView {
    plugin: String,
    version: u32,
    /// SHA-256 of the component.
    digest: String,
    interface: String,
    /// Through which binding it was asked.
    binding: Option<String>,
    settings_revision: u32,
    /// The rollout whose candidate it was, where it was asked in place of the active version.
    rollout: Option<i64>,
    /// Why, in its own words.
    reason: Option<String>,
    /// Fuel used by the call.
    fuel: u64,
    /// Wall time of the call.
    elapsed_us: u64,
    /// Where its machine code came from: `memory`, `disk` or `compiled`.
    code: Option<&'static str>,
    /// The revision of its state that it saw.
    state_revision: Option<u64>,
    /// What it wrote to its state.
    writes: Vec<WriteView>,
    /// Lines the policy logged.
    log: Vec<String>,
}

/// A change of a plugin's state.
#[derive(Serialize, ToSchema)]
struct WriteView {
    key: String,
    /// Its new value; absent if the key went.
    value: Option<String>,
}

pub(in crate::rest) fn view(row: DecisionRow) -> Result<DecisionView, Error> {
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
            binding: made.binding,
            settings_revision: made.settings_revision,
            rollout: made.rollout,
            reason: made.reason,
            fuel: made.fuel,
            elapsed_us: made.elapsed_us,
            code: made.code.map(code_word),
            state_revision: made.state_revision,
            writes: made.writes.into_iter().map(|write| WriteView { key: write.key, value: write.value }).collect(),
            log: made.log,
        }
    }
}

/// Where code came from, in one word.
fn code_word(code: CodeSource) -> &'static str {
    match code {
        CodeSource::Memory => "memory",
        CodeSource::Disk => "disk",
        CodeSource::Compiled => "compiled",
    }
}
