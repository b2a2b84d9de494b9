//! From a decided plan to what is composed: which videos the parts are, and which of the broadcast's breaks lie before
//! or inside of each. Pure.

use reprise_lifecycle::broadcast::{Break, Broadcast, Part, PartState};
use reprise_lifecycle::id::{PartIndex, VideoId};
use reprise_lifecycle::media::PartFacts;
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
            pieces.push(piece(broadcast, range, follows(broadcast, before, range)));
            before = Some(range);
        }
        Self { pieces, gaps: plan.gaps }
    }
}

/// Whether a stretch goes on where the one that plays before it ended. In another order than it was recorded, or cut, a
/// part has no gap to what plays before it.
pub(super) fn follows(broadcast: &Broadcast, before: Option<&PartRange>, range: &PartRange) -> bool {
    let goes_on = |before: &PartRange| before.to_ms.is_none() && is_next(broadcast, before.index, range.index);
    range.from_ms == 0 && before.is_some_and(goes_on)
}

/// Whether nothing whole was recorded between two parts.
fn is_next(broadcast: &Broadcast, index: PartIndex, next: PartIndex) -> bool {
    let between = (index as usize).saturating_add(1)..next as usize;
    index < next && broadcast.parts.get(between).is_some_and(|parts| parts.iter().all(|part| closed(part).is_none()))
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
        match place(broadcast, range.index, part, gap) {
            Some(Place::Before) if follows => piece.gap_before_ms = piece.gap_before_ms.saturating_add(length(gap)),
            Some(Place::Before) | None => {}
            Some(Place::Inside(at_ms)) => piece.gaps.push(Gap { at_ms, len_ms: length(gap) }),
        }
    }
    piece
}

/// Where a break lies, seen from a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Before,
    /// So many milliseconds into its media.
    Inside(u64),
}

pub(super) fn place(broadcast: &Broadcast, index: PartIndex, part: &Part, gap: &Break) -> Option<Place> {
    let facts = closed(part)?;
    let Some(media_ms) = gap.media_ms else { return place_by_clock(broadcast, index, gap) };
    let (first_ms, end_ms) = (facts.first_ms, facts.first_ms.saturating_add(facts.duration_ms));
    if media_ms.abs_diff(first_ms) <= BEFORE_MS {
        return Some(Place::Before);
    }
    // One at the very end lies before the next part.
    let inside = media_ms > first_ms && media_ms.saturating_add(BEFORE_MS) < end_ms;
    inside.then(|| Place::Inside(media_ms - first_ms))
}

/// The same for a break of which nobody could tell where the media stood. It lies in or right after the part that was
/// the last to begin before it: in it, if more media came into the part than there had been time for by then.
fn place_by_clock(broadcast: &Broadcast, index: PartIndex, gap: &Break) -> Option<Place> {
    let closed_parts = (0..).zip(&broadcast.parts).filter_map(|(index, part)| Some((index, part, closed(part)?)));
    let (owner, part, facts) = closed_parts.clone().filter(|(_, part, _)| part.started_at <= gap.from).last()?;
    let missing: u64 = broadcast
        .breaks
        .iter()
        .filter(|earlier| earlier.from >= part.started_at && earlier.from < gap.from)
        .map(length)
        .sum();
    let at_ms = gap.from.ms_since(part.started_at).saturating_sub(missing);
    let is_inside = at_ms.saturating_add(BEFORE_MS) < facts.duration_ms;
    if is_inside {
        return (owner == index).then_some(Place::Inside(at_ms));
    }
    let next = closed_parts.map(|(index, ..)| index).find(|index| *index > owner);
    (next == Some(index)).then_some(Place::Before)
}

fn closed(part: &Part) -> Option<&PartFacts> {
    match &part.state {
        PartState::Closed { facts, .. } => Some(facts),
        PartState::Open | PartState::Dropped => None,
    }
}

fn length(gap: &Break) -> u64 {
    gap.to.ms_since(gap.from)
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

    /// Parts of ten seconds that began at these seconds; the second one was dropped.
    async fn broadcast(started_s: [i64; 4]) -> Broadcast {
        let world = World::new().await;
        world.tenant("acme").await;
        let mut life = world.broadcast("acme", "b1").await;
        for first_ms in [0, 10_000, 10_000, 20_000] {
            life.part(first_ms).await;
        }
        for (part, started_s) in life.state.parts.iter_mut().zip(started_s) {
            part.started_at = Timestamp(started_s * 1000);
        }
        life.state.parts[1].state = PartState::Dropped;
        life.state
    }

    #[tokio::test]
    async fn a_break_without_a_media_time_has_its_place_by_the_clock() {
        let mut broadcast = broadcast([100, 112, 120, 140]).await;
        let of = |from: i64, to: i64, media_ms| Break { from: Timestamp(from), to: Timestamp(to), media_ms };
        let plan = ComposePlan {
            ranges: [0, 2, 3].map(|index| PartRange { index, from_ms: 0, to_ms: None }).to_vec(),
            gaps: GapRule::Hold,
            min_duration_ms: 0,
            title: None,
            group: None,
        };
        let inside = |at_ms, len_ms| vec![Gap { at_ms, len_ms }];
        let none = || (0, Vec::new());
        let all = |one, two, three| [one, two, three];
        for (what, breaks, expected) in [
            ("inside the first", vec![of(104_000, 107_000, None)], all((0, inside(4_000, 3_000)), none(), none())),
            ("soon after it began", vec![of(100_300, 107_000, None)], all((0, inside(300, 6_700)), none(), none())),
            ("at its end", vec![of(109_500, 118_000, None)], all(none(), (8_500, vec![]), none())),
            ("long after it", vec![of(112_500, 118_000, None)], all(none(), (5_500, vec![]), none())),
            ("as the third began", vec![of(120_000, 121_000, None)], all(none(), (0, inside(0, 1_000)), none())),
            ("inside the third", vec![of(125_000, 130_000, None)], all(none(), (0, inside(5_000, 5_000)), none())),
            (
                "the second of one part, which is later by the first",
                vec![of(122_000, 125_000, Some(12_000)), of(129_000, 134_000, None)],
                all(
                    none(),
                    (0, vec![Gap { at_ms: 2_000, len_ms: 3_000 }, Gap { at_ms: 6_000, len_ms: 5_000 }]),
                    none(),
                ),
            ),
            (
                "at its end, later by the one before",
                vec![of(122_000, 125_000, Some(12_000)), of(133_000, 139_000, None)],
                all(none(), (0, inside(2_000, 3_000)), (6_000, vec![])),
            ),
            ("before all", vec![of(90_000, 95_000, None)], all(none(), none(), none())),
            ("after all", vec![of(151_000, 155_000, None)], all(none(), none(), none())),
            ("in the last", vec![of(145_000, 146_000, None)], all(none(), none(), (0, inside(5_000, 1_000)))),
        ] {
            broadcast.breaks = breaks;
            let pieces = Request::planned(&broadcast, &plan).pieces;
            let found: Vec<_> = pieces.into_iter().map(|piece| (piece.gap_before_ms, piece.gaps)).collect();
            assert_eq!(found, expected, "{what}");
        }
    }
}
