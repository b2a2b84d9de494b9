//! What analysis found, cut to what one question may carry.

use std::cmp::Reverse;

use reprise_lifecycle::media::{MediaFacts, Stretch};

use crate::bindings::types;

/// Stretches and scenes in one question, of all parts together. Handing one over takes a guest some 200 units of fuel,
/// and with 10,000 parts most of what a call has is used already. Of up to 50 parts no stretch is cut.
const MOST_ENTRIES: usize = 40_000;

/// Silences, blacks, freezes, scenes.
const LISTS: usize = 4;

/// How many entries each list of a part may have in a question of so many parts.
pub(super) fn share(parts: usize) -> usize {
    (MOST_ENTRIES / LISTS / parts.max(1)).max(1)
}

/// The facts of one part with at most `most` entries in each list: the longest stretches, and scenes spread evenly.
pub(super) fn cut(facts: &MediaFacts, most: usize) -> types::MediaFacts {
    types::MediaFacts {
        silences: longest(&facts.silences, most),
        blacks: longest(&facts.blacks, most),
        freezes: longest(&facts.freezes, most),
        scenes_ms: spread(&facts.scenes_ms, most),
        loudness_lufs: facts.loudness_lufs,
        true_peak_dbfs: facts.true_peak_dbfs,
        loudness_range_lu: facts.loudness_range_lu,
        cover_ms: facts.cover_ms,
    }
}

fn longest(stretches: &[Stretch], most: usize) -> Vec<types::Stretch> {
    let mut kept: Vec<&Stretch> = stretches.iter().collect();
    if kept.len() > most {
        kept.sort_by_key(|stretch| Reverse(stretch.to_ms.saturating_sub(stretch.from_ms)));
        kept.truncate(most);
        kept.sort_by_key(|stretch| stretch.from_ms);
    }
    kept.into_iter().map(|stretch| types::Stretch { from_ms: stretch.from_ms, to_ms: stretch.to_ms }).collect()
}

fn spread(scenes: &[u64], most: usize) -> Vec<u64> {
    let kept = scenes.len().min(most);
    (0..kept).map(|index| scenes[index * scenes.len() / kept]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(lengths: &[u64]) -> Vec<Stretch> {
        let stretch = |(at, length): (u64, &u64)| Stretch { from_ms: at * 1000, to_ms: at * 1000 + length };
        (0..).zip(lengths).map(stretch).collect()
    }

    #[test]
    fn the_longest_stay_in_their_order() {
        let facts = MediaFacts { blacks: stretches(&[10, 500, 20, 600, 30]), ..MediaFacts::default() };
        let from = |most| cut(&facts, most).blacks.iter().map(|stretch| stretch.from_ms).collect::<Vec<_>>();
        assert_eq!(from(5), [0, 1000, 2000, 3000, 4000]);
        assert_eq!(from(2), [1000, 3000]);
        assert_eq!(from(1), [3000]);
    }

    #[test]
    fn scenes_stay_spread() {
        let facts = MediaFacts { scenes_ms: (0..10).collect(), ..MediaFacts::default() };
        assert_eq!(cut(&facts, 20).scenes_ms, (0..10).collect::<Vec<_>>());
        assert_eq!(cut(&facts, 5).scenes_ms, [0, 2, 4, 6, 8]);
        assert!(cut(&MediaFacts::default(), 5).scenes_ms.is_empty());
    }

    #[test]
    fn every_part_has_its_share() {
        for (parts, most) in [(0, 10_000), (1, 10_000), (50, 200), (10_000, 1), (1_000_000, 1)] {
            assert_eq!(share(parts), most, "{parts} parts");
        }
    }
}
