//! What a verdict comes to at each hook, resolved against the tenant's configuration.

use std::sync::Arc;

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::{Applied, Decision, Verdict};
use reprise_lifecycle::id::{GroupId, VideoId};
use reprise_lifecycle::question::{
    Answer, CallbackAnswer, CallbackQuestion, ComposeQuestion, Hook, Origin, Question, StreamKey, TemplateGroupAnswer,
    TemplateGroupQuestion,
};
use reprise_lifecycle::record::{Resolution, TaskPlan};
use reprise_lifecycle::time::Timestamp;

use super::Policies;
use crate::store;
use crate::store::deliveries::Shaped;

/// A decision with its question, ready to be recorded.
#[derive(Clone, Debug)]
pub struct Decided<T> {
    /// The question's JSON.
    pub question: String,
    /// The decision.
    pub decision: Decision,
    /// What it comes to.
    pub outcome: T,
}

impl Policies {
    /// Which template group a part's video is processed with.
    ///
    /// # Errors
    /// When the catalogue cannot be read; asking again is right then.
    pub async fn template_group(
        self: &Arc<Self>,
        broadcast: &Broadcast,
        video: &VideoId,
    ) -> store::Result<Option<Decided<Resolution>>> {
        let tenant = broadcast.tenant.as_str();
        let summary = broadcast.part_summaries().into_iter().find(|part| &part.video_id == video);
        let Some(part) = summary else { return Ok(None) };
        let has_picture = part.video.is_some();
        let question = Question::TemplateGroup(TemplateGroupQuestion {
            origin: origin(broadcast),
            part,
            default_group: broadcast.rules.group.to_string(),
            groups: self.store.group_choices(tenant).await?,
        });
        let asked = self.ask(tenant, Some(&broadcast.stream), &question).await;
        let default = broadcast.rules.group.clone();
        let (applied, group) = match &asked.verdict {
            Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::Group(id))) => {
                (Applied::Answer, Some(GroupId::new(id.clone())))
            }
            Verdict::Answered(_) | Verdict::NoPolicy => (Applied::Default, Some(default)),
            Verdict::Failed(_) => match asked.applied_on_failure() {
                Applied::Rejected => (Applied::Rejected, None),
                applied => (applied, Some(default)),
            },
        };
        let outcome = match group {
            None => Resolution::Nothing,
            Some(group) => {
                let templates = self.store.templates(tenant, &group).await?;
                Resolution::Process(TaskPlan { group, templates, cover: has_picture })
            }
        };
        let decision = asked.decision(&question, applied);
        Ok(Some(Decided { question: asked.question, decision, outcome }))
    }

    /// Whether and how a broadcast's parts are composed. No record config can ask for it yet, so no policy is
    /// asked either: the static configuration applies, and that is recorded.
    ///
    /// # Errors
    /// When the catalogue cannot be read; asking again is right then.
    pub async fn compose_rules(
        self: &Arc<Self>,
        broadcast: &Broadcast,
        ended_at: Timestamp,
    ) -> store::Result<Decided<Resolution>> {
        let question = Question::ComposeRules(ComposeQuestion {
            origin: origin(broadcast),
            ended_at,
            parts: broadcast.part_summaries(),
            default_compose: broadcast.rules.auto_compose,
            default_group: broadcast.rules.compose_group.as_ref().map(ToString::to_string),
            groups: self.store.group_choices(broadcast.tenant.as_str()).await?,
        });
        let text = serde_json::to_string(&question).unwrap_or_else(|_| "null".to_owned());
        let asked = super::Asked {
            question: text,
            verdict: Verdict::NoPolicy,
            failure_policy: reprise_lifecycle::decision::FailurePolicy::Fallback,
            provenance: None,
        };
        let decision = asked.decision(&question, Applied::Default);
        Ok(Decided { question: asked.question, decision, outcome: Resolution::Nothing })
    }

    /// What an event looks like when it is sent.
    pub async fn callback(self: &Arc<Self>, question: CallbackQuestion, stream: Option<&StreamKey>) -> Decided<Shaped> {
        let (tenant, body) = (question.tenant.clone(), question.body.clone());
        let question = Question::Callback(question);
        let asked = self.ask(&tenant, stream, &question).await;
        let as_it_is = Shaped::Send { body, headers: "[]".to_owned() };
        let (applied, outcome) = match &asked.verdict {
            Verdict::Answered(Answer::Callback(CallbackAnswer::Drop)) => (Applied::Answer, Shaped::Drop),
            Verdict::Answered(Answer::Callback(CallbackAnswer::Replace { body, headers })) => {
                let headers = serde_json::to_string(headers).unwrap_or_else(|_| "[]".to_owned());
                (Applied::Answer, Shaped::Send { body: body.clone(), headers })
            }
            Verdict::Answered(_) | Verdict::NoPolicy => (Applied::Default, as_it_is),
            Verdict::Failed(_) => match asked.applied_on_failure() {
                Applied::Rejected => (Applied::Rejected, Shaped::Drop),
                applied => (applied, as_it_is),
            },
        };
        let decision = asked.decision(&question, applied);
        debug_assert_eq!(decision.hook, Hook::Callback);
        Decided { question: asked.question, decision, outcome }
    }
}

fn origin(broadcast: &Broadcast) -> Origin {
    Origin {
        tenant: broadcast.tenant.to_string(),
        stream: broadcast.stream.clone(),
        play_domain: broadcast.play_domain.clone(),
        push_args: broadcast.push_args.clone(),
        broadcast: broadcast.id.clone(),
        broadcast_started_at: broadcast.started_at,
        reconnects: u32::try_from(broadcast.breaks.len()).unwrap_or(u32::MAX),
    }
}
