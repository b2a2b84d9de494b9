//! Runs of fragments behind one another in one file.
//!
//! Parts of one broadcast go on on one timeline, so they keep their distances; where a stretch was cut out, or parts
//! change places, what follows is moved up to where the tracks so far end. Both tracks of a run are moved by the same
//! time, so sound stays in step with the picture however many seams there are: a seam costs at most the difference
//! with which the tracks of its two sides end and begin, and it is not carried on.

use bytes::Bytes;

use crate::fmp4::rebase::{distance, in_samples};
use crate::fmp4::{BoxError, FragmentEntry, FragmentIndex, Shift, TrackStarts, init_segment};
use crate::track::Tracks;

/// Fragments of one file that follow each other in it.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Which file, in the caller's counting.
    pub file: usize,
    /// The fragments.
    pub fragments: &'a [FragmentEntry],
    /// Where their tracks begin.
    pub starts: TrackStarts,
}

/// Where the timeline of the result begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// At zero.
    Zero,
    /// Where the first run begins.
    Kept,
}

/// One step of writing the result, behind what was written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Bytes as they are.
    Copy {
        /// The file.
        file: usize,
        /// Where they begin in it.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// One fragment whose `moof` and trailer are rewritten by [`crate::fmp4::rebase()`] and whose media is copied.
    Rebase {
        /// The file.
        file: usize,
        /// The fragment there.
        entry: FragmentEntry,
        /// What it becomes.
        moved: FragmentEntry,
        /// How far its times move.
        shift: Shift,
    },
}

/// How to write a file.
#[derive(Debug, Clone)]
pub struct Assembly {
    /// Its first bytes.
    pub init: Bytes,
    /// What follows.
    pub ops: Vec<Op>,
    /// The index of the result.
    pub index: FragmentIndex,
}

/// Where the tracks of the result end so far.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    video_ms: u64,
    audio: u64,
}

/// Plans a file with these tracks out of runs of fragments whose files all have them.
///
/// # Errors
/// When the init block cannot be written, or the result has more fragments than can be counted.
pub fn assemble(tracks: &Tracks, runs: &[Run<'_>], base: Base) -> Result<Assembly, BoxError> {
    let init = init_segment(tracks)?;
    let mut assembly = Assembly {
        init: init.bytes.clone(),
        ops: Vec::new(),
        index: FragmentIndex { init: init.range, fragments: Vec::new() },
    };
    let rate = tracks.audio.as_ref().map_or(0, |audio| audio.sample_rate);
    let mut placed: Option<(Shift, Ends)> = None;
    for run in runs.iter().filter(|run| !run.fragments.is_empty()) {
        let shift = match placed {
            Some((before, ends)) if goes_on(&before, &ends, &run.starts) => before,
            Some((_, ends)) => moved_to(&ends, &run.starts, rate),
            None => match base {
                Base::Zero => {
                    let first_ms = run.fragments.first().map_or(0, |entry| entry.first_ms);
                    Shift::to_zero(first_ms, &run.starts, rate)
                }
                Base::Kept => Shift::default(),
            },
        };
        let mut ends = placed.map_or_else(Ends::default, |(_, ends)| ends);
        for entry in run.fragments {
            let number = u32::try_from(assembly.index.fragments.len() + 1).map_err(|_| BoxError::TooLarge)?;
            let moved = shift.entry(entry, assembly.index.end_offset(), number);
            push(&mut assembly.ops, run.file, entry, &moved, shift);
            assembly.index.fragments.push(moved);
            ends.video_ms = ends.video_ms.max(moved.ends.video_end_ms);
            if moved.ends.audio_rate == rate {
                ends.audio = ends.audio.max(moved.ends.audio_end);
            }
        }
        placed = Some((shift, ends));
    }
    Ok(assembly)
}

/// Whether a run follows without a hole on one of its tracks when it is moved like the run before, and overlaps on
/// none.
fn goes_on(shift: &Shift, ends: &Ends, starts: &TrackStarts) -> bool {
    let hole = |start: u64, by: i64, end: u64| i128::from(start) + i128::from(by) - i128::from(end);
    let video = starts.video_ms.map(|start| hole(start, shift.video_ms, ends.video_ms));
    let audio = starts.audio.map(|start| hole(start, shift.audio, ends.audio));
    let holes = [video, audio];
    holes.contains(&Some(0)) && holes.iter().flatten().all(|hole| *hole >= 0)
}

/// The least shift with which no track of a run begins before it ends in what is there already.
fn moved_to(ends: &Ends, starts: &TrackStarts, rate: u32) -> Shift {
    let video = starts.video_ms.map(|start| distance(ends.video_ms, start));
    let samples = starts.audio.map(|start| distance(ends.audio, start));
    let audio = samples.map(|samples| div_ceil(samples.saturating_mul(1000), i64::from(rate.max(1))));
    let video_ms = video.into_iter().chain(audio).max().unwrap_or(0);
    // Rounded to samples, and never before the end: a frame of sound does not overlap another.
    let audio = in_samples(video_ms, rate);
    Shift { video_ms, audio: samples.map_or(audio, |least| audio.max(least)) }
}

fn div_ceil(value: i64, by: i64) -> i64 {
    -(-value).div_euclid(by)
}

fn push(ops: &mut Vec<Op>, file: usize, entry: &FragmentEntry, moved: &FragmentEntry, shift: Shift) {
    if entry.number != moved.number || !shift.is_none() {
        ops.push(Op::Rebase { file, entry: *entry, moved: *moved, shift });
        return;
    }
    let total = u64::from(entry.total_size);
    match ops.last_mut() {
        Some(Op::Copy { file: open, offset, len }) if *open == file && *offset + *len == entry.offset => *len += total,
        _ => ops.push(Op::Copy { file, offset: entry.offset, len: total }),
    }
}
