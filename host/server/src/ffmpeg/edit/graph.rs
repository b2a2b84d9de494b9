//! The filter graph of an edit: a chain of text for every stretch, joined and then drawn on.

use std::path::{Path, PathBuf};

use super::{EditPlanError, EditSources, SAMPLE_RATE, SAMPLES_PER_MS, seconds};
use crate::edit::image::ImageFormat;
use crate::edit::layout::{Blurred, Canvas, Content, Gain, Heard, Layout, Placed, Shot, Written};

/// A graph under construction.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) inputs: Vec<Input>,
    pub(super) chains: Vec<String>,
    pub(super) readable: Vec<PathBuf>,
    pub(super) texts: Vec<(String, String)>,
    /// The label of the finished picture.
    pub(super) picture: Option<String>,
    /// The label of the finished sound.
    pub(super) sound: Option<String>,
}

/// One file to open.
pub(super) struct Input {
    pub(super) path: PathBuf,
    pub(super) kind: InputKind,
}

#[derive(Clone, Copy)]
pub(super) enum InputKind {
    /// A stretch of a video.
    Video {
        from_ms: u64,
        length_ms: u64,
    },
    Image(ImageFormat),
}

/// Everything has this form before it is joined.
const SOUND_FORM: &str = "aformat=sample_fmts=fltp:sample_rates=48000:channel_layouts=stereo";

/// Silence fills the gaps of a source from 40 ms on: what a viewer does not notice between picture and sound.
const IN_STEP: &str = "async=1:min_hard_comp=0.040:first_pts=0";

impl Graph {
    pub(super) fn of(layout: &Layout, sources: &EditSources) -> Result<Self, EditPlanError> {
        let mut graph = Graph::default();
        let has_sound = !layout.sounds.is_empty()
            || layout.shots.iter().any(|shot| matches!(shot.content, Content::Video { has_sound: true, .. }));
        let mut base = Vec::new();
        if let Some(canvas) = layout.canvas {
            let mut pictures = Vec::new();
            for shot in &layout.shots {
                let input = graph.open(shot, sources)?;
                let frames = canvas.rate.frame_at(shot.to_ms) - canvas.rate.frame_at(shot.from_ms);
                if frames > 0 {
                    pictures.push(graph.shot(canvas, shot, input, frames));
                }
                if has_sound {
                    base.push(graph.shot_sound(shot, input));
                }
            }
            graph.draw(layout, canvas, pictures, sources)?;
        }
        if has_sound {
            graph.mix(layout, base, sources)?;
        }
        Ok(graph)
    }

    /// Adds an input, and gives its number.
    fn input(&mut self, path: &Path, kind: InputKind) -> usize {
        if !self.readable.iter().any(|known| known == path) {
            self.readable.push(path.to_owned());
        }
        self.inputs.push(Input { path: path.to_owned(), kind });
        self.inputs.len() - 1
    }

    fn video(&mut self, id: &str, from_ms: u64, length_ms: u64, sources: &EditSources) -> Result<usize, EditPlanError> {
        let path = sources.videos.get(id).ok_or_else(|| EditPlanError::Missing(id.to_owned()))?;
        Ok(self.input(path, InputKind::Video { from_ms, length_ms }))
    }

    fn image(&mut self, id: &str, sources: &EditSources) -> Result<usize, EditPlanError> {
        let (path, format) = sources.images.get(id).ok_or_else(|| EditPlanError::Missing(id.to_owned()))?;
        Ok(self.input(path, InputKind::Image(*format)))
    }

    fn open(&mut self, shot: &Shot, sources: &EditSources) -> Result<Option<usize>, EditPlanError> {
        match &shot.content {
            Content::Black => Ok(None),
            Content::Video { id, from_ms, .. } => self.video(id, *from_ms, shot.length_ms(), sources).map(Some),
            Content::Still { id } => self.image(id, sources).map(Some),
        }
    }

    /// A chain of filters with the labels of what goes in, under a label of its own.
    fn chain(&mut self, from: &str, filters: &str) -> String {
        let label = format!("c{}", self.chains.len());
        self.chains.push(format!("{from}{filters}[{label}]"));
        label
    }

    /// The picture of one shot: exactly `frames` frames of the canvas's size and rate.
    fn shot(&mut self, canvas: Canvas, shot: &Shot, input: Option<usize>, frames: u64) -> String {
        let Canvas { width, height, rate, .. } = canvas;
        let fps = format!("{}/{}", rate.frames, rate.seconds);
        let end = format!("trim=end_frame={frames},setsar=1,format=yuv420p");
        let Some(input) = input else {
            return self.chain("", &format!("color=c=black:s={width}x{height}:r={fps},{end}"));
        };
        // The last picture stands where the material ends a little early, and a still for all of its time.
        let stand = seconds(shot.length_ms() + 1000);
        let from = format!("[{input}:v:0]");
        let fit = format!(
            "scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2,\
             pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:color=black"
        );
        // A transparent still lies on black.
        let flat = match shot.content {
            Content::Still { .. } => "format=rgba,premultiply=inplace=1,format=rgb24,",
            Content::Video { .. } | Content::Black => "",
        };
        let frame = format!("{flat}fps=fps={fps}:start_time=0,{fit},tpad=stop_mode=clone:stop_duration={stand}");
        self.chain(&from, &format!("{frame},{end}"))
    }

    /// The sound of one shot: exactly as many samples as it is long.
    fn shot_sound(&mut self, shot: &Shot, input: Option<usize>) -> String {
        match (&shot.content, input) {
            (Content::Video { has_sound: true, gains, .. }, Some(input)) => self.heard(input, shot.length_ms(), gains),
            _ => self.silence(shot.length_ms()),
        }
    }

    fn silence(&mut self, length_ms: u64) -> String {
        let samples = length_ms * SAMPLES_PER_MS;
        self.chain("", &format!("anullsrc=r={SAMPLE_RATE}:cl=stereo,atrim=end_sample={samples},{SOUND_FORM}"))
    }

    fn heard(&mut self, input: usize, length_ms: u64, gains: &[Gain]) -> String {
        let samples = length_ms * SAMPLES_PER_MS;
        let mut filters = format!("aresample={SAMPLE_RATE}:{IN_STEP},{SOUND_FORM}");
        for gain in gains {
            let factor = seconds(gain.permille.into());
            filters.push_str(&format!(",volume=volume={factor}:enable='{}'", during(gain.from_ms, gain.to_ms)));
        }
        filters.push_str(&format!(",apad,atrim=end_sample={samples}"));
        self.chain(&format!("[{input}:a:0]"), &filters)
    }

    /// Joins tracks of equal form; one alone is joined already.
    fn join(&mut self, labels: Vec<String>, picture: bool) -> String {
        match labels.as_slice() {
            [one] => one.clone(),
            _ => {
                let (video, audio) = (u8::from(picture), u8::from(!picture));
                let count = labels.len();
                self.chain(&bracketed(&labels), &format!("concat=n={count}:v={video}:a={audio}"))
            }
        }
    }

    fn draw(
        &mut self,
        layout: &Layout,
        canvas: Canvas,
        pictures: Vec<String>,
        sources: &EditSources,
    ) -> Result<(), EditPlanError> {
        if pictures.is_empty() {
            return Ok(());
        }
        let mut label = self.join(pictures, true);
        for blur in &layout.blurs {
            label = self.chain(&format!("[{label}]"), &delogo(blur));
        }
        for placed in &layout.overlays {
            let image = self.image(&placed.image, sources)?;
            label = self.overlay(&label, image, placed);
        }
        for (number, written) in layout.texts.iter().enumerate() {
            let font = sources.fonts.get(number).ok_or_else(|| EditPlanError::Missing(format!("text {number}")))?;
            let filter = self.drawtext(number, written, font)?;
            label = self.chain(&format!("[{label}]"), &filter);
        }
        let Canvas { width, height, .. } = canvas;
        label = self.chain(&format!("[{label}]"), &format!("scale={width}:{height},format=yuv420p"));
        self.picture = Some(label);
        Ok(())
    }

    fn overlay(&mut self, below: &str, image: usize, placed: &Placed) -> String {
        let Placed { x, y, width, height, from_ms, to_ms, .. } = placed;
        let above = self.chain(&format!("[{image}:v:0]"), &format!("format=rgba,scale={width}:{height}"));
        let during = during(*from_ms, *to_ms);
        self.chain(&format!("[{below}][{above}]"), &format!("overlay=x={x}:y={y}:enable='{during}'"))
    }

    fn drawtext(&mut self, number: usize, written: &Written, font: &Path) -> Result<String, EditPlanError> {
        let path = font.to_str().filter(|path| is_plain_path(path)).ok_or(EditPlanError::FontPath)?;
        if !self.readable.iter().any(|known| known == font) {
            self.readable.push(font.to_owned());
        }
        let Written { text, x, y, from_ms, to_ms } = written;
        let name = format!("text-{number}.txt");
        self.texts.push((name.clone(), text.content.clone()));
        let [red, green, blue] = text.color;
        let opacity = seconds(text.opacity_permille.into());
        // Without expansion a text is a text: `%{…}` and backslashes are drawn as they are.
        Ok(format!(
            "drawtext=fontfile={path}:textfile={name}:expansion=none:x={x}:y={y}:fontsize={size}:\
             fontcolor=0x{red:02x}{green:02x}{blue:02x}@{opacity}:enable='{during}'",
            size = text.size,
            during = during(*from_ms, *to_ms),
        ))
    }

    fn mix(&mut self, layout: &Layout, base: Vec<String>, sources: &EditSources) -> Result<(), EditPlanError> {
        let base = if base.is_empty() { self.silence(layout.total_ms) } else { self.join(base, false) };
        let mut tracks = vec![base];
        for track in &layout.sounds {
            tracks.push(self.track(track, sources)?);
        }
        let label = match tracks.as_slice() {
            [base] => base.clone(),
            _ => {
                let count = tracks.len();
                // The first is exactly as long as the result; the others are within it.
                self.chain(&bracketed(&tracks), &format!("amix=inputs={count}:duration=first:normalize=0"))
            }
        };
        self.sound = Some(label);
        Ok(())
    }

    /// One sound track, with silence where it has nothing.
    fn track(&mut self, track: &[Heard], sources: &EditSources) -> Result<String, EditPlanError> {
        let mut pieces = Vec::new();
        let mut done_ms = 0;
        for heard in track {
            if heard.from_ms > done_ms {
                pieces.push(self.silence(heard.from_ms - done_ms));
            }
            let length_ms = heard.to_ms - heard.from_ms;
            let input = self.video(&heard.video, heard.source_ms, length_ms, sources)?;
            pieces.push(self.heard(input, length_ms, &heard.gains));
            done_ms = heard.to_ms;
        }
        Ok(self.join(pieces, false))
    }
}

fn delogo(blur: &Blurred) -> String {
    let Blurred { x, y, width, height, from_ms, to_ms } = blur;
    format!("delogo=x={x}:y={y}:w={width}:h={height}:enable='{}'", during(*from_ms, *to_ms))
}

fn bracketed(labels: &[String]) -> String {
    labels.iter().map(|label| format!("[{label}]")).collect()
}

/// When a filter applies: from the first moment to just before the last.
fn during(from_ms: u64, to_ms: u64) -> String {
    format!("gte(t,{})*lt(t,{})", seconds(from_ms), seconds(to_ms))
}

/// Whether a path has nothing in it that a filter graph reads as its own.
pub(crate) fn is_plain_path(path: &str) -> bool {
    path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || "/._+-".contains(c))
}
