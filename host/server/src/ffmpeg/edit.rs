//! From a layout to one ffmpeg command, and running it.
//!
//! The plan is pure. Every stretch of a video is an input of its own that is sought to, so that nothing outside of it is
//! decoded and the order of stretches does not matter; every picture track is brought to one size and rate and joined
//! by frames, every sound track to one form and joined by samples, so that no rounding adds up over the joints.
//!
//! Nothing a tenant wrote becomes an argument except checked numbers. Words to be drawn go into files of the job's
//! folder, which the filter reads as they are. The other texts in the command are ids that we looked up and names of
//! files that we made.

mod graph;
mod run;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use reprise_media::fmp4::VIDEO_TIMESCALE;

use super::limits::Limits;
use super::plan::{DECODERS, MAX_PIXELS, MAX_THREADS};
use crate::edit::image::ImageFormat;
use crate::edit::layout::{Canvas, Layout};
use graph::{Graph, Input, InputKind};

pub(crate) use graph::is_plain_path;
pub use run::{EditFacts, EditJob, edit};

/// Where materials and fonts are; all absolute.
#[derive(Debug, Clone, Default)]
pub struct EditSources {
    pub videos: BTreeMap<String, PathBuf>,
    pub images: BTreeMap<String, (PathBuf, ImageFormat)>,
    /// One for each text of the layout, in its order.
    pub fonts: Vec<PathBuf>,
}

/// One command, what it reads, and the file it will leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditPlan {
    pub args: Vec<OsString>,
    /// Everything outside of the job's folder that the command reads.
    pub readable: Vec<PathBuf>,
    /// Files to write into the job's folder before: name and content.
    pub texts: Vec<(String, String)>,
    pub has_picture: bool,
    pub has_sound: bool,
    pub limits: Limits,
}

/// The caller's mistake: not everything that the layout names is there, or it is more than one command can say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditPlanError {
    #[error("no file is given for {0}")]
    Missing(String),
    #[error("a font's path has characters that a filter could read as its own")]
    FontPath,
    #[error("the timeline has too many pieces and effects for one command")]
    TooLong,
}

/// The longest filter graph: the kernel takes no argument of 128 KiB. The fullest timeline that is read needs less.
const MAX_GRAPH_BYTES: usize = 120 * 1024;

/// What the command leaves in the job's folder.
pub const RESULT: &str = "result.mp4";

/// All sound is brought to this before it is joined and mixed. At 48 kHz a millisecond is a whole number of samples.
pub(super) const SAMPLE_RATE: u32 = 48_000;
const SAMPLES_PER_MS: u64 = 48;
const AUDIO_KBPS: u32 = 160;
/// Visually the same as the source; the bitrate of the best material bounds it.
const CRF: u32 = 20;
/// Bits per pixel that text and seams may need even where the materials need hardly any.
const LEAST_BITS_PER_PIXEL: f64 = 0.05;
/// Short enough to seek and to cut segments, like that of renditions.
const GOP_SECONDS: f64 = 2.0;
/// With more inputs than this, decoders with one thread each keep all processors busy between them.
const FEW_INPUTS: usize = 4;

/// Encoding at a third of real time is the slowest that still counts as working.
const WALL_PER_MEDIA: u64 = 3;
const WALL_FLOOR: Duration = Duration::from_secs(60);
/// Opening a file and decoding from the keyframe before the cut.
const WALL_PER_INPUT: Duration = Duration::from_secs(10);
/// All inputs open before the first frame comes out.
const NO_PROGRESS: Duration = Duration::from_secs(60);
const MEMORY_BASE: u64 = 4 << 30;
/// A decoder's reference pictures at 4096×2304.
const MEMORY_PER_INPUT: u64 = 256 << 20;
const MOST_MEMORY: u64 = 16 << 30;
/// Encoders overshoot the rate they are bound to.
const FILE_PER_EXPECTED: u64 = 2;
const FILE_FLOOR: u64 = 64 << 20;

/// Plans `layout` with at most `threads` threads for the encoder.
///
/// # Errors
/// When a file that the layout needs is not among `sources`.
pub fn plan(layout: &Layout, sources: &EditSources, threads: u32) -> Result<EditPlan, EditPlanError> {
    let threads = threads.clamp(1, MAX_THREADS);
    let graph = Graph::of(layout, sources)?;
    let mut args = Args::default();
    args.flags(&["-hide_banner", "-nostdin", "-y", "-nostats"]);
    args.pair("-loglevel", "level+info");
    args.pair("-progress", "pipe:1");
    args.pair("-filter_complex_threads", threads);
    let decoder_threads = if graph.inputs.len() > FEW_INPUTS { 1 } else { threads };
    for each in &graph.inputs {
        input(&mut args, each, decoder_threads);
    }
    let chains = graph.chains.join(";");
    if chains.len() > MAX_GRAPH_BYTES {
        return Err(EditPlanError::TooLong);
    }
    args.pair("-filter_complex", chains);
    let mut expected_kbps = 0;
    if let (Some(label), Some(canvas)) = (&graph.picture, layout.canvas) {
        args.pair("-map", format!("[{label}]"));
        expected_kbps += picture(&mut args, canvas, threads);
    }
    if let Some(label) = &graph.sound {
        args.pair("-map", format!("[{label}]"));
        args.pair("-c:a", "aac");
        args.pair("-b:a", format!("{AUDIO_KBPS}k"));
        expected_kbps += u64::from(AUDIO_KBPS);
    }
    args.pair("-map_metadata", -1);
    args.pair("-map_chapters", -1);
    // Fragments, with pictures clocked in milliseconds: the form that a recording's file is made of.
    args.pair("-video_track_timescale", VIDEO_TIMESCALE);
    args.pair("-movflags", "+frag_keyframe+empty_moov+default_base_moof");
    args.pair("-use_editlist", 0);
    args.pair("-f", "mp4");
    args.flags(&[RESULT]);
    Ok(EditPlan {
        args: args.0,
        limits: limits(layout.total_ms, graph.inputs.len(), expected_kbps, threads),
        has_picture: graph.picture.is_some(),
        has_sound: graph.sound.is_some(),
        texts: graph.texts,
        readable: graph.readable,
    })
}

/// The demuxer is named, never guessed, and each input has only the decoders of its kind.
fn input(args: &mut Args, input: &Input, threads: u32) {
    args.pair("-threads", threads);
    args.pair("-protocol_whitelist", "file,pipe");
    args.pair("-max_pixels", MAX_PIXELS.max(crate::edit::image::MAX_SIDE * crate::edit::image::MAX_SIDE));
    args.flags(&["-noautorotate"]);
    match input.kind {
        InputKind::Video { from_ms, length_ms } => {
            args.pair("-codec_whitelist", DECODERS);
            args.pair("-enable_drefs", 0);
            args.pair("-ss", seconds(from_ms));
            args.pair("-t", seconds(length_ms));
            args.pair("-f", "mov");
        }
        InputKind::Image(ImageFormat::Png) => {
            args.pair("-codec_whitelist", "png");
            args.pair("-f", "png_pipe");
        }
        InputKind::Image(ImageFormat::Jpeg) => {
            args.pair("-codec_whitelist", "mjpeg");
            args.pair("-f", "jpeg_pipe");
        }
    }
    // The prefix keeps a colon in the path from being read as a protocol.
    let mut url = OsString::from("file:");
    url.push(&input.path);
    args.0.push("-i".into());
    args.0.push(url);
}

/// Arguments of the encoder; gives the kilobits per second that it may use.
fn picture(args: &mut Args, canvas: Canvas, threads: u32) -> u64 {
    let rate = canvas.rate.as_f64();
    let pixels = f64::from(canvas.width) * f64::from(canvas.height);
    let least = (pixels * rate * LEAST_BITS_PER_PIXEL / 1000.0) as u64;
    let most_kbps = canvas.bitrate_kbps.max(least).max(1);
    let gop = (rate * GOP_SECONDS).round().max(1.0) as u32;
    args.pair("-c:v", "libx264");
    args.pair("-profile:v", "high");
    args.pair("-preset", "veryfast");
    args.pair("-pix_fmt", "yuv420p");
    args.pair("-r", format!("{}/{}", canvas.rate.frames, canvas.rate.seconds));
    args.pair("-fps_mode", "cfr");
    // Without reordering, every picture is shown when it is decoded: what is cut again later is cut exactly.
    args.pair("-bf", 0);
    args.pair("-crf", CRF);
    args.pair("-maxrate", format!("{most_kbps}k"));
    args.pair("-bufsize", format!("{}k", most_kbps * 2));
    args.pair("-g", gop);
    args.pair("-keyint_min", gop);
    args.pair("-sc_threshold", 0);
    args.pair("-flags:v", "+cgop");
    args.pair("-threads:v", threads);
    most_kbps
}

fn limits(total_ms: u64, inputs: usize, expected_kbps: u64, threads: u32) -> Limits {
    let inputs = u32::try_from(inputs).unwrap_or(u32::MAX);
    let wall = Duration::from_millis(total_ms.saturating_mul(WALL_PER_MEDIA))
        .saturating_add(WALL_FLOOR)
        .saturating_add(WALL_PER_INPUT.saturating_mul(inputs));
    let bytes = expected_kbps.saturating_mul(total_ms) / 8;
    Limits {
        wall,
        no_progress: NO_PROGRESS.saturating_add(Duration::from_secs(u64::from(inputs))),
        cpu_seconds: wall.as_secs().saturating_mul(u64::from(threads)),
        memory_bytes: (MEMORY_BASE + u64::from(inputs) * MEMORY_PER_INPUT).min(MOST_MEMORY),
        file_size_bytes: bytes.saturating_mul(FILE_PER_EXPECTED).saturating_add(FILE_FLOOR),
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// A command line under construction.
#[derive(Default)]
struct Args(Vec<OsString>);

impl Args {
    fn flags(&mut self, flags: &[&str]) {
        self.0.extend(flags.iter().map(OsString::from));
    }

    fn pair(&mut self, option: &str, value: impl std::fmt::Display) {
        self.0.push(option.into());
        self.0.push(value.to_string().into());
    }
}

#[cfg(test)]
mod tests;
