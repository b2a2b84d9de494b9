//! Where a broadcast's breaks lie in what was composed of it. Pure.
//!
//! Times are as near as the journal knows: a cut may lie at the keyframe next to where it was asked for.

use reprise_lifecycle::broadcast::{Break, Broadcast, PartState};
use reprise_lifecycle::question::{ComposePlan, GapRule, PartRange};

use super::MAX_GAP_MS;
use super::planned::{Place, follows, place};
use super::recipe::LEAST_GAP_MS;

/// A break and the point of the composed video's file at which it lies: the seam where it was cut out, or the beginning
/// of what stands in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MappedGap {
    pub(crate) gap: Break,
    pub(crate) at_ms: u64,
}

/// The breaks that lie in the composed video. One in a stretch that was left out is not in it, nor is one beside a cut
/// or between parts that play in another order.
pub(crate) fn gap_map(broadcast: &Broadcast, plan: &ComposePlan) -> Vec<MappedGap> {
    let mut mapped = Vec::new();
    let mut end_ms: u64 = 0;
    let mut before: Option<&PartRange> = None;
    for range in &plan.ranges {
        let follows = follows(broadcast, before, range);
        before = Some(range);
        let Some(part) = broadcast.parts.get(range.index as usize) else { continue };
        let PartState::Closed { facts, .. } = &part.state else { continue };
        let to_ms = range.to_ms.unwrap_or(facts.duration_ms).min(facts.duration_ms);
        let at_ms = |place| match place {
            Place::Before => 0,
            Place::Inside(at_ms) => at_ms,
        };
        let placed =
            broadcast.breaks.iter().filter_map(|gap| Some((at_ms(place(broadcast, range.index, part, gap)?), *gap)));
        let (seam, inside): (Vec<_>, Vec<_>) = placed.partition(|(at_ms, _)| *at_ms == 0);
        if follows && end_ms > 0 {
            mapped.extend(seam.iter().map(|(_, gap)| MappedGap { gap: *gap, at_ms: end_ms }));
            end_ms = end_ms.saturating_add(filled_ms(plan.gaps, seam.iter().map(|(_, gap)| length_ms(gap)).sum()));
        }
        let mut played_ms = range.from_ms;
        for (at_ms, gap) in inside.into_iter().filter(|(at_ms, _)| range.from_ms < *at_ms && *at_ms < to_ms) {
            end_ms = end_ms.saturating_add(at_ms.saturating_sub(played_ms));
            played_ms = played_ms.max(at_ms);
            mapped.push(MappedGap { gap, at_ms: end_ms });
            end_ms = end_ms.saturating_add(filled_ms(plan.gaps, length_ms(&gap)));
        }
        end_ms = end_ms.saturating_add(to_ms.saturating_sub(played_ms));
    }
    mapped
}

fn length_ms(gap: &Break) -> u64 {
    gap.to.ms_since(gap.from)
}

/// How much of the file stands in for a gap.
fn filled_ms(rule: GapRule, gap_ms: u64) -> u64 {
    match rule {
        GapRule::Hold | GapRule::Slate if gap_ms >= LEAST_GAP_MS => gap_ms.min(MAX_GAP_MS),
        GapRule::Cut | GapRule::Hold | GapRule::Slate => 0,
    }
}

#[cfg(test)]
mod tests {
    use reprise_lifecycle::time::Timestamp;

    use super::*;
    use crate::testkit::World;

    #[tokio::test]
    async fn breaks_lie_where_their_part_plays() {
        let world = World::new().await;
        world.tenant("acme").await;
        let mut life = world.broadcast("acme", "b1").await;
        // Parts of ten seconds, with a break inside of the first and one before each of the others.
        for first_ms in [0, 10_000, 20_000] {
            life.part(first_ms).await;
        }
        let gap = |number: i64, len: i64, media_ms| Break {
            from: Timestamp(number),
            to: Timestamp(number + len),
            media_ms: Some(media_ms),
        };
        life.state.breaks = vec![gap(1, 700, 4_000), gap(2, 5_000, 10_000), gap(3, 90, 20_100)];
        let range = |index, from_ms, to_ms| PartRange { index, from_ms, to_ms };
        let whole = |index| range(index, 0, None);
        let found = |gaps, ranges: &[PartRange]| -> Vec<(i64, u64)> {
            let ranges = ranges.to_vec();
            let plan = ComposePlan { ranges, gaps, min_duration_ms: 0, title: None, group: None };
            gap_map(&life.state, &plan).into_iter().map(|it| (it.gap.from.0, it.at_ms)).collect()
        };
        let all = [whole(0), whole(1), whole(2)];
        type Case<'a> = (GapRule, &'a [PartRange], &'a [(i64, u64)]);
        let table: [Case<'_>; 8] = [
            (GapRule::Cut, &all, &[(1, 4_000), (2, 10_000), (3, 20_000)]),
            // What stands in for a gap moves what comes after it; the last one is too short to be filled.
            (GapRule::Hold, &all, &[(1, 4_000), (2, 10_700), (3, 25_700)]),
            (GapRule::Slate, &all[1..], &[(3, 10_000)]),
            (GapRule::Cut, &[range(0, 3_000, None), whole(1)], &[(1, 1_000), (2, 7_000)]),
            (GapRule::Cut, &[range(0, 5_000, None), whole(1)], &[(2, 5_000)]),
            (GapRule::Cut, &[range(0, 0, Some(3_000)), whole(1)], &[]),
            (GapRule::Cut, &[whole(1), whole(0)], &[(1, 14_000)]),
            (GapRule::Cut, &[whole(0), range(1, 2_000, None)], &[(1, 4_000)]),
        ];
        for (rule, ranges, expected) in table {
            assert_eq!(found(rule, ranges), expected, "{rule:?} {ranges:?}");
        }
    }
}
