//! One question: a slot, a blocking thread, a verdict. Whatever goes wrong is a verdict too, so that no caller
//! has to decide what a broken policy means; the binding says it.

use std::sync::Arc;

use reprise_lifecycle::decision::Applied;
use reprise_lifecycle::decision::{Decision, FailureKind, FailurePolicy, Provenance, Verdict};
use reprise_lifecycle::question::{Question, StreamKey};
use reprise_policy::{Call, Evaluation, NoAssets, StateSnapshot};
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::Policies;
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
}

impl Policies {
    /// Puts a question to whoever is bound, or to nobody.
    pub async fn ask(self: &Arc<Self>, tenant: &str, stream: Option<&StreamKey>, question: &Question) -> Asked {
        let text = serde_json::to_string(question).unwrap_or_else(|_| "null".to_owned());
        let Some(bound) = self.bound(tenant, question.hook(), stream) else {
            return Asked {
                question: text,
                verdict: Verdict::NoPolicy,
                failure_policy: FailurePolicy::Fallback,
                provenance: None,
            };
        };
        let evaluation = match self.slot(tenant).await {
            Some(slot) => self.evaluate(slot, &bound, question).await,
            None => Evaluation::failed(FailureKind::Overloaded, "no evaluation slot came free in time"),
        };
        if let Verdict::Failed(failure) = &evaluation.verdict {
            tracing::warn!(
                tenant.id = tenant, plugin = bound.binding.plugin, decision.hook = question.hook().name(),
                kind = ?failure.kind, message = failure.message, "a policy failed"
            );
        }
        Asked {
            question: text,
            failure_policy: failure_policy(&bound),
            provenance: Some(Box::new(provenance(&bound, &evaluation))),
            verdict: evaluation.verdict,
        }
    }

    /// A turn of the tenant's own, then one of all tenants': a tenant that asks too much waits for itself.
    async fn slot(&self, tenant: &str) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let own = self.tenant_slots(tenant);
        let both = async {
            let own = own.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.slots).acquire_owned().await.ok()?;
            Some((own, all))
        };
        tokio::time::timeout(self.wait, both).await.ok().flatten()
    }

    async fn evaluate(
        self: &Arc<Self>,
        slot: (OwnedSemaphorePermit, OwnedSemaphorePermit),
        bound: &Bound,
        question: &Question,
    ) -> Evaluation {
        let (policies, question) = (Arc::clone(self), question.clone());
        let (digest, settings) = (bound.version.digest.clone(), bound.version.settings.clone());
        let run = move || {
            // The slot is held for as long as the thread is, even if nobody waits for the answer any more.
            let _slot = slot;
            match policies.ready(&digest) {
                Ok((loaded, _source)) => {
                    let (state, assets) = (StateSnapshot::default(), NoAssets::shared());
                    let call = Call {
                        question: &question,
                        settings: &settings,
                        state: &state,
                        assets: &assets,
                        limits: &policies.limits,
                    };
                    policies.evaluator.evaluate(&loaded, &call)
                }
                Err(why) => Evaluation::failed(FailureKind::Unavailable, &why),
            }
        };
        let joined = tokio::task::spawn_blocking(run).await;
        joined.unwrap_or_else(|_| Evaluation::failed(FailureKind::Unavailable, "the evaluation did not end"))
    }
}

fn failure_policy(bound: &Bound) -> FailurePolicy {
    if bound.binding.failure_policy == "reject" { FailurePolicy::Reject } else { FailurePolicy::Fallback }
}

fn provenance(bound: &Bound, evaluation: &Evaluation) -> Provenance {
    Provenance {
        plugin: bound.binding.plugin.clone(),
        version: u32::try_from(bound.binding.version).unwrap_or(0),
        digest: bound.version.digest.clone(),
        interface: bound.version.interface.clone(),
        settings_revision: u32::try_from(bound.version.revision).unwrap_or(0),
        fuel: evaluation.fuel,
        elapsed_us: evaluation.elapsed_us,
        log: evaluation.log.clone(),
        binding: None,
        rollout: None,
        reason: evaluation.reason.clone(),
        code: None,
        state_revision: None,
        writes: evaluation.writes.clone(),
    }
}
