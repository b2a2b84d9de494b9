//! Which stretches two videos have in common.
//!
//! Pictures of the shorter video vote for the offsets at which the longer one looks the same; the offsets with most
//! votes are walked along, and what holds for long enough is a stretch. The work is bounded by the number of voting
//! pictures and of walked offsets, not by the product of both lengths.

use std::cmp::Reverse;

use super::{Frame, MOST_DISTANCE, Signature};

/// Pictures that differ by no more are the same scene. Measured: re-encoded at a third of the size and bitrate, and
/// out of step by half a picture, 8 to 65; unrelated ones 190 and more.
const NEAR: u32 = 100;

/// Voting pictures of the shorter video, spread evenly. Each is compared with every picture of the other: an hour
/// against a day costs a few seconds of one core.
const MOST_PROBES: usize = 1024;

/// Offsets that are walked along. A video that repeats another's scenes has one for each repetition.
const MOST_OFFSETS: usize = 64;

/// Stretches that are told of, the longest first.
const MOST_STRETCHES: usize = 32;

/// Shorter stretches are idents and coincidences.
const LEAST_STRETCH_MS: u64 = 4000;

/// What may differ within a stretch without ending it: a subtitle, a logo, a lost second.
const MOST_BREAK_MS: u64 = 1500;

/// Of the pictures of a stretch that can be told, this part must be near.
const LEAST_SHARE_PERCENT: usize = 70;

/// What two videos have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// Of the elements of the pictures in all stretches, how many of a thousand agree.
    pub similarity_permille: u32,
    /// In the order of this video's time; never empty.
    pub stretches: Vec<SharedStretch>,
}

/// A stretch that is in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedStretch {
    /// Where it begins in this video.
    pub from_ms: u64,
    /// Where it begins in the other.
    pub other_from_ms: u64,
    /// How long it is.
    pub duration_ms: u64,
}

impl Signature {
    /// The stretches of this video that are in the other as well; nothing when there are none, or when the two
    /// were made at different paces.
    pub fn duplicates(&self, other: &Signature) -> Option<Duplicates> {
        if self.pace != other.pace {
            return None;
        }
        let turned = self.len() > other.len();
        let (short, long) = if turned { (other, self) } else { (self, other) };
        let mut runs = Vec::new();
        for offset in offsets(short, long) {
            walk(short, long, offset, &mut runs);
        }
        runs.sort_by_key(|run: &Run| (Reverse(run.hits), run.distance / run.hits.max(1) as u64, run.from));
        let mut taken: Vec<Run> = Vec::new();
        for run in runs {
            if taken.len() < MOST_STRETCHES && !taken.iter().any(|other| other.covers(&run)) {
                taken.push(run);
            }
        }
        let (hits, distance) =
            taken.iter().fold((0, 0), |(hits, distance), run| (hits + run.hits as u64, distance + run.distance));
        if hits == 0 {
            return None;
        }
        let different = distance * 1000 / (hits * u64::from(MOST_DISTANCE));
        let mut stretches: Vec<SharedStretch> = taken.iter().map(|run| run.stretch(short, long, turned)).collect();
        stretches.sort_by_key(|stretch| (stretch.from_ms, stretch.other_from_ms));
        Some(Duplicates { similarity_permille: 1000 - u32::try_from(different).unwrap_or(1000), stretches })
    }
}

/// Pictures in a row of the shorter video, and the first of them in the longer one.
struct Run {
    from: usize,
    other: usize,
    len: usize,
    /// Pictures that are near, and their distances together.
    hits: usize,
    distance: u64,
}

impl Run {
    /// Whether the other run is most of this pairing again, a little out of step.
    fn covers(&self, run: &Run) -> bool {
        let most = |mine: usize, theirs: usize| {
            let (from, to) = (mine.max(theirs), (mine + self.len).min(theirs + run.len));
            to.saturating_sub(from) * 2 > run.len
        };
        most(self.from, run.from) && most(self.other, run.other)
    }

    fn stretch(&self, short: &Signature, long: &Signature, turned: bool) -> SharedStretch {
        let (mine, theirs) = (short.at_ms(self.from), long.at_ms(self.other));
        let duration_ms = self.len as u64 * 1000 / u64::from(short.pace);
        let (from_ms, other_from_ms) = if turned { (theirs, mine) } else { (mine, theirs) };
        SharedStretch { from_ms, other_from_ms, duration_ms }
    }
}

/// The offsets (place in the longer minus place in the shorter) with most votes, at most [`MOST_OFFSETS`].
fn offsets(short: &Signature, long: &Signature) -> Vec<isize> {
    let telling: Vec<usize> = (0..short.len()).filter(|index| !short.frames[*index].plain).collect();
    let probes = telling.len().min(MOST_PROBES);
    // The vote for an offset is at the offset plus the length of the shorter, which is never negative.
    let mut votes = vec![0_u64; short.len() + long.len()];
    for probe in 0..probes {
        let place = telling[probe * telling.len() / probes];
        for (index, frame) in long.frames.iter().enumerate() {
            if !frame.plain
                && let Some(distance) = short.frames[place].distance(frame, NEAR)
            {
                // A closer picture has more to say, so that the best of neighbouring offsets wins.
                votes[index + short.len() - place] += u64::from(NEAR - distance + 1);
            }
        }
    }
    let mut order: Vec<usize> = (0..votes.len()).filter(|index| votes[*index] > 0).collect();
    order.sort_by_key(|index| (Reverse(votes[*index]), *index));
    let mut chosen: Vec<usize> = Vec::new();
    for index in order {
        if chosen.len() == MOST_OFFSETS {
            break;
        }
        // Neighbours of a chosen offset are the same pairing out of step.
        if !chosen.iter().any(|other| other.abs_diff(index) <= short.pace as usize) {
            chosen.push(index);
        }
    }
    chosen.into_iter().map(|index| index as isize - short.len() as isize).collect()
}

/// Gathers the runs along one offset.
fn walk(short: &Signature, long: &Signature, offset: isize, runs: &mut Vec<Run>) {
    let pace = u64::from(short.pace);
    let most_break = (MOST_BREAK_MS * pace / 1000) as usize;
    let mut open: Option<Open> = None;
    for (index, frame) in short.frames.iter().enumerate() {
        let Some(place) = index.checked_add_signed(offset).filter(|place| *place < long.len()) else { continue };
        let other = &long.frames[place];
        if frame.plain && other.plain {
            // Black is like any black: it neither begins a stretch nor ends one.
            continue;
        }
        match near(frame, long, place) {
            Some(distance) => {
                let open =
                    open.get_or_insert(Open { from: index, last: index, telling: 0, pending: 0, hits: 0, distance: 0 });
                open.telling += open.pending + 1;
                open.pending = 0;
                open.last = index;
                open.hits += 1;
                open.distance += u64::from(distance);
            }
            None => {
                if let Some(run) = &mut open {
                    run.pending += 1;
                    if index - run.last > most_break {
                        runs.extend(open.take().and_then(|run| run.closed(offset, pace)));
                    }
                }
            }
        }
    }
    runs.extend(open.and_then(|run| run.closed(offset, pace)));
}

/// How near the picture is to the one at `place` or to a neighbour of it: sampling is out of step by up to half a
/// picture on each side.
fn near(frame: &Frame, long: &Signature, place: usize) -> Option<u32> {
    let around = [Some(place), place.checked_sub(1), place.checked_add(1)];
    let frames = around.into_iter().flatten().filter_map(|place| long.frames.get(place));
    frames.filter(|other| !other.plain).filter_map(|other| frame.distance(other, NEAR)).min()
}

struct Open {
    from: usize,
    last: usize,
    /// Pictures that could be told, up to the last near one and since.
    telling: usize,
    pending: usize,
    hits: usize,
    distance: u64,
}

impl Open {
    fn closed(self, offset: isize, pace: u64) -> Option<Run> {
        let len = self.last - self.from + 1;
        let long_enough = len as u64 * 1000 >= LEAST_STRETCH_MS * pace;
        let same_enough = self.hits * 100 >= self.telling * LEAST_SHARE_PERCENT;
        let other = self.from.checked_add_signed(offset)?;
        (long_enough && same_enough).then_some(Run {
            from: self.from,
            other,
            len,
            hits: self.hits,
            distance: self.distance,
        })
    }
}
