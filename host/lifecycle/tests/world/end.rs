//! What is left of a life when all is said: which parts hold what, which videos came of them and with which
//! results. No times and no record numbers: they differ between two lives that mean the same.

use std::collections::{BTreeMap, BTreeSet};

use reprise_lifecycle::broadcast::{Broadcast, CANCELLED, Compose, PartState};
use reprise_lifecycle::id::{GroupId, TemplateId, VideoId};
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::question::ComposePlan;
use reprise_lifecycle::record::{CoverFacts, OutputFacts, WorkResult};
use reprise_lifecycle::video::{Cover, Output, Stage, Status, Video};
use reprise_lifecycle::work::Trigger;

/// One video at its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VideoEnd {
    status: Status,
    rejected: bool,
    facts: Option<PartFacts>,
    group: Option<GroupId>,
    renditions: BTreeMap<TemplateId, Option<WorkResult<OutputFacts>>>,
    cover: Option<Option<WorkResult<CoverFacts>>>,
}

impl VideoEnd {
    fn of(video: &Video) -> Self {
        let task = video.task();
        let outputs = task.iter().flat_map(|task| &task.outputs);
        Self {
            status: video.status(),
            rejected: video.stage == Stage::Rejected,
            facts: video.facts.clone(),
            group: task.map(|task| task.group.clone()),
            renditions: outputs
                .map(|output| {
                    let result = output.finished.as_ref().map(|done| done.result.clone());
                    (output.template.id.clone(), result)
                })
                .collect(),
            cover: task.and_then(|task| task.cover.as_ref()).map(|cover| cover.result.clone()),
        }
    }
}

/// A broadcast at its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    /// What each part holds; nothing for one that was dropped.
    parts: Vec<Option<PartFacts>>,
    /// The videos.
    videos: BTreeMap<VideoId, VideoEnd>,
    /// The plan, when there is one.
    compose: Option<ComposePlan>,
}

impl End {
    pub(crate) fn of(broadcast: &Broadcast) -> Self {
        let part = |state: &PartState| match state {
            PartState::Closed { facts, .. } => Some(facts.clone()),
            PartState::Open | PartState::Dropped => None,
        };
        let videos = broadcast.videos.iter();
        Self {
            parts: broadcast.parts.iter().map(|it| part(&it.state)).collect(),
            videos: videos.map(|(id, video)| (id.clone(), VideoEnd::of(video))).collect(),
            compose: match &broadcast.compose {
                Compose::Planned(plan, _) => Some(plan.clone()),
                Compose::NotYet | Compose::Deciding | Compose::Skipped => None,
            },
        }
    }

    /// Law 6. `cut` is what a prefix of the journal folds to, `whole` is how the whole life ended and `again`
    /// how it ends from the cut. What the cut had called for comes out the same: each of its parts, the open
    /// one included, each part's video with its results, and the compose if no part could be added any more.
    /// What the outside would have added after the cut is nobody's promise.
    pub(crate) fn same_from(cut: &Broadcast, whole: &Broadcast, again: &Broadcast) {
        let disturbed = disturbed(cut, whole);
        let without = |mut end: Self| {
            end.videos.retain(|id, _| !disturbed.contains(id));
            end
        };
        let (owed, got) = (without(Self::of(whole)), without(Self::of(again)));
        // Parts that were taken away after the cut may have been in the compose that the cut had yet to decide.
        if cut.is_over() && whole.parts.len() == cut.parts.len() && disturbed.is_empty() {
            assert_eq!(owed, got, "the ends differ");
        } else {
            let parts = cut.parts.len();
            assert_eq!(owed.parts[..parts], got.parts[..], "the parts differ");
            for index in (0..).take(parts) {
                let video = VideoId::of_part(&cut.id, index);
                if !disturbed.contains(&video) {
                    assert_eq!(owed.videos.get(&video), got.videos.get(&video));
                }
            }
        }
        for (id, video) in cut.videos.iter().filter(|(id, _)| !disturbed.contains(id)) {
            same_results(video, &whole.videos[id]);
            same_results(video, &again.videos[id]);
        }
    }
}

/// The videos of which the tenant asked something, or took something away, after the cut.
fn disturbed(cut: &Broadcast, whole: &Broadcast) -> BTreeSet<VideoId> {
    let asked = |video: &Video| {
        let manual = video.tasks.iter().filter(|task| task.trigger == Trigger::Manual).count();
        let removed = video.tasks.iter().flat_map(|task| &task.outputs).filter(|output| output.removed).count();
        let outputs = video.tasks.iter().flat_map(|task| &task.outputs).filter(|output| is_cancelled(output));
        let covers =
            video.tasks.iter().filter_map(|task| task.cover.as_ref()).filter(|cover| is_cancelled_cover(cover));
        let cancelled = outputs.count() + covers.count();
        (manual, removed, cancelled, video.removed, video.source_removed)
    };
    let before = |id: &VideoId| cut.videos.get(id).map_or((0, 0, 0, false, false), asked);
    whole.videos.iter().filter(|(id, video)| asked(video) != before(id)).map(|(id, _)| id.clone()).collect()
}

fn is_cancelled(output: &Output) -> bool {
    let result = output.finished.as_ref().map(|finished| &finished.result);
    matches!(result, Some(WorkResult::Failed(failure)) if failure.code == CANCELLED)
}

fn is_cancelled_cover(cover: &Cover) -> bool {
    matches!(&cover.result, Some(WorkResult::Failed(failure)) if failure.code == CANCELLED)
}

/// What the cut had recorded of a task stands to the letter, its ids and times included.
fn same_results(cut: &Video, end: &Video) {
    let Some(task) = cut.task() else {
        return;
    };
    let ended = end.task().expect("a task is never taken back");
    assert_eq!((&task.id, task.created_at), (&ended.id, ended.created_at));
    for (before, after) in task.outputs.iter().zip(&ended.outputs) {
        assert_eq!(before.job, after.job);
        assert!(before.finished.is_none() || before.finished == after.finished);
    }
}
