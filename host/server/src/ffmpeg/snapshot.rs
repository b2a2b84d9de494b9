//! Which pictures to take from a video.
//!
//! Pure arithmetic over time. It knows neither the files nor how a picture is chosen inside ffmpeg beyond the filter
//! expression that it writes.

use serde::{Deserialize, Serialize};

/// Covers taken of every source (the vendor's `CoverSnapshot`).
pub const MAX_COVERS: usize = 8;
/// The vendor's bound on explicit snapshot points; it also bounds the filter expression.
pub const MAX_SNAPSHOTS: usize = 30;
/// Covers closer together than this show the same picture.
const LEAST_COVER_DISTANCE_MS: u64 = 1000;
/// The vendor takes its first cover here; the nearest picture is the first one.
const FIRST_COVER_MS: u64 = 5;

/// The points at which pictures are taken, and what the files are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotPlan {
    /// Files are `{name}-00001.jpg` and on; same characters as a rendition's key.
    pub name: String,
    /// Ascending offsets from the start, at most [`MAX_SNAPSHOTS`].
    pub at_ms: Vec<u64>,
    /// Pixels; absent: the source's, or by aspect when the other is given.
    pub width: Option<u32>,
    pub height: Option<u32>,
}

impl SnapshotPlan {
    /// Up to eight pictures spread evenly from the very start.
    pub fn cover(name: impl Into<String>, duration_ms: u64) -> Self {
        let room = (duration_ms / LEAST_COVER_DISTANCE_MS).clamp(1, MAX_COVERS as u64);
        let at_ms = (0..room).map(|index| (duration_ms * index / room).max(FIRST_COVER_MS)).collect();
        SnapshotPlan { name: name.into(), at_ms, width: None, height: None }
    }

    /// The `select` filter that passes, for each point, the first picture at or after it.
    ///
    /// The first point takes the first picture whatever its time, so that a video of one frame has a cover too.
    pub(super) fn filter(&self) -> String {
        let mut expression = String::from("isnan(prev_selected_t)");
        for at in self.at_ms.iter().skip(1) {
            let seconds = format!("{}.{:03}", at / 1000, at % 1000);
            expression.push_str(&format!("+lt(prev_selected_t,{seconds})*gte(t,{seconds})"));
        }
        format!("select='{expression}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_are_spread_evenly_and_bounded() {
        let cases: [(u64, &[u64]); 5] = [
            (0, &[5]),
            (900, &[5]),
            (2000, &[5, 1000]),
            (10_000, &[5, 1250, 2500, 3750, 5000, 6250, 7500, 8750]),
            (3_600_000, &[5, 450_000, 900_000, 1_350_000, 1_800_000, 2_250_000, 2_700_000, 3_150_000]),
        ];
        for (duration_ms, expected) in cases {
            assert_eq!(SnapshotPlan::cover("c", duration_ms).at_ms, expected);
        }
    }

    #[test]
    fn the_filter_names_each_point_once() {
        assert_eq!(
            SnapshotPlan::cover("c", 2500).filter(),
            "select='isnan(prev_selected_t)+lt(prev_selected_t,1.250)*gte(t,1.250)'"
        );
    }
}
