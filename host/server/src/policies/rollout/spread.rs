//! How numbers are spread: count, sum, largest and quantiles, in bounded room and without chance. The same numbers in
//! any order give the same spread, and spreads add up; so a report can be continued after a restart and two reports
//! compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Buckets for each power of two: a quantile is at most 1/32 above the number it stands for.
const STEPS_LOG2: u32 = 5;

/// Numbers in buckets. Up to 64 every number has its own; 64-bit numbers need fewer than 2,000 in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    count: u64,
    sum: u64,
    max: u64,
    /// Highest number of a bucket, and how many fell into it.
    buckets: BTreeMap<u64, u64>,
}

/// A spread in five numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many.
    pub count: u64,
    /// All together.
    pub sum: u64,
    /// Half of them are not above this.
    pub p50: u64,
    /// 99 of 100 are not above this.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

impl Spread {
    /// Takes in one number.
    pub fn add(&mut self, number: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(number);
        self.max = self.max.max(number);
        *self.buckets.entry(bucket(number)).or_default() += 1;
    }

    /// Takes in all numbers of another.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
        for (highest, count) in &other.buckets {
            *self.buckets.entry(*highest).or_default() += count;
        }
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest bound that `permille` of the numbers are not above; 0 without numbers.
    pub fn quantile(&self, permille: u64) -> u64 {
        let rank = (self.count.saturating_mul(permille)).div_ceil(1000).max(1);
        let mut seen = 0;
        for (highest, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return (*highest).min(self.max);
            }
        }
        self.max
    }

    /// In five numbers.
    pub fn summary(&self) -> Summary {
        Summary { count: self.count, sum: self.sum, p50: self.quantile(500), p99: self.quantile(990), max: self.max }
    }
}

/// The highest number of the bucket that a number falls into.
fn bucket(number: u64) -> u64 {
    let bits = u64::BITS - number.leading_zeros();
    let shift = bits.saturating_sub(STEPS_LOG2 + 1);
    number | ((1_u64 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_at_most_a_bucket_above_the_number() {
        for (numbers, permille, least) in [
            (vec![], 500, 0),
            (vec![7], 990, 7),
            ((1..=64).collect::<Vec<u64>>(), 500, 32),
            ((1..=1000).collect(), 500, 500),
            ((1..=1000).collect(), 990, 990),
            ((1..=1000).map(|number| number * 1_000_003).collect(), 990, 990 * 1_000_003),
            (vec![u64::MAX, 1], 1000, u64::MAX),
        ] {
            let mut spread = Spread::default();
            for number in &numbers {
                spread.add(*number);
            }
            let quantile = spread.quantile(permille);
            assert!(quantile >= least && quantile - least <= least / 32, "{permille}: {quantile} for {least}");
        }
    }

    #[test]
    fn parts_add_up_to_the_whole_in_any_order() {
        let numbers: Vec<u64> = (0..500).map(|number| number * number * 37).collect();
        let mut whole = Spread::default();
        numbers.iter().for_each(|number| whole.add(*number));
        let (mut even, mut odd) = (Spread::default(), Spread::default());
        for number in numbers.iter().rev() {
            if number % 2 == 0 { even.add(*number) } else { odd.add(*number) }
        }
        odd.merge(&even);
        assert_eq!(odd, whole);
        let kept = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Spread>(&kept).unwrap(), whole);
    }
}
