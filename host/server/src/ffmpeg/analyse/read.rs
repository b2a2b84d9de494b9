//! From what the detectors wrote to [`Findings`]. Pure, and bounded whatever they wrote: a stranger's pictures decide how
//! often a detector speaks.

use super::plan::{LEAST_BLACK_MS, LEAST_SILENCE_MS, LEAST_STILL_MS};

/// Stretches of one kind that are kept, the longest ones. They go into the journal and into policies' questions, and a
/// broadcast may have hundreds of parts.
pub const MOST_SPANS: usize = 200;

/// Scene changes that are kept, the clearest ones: one every seven seconds of an hour.
pub const MOST_SCENES: usize = 500;

/// Stretches of one kind with less than this between them are one: a single flash in the dark, a click in the silence.
const MERGE_MS: u64 = 300;

/// The filter's word for "nothing was loud enough to measure", in LUFS.
const NOTHING_HEARD: f64 = -70.0;

/// A stretch in milliseconds from the source's first media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from_ms: u64,
    pub to_ms: u64,
}

/// What was found. Lists are in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Findings {
    pub silences: Vec<Span>,
    pub blacks: Vec<Span>,
    pub freezes: Vec<Span>,
    /// The first picture of each new scene.
    pub scenes_ms: Vec<u64>,
    /// Integrated loudness (EBU R 128); none for silence.
    pub loudness_lufs: Option<f64>,
    pub true_peak_dbfs: Option<f64>,
    pub loudness_range_lu: Option<f64>,
    /// The most typical of the bright pictures.
    pub cover_ms: Option<u64>,
}

/// What the detectors wrote.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    pub(super) picture: String,
    pub(super) scenes: String,
    pub(super) cover: String,
    pub(super) sound: String,
    /// The end of ffmpeg's log.
    pub(super) log: String,
}

/// Reads the notes of a source of this length.
pub(super) fn read(notes: &Notes, duration_ms: u64) -> Findings {
    let loudness = loudness(&notes.log);
    Findings {
        silences: spans(&notes.sound, "lavfi.silence_start", "lavfi.silence_end", LEAST_SILENCE_MS, duration_ms),
        blacks: spans(&notes.picture, "lavfi.black_start", "lavfi.black_end", LEAST_BLACK_MS, duration_ms),
        freezes: spans(
            &notes.picture,
            "lavfi.freezedetect.freeze_start",
            "lavfi.freezedetect.freeze_end",
            LEAST_STILL_MS,
            duration_ms,
        ),
        scenes_ms: scenes(&notes.scenes),
        loudness_lufs: loudness.integrated,
        true_peak_dbfs: loudness.peak,
        loudness_range_lu: loudness.integrated.and(loudness.range),
        cover_ms: frames(&notes.cover).next(),
    }
}

/// Stretches between two marks. One that is open at the end lasts to the end: no frame is left to carry its end.
fn spans(text: &str, start: &str, end: &str, least_ms: u64, duration_ms: u64) -> Vec<Span> {
    let mut found = Longest::default();
    let mut open = None;
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let Some(at) = ms(value) else { continue };
        if key == start {
            open = Some(at);
        } else if key == end
            && let Some(from_ms) = open.take()
        {
            found.push(Span { from_ms, to_ms: at.min(duration_ms) }, least_ms);
        }
    }
    if let Some(from_ms) = open {
        found.push(Span { from_ms, to_ms: duration_ms }, least_ms);
    }
    found.into_spans(least_ms)
}

/// Collects stretches as they come, merged, and keeps the longest.
#[derive(Default)]
struct Longest {
    kept: Vec<Span>,
    /// May still grow.
    last: Option<Span>,
}

impl Longest {
    fn push(&mut self, span: Span, least_ms: u64) {
        if span.to_ms <= span.from_ms {
            return;
        }
        match &mut self.last {
            Some(last) if span.from_ms <= last.to_ms.saturating_add(MERGE_MS) => {
                last.to_ms = last.to_ms.max(span.to_ms)
            }
            _ => {
                let done = self.last.replace(span);
                self.keep(done, least_ms);
            }
        }
    }

    fn keep(&mut self, span: Option<Span>, least_ms: u64) {
        self.kept.extend(span.filter(|span| length(span) >= least_ms));
        if self.kept.len() > 2 * MOST_SPANS {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        self.kept.sort_by_key(|span| std::cmp::Reverse(length(span)));
        self.kept.truncate(MOST_SPANS);
    }

    fn into_spans(mut self, least_ms: u64) -> Vec<Span> {
        let last = self.last.take();
        self.keep(last, least_ms);
        self.shorten();
        self.kept.sort_by_key(|span| span.from_ms);
        self.kept
    }
}

fn length(span: &Span) -> u64 {
    span.to_ms - span.from_ms
}

/// The frames of a file: `frame:100  pts:52224   pts_time:4.08`.
fn frames(text: &str) -> impl Iterator<Item = u64> {
    text.lines().filter_map(frame)
}

fn frame(line: &str) -> Option<u64> {
    ms(line.strip_prefix("frame:")?.split_once("pts_time:")?.1)
}

fn scenes(text: &str) -> Vec<u64> {
    let mut found: Vec<(f64, u64)> = Vec::new();
    let mut at = None;
    for line in text.lines() {
        if let Some(time) = frame(line) {
            at = Some(time);
        } else if let Some(("lavfi.scd.score", score)) = line.split_once('=')
            && let (Some(at), Ok(score)) = (at.take(), score.trim().parse::<f64>())
        {
            found.push((score, at));
            if found.len() > 2 * MOST_SCENES {
                clearest(&mut found);
            }
        }
    }
    clearest(&mut found);
    let mut times: Vec<u64> = found.into_iter().map(|(_, at)| at).collect();
    times.sort_unstable();
    times.dedup();
    times
}

fn clearest(found: &mut Vec<(f64, u64)>) {
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    found.truncate(MOST_SCENES);
}

#[derive(Default)]
struct Loudness {
    integrated: Option<f64>,
    range: Option<f64>,
    peak: Option<f64>,
}

/// The last summary in the log. An earlier one is that of the filter graph before the first sample set it up anew.
fn loudness(log: &str) -> Loudness {
    let Some((_, summary)) = log.rsplit_once("Summary:") else { return Loudness::default() };
    let value = |name: &str| {
        let line = summary.lines().find_map(|line| line.trim_start().strip_prefix(name))?;
        let number: f64 = line.split_whitespace().next()?.parse().ok()?;
        number.is_finite().then_some(number)
    };
    Loudness {
        integrated: value("I:").filter(|measured| *measured > NOTHING_HEARD),
        range: value("LRA:"),
        peak: value("Peak:"),
    }
}

/// Seconds as the filters write them. A clock that starts a little before 0 starts at 0.
fn ms(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.trim().parse().ok()?;
    seconds.is_finite().then(|| (seconds.max(0.0) * 1000.0).round() as u64)
}

#[cfg(test)]
mod tests;
