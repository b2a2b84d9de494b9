//! Effects and overlays with their places in pixels and their times on the timeline.

use super::{Canvas, Content, Layout, LayoutError, Materials, Place, Problem, Shot};
use crate::edit::timeline::{Blur, Effect, Length, Overlay, Span, Text, Timeline, Volume};

/// A change of loudness, in times of its own shot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gain {
    pub from_ms: u64,
    pub to_ms: u64,
    pub permille: u32,
}

/// An image over the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub image: String,
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
    pub from_ms: u64,
    pub to_ms: u64,
}

/// A place that is blurred; inside of the picture by at least a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blurred {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
    pub from_ms: u64,
    pub to_ms: u64,
}

/// Words on the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub text: Text,
    pub x: u32,
    pub y: u32,
    pub from_ms: u64,
    pub to_ms: u64,
}

/// A clip's stretch of the timeline, and where in its material that begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    pub(super) source_ms: u64,
}

impl Window {
    /// When on the timeline an effect applies; `None` if that is outside of the clip.
    fn of(&self, span: Option<Span>) -> Option<(u64, u64)> {
        let (from, to) = match span {
            None => (self.from_ms, None),
            Some(Span::Timeline { from_ms, to_ms }) => (from_ms, to_ms),
            Some(Span::Source { from_ms, to_ms }) => {
                let on_timeline = |ms: u64| ms.saturating_sub(self.source_ms).saturating_add(self.from_ms);
                (on_timeline(from_ms), to_ms.map(on_timeline))
            }
        };
        let (from, to) = (from.max(self.from_ms), to.unwrap_or(self.to_ms).min(self.to_ms));
        (from < to).then_some((from, to))
    }

    pub(super) fn gain(&self, volume: &Volume) -> Option<Gain> {
        let (from, to) = self.of(volume.span)?;
        Some(Gain { from_ms: from - self.from_ms, to_ms: to - self.from_ms, permille: volume.gain_permille })
    }
}

/// Puts everything that lies over the video into `layout`, and the gains into their shots. An effect that is due only
/// outside of its clip is no mistake: cutting a clip shorter leaves such behind.
pub(super) fn place(
    layout: &mut Layout,
    canvas: Canvas,
    timeline: &Timeline,
    materials: &Materials,
    shots: &mut [(usize, Shot)],
) -> Result<(), LayoutError> {
    for (number, shot) in shots.iter_mut() {
        let Some(clip) = timeline.clips.get(*number) else { continue };
        let window = Window { from_ms: shot.from_ms, to_ms: shot.to_ms, source_ms: clip.cut.from_ms };
        for (index, effect) in clip.effects.iter().enumerate() {
            let at = |problem| LayoutError { place: Place::ClipEffect(*number, index), problem };
            match effect {
                Effect::Volume(volume) => {
                    if let Content::Video { gains, .. } = &mut shot.content {
                        gains.extend(window.gain(volume));
                    }
                }
                Effect::Text(text) => layout.texts.extend(written(text, canvas, window).map_err(at)?),
                Effect::Blur(blur) => layout.blurs.extend(blurred(blur, canvas, window).map_err(at)?),
            }
        }
    }
    for (track, overlays) in timeline.overlays.iter().enumerate() {
        for (index, overlay) in overlays.iter().enumerate() {
            let at = |problem| LayoutError { place: Place::Overlay(track, index), problem };
            layout.overlays.extend(placed(overlay, canvas, materials, layout.total_ms).map_err(at)?);
        }
    }
    Ok(())
}

fn written(text: &Text, canvas: Canvas, window: Window) -> Result<Option<Written>, Problem> {
    let (x, y) = inside(text.x, text.y, canvas)?;
    let written = |(from_ms, to_ms)| Written { text: text.clone(), x, y, from_ms, to_ms };
    Ok(window.of(text.span).map(written))
}

fn blurred(blur: &Blur, canvas: Canvas, window: Window) -> Result<Option<Blurred>, Problem> {
    let (x, y) = inside(blur.x, blur.y, canvas)?;
    let (width, height) = (blur.width.pixels(canvas.width), blur.height.pixels(canvas.height));
    // The filter fills the place from the pixels around it, so there must be some on every side.
    let within = |start: u32, length: u32, side: u32| {
        let (first, end) = (start.max(1), start.saturating_add(length).min(side - 1));
        (end > first).then(|| (first, end - first))
    };
    let (x, width) = within(x, width, canvas.width).ok_or(Problem::Outside)?;
    let (y, height) = within(y, height, canvas.height).ok_or(Problem::Outside)?;
    let blurred = |(from_ms, to_ms)| Blurred { x, y, width, height, from_ms, to_ms };
    Ok(window.of(blur.span).map(blurred))
}

fn placed(overlay: &Overlay, canvas: Canvas, materials: &Materials, total_ms: u64) -> Result<Option<Placed>, Problem> {
    let image = &overlay.image;
    let size = materials.images.get(image).ok_or_else(|| Problem::NoImage(image.clone()))?;
    let (x, y) = inside(overlay.x, overlay.y, canvas)?;
    let width = overlay.width.map(|width| width.pixels(canvas.width));
    let height = overlay.height.map(|height| height.pixels(canvas.height));
    let proportion = |side: u32, part: u32, whole: u32| {
        let scaled = u64::from(side) * u64::from(part) / u64::from(whole.max(1));
        u32::try_from(scaled).unwrap_or(u32::MAX)
    };
    let (width, height) = match (width, height) {
        (Some(width), Some(height)) => (width, height),
        (Some(width), None) => (width, proportion(size.height, width, size.width)),
        (None, Some(height)) => (proportion(size.width, height, size.height), height),
        (None, None) => (size.width, size.height),
    };
    // What is larger than the picture is not seen, and only costs memory.
    let sides = 1..=super::MOST_SIDE;
    if !sides.contains(&width) || !sides.contains(&height) {
        return Err(Problem::Size { width, height });
    }
    let until = overlay.until_ms.unwrap_or(total_ms);
    if until <= overlay.at_ms {
        return Err(Problem::Backwards);
    }
    let (from_ms, to_ms) = (overlay.at_ms, until.min(total_ms));
    Ok((from_ms < to_ms).then(|| Placed { image: image.clone(), x, y, width, height, from_ms, to_ms }))
}

/// A point on the picture.
fn inside(x: Length, y: Length, canvas: Canvas) -> Result<(u32, u32), Problem> {
    let (x, y) = (x.pixels(canvas.width), y.pixels(canvas.height));
    if x >= canvas.width || y >= canvas.height {
        return Err(Problem::Outside);
    }
    Ok((x, y))
}
