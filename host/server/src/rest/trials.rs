//! Dry runs: one question to a version, and nothing recorded.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use reprise_lifecycle::question::{Hook, Question};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::Shared;
use super::auth::Scope;
use super::bindings::known;
use super::error::{Error, ErrorBody};
use super::extract::{Id, JsonText, body_limit};
use crate::policies::{Tried, Wanted};

/// A question: one about a broadcast of a thousand parts fits.
const QUESTION_BYTES: usize = 1 << 20;

/// What is asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrialBody {
    /// `template-group`, `compose-rules` or `callback`.
    hook: String,
    /// The question, as decisions have it; the tenant's newest recorded one at this hook if absent.
    question: Option<Value>,
    /// The newest if absent.
    version: Option<i64>,
    /// The newest if absent.
    settings_revision: Option<i64>,
}

/// What a version said. Nothing of it is recorded or acted on.
#[derive(Serialize, ToSchema)]
pub(super) struct TrialView {
    version: i64,
    settings_revision: i64,
    /// `{"answered":…}` or `{"failed":{"kind","message"}}`.
    verdict: Value,
    /// Why, in the policy's own words.
    reason: Option<String>,
    /// Fuel that the call used.
    fuel: u64,
    elapsed_us: u64,
    memory_bytes: u64,
    /// Where its code came from: `memory`, `disk` or `compiled`.
    code: Option<Value>,
    /// The revision of its state that it saw, if it can see any.
    state_revision: Option<u64>,
    log: Vec<String>,
    /// What it would write to its state.
    writes: Value,
}

/// The route that takes questions.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(ask).layer(body_limit(QUESTION_BYTES)))
}

/// Puts one question to a version, active or not, under the limits that it would have. Nothing is recorded, and nothing
/// is written to its state.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/plugins/{plugin}/ask",
    tag = "plugins",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("plugin" = String, Path, description = "The plugin."),
    ),
    request_body = TrialBody,
    responses((status = 200, body = TrialView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn ask(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
    JsonText(body): JsonText,
) -> Result<Json<TrialView>, Error> {
    let (_, name) = ids;
    let body: TrialBody = serde_json::from_str(&body).map_err(|error| Error::Invalid(error.to_string()))?;
    let hook = Hook::ALL.into_iter().find(|hook| hook.name() == body.hook);
    let hook = hook.ok_or_else(|| Error::Invalid("hook: template-group, compose-rules or callback".to_owned()))?;
    let question = match body.question {
        Some(given) => read(hook, given)?,
        None => {
            known(&shared, &tenant.name, &name).await?;
            let newest = shared.store.newest_question(&tenant.name, hook.name()).await?;
            let nothing = || Error::Conflict("no question was recorded at this hook yet; give one".to_owned());
            let newest = newest.ok_or_else(nothing)?;
            serde_json::from_str(&newest).map_err(|error| Error::Internal(format!("a recorded question: {error}")))?
        }
    };
    let wanted = Wanted { question, version: body.version, settings_revision: body.settings_revision };
    Ok(Json(shared.policies.try_out(&tenant.name, &name, &wanted).await?.into()))
}

/// A question as it is recorded, or only what it says.
fn read(hook: Hook, given: Value) -> Result<Question, Error> {
    let whole = match &given {
        Value::Object(fields) if fields.len() == 1 && fields.contains_key(hook.name()) => given,
        _ => json!({ hook.name(): given }),
    };
    serde_json::from_value(whole).map_err(|error| Error::Invalid(format!("question: {error}")))
}

impl From<Tried> for TrialView {
    fn from(tried: Tried) -> Self {
        let evaluation = tried.evaluation;
        Self {
            version: tried.version,
            settings_revision: tried.settings_revision,
            verdict: json!(evaluation.verdict),
            reason: evaluation.reason,
            fuel: evaluation.fuel,
            elapsed_us: evaluation.elapsed_us,
            memory_bytes: evaluation.memory_bytes,
            code: tried.code.map(|code| json!(code)),
            state_revision: tried.state_revision,
            log: evaluation.log,
            writes: json!(evaluation.writes),
        }
    }
}
