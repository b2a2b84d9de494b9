//! Which fragments cover a stretch of a part.

use std::ops::Range;

use crate::fmp4::FragmentEntry;

/// A cut this near to what was asked is what was asked: less than a picture at 50 a second.
pub const EXACT_MS: u64 = 20;

/// Fragments that cover a stretch, and how well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Positions of the fragments in the part's index: from a keyframe up to the next keyframe at or behind the end.
    pub fragments: Range<usize>,
    /// The whole groups of pictures that lie inside the stretch; empty if there is none.
    pub inner: Range<usize>,
    /// Whether the selection begins where it was asked to.
    pub start_exact: bool,
    /// Whether the selection ends where it was asked to.
    pub end_exact: bool,
}

impl Selection {
    /// Whether the fragments are exactly the stretch.
    pub fn is_exact(&self) -> bool {
        self.start_exact && self.end_exact
    }
}

/// Selects the fragments that cover `from_ms` to `to_ms`, counted from the beginning of the part; without `to_ms` up to
/// its end. `None` if the stretch holds nothing.
pub fn select(fragments: &[FragmentEntry], from_ms: u64, to_ms: Option<u64>) -> Option<Selection> {
    let first = fragments.first()?;
    let from = first.first_ms.saturating_add(from_ms);
    let end_ms = fragments.iter().map(FragmentEntry::end_ms).max()?;
    let to = to_ms.map(|to_ms| first.first_ms.saturating_add(to_ms)).filter(|to| *to < end_ms);
    if from >= to.unwrap_or(end_ms) {
        return None;
    }
    let start = outer_start(fragments, from);
    let end = to.map_or(fragments.len(), |to| outer_end(fragments, to));
    let start_exact = fragments[start].first_ms.saturating_add(EXACT_MS) >= from;
    let end_exact = to.is_none_or(|to| fragments.get(end).map_or(end_ms, |next| next.first_ms) <= to + EXACT_MS);
    let inner_start = if start_exact { start } else { next_keyframe(fragments, start + 1) };
    let inner_end = if end_exact { end } else { outer_start(fragments, to.unwrap_or(end_ms)) };
    let inner = if inner_start < inner_end { inner_start..inner_end } else { start..start };
    Some(Selection { fragments: start..end, inner, start_exact, end_exact })
}

/// The last fragment to begin decoding at in order to have everything from `at_ms` on.
fn outer_start(fragments: &[FragmentEntry], at_ms: u64) -> usize {
    // A keyframe just behind the asked place is that place.
    let latest = at_ms.saturating_add(EXACT_MS);
    fragments.iter().rposition(|entry| entry.keyframe && entry.first_ms <= latest).unwrap_or(0)
}

/// The first fragment that is not needed in order to have everything up to `at_ms`.
fn outer_end(fragments: &[FragmentEntry], at_ms: u64) -> usize {
    let earliest = at_ms.saturating_sub(EXACT_MS);
    let end = fragments.iter().position(|entry| entry.keyframe && entry.first_ms >= earliest);
    // The first fragment is never the end: what is asked for begins in it.
    end.filter(|end| *end > 0).unwrap_or(fragments.len())
}

fn next_keyframe(fragments: &[FragmentEntry], from: usize) -> usize {
    let found = fragments.iter().skip(from).position(|entry| entry.keyframe);
    found.map_or(fragments.len(), |found| from + found)
}
