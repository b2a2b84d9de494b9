//! What a verdict comes to at each hook, resolved against the tenant's configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_lifecycle::broadcast::{Broadcast, Compose};
use reprise_lifecycle::decision::{Applied, Decision, Verdict};
use reprise_lifecycle::id::{GroupId, VideoId};
use reprise_lifecycle::question::{
    Answer, ComposeAnswer, ComposePlan, ComposeQuestion, GapRule, Hook, Origin, PartRange, PartSummary, Question,
    TemplateGroupAnswer, TemplateGroupQuestion,
};
use reprise_lifecycle::record::{Resolution, TaskPlan};
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::video::{Source, Video};
use sha2::{Digest, Sha256};

use super::Policies;
use crate::store;

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
        match broadcast.videos.get(video) {
            Some(video) if !matches!(video.source, Source::Part(_)) => {
                return self.named_group(broadcast, video).await.map(Some);
            }
            _ => {}
        }
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

    /// Whether and how a broadcast's parts are composed: what the policy says, or else the record config.
    ///
    /// # Errors
    /// When the catalogue cannot be read; asking again is right then.
    pub async fn compose_rules(
        self: &Arc<Self>,
        broadcast: &Broadcast,
        ended_at: Timestamp,
    ) -> store::Result<Decided<Resolution>> {
        let tenant = broadcast.tenant.as_str();
        let parts = broadcast.composable_parts();
        let by_default = whole(&parts, broadcast.rules.gaps);
        let lengths: BTreeMap<u32, u64> = parts.iter().map(|part| (part.index, part.duration_ms)).collect();
        let question = Question::ComposeRules(ComposeQuestion {
            origin: origin(broadcast),
            ended_at,
            parts,
            default_compose: broadcast.rules.auto_compose,
            default_group: broadcast.rules.compose_group.as_ref().map(ToString::to_string),
            groups: self.store.group_choices(tenant).await?,
        });
        let asked = self.ask(tenant, Some(&broadcast.stream), &question).await;
        let by_default = broadcast.rules.auto_compose.then_some(by_default);
        let (applied, plan) = match &asked.verdict {
            Verdict::Answered(Answer::ComposeRules(ComposeAnswer::Compose(plan))) => {
                (Applied::Answer, Some(plan.clone()))
            }
            Verdict::Answered(Answer::ComposeRules(ComposeAnswer::Skip)) => (Applied::Answer, None),
            Verdict::Answered(_) | Verdict::NoPolicy => (Applied::Default, by_default),
            Verdict::Failed(_) => match asked.applied_on_failure() {
                Applied::Rejected => (Applied::Rejected, None),
                applied => (applied, by_default),
            },
        };
        let outcome = match plan.filter(|plan| is_long_enough(plan, &lengths)) {
            Some(plan) => Resolution::Compose { plan },
            None => Resolution::Nothing,
        };
        let decision = asked.decision(&question, applied);
        Ok(Decided { question: asked.question, decision, outcome })
    }

    /// What a composed or edited video is processed with. Nobody is asked: the compose policy, the record config or
    /// the editor named the group already.
    ///
    /// # Errors
    /// When the catalogue cannot be read; asking again is right then.
    async fn named_group(&self, broadcast: &Broadcast, video: &Video) -> store::Result<Decided<Resolution>> {
        let planned = match (&broadcast.compose, &broadcast.production) {
            (_, Some(opening)) => Some(opening.group.clone()),
            (Compose::Planned(plan, _), None) => plan.group.clone().map(GroupId::new),
            (Compose::NotYet | Compose::Deciding | Compose::Skipped, None) => None,
        };
        let group = planned.or_else(|| broadcast.rules.compose_group.clone()).unwrap_or_else(GroupId::no_transcode);
        let templates = self.store.templates(broadcast.tenant.as_str(), &group).await?;
        let cover = video.facts.as_ref().is_some_and(|facts| facts.video.is_some());
        let question = "null".to_owned();
        let decision = Decision {
            hook: Hook::TemplateGroup,
            question_digest: hex::encode(Sha256::digest(question.as_bytes())),
            verdict: Verdict::NoPolicy,
            applied: Applied::Default,
            provenance: None,
        };
        Ok(Decided { question, decision, outcome: Resolution::Process(TaskPlan { group, templates, cover }) })
    }
}

/// What the vendor does: all parts, whole and in order.
fn whole(parts: &[PartSummary], gaps: GapRule) -> ComposePlan {
    let ranges = parts.iter().map(|part| PartRange { index: part.index, from_ms: 0, to_ms: None }).collect();
    ComposePlan { ranges, gaps, min_duration_ms: 0, title: None, group: None }
}

fn is_long_enough(plan: &ComposePlan, lengths: &BTreeMap<u32, u64>) -> bool {
    let length = |range: &PartRange| {
        let to_ms = range.to_ms.or_else(|| lengths.get(&range.index).copied()).unwrap_or(0);
        to_ms.saturating_sub(range.from_ms)
    };
    let total = plan.ranges.iter().map(length).fold(0_u64, u64::saturating_add);
    !plan.ranges.is_empty() && total >= plan.min_duration_ms
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
