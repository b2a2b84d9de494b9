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
use reprise_lifecycle::record::{Resolution, TaskPlan, WorkFailure};
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::video::{Source, Video};
use sha2::{Digest, Sha256};

use super::Policies;
use crate::store;

/// The vendor's code for a template group that does not exist.
const GROUP_NOT_FOUND: &str = "InvalidTranscodeTemplateGroup.NotFound";

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
            Some(group) => self.processed_with(tenant, video, group, has_picture).await?,
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
        let cover = video.facts.as_ref().is_some_and(|facts| facts.video.is_some());
        let question = "null".to_owned();
        let decision = Decision {
            hook: Hook::TemplateGroup,
            question_digest: hex::encode(Sha256::digest(question.as_bytes())),
            verdict: Verdict::NoPolicy,
            applied: Applied::Default,
            provenance: None,
        };
        let outcome = self.processed_with(broadcast.tenant.as_str(), &video.id, group, cover).await?;
        Ok(Decided { question, decision, outcome })
    }

    /// Processing `video` with the templates that `group` has now. A group that is not there is no empty one: who named
    /// it waits for renditions and has to hear that none come.
    async fn processed_with(
        &self,
        tenant: &str,
        video: &VideoId,
        group: GroupId,
        cover: bool,
    ) -> store::Result<Resolution> {
        let templates = self.store.templates(tenant, &group).await?;
        // In this order, a group that is deleted meanwhile is found missing.
        if templates.is_empty()
            && !group.is_no_transcode()
            && self.store.template_group(tenant, group.as_str()).await?.is_none()
        {
            let failure = WorkFailure { code: GROUP_NOT_FOUND.to_owned(), message: gone(&group) };
            tracing::warn!(tenant.id = tenant, video.id = %video, group.id = %group, "a video's template group is not there");
            return Ok(Resolution::Refused(failure));
        }
        Ok(Resolution::Process(TaskPlan { group, templates, cover }))
    }
}

fn gone(group: &GroupId) -> String {
    format!(
        "the template group {group} does not exist; let the record config, policy or request that names it name another, \
         and encode this video with SubmitTranscodeJobs; the recording is kept"
    )
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

#[cfg(test)]
mod tests {
    use reprise_lifecycle::record::RecordRules;

    use super::*;
    use crate::config::Config;
    use crate::store::template_groups::TemplateGroup;
    use crate::testkit::World;

    #[tokio::test]
    async fn a_group_that_is_not_there_is_told_from_an_empty_one() {
        let world = World::new().await;
        world.tenant("acme").await;
        let group = |id: &str| TemplateGroup {
            id: id.to_owned(),
            name: id.to_owned(),
            is_default: false,
            locked: false,
            created_at: 0,
            modified_at: 0,
        };
        for id in ["empty", "gone"] {
            world.store.put_template_group("acme", &group(id), &[]).await.unwrap();
        }
        assert!(world.store.delete_template_group("acme", "gone").await.unwrap());
        let config = Config::parse("").unwrap().policies;
        let policies = Policies::new(&config, world.store.clone(), Arc::clone(&world.files), [9; 32]).unwrap();
        let policies = Arc::new(policies);

        for (index, (id, is_there)) in
            [("empty", true), ("VOD_NO_TRANSCODE", true), ("gone", false)].into_iter().enumerate()
        {
            let rules = RecordRules {
                group: GroupId::new(id),
                compose_group: Some(GroupId::new(id)),
                auto_compose: true,
                ..RecordRules::default()
            };
            let mut life = world.broadcast_by("acme", &format!("b{index}"), rules).await;
            let part = life.part(0).await;
            let of_part = policies.template_group(&life.state, &part).await.unwrap().unwrap();
            life.decide(&part, &[]).await;
            let whole = life.compose(GapRule::Cut).await;
            let of_whole = policies.template_group(&life.state, &whole).await.unwrap().unwrap();
            for decided in [of_part, of_whole] {
                match decided.outcome {
                    Resolution::Process(plan) if is_there => {
                        assert_eq!((plan.group.as_str(), plan.templates.len()), (id, 0))
                    }
                    Resolution::Refused(failure) if !is_there => {
                        assert_eq!(failure.code, GROUP_NOT_FOUND);
                        assert!(failure.message.contains(" group gone does not exist; "), "{}", failure.message);
                    }
                    other => panic!("{id}: {other:?}"),
                }
            }
        }
    }
}
