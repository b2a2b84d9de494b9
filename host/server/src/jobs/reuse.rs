//! What a composed video can have without encoding: where its parts, played whole and one after the other, already
//! have a rendition of the same template. Pure; it looks at a folded broadcast and at nothing else.

use reprise_lifecycle::broadcast::{Broadcast, Compose, PartState};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::question::{ComposePlan, GapRule};
use reprise_lifecycle::record::{OutputFacts, Template};
use reprise_lifecycle::video::{Output, Stage};

use super::joining::{FirstShown, PartTimes};

/// One part, whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WholePart {
    /// Its video.
    pub(super) video: VideoId,
    /// What its source holds.
    pub(super) facts: PartFacts,
}

/// What a part has for one template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Offer {
    /// Its rendition.
    Done(OutputFacts),
    /// Somebody makes it, or it is being decided whether.
    Pending,
    /// Nothing; nobody will make it.
    Missing,
}

/// The parts of a broadcast's composed video, when it is these and nothing else: whole, and with gaps cut. `None` when
/// it is not.
pub(super) fn whole_parts(broadcast: &Broadcast) -> Option<Vec<WholePart>> {
    let Compose::Planned(plan, _) = &broadcast.compose else { return None };
    parts_of(broadcast, plan)
}

fn parts_of(broadcast: &Broadcast, plan: &ComposePlan) -> Option<Vec<WholePart>> {
    if plan.gaps != GapRule::Cut {
        return None;
    }
    let mut parts = Vec::new();
    for range in &plan.ranges {
        let PartState::Closed { facts, .. } = &broadcast.parts.get(range.index as usize)?.state else { return None };
        if range.from_ms > 0 || range.to_ms.is_some_and(|to_ms| to_ms < facts.duration_ms) {
            return None;
        }
        parts.push(WholePart { video: VideoId::of_part(&broadcast.id, range.index), facts: facts.clone() });
    }
    Some(parts).filter(|parts| !parts.is_empty())
}

/// What a part's video has for `template`: the same settings as they were frozen, whatever the template is called.
pub(super) fn offer(broadcast: &Broadcast, part: &VideoId, template: &Template) -> Offer {
    let Some(video) = broadcast.videos.get(part).filter(|video| !video.removed) else { return Offer::Missing };
    if matches!(video.stage, Stage::Deciding(_)) {
        return Offer::Pending;
    }
    let outputs = video.tasks.iter().flat_map(|task| &task.outputs).filter(|output| !output.removed);
    let matching: Vec<&Output> = outputs.filter(|output| is_same(&output.template, template)).collect();
    let done = matching.iter().find_map(|output| output.finished.as_ref().and_then(|end| end.result.done()));
    match done {
        Some(facts) => Offer::Done(facts.clone()),
        None if matching.iter().any(|output| output.finished.is_none()) => Offer::Pending,
        None => Offer::Missing,
    }
}

/// How far the first media of a part may be from the end of the one before it for the two to follow each other.
const SEAM_MS: u64 = 250;

/// Where each part's rendition lies on the joined timeline. `shown` is what is shown first of each part: a rendition
/// begins with that, and not where its part begins, because sound or a picture may come first, and a picture is shown
/// later than it is decoded.
pub(super) fn times(parts: &[WholePart], shown: &[FirstShown]) -> Vec<PartTimes> {
    let mut times: Vec<PartTimes> = Vec::with_capacity(parts.len());
    let (mut start_ms, mut begins_ms) = (0, 0);
    for (index, (part, shown)) in parts.iter().zip(shown).enumerate() {
        let first_ms = part.facts.first_ms;
        let place = |shown_ms: u64| start_ms + shown_ms.saturating_sub(first_ms);
        if let Some(before) = times.last_mut() {
            before.duration_ms = place(shown.first_ms()).saturating_sub(begins_ms);
        }
        begins_ms = place(shown.first_ms());
        // Sound may reach over the seam; where the next part begins says where it is.
        let next = parts.get(index + 1).and_then(|next| next.facts.first_ms.checked_sub(first_ms));
        let span_ms = next.filter(|span_ms| span_ms.abs_diff(part.facts.duration_ms) <= SEAM_MS);
        let span_ms = span_ms.unwrap_or(part.facts.duration_ms);
        let end_ms = start_ms + span_ms;
        times.push(PartTimes { duration_ms: end_ms.saturating_sub(begins_ms), anchor_ms: place(shown.anchor_ms()) });
        start_ms = end_ms;
    }
    times
}

fn is_same(one: &Template, other: &Template) -> bool {
    // The definition says whether tracks are copied, and the format which container there is; the rest is settings.
    (&one.settings, &one.definition, &one.format) == (&other.settings, &other.definition, &other.format)
}

#[cfg(test)]
mod tests;
