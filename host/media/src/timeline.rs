//! One continuous clock out of a publisher's timestamps.
//!
//! RTMP stamps every message with 32 bits of milliseconds that wrap every 49.7 days, and encoders let them jump:
//! back to zero when a scene restarts, forward after a pause, on one track a few messages before the other.
//! [`SessionClock`] answers with 64-bit milliseconds that never run backwards on a track and keep the tracks in
//! step; a jump becomes a reported [`Jump`], not a hole or a negative duration. [`SampleClock`] turns such
//! milliseconds into exact audio sample positions. Where a session lies in its broadcast is not known here;
//! [`TimelinePosition`] is only the value in which that knowledge is carried.

/// How far a timestamp may step back before it is a jump. Encoders that stamp with the wall clock, and relays
/// that reorder, stumble by some tens of milliseconds.
pub const MAX_JITTER_MS: i64 = 500;

/// How far a timestamp may run ahead of the newest one seen before it is a jump. Shorter silences are real: a
/// stalled network delivers late what was stamped in time.
pub const MAX_SILENCE_MS: i64 = 5_000;

/// How far audio may drift from its sample count before it is moved: below the threshold at which a viewer notices
/// lips (about 40 ms), and above the rounding and jitter of millisecond stamps (one AAC frame is 21 to 23 ms).
pub const MAX_AUDIO_DRIFT_MS: u64 = 32;

/// The longest step that is taken for a track's usual one when a jump has to be bridged.
const MAX_STEP_MS: i64 = 1_000;

/// Which of the two tracks of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrackKind {
    /// The video track.
    Video,
    /// The audio track.
    Audio,
}

/// Where a broadcast's recorded media ends, per track. The zero position is the beginning of a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimelinePosition {
    /// End of the last video frame, in milliseconds of the broadcast.
    pub video_end_ms: u64,
    /// End of the last audio frame, in samples at `audio_rate`.
    pub audio_end: u64,
    /// Samples per second of `audio_end`; 0 if there was no audio yet.
    pub audio_rate: u32,
}

impl TimelinePosition {
    /// End of the last audio frame in milliseconds, rounded up.
    pub fn audio_end_ms(&self) -> u64 {
        if self.audio_rate == 0 {
            return 0;
        }
        scale(self.audio_end, 1000, u64::from(self.audio_rate), true)
    }

    /// End of everything recorded, in milliseconds.
    pub fn end_ms(&self) -> u64 {
        self.video_end_ms.max(self.audio_end_ms())
    }

    /// The first free sample position for audio of the given rate.
    pub fn audio_end_at(&self, rate: u32) -> u64 {
        if self.audio_rate == rate || self.audio_rate == 0 {
            return self.audio_end;
        }
        scale(self.audio_end, u64::from(rate), u64::from(self.audio_rate), true)
    }
}

/// Milliseconds as a sample position, rounded up so that [`samples_to_ms`] gives the same milliseconds back.
pub(crate) fn ms_to_samples(ms: u64, rate: u32) -> u64 {
    scale(ms, u64::from(rate), 1000, true)
}

/// A sample position in milliseconds, rounded down.
pub(crate) fn samples_to_ms(samples: u64, rate: u32) -> u64 {
    scale(samples, 1000, u64::from(rate.max(1)), false)
}

/// `value * to / from` without overflow on the way.
fn scale(value: u64, to: u64, from: u64, up: bool) -> u64 {
    let product = u128::from(value) * u128::from(to);
    let from = u128::from(from.max(1));
    let scaled = if up { product.div_ceil(from) } else { product / from };
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// A timestamp did not follow from those before it. The timeline went on as if it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// The track on which it was seen first; it holds for both.
    pub track: TrackKind,
    /// How far the stamp was from where it was expected; negative is back in time.
    pub by_ms: i64,
}

/// The time of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Milliseconds on the session's own clock. Never less than the reading before it on the same track.
    pub time_ms: i64,
    /// Set if the stamp jumped.
    pub jump: Option<Jump>,
}

/// The clock of one publisher session.
///
/// Stamps are corrected by a base. A jump makes a new base, which holds for the whole session; messages of the
/// other track that still carry the old one are recognised by following on from their predecessors.
#[derive(Debug, Clone, Default)]
pub struct SessionClock {
    newest: Option<i64>,
    base: i64,
    previous_base: Option<i64>,
    tracks: [TrackClock; 2],
}

#[derive(Debug, Clone, Default)]
struct TrackClock {
    unwrapped: Option<i64>,
    last: Option<i64>,
    step: i64,
    base: i64,
}

impl SessionClock {
    /// A clock that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the stamp of the next message of a track, in order of arrival.
    pub fn read(&mut self, track: TrackKind, timestamp_ms: u32) -> Reading {
        let raw = self.unwrap(track, timestamp_ms);
        let Some(newest) = self.newest else {
            self.record(track, raw, self.base);
            return Reading { time_ms: raw, jump: None };
        };
        let clock = &self.tracks[track as usize];
        let expected = clock.last.map_or(newest, |last| last + clock.step);
        let (base, jump) = match self.choose_base(track, raw, newest, expected) {
            Some(base) => (base, None),
            None => {
                let by_ms = raw + self.base - expected;
                self.previous_base = Some(self.base);
                self.base = expected - raw;
                (self.base, Some(Jump { track, by_ms }))
            }
        };
        let time_ms = self.record(track, raw + base, base);
        Reading { time_ms, jump }
    }

    /// The stamp as 64 bits: the nearest one to the track's last, or to the other track's for a first message.
    fn unwrap(&mut self, track: TrackKind, timestamp_ms: u32) -> i64 {
        let other = self.tracks[1 - track as usize].unwrapped;
        let clock = &mut self.tracks[track as usize];
        let raw = match clock.unwrapped.or(other) {
            None => i64::from(timestamp_ms),
            // The subtraction wraps on purpose: it is the distance on the circle of 32 bits.
            Some(last) => last + i64::from(timestamp_ms.wrapping_sub(last as u32) as i32),
        };
        clock.unwrapped = Some(raw);
        raw
    }

    /// The base under which the stamp is plausible, if there is one.
    fn choose_base(&self, track: TrackKind, raw: i64, newest: i64, expected: i64) -> Option<i64> {
        let clock = &self.tracks[track as usize];
        let earliest = clock.last.map_or(newest - MAX_SILENCE_MS, |last| last - MAX_JITTER_MS);
        let plausible = |base: &i64| (earliest..=newest + MAX_SILENCE_MS).contains(&(raw + base));
        let current = Some(self.base).filter(plausible);
        let previous = self.previous_base.filter(plausible);
        match (current, previous) {
            // The other track jumped and this one has not followed yet: whichever base continues it better.
            (Some(current), Some(previous)) if clock.last.is_some() && clock.base != current => {
                let distance = |base: i64| (raw + base - expected).abs();
                Some(if distance(previous) < distance(current) { previous } else { current })
            }
            (Some(current), _) => Some(current),
            (None, previous) => previous,
        }
    }

    fn record(&mut self, track: TrackKind, time: i64, base: i64) -> i64 {
        let clock = &mut self.tracks[track as usize];
        let time = clock.last.map_or(time, |last| time.max(last));
        if let Some(last) = clock.last {
            let step = time - last;
            if (1..=MAX_STEP_MS).contains(&step) {
                clock.step = step;
            }
        }
        clock.last = Some(time);
        clock.base = base;
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        time
    }
}

/// Positions audio frames by counting samples, so that millisecond rounding never shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleClock {
    rate: u32,
    frame_samples: u32,
    next: Option<u64>,
}

impl SampleClock {
    /// A clock for frames of `frame_samples` at `rate` samples per second.
    pub fn new(rate: u32, frame_samples: u32) -> Self {
        Self { rate, frame_samples, next: None }
    }

    /// Whether this clock is for frames of `frame_samples` at `rate`.
    pub fn counts(&self, rate: u32, frame_samples: u32) -> bool {
        (self.rate, self.frame_samples) == (rate, frame_samples)
    }

    /// The position of a frame that is stamped `time_ms`, not before `floor`. Frames follow each other without a
    /// seam unless stamp and count have drifted apart by more than [`MAX_AUDIO_DRIFT_MS`].
    pub fn place(&mut self, time_ms: u64, floor: u64) -> u64 {
        let stamped = ms_to_samples(time_ms, self.rate);
        let tolerance = ms_to_samples(MAX_AUDIO_DRIFT_MS, self.rate);
        let start = match self.next {
            Some(next) if next.abs_diff(stamped) <= tolerance => next,
            _ => stamped,
        };
        let start = start.max(floor);
        self.next = Some(start.saturating_add(u64::from(self.frame_samples)));
        start
    }
}

#[cfg(test)]
mod tests;
