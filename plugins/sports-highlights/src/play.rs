//! Where play is: what is left of the timeline when the stretches without play are taken out of it.

use reprise_plugin::{Part, PartRange, Stretch};

use crate::{Emptiness, SportsHighlights, ms};

/// What touches to within this is one stretch: a detector's word for "now" is a picture late.
const TOUCH_MS: u64 = 100;

/// Milliseconds on the broadcast's timeline, on which parts follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    from: u64,
    to: u64,
}

impl SportsHighlights {
    /// The stretches of play. They are looked for on the timeline and not part by part, so that one which goes over the
    /// end of a part is as long as it is.
    pub(crate) fn play(&self, parts: &[Part]) -> Vec<Span> {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Vec::new() };
        let whole = Span { from: first.first_ms, to: last.first_ms + last.duration_ms };
        let mut empty = Vec::new();
        for part in parts {
            self.gather(part, &mut empty);
        }
        let mut empty = joined(empty, TOUCH_MS);
        empty.retain(|span| span.to - span.from >= ms(self.min_drop_seconds));
        let least = ms(self.min_stretch_seconds).max(TOUCH_MS);
        let mut empty = joined(empty, least);
        // Nothing is beside the broadcast's ends, so what is too short there goes, and no margin stays.
        if let Some(head) = empty.first_mut()
            && head.from < whole.from + least
        {
            head.from = whole.from;
        }
        if let Some(tail) = empty.last_mut()
            && tail.to + least > whole.to
        {
            tail.to = whole.to;
        }
        let margin = ms(self.margin_seconds);
        let (mut play, mut from) = (Vec::new(), whole.from);
        for span in empty {
            let start = if span.from == whole.from { span.from } else { span.from + margin };
            let end = if span.to == whole.to { span.to } else { span.to.saturating_sub(margin) };
            if start < end {
                play.push(Span { from, to: start });
                from = end;
            }
        }
        play.push(Span { from, to: whole.to });
        play.retain(|span| span.from < span.to);
        play
    }

    /// Adds the stretches of a part that are no play, in order. Parts come in order, so all of them are.
    fn gather(&self, part: &Part, empty: &mut Vec<Span>) {
        let Some(facts) = &part.facts else { return };
        let before = empty.len();
        let mut add = |stretch: &Stretch| {
            empty.push(Span {
                from: part.first_ms + stretch.from_ms.min(part.duration_ms),
                to: part.first_ms + stretch.to_ms.min(part.duration_ms),
            });
        };
        for what in &self.drop {
            match what {
                Emptiness::Black => facts.blacks.iter().for_each(&mut add),
                Emptiness::Freeze => facts.freezes.iter().for_each(&mut add),
                Emptiness::Silence => facts.silences.iter().for_each(&mut add),
                Emptiness::DeadAir => common(&facts.freezes, &facts.silences, &mut add),
            }
        }
        empty[before..].sort_unstable_by_key(|span| span.from);
    }
}

/// What two ordered lists have in common.
fn common(one: &[Stretch], other: &[Stretch], mut found: impl FnMut(&Stretch)) {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    while let (Some(a), Some(b)) = (one.peek(), other.peek()) {
        let (from_ms, to_ms) = (a.from_ms.max(b.from_ms), a.to_ms.min(b.to_ms));
        if from_ms < to_ms {
            found(&Stretch { from_ms, to_ms });
        }
        if a.to_ms <= b.to_ms {
            one.next()
        } else {
            other.next()
        };
    }
}

/// Ordered stretches, those with less than this between them made one.
fn joined(spans: Vec<Span>, less_than: u64) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from < last.to + less_than => last.to = last.to.max(span.to),
            _ => joined.push(span),
        }
    }
    joined
}

/// Stretches of the timeline as stretches of parts, and how long these are together.
pub(crate) fn ranges(parts: &[Part], play: &[Span]) -> (Vec<PartRange>, u64) {
    let (mut ranges, mut length_ms) = (Vec::new(), 0);
    for span in play {
        // Parts are in order and do not overlap: only those that the stretch reaches are looked at.
        let first = parts.partition_point(|part| part.first_ms + part.duration_ms <= span.from);
        for part in parts[first..].iter().take_while(|part| part.first_ms < span.to) {
            let from_ms = span.from.saturating_sub(part.first_ms);
            let to_ms = (span.to - part.first_ms).min(part.duration_ms);
            length_ms += to_ms - from_ms;
            ranges.push(PartRange { index: part.index, from_ms, to_ms: (to_ms < part.duration_ms).then_some(to_ms) });
        }
    }
    (ranges, length_ms)
}
