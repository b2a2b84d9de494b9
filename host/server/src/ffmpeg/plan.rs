//! From what is wanted to one ffmpeg command. Pure: no file is looked at.
//!
//! One command decodes each track of the source once and feeds all outputs: ffmpeg keeps one decoder per input stream
//! and hands its frames to the filter chain of every output that maps it. Each output is therefore a self-contained
//! run of arguments, and dropping one leaves the others as they were.
//!
//! Nothing a tenant wrote becomes an argument except checked numbers and checked keys. File names are relative to the
//! job's folder, which is the child's working directory.

mod audio;
mod size;
mod video;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use super::snapshot::{MAX_SNAPSHOTS, SnapshotPlan};
use super::template::{Container, Rendition, VideoCodec};

pub use size::target_size;

/// The file to work on, as its recorder or a probe described it.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Absolute; the child may read it and not write it.
    pub path: PathBuf,
    pub size_bytes: u64,
    pub duration_ms: u64,
    pub video: Option<VideoSource>,
    pub audio: Option<AudioSource>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoSource {
    pub codec: VideoCodec,
    pub width: u32,
    pub height: u32,
    /// Frames per second; 0 when unknown.
    pub fps: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioSource {
    pub sample_rate: u32,
    pub channels: u8,
}

/// One command and the files it will leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Arguments of ffmpeg; of no use when there is nothing to make.
    pub args: Vec<OsString>,
    pub outputs: Vec<PlannedOutput>,
    pub snapshots: Option<PlannedSnapshots>,
    /// Renditions that this source cannot have; they are no part of the command.
    pub refused: Vec<(String, Refusal)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PlannedOutput {
    pub key: String,
    /// The folder to make before the command runs (HLS).
    pub directory: Option<String>,
    /// What a player opens, relative to the job's folder.
    pub entry: String,
    pub video: bool,
    pub audio: bool,
    /// Bits per second that the settings aim at; the file size limit follows from it.
    pub expected_bps: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedSnapshots {
    pub name: String,
    pub most: usize,
}

/// Why one rendition cannot be made of this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no video in source")]
    NoVideo,
    #[error("no audio in source")]
    NoAudio,
    #[error("the template asks for neither video nor audio")]
    Nothing,
    #[error("template field {0} is out of range")]
    OutOfRange(&'static str),
}

/// The caller's mistake: the job as a whole makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("output key {0:?} is not 1 to 64 letters, digits, '-' or '_'")]
    Key(String),
    #[error("output key {0:?} is used twice")]
    DuplicateKey(String),
    #[error("{count} outputs in one job; at most {MAX_OUTPUTS}")]
    TooManyOutputs { count: usize },
    #[error("snapshot times are not ascending, or more than {MAX_SNAPSHOTS}")]
    SnapshotTimes,
}

/// The vendor's bound on templates in a group; it bounds the encoders that share one process's memory.
pub const MAX_OUTPUTS: usize = 20;
/// The only decoders that exist for a job. A stream in any other codec is not decoded but refused.
pub const DECODERS: &str = "h264,hevc,aac,mp3float,mp3";
/// 4096×2304: the most that ingest admits. It bounds the memory of one decoded picture.
pub const MAX_PIXELS: u32 = 4096 * 2304;
/// More threads than this speed no encoder up and cost memory each.
pub const MAX_THREADS: u32 = 16;
pub(super) const PLAYLIST: &str = "index.m3u8";

/// Plans all `renditions` and the snapshots as one command with at most `threads` threads per decoder and encoder.
pub fn plan(
    source: &Source,
    renditions: &[Rendition],
    snapshots: Option<&SnapshotPlan>,
    threads: u32,
) -> Result<Plan, PlanError> {
    planned(input, source, renditions, snapshots, threads)
}

/// Plans all `renditions` as one command that reads the source from its standard input, as it is being recorded. Of
/// `source` only the tracks and what they are like have to be known.
pub fn plan_piped(source: &Source, renditions: &[Rendition], threads: u32) -> Result<Plan, PlanError> {
    planned(|args, _, threads| input_from(args, "pipe:0".into(), threads), source, renditions, None, threads)
}

fn planned(
    input: impl FnOnce(&mut Args, &Source, u32),
    source: &Source,
    renditions: &[Rendition],
    snapshots: Option<&SnapshotPlan>,
    threads: u32,
) -> Result<Plan, PlanError> {
    check_names(renditions, snapshots)?;
    let threads = threads.clamp(1, MAX_THREADS);
    let mut args = Args::default();
    input(&mut args, source, threads);
    let mut plan = Plan { args: Vec::new(), outputs: Vec::new(), snapshots: None, refused: Vec::new() };
    for rendition in renditions {
        match output(&mut args, source, rendition, threads) {
            Ok(output) => plan.outputs.push(output),
            Err(refusal) => plan.refused.push((rendition.key.clone(), refusal)),
        }
    }
    if let (Some(snapshots), Some(video)) = (snapshots, source.video) {
        plan.snapshots = Some(pictures(&mut args, snapshots, video));
    }
    plan.args = args.into_inner();
    Ok(plan)
}

impl Plan {
    /// Whether the command would make nothing at all.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.snapshots.is_none()
    }
}

/// Whether `key` may name a file: no separators, no leading dash, nothing ffmpeg or a shell could read as its own.
pub fn is_key(key: &str) -> bool {
    let fits = (1..=64).contains(&key.len());
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    fits && key.chars().all(plain) && !key.starts_with('-')
}

fn check_names(renditions: &[Rendition], snapshots: Option<&SnapshotPlan>) -> Result<(), PlanError> {
    if renditions.len() > MAX_OUTPUTS {
        return Err(PlanError::TooManyOutputs { count: renditions.len() });
    }
    let names = renditions.iter().map(|r| &r.key);
    let mut seen = BTreeSet::new();
    for name in names.chain(snapshots.map(|s| &s.name)) {
        if !is_key(name) {
            return Err(PlanError::Key(name.clone()));
        }
        if !seen.insert(name) {
            return Err(PlanError::DuplicateKey(name.clone()));
        }
    }
    let times = snapshots.map_or(&[] as &[u64], |s| &s.at_ms);
    let ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || times.len() > MAX_SNAPSHOTS {
        return Err(PlanError::SnapshotTimes);
    }
    Ok(())
}

/// The prefix keeps a colon in the path from being read as a protocol.
pub(super) fn input(args: &mut Args, source: &Source, threads: u32) {
    let mut url = OsString::from("file:");
    url.push(&source.path);
    input_from(args, url, threads);
}

/// Everything up to and including the input. The demuxer is named, never guessed: a playlist in disguise would make
/// ffmpeg open other files. Its level prefixes make stderr readable to [`super::error`].
fn input_from(args: &mut Args, url: OsString, threads: u32) {
    args.flags(&["-hide_banner", "-nostdin", "-y", "-nostats"]);
    args.pair("-loglevel", "level+info");
    args.pair("-progress", "pipe:1");
    args.pair("-filter_threads", threads);
    args.pair("-threads", threads);
    args.pair("-protocol_whitelist", "file,pipe");
    args.pair("-codec_whitelist", DECODERS);
    args.pair("-max_pixels", MAX_PIXELS);
    args.flags(&["-noautorotate"]);
    args.pair("-enable_drefs", 0);
    args.pair("-f", "mov");
    args.0.push("-i".into());
    args.0.push(url);
}

fn output(args: &mut Args, source: &Source, rendition: &Rendition, threads: u32) -> Result<PlannedOutput, Refusal> {
    rendition.check().map_err(Refusal::OutOfRange)?;
    let picture = rendition.video.as_ref().zip(source.video);
    let sound = rendition.audio.as_ref().zip(source.audio);
    if picture.is_none() && sound.is_none() {
        return Err(match (&rendition.video, &rendition.audio) {
            (Some(_), _) => Refusal::NoVideo,
            (None, Some(_)) => Refusal::NoAudio,
            (None, None) => Refusal::Nothing,
        });
    }
    let mut expected_bps = 0;
    if let Some((track, video)) = picture {
        args.pair("-map", "0:v:0");
        expected_bps += video::arguments(args, source, video, track, rendition, threads);
    }
    if let Some((track, _)) = sound {
        args.pair("-map", "0:a:0");
        expected_bps += audio::arguments(args, source, track);
    }
    // Titles and chapters of the source are its publisher's words; nothing asked for them.
    args.pair("-map_metadata", -1);
    args.pair("-map_chapters", -1);
    let (directory, entry) = container(args, rendition);
    Ok(PlannedOutput {
        key: rendition.key.clone(),
        directory,
        entry,
        video: picture.is_some(),
        audio: sound.is_some(),
        expected_bps,
    })
}

fn container(args: &mut Args, rendition: &Rendition) -> (Option<String>, String) {
    let key = &rendition.key;
    match rendition.container {
        Container::Mp4 => {
            let file = format!("{key}.mp4");
            args.pair("-movflags", "+faststart");
            args.pair("-f", "mp4");
            args.flags(&[&file]);
            (None, file)
        }
        Container::Hls { segment_seconds } => {
            let playlist = format!("{key}/{PLAYLIST}");
            args.pair("-f", "hls");
            args.pair("-hls_time", segment_seconds);
            args.pair("-hls_list_size", 0);
            args.pair("-hls_playlist_type", "vod");
            args.pair("-hls_segment_type", "fmp4");
            args.pair("-hls_flags", "independent_segments");
            args.pair("-hls_fmp4_init_filename", "init.mp4");
            args.pair("-hls_segment_filename", format!("{key}/seg-%05d.m4s"));
            args.flags(&[&playlist]);
            (Some(key.clone()), playlist)
        }
    }
}

fn pictures(args: &mut Args, snapshots: &SnapshotPlan, video: VideoSource) -> PlannedSnapshots {
    let most = snapshots.at_ms.len().max(1);
    let asked = (snapshots.width, snapshots.height);
    let (width, height) = target_size((video.width, video.height), asked, false, false);
    args.pair("-map", "0:v:0");
    let filter = snapshots.filter();
    args.pair("-vf", format!("{filter},scale={width}:{height}"));
    args.pair("-fps_mode", "vfr");
    args.pair("-frames:v", most);
    args.pair("-c:v", "mjpeg");
    args.pair("-pix_fmt", "yuvj420p");
    args.pair("-q:v", 3);
    args.pair("-threads:v", 1);
    args.pair("-f", "image2");
    args.flags(&[&format!("{}-%05d.jpg", snapshots.name)]);
    PlannedSnapshots { name: snapshots.name.clone(), most }
}

/// A command line under construction.
#[derive(Default)]
pub(super) struct Args(pub(super) Vec<OsString>);

impl Args {
    pub(super) fn flags(&mut self, flags: &[&str]) {
        self.0.extend(flags.iter().map(OsString::from));
    }

    pub(super) fn pair(&mut self, option: &str, value: impl std::fmt::Display) {
        self.0.push(option.into());
        self.0.push(value.to_string().into());
    }

    pub(super) fn into_inner(self) -> Vec<OsString> {
        self.0
    }
}

#[cfg(test)]
mod tests;
