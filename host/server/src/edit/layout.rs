//! A timeline laid over its materials: what is seen and heard at each moment, with every default filled in and every
//! time checked. It decides the result's size, rate and length; it knows no files and no programs.

mod effects;

use std::collections::BTreeMap;

use super::timeline::{Clip, Cut, MAX_TOTAL_MS, Material, SoundClip, Timeline};
use crate::ffmpeg::plan::{MAX_PIXELS, target_size};

pub use effects::{Blurred, Gain, Placed, Written};

/// What materials are, by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Materials {
    pub videos: BTreeMap<String, VideoMaterial>,
    pub images: BTreeMap<String, ImageMaterial>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct VideoMaterial {
    pub duration_ms: u64,
    pub picture: Option<PictureFacts>,
    pub has_sound: bool,
    /// Of the whole file.
    pub bitrate_kbps: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureFacts {
    pub width: u32,
    pub height: u32,
    /// Frames per second; 0 when unknown.
    pub fps: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageMaterial {
    pub width: u32,
    pub height: u32,
}

/// What is seen and heard, moment by moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    pub total_ms: u64,
    /// `None`: there is nothing to see.
    pub canvas: Option<Canvas>,
    /// From 0 to `total_ms` without a hole, each at least a millisecond long.
    pub shots: Vec<Shot>,
    /// Sound tracks mixed in; each in order, without overlaps, and within `total_ms`.
    pub sounds: Vec<Vec<Heard>>,
    /// Later ones above earlier ones.
    pub overlays: Vec<Placed>,
    pub blurs: Vec<Blurred>,
    pub texts: Vec<Written>,
}

/// The result's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    pub width: u32,
    pub height: u32,
    pub rate: Rate,
    /// Of the best material.
    pub bitrate_kbps: u64,
}

/// Frames per second as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub frames: u32,
    pub seconds: u32,
}

/// A stretch of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Shot {
    pub from_ms: u64,
    pub to_ms: u64,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing was put here.
    Black,
    Video {
        id: String,
        /// Begin in the material.
        from_ms: u64,
        has_sound: bool,
        gains: Vec<Gain>,
    },
    Still {
        id: String,
    },
}

/// A stretch of a sound track.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub from_ms: u64,
    pub to_ms: u64,
    pub video: String,
    /// Begin in the material.
    pub source_ms: u64,
    pub gains: Vec<Gain>,
}

/// Which element of a timeline, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Whole,
    Clip(usize),
    ClipEffect(usize, usize),
    Sound(usize, usize),
    Overlay(usize, usize),
}

/// Why a timeline cannot be made. Its author must change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct LayoutError {
    pub place: Place,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("there is nothing on the timeline")]
    Nothing,
    #[error("the result would be longer than {} hours", MAX_TOTAL_MS / 3_600_000)]
    TooLong,
    #[error("a result of {width}x{height} is not possible")]
    Size { width: u32, height: u32 },
    #[error("there is no video {0} that can be used")]
    NoVideo(String),
    #[error("there is no image {0}")]
    NoImage(String),
    #[error("video {0} has no picture")]
    NoPicture(String),
    #[error("video {0} has no sound")]
    NoSound(String),
    #[error("it begins at {from_ms} ms, but its material has only {duration_ms} ms")]
    PastTheEnd { from_ms: u64, duration_ms: u64 },
    #[error("it ends before it begins")]
    Backwards,
    #[error("it begins at {at_ms} ms, before the one in front of it ends at {end_ms} ms")]
    Overlap { at_ms: u64, end_ms: u64 },
    #[error("a still picture needs the length for which it is shown")]
    NoLength,
    #[error("it lies outside of the picture")]
    Outside,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Whole => f.write_str("timeline"),
            Place::Clip(clip) => write!(f, "video clip {}", clip + 1),
            Place::ClipEffect(clip, effect) => write!(f, "effect {} of video clip {}", effect + 1, clip + 1),
            Place::Sound(track, clip) => write!(f, "clip {} of sound track {}", clip + 1, track + 1),
            Place::Overlay(track, clip) => write!(f, "picture {} of image track {}", clip + 1, track + 1),
        }
    }
}

/// Editors write times as seconds with a few decimals, so neighbours may overlap by a rounding error.
const ROUNDING_MS: u64 = 40;
/// Faster sources gain nothing that a viewer sees, and cost an encoder twice.
const MAX_FPS: f64 = 60.0;
/// Where no material says how many frames a second it has.
const ASSUMED_FPS: f64 = 25.0;
/// Encoders take sides from 16 pixels on.
const LEAST_SIDE: u32 = 16;
const MOST_SIDE: u32 = 4096;
/// Rates as they are meant where a measurement is this near to one.
const RATES: [Rate; 8] = [
    Rate { frames: 24_000, seconds: 1001 },
    Rate { frames: 24, seconds: 1 },
    Rate { frames: 25, seconds: 1 },
    Rate { frames: 30_000, seconds: 1001 },
    Rate { frames: 30, seconds: 1 },
    Rate { frames: 50, seconds: 1 },
    Rate { frames: 60_000, seconds: 1001 },
    Rate { frames: 60, seconds: 1 },
];
const NEAR: f64 = 0.0005;

impl Rate {
    fn of(fps: f64) -> Self {
        let fps = if fps > 0.0 { fps.min(MAX_FPS) } else { ASSUMED_FPS };
        let near = |rate: &&Rate| (rate.as_f64() - fps).abs() <= fps * NEAR;
        let exact = Rate { frames: (fps * 1000.0).round().max(1.0) as u32, seconds: 1000 };
        RATES.iter().find(near).copied().unwrap_or(exact)
    }

    pub fn as_f64(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }

    /// The frame that is nearest to a moment.
    pub fn frame_at(self, ms: u64) -> u64 {
        let per = 1000 * u64::from(self.seconds);
        (ms.saturating_mul(u64::from(self.frames)) + per / 2) / per
    }
}

impl Shot {
    pub fn length_ms(&self) -> u64 {
        self.to_ms - self.from_ms
    }
}

/// Lays `timeline` over `materials`.
///
/// # Errors
/// The first element that cannot be made.
pub fn lay(timeline: &Timeline, materials: &Materials) -> Result<Layout, LayoutError> {
    let whole = |problem| LayoutError { place: Place::Whole, problem };
    if timeline.is_empty() {
        return Err(whole(Problem::Nothing));
    }
    let (mut shots, canvas) = video_track(timeline, materials)?;
    let mut end_ms = shots.last().map_or(0, |(_, shot)| shot.to_ms);
    if timeline.clips.len() > 1 {
        // After a single video pictures end with it; after several, what is left of them lies on black.
        let last = timeline.overlays.iter().flatten().filter_map(|overlay| overlay.until_ms).max();
        end_ms = end_ms.max(last.unwrap_or(0));
    }
    let mut sounds = sound_tracks(timeline, materials)?;
    if canvas.is_none() {
        end_ms = sounds.iter().flatten().map(|heard| heard.to_ms).max().unwrap_or(0);
    }
    if end_ms > MAX_TOTAL_MS {
        return Err(whole(Problem::TooLong));
    }
    for track in &mut sounds {
        track.retain(|heard| heard.from_ms < end_ms);
        track.iter_mut().for_each(|heard| heard.to_ms = heard.to_ms.min(end_ms));
    }
    sounds.retain(|track| !track.is_empty());
    let mut layout = Layout {
        total_ms: end_ms,
        canvas,
        shots: Vec::new(),
        sounds,
        overlays: Vec::new(),
        blurs: Vec::new(),
        texts: Vec::new(),
    };
    if let Some(canvas) = canvas {
        effects::place(&mut layout, canvas, timeline, materials, &mut shots)?;
        layout.shots = without_holes(shots.into_iter().map(|(_, shot)| shot), end_ms);
    }
    Ok(layout)
}

/// The shots of clips in order of time, each with its clip's number.
type Numbered = Vec<(usize, Shot)>;

/// The video track, and the picture that it makes.
fn video_track(timeline: &Timeline, materials: &Materials) -> Result<(Numbered, Option<Canvas>), LayoutError> {
    let mut shots = Vec::new();
    let (mut width, mut height, mut fps, mut bitrate_kbps) = (0, 0, 0.0_f64, 0);
    let mut end_ms = 0;
    for (number, clip) in timeline.clips.iter().enumerate() {
        let at = |problem| LayoutError { place: Place::Clip(number), problem };
        let (shot, size) = shot(clip, materials, end_ms).map_err(at)?;
        if let Material::Video(id) = &clip.material
            && let Some(video) = materials.videos.get(id)
        {
            bitrate_kbps = bitrate_kbps.max(video.bitrate_kbps);
        }
        (width, height, fps) = (size.width.max(width), size.height.max(height), size.fps.max(fps));
        end_ms = shot.to_ms;
        shots.push((number, shot));
    }
    if shots.is_empty() {
        return Ok((shots, None));
    }
    let (width, height) = target_size((width, height), (timeline.width, timeline.height), false, true);
    let sides = LEAST_SIDE..=MOST_SIDE;
    if !sides.contains(&width) || !sides.contains(&height) || width * height > MAX_PIXELS {
        return Err(LayoutError { place: Place::Whole, problem: Problem::Size { width, height } });
    }
    Ok((shots, Some(Canvas { width, height, rate: Rate::of(fps), bitrate_kbps })))
}

/// One clip, where those before it end at `end_ms`, and the size of its picture.
fn shot(clip: &Clip, materials: &Materials, end_ms: u64) -> Result<(Shot, PictureFacts), Problem> {
    let cut = &clip.cut;
    let at_ms = begin(cut, end_ms)?;
    match &clip.material {
        Material::Video(id) => {
            let video = materials.videos.get(id).ok_or_else(|| Problem::NoVideo(id.clone()))?;
            let picture = video.picture.ok_or_else(|| Problem::NoPicture(id.clone()))?;
            let to_ms = at_ms + length(cut, at_ms, video.duration_ms)?;
            let content =
                Content::Video { id: id.clone(), from_ms: cut.from_ms, has_sound: video.has_sound, gains: Vec::new() };
            Ok((Shot { from_ms: at_ms, to_ms, content }, picture))
        }
        Material::Image(id) => {
            let image = materials.images.get(id).ok_or_else(|| Problem::NoImage(id.clone()))?;
            let shown = cut.to_ms.map(|to| to.saturating_sub(cut.from_ms));
            let shown = shown.or_else(|| cut.until_ms.map(|until| until.saturating_sub(at_ms)));
            let length_ms = shown.ok_or(Problem::NoLength)?;
            if length_ms == 0 {
                return Err(Problem::Backwards);
            }
            let to_ms = at_ms.checked_add(length_ms).filter(|end| *end <= MAX_TOTAL_MS).ok_or(Problem::TooLong)?;
            let content = Content::Still { id: id.clone() };
            let size = PictureFacts { width: image.width, height: image.height, fps: 0.0 };
            Ok((Shot { from_ms: at_ms, to_ms, content }, size))
        }
    }
}

/// Where on the timeline a clip begins.
fn begin(cut: &Cut, end_ms: u64) -> Result<u64, Problem> {
    match cut.at_ms {
        None => Ok(end_ms),
        Some(at_ms) if at_ms.saturating_add(ROUNDING_MS) < end_ms => Err(Problem::Overlap { at_ms, end_ms }),
        Some(at_ms) => Ok(at_ms.max(end_ms)),
    }
}

/// How long a clip of a material of `duration_ms` is.
fn length(cut: &Cut, at_ms: u64, duration_ms: u64) -> Result<u64, Problem> {
    let from_ms = cut.from_ms;
    if from_ms >= duration_ms {
        return Err(Problem::PastTheEnd { from_ms, duration_ms });
    }
    let to_ms = cut.to_ms.unwrap_or(duration_ms).min(duration_ms);
    let there = cut.until_ms.map(|until| until.saturating_sub(at_ms));
    let length_ms = to_ms.saturating_sub(from_ms).min(there.unwrap_or(u64::MAX));
    if length_ms == 0 {
        return Err(Problem::Backwards);
    }
    // Both are bounded, so that sums of a whole track stay far from the end of the numbers.
    if at_ms.saturating_add(length_ms) > MAX_TOTAL_MS {
        return Err(Problem::TooLong);
    }
    Ok(length_ms)
}

fn sound_tracks(timeline: &Timeline, materials: &Materials) -> Result<Vec<Vec<Heard>>, LayoutError> {
    let mut tracks = Vec::new();
    for (track, clips) in timeline.sounds.iter().enumerate() {
        let mut heard = Vec::new();
        let mut end_ms = 0;
        for (number, clip) in clips.iter().enumerate() {
            let at = |problem| LayoutError { place: Place::Sound(track, number), problem };
            let next = sound(clip, materials, end_ms).map_err(at)?;
            end_ms = next.to_ms;
            heard.push(next);
        }
        tracks.push(heard);
    }
    Ok(tracks)
}

fn sound(clip: &SoundClip, materials: &Materials, end_ms: u64) -> Result<Heard, Problem> {
    let id = &clip.video;
    let video = materials.videos.get(id).ok_or_else(|| Problem::NoVideo(id.clone()))?;
    if !video.has_sound {
        return Err(Problem::NoSound(id.clone()));
    }
    let from_ms = begin(&clip.cut, end_ms)?;
    let to_ms = from_ms + length(&clip.cut, from_ms, video.duration_ms)?;
    let window = effects::Window { from_ms, to_ms, source_ms: clip.cut.from_ms };
    let gains = clip.volumes.iter().filter_map(|volume| window.gain(volume)).collect();
    Ok(Heard { from_ms, to_ms, video: id.clone(), source_ms: clip.cut.from_ms, gains })
}

/// The shots with black between and behind them.
fn without_holes(shots: impl Iterator<Item = Shot>, end_ms: u64) -> Vec<Shot> {
    let mut whole: Vec<Shot> = Vec::new();
    let mut done_ms = 0;
    for shot in shots {
        if shot.from_ms > done_ms {
            whole.push(Shot { from_ms: done_ms, to_ms: shot.from_ms, content: Content::Black });
        }
        done_ms = shot.to_ms;
        whole.push(shot);
    }
    if end_ms > done_ms {
        whole.push(Shot { from_ms: done_ms, to_ms: end_ms, content: Content::Black });
    }
    whole
}

#[cfg(test)]
mod tests;
