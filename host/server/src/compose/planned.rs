//! From a decided plan to what is composed: which videos the parts are, and which of the broadcast's breaks lie before
//! or inside of each. Pure.

use reprise_lifecycle::broadcast::{Break, Broadcast, Part, PartState};
use reprise_lifecycle::id::{PartIndex, VideoId};
use reprise_lifecycle::question::{ComposePlan, PartRange};

use super::{Gap, Piece, Request};

/// A break this near to where a part begins lies before it: the part opened with the first keyframe after it.
const BEFORE_MS: u64 = 1_000;

impl Request {
    /// What a plan asks for.
    pub fn planned(broadcast: &Broadcast, plan: &ComposePlan) -> Self {
        let mut pieces = Vec::with_capacity(plan.ranges.len());
        let mut before: Option<&PartRange> = None;
        for range in &plan.ranges {
            pieces.push(piece(broadcast, range, follows(before, range)));
            before = Some(range);
        }
        Self { pieces, gaps: plan.gaps }
    }
}

/// Whether a stretch goes on where the one that plays before it ended. In another order than it was recorded, or cut, a
/// part has no gap to what plays before it.
pub(super) fn follows(before: Option<&PartRange>, range: &PartRange) -> bool {
    range.from_ms == 0 && before.is_some_and(|before| before.index + 1 == range.index && before.to_ms.is_none())
}

fn piece(broadcast: &Broadcast, range: &PartRange, follows: bool) -> Piece {
    let mut piece = Piece {
        part: VideoId::of_part(&broadcast.id, range.index),
        from_ms: range.from_ms,
        to_ms: range.to_ms,
        gap_before_ms: 0,
        gaps: Vec::new(),
    };
    let Some(part) = broadcast.parts.get(range.index as usize) else { return piece };
    for gap in &broadcast.breaks {
        let len_ms = u64::try_from(gap.to.0.saturating_sub(gap.from.0)).unwrap_or(0);
        match place(broadcast, range.index, part, gap) {
            Some(0) if follows => piece.gap_before_ms = piece.gap_before_ms.saturating_add(len_ms),
            Some(0) | None => {}
            Some(at_ms) => piece.gaps.push(Gap { at_ms, len_ms }),
        }
    }
    piece
}

/// Milliseconds into a part at which a break lies; 0 is before it.
pub(super) fn place(broadcast: &Broadcast, index: PartIndex, part: &Part, gap: &Break) -> Option<u64> {
    let PartState::Closed { facts, ended_at } = &part.state else { return None };
    let Some(media_ms) = gap.media_ms else {
        // A server that died does not know where; the clock on the wall says between which parts.
        let earlier = index.checked_sub(1).and_then(|index| broadcast.parts.get(index as usize))?;
        return (earlier.started_at <= gap.from && gap.to <= *ended_at && gap.to >= part.started_at).then_some(0);
    };
    let (first_ms, end_ms) = (facts.first_ms, facts.first_ms.saturating_add(facts.duration_ms));
    if media_ms.abs_diff(first_ms) <= BEFORE_MS {
        return Some(0);
    }
    // One at the very end lies before the next part.
    let inside = media_ms > first_ms && media_ms.saturating_add(BEFORE_MS) < end_ms;
    inside.then(|| media_ms - first_ms)
}

#[cfg(test)]
mod tests {
    use reprise_lifecycle::question::GapRule;
    use reprise_lifecycle::time::Timestamp;

    use super::*;
    use crate::testkit::World;

    #[tokio::test]
    async fn breaks_lie_inside_of_parts_or_before_them() {
        let world = World::new().await;
        world.tenant("acme").await;
        let mut life = world.broadcast("acme", "b1").await;
        // Parts of ten seconds.
        let videos = [life.part(0).await, life.part(10_000).await, life.part(20_000).await];
        let gap = |from: i64, len: i64, media_ms| Break { from: Timestamp(from), to: Timestamp(from + len), media_ms };
        life.state.breaks =
            vec![gap(0, 700, Some(4_000)), gap(0, 30, Some(9_990)), gap(0, 5, Some(10_500)), gap(0, 9, Some(23_000))];
        let range = |index, from_ms, to_ms| PartRange { index, from_ms, to_ms };
        let plan = |ranges: Vec<PartRange>| ComposePlan {
            ranges,
            gaps: GapRule::Hold,
            min_duration_ms: 0,
            title: None,
            group: None,
        };
        let all = Request::planned(&life.state, &plan(vec![range(0, 0, None), range(1, 0, None), range(2, 0, None)]));
        let found: Vec<_> =
            all.pieces.iter().map(|piece| (&piece.part, piece.gap_before_ms, piece.gaps.clone())).collect();
        let inside = |at_ms, len_ms| vec![Gap { at_ms, len_ms }];
        let expected =
            [(&videos[0], 0, inside(4_000, 700)), (&videos[1], 35, Vec::new()), (&videos[2], 0, inside(3_000, 9))];
        assert_eq!(found, expected);
        for ranges in [
            vec![range(1, 0, None), range(0, 0, None)],
            vec![range(0, 0, Some(5_000)), range(1, 0, None)],
            vec![range(0, 0, None), range(1, 1, None)],
            vec![range(1, 0, None)],
        ] {
            let request = Request::planned(&life.state, &plan(ranges.clone()));
            assert!(request.pieces.iter().all(|piece| piece.gap_before_ms == 0), "{ranges:?}");
        }
    }
}
