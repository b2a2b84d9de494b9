//! One question: who is bound, a turn, a blocking thread, a verdict. Whatever goes wrong is a verdict too, so that no
//! caller has to decide what a broken policy means; the binding says it.

use std::sync::Arc;
use std::time::Instant;

use reprise_lifecycle::decision::{Applied, CodeSource, Decision, FailurePolicy, Granted, Provenance, Verdict};
use reprise_lifecycle::question::{Hook, Question, StreamKey};
use reprise_policy::Evaluation;
use sha2::{Digest, Sha256};

use super::binding::covers;
use super::tenant::TenantPolicies;
use super::{Policies, limits};
use crate::store::bindings::Bound;

/// A question and what was said to it, before anything is done about it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The question's JSON.
    pub question: String,
    /// What was said.
    pub verdict: Verdict,
    /// What applies if it failed.
    pub failure_policy: FailurePolicy,
    /// Who said it.
    pub provenance: Option<Box<Provenance>>,
}

/// What a call came to, and what it saw.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) evaluation: Evaluation,
    /// Where its code came from; none if it never ran.
    pub(super) code: Option<CodeSource>,
    /// The state it saw; none if it cannot see any.
    pub(super) state_revision: Option<u64>,
    /// Its limits, as far as they can show in what it says; none if it never ran.
    pub(super) granted: Option<Granted>,
}

impl Asked {
    /// What applies: the failure policy where the policy failed, else the answer or the default.
    pub fn decision(&self, question: &Question, applied: Applied) -> Decision {
        Decision {
            hook: question.hook(),
            question_digest: hex::encode(Sha256::digest(self.question.as_bytes())),
            verdict: self.verdict.clone(),
            applied,
            provenance: self.provenance.clone(),
        }
    }

    /// What applies where the policy failed.
    pub fn applied_on_failure(&self) -> Applied {
        match self.failure_policy {
            FailurePolicy::Fallback => Applied::Fallback,
            FailurePolicy::Reject => Applied::Rejected,
        }
    }

    /// Nobody is bound.
    pub(super) fn nobody(question: &Question) -> Self {
        Self {
            question: text(question),
            verdict: Verdict::NoPolicy,
            failure_policy: FailurePolicy::Fallback,
            provenance: None,
        }
    }
}

impl Policies {
    /// Puts a question to whoever is bound, or to nobody. What is bound is looked at once, now: an activation that comes
    /// later is for later questions.
    pub async fn ask(self: &Arc<Self>, tenant: &str, stream: Option<&StreamKey>, question: &Question) -> Asked {
        let policies = self.of(tenant);
        let bound = policies.covering(question.hook(), stream).next().map(Arc::clone);
        match bound {
            Some(bound) => self.ask_bound(tenant, &policies, bound, stream, question).await,
            None => Asked::nobody(question),
        }
    }

    /// Puts a question to one of the tenant's bindings.
    pub(super) async fn ask_bound(
        self: &Arc<Self>,
        tenant: &str,
        policies: &TenantPolicies,
        bound: Arc<Bound>,
        stream: Option<&StreamKey>,
        question: &Question,
    ) -> Asked {
        let bound = self.chosen(tenant, bound, stream, question.hook());
        let called = self.call(tenant, policies, &bound, question, true).await;
        if let Verdict::Failed(failure) = &called.evaluation.verdict {
            tracing::warn!(
                tenant.id = tenant, plugin = bound.binding.plugin, decision.hook = question.hook().name(),
                kind = ?failure.kind, message = failure.message, "a policy failed"
            );
        }
        Asked {
            question: text(question),
            failure_policy: failure_policy(&bound),
            provenance: Some(Box::new(provenance(&bound, &called))),
            verdict: called.evaluation.verdict,
        }
    }

    /// Who is asked in a binding's place: a candidate that has this stream in its share, or the binding itself. A candidate
    /// without the hook cannot stand in at it.
    fn chosen(&self, tenant: &str, bound: Arc<Bound>, stream: Option<&StreamKey>, hook: Hook) -> Arc<Bound> {
        let candidate = self.candidate(tenant, &bound, stream);
        candidate.filter(|candidate| covers(candidate, hook, stream)).map_or(bound, Arc::new)
    }

    /// One call under the limits that apply to its plugin. `watched` says whether the breaker is asked and told.
    pub(super) async fn call(
        self: &Arc<Self>,
        tenant: &str,
        policies: &TenantPolicies,
        bound: &Bound,
        question: &Question,
        watched: bool,
    ) -> Called {
        let (own, plugin) = policies.limits(&bound.binding.plugin);
        let paces = limits::paces(&self.defaults, own, plugin);
        let called = match self.enter(tenant, bound, paces, watched) {
            Ok(entry) => {
                let called = self.call_inside(tenant, &entry, bound, (own, plugin), question).await;
                entry.settle(&called.evaluation.verdict, Instant::now());
                called
            }
            Err(refused) => Called::never(Evaluation::failed(refused.kind, &refused.message)),
        };
        let evaluation = &called.evaluation;
        self.meters.called(question.hook(), &evaluation.verdict, evaluation.elapsed_us, evaluation.fuel);
        called
    }
}

impl Called {
    /// A call that never ran.
    pub(super) fn never(evaluation: Evaluation) -> Self {
        Self { evaluation, code: None, state_revision: None, granted: None }
    }
}

fn text(question: &Question) -> String {
    serde_json::to_string(question).unwrap_or_else(|_| "null".to_owned())
}

fn failure_policy(bound: &Bound) -> FailurePolicy {
    if bound.binding.failure_policy == "reject" { FailurePolicy::Reject } else { FailurePolicy::Fallback }
}

fn provenance(bound: &Bound, called: &Called) -> Provenance {
    let evaluation = &called.evaluation;
    Provenance {
        plugin: bound.binding.plugin.clone(),
        version: u32::try_from(bound.version.version).unwrap_or(0),
        digest: bound.version.digest.clone(),
        interface: bound.version.interface.clone(),
        settings_revision: u32::try_from(bound.binding.settings_revision).unwrap_or(0),
        fuel: evaluation.fuel,
        elapsed_us: evaluation.elapsed_us,
        log: evaluation.log.clone(),
        binding: Some(bound.binding.name.clone()),
        rollout: bound.rollout,
        reason: evaluation.reason.clone(),
        code: called.code,
        state_revision: called.state_revision,
        writes: evaluation.writes.clone(),
        granted: called.granted,
    }
}
