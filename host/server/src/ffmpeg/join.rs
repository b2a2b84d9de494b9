//! Joining finished files into one by copying their packets: nothing is decoded, nothing encoded.
//!
//! The files must have the same tracks with the same codec headers; whoever calls has looked. Each is given the time
//! that its part has on the timeline, so that pictures follow each other without a step. Sound reaches a frame or two
//! over its part's end; the muxer puts those close together, and what follows is in step again.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::{Failure, Reason, complaint};
use super::limits::Limits;
use super::plan::{DECODERS, MAX_PIXELS};
use super::process::{self, Outcome, RunSpec};
use super::tools::Tools;
use super::transcode::{OutputFacts, inspect};

/// One file to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinInput {
    /// Absolute; the child may read it.
    pub path: PathBuf,
    /// Its size.
    pub size_bytes: u64,
    /// The time it takes on the joined timeline.
    pub duration_ms: u64,
}

/// What the files have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinTracks {
    /// A picture.
    pub video: bool,
    /// That it is HEVC, which players want tagged.
    pub hevc: bool,
    /// Sound.
    pub audio: bool,
}

/// The list of files, in the job's folder.
const LIST: &str = "join.txt";
/// Packets are copied at the speed of the disk; a slow one still moves this many bytes in a second.
const SLOWEST_BYTES_PER_SECOND: u64 = 4 << 20;
/// For opening the files and moving the index to the front.
const WALL_FLOOR: Duration = Duration::from_secs(60);
/// No packet for this long means that the disk is gone.
const NO_PROGRESS: Duration = Duration::from_secs(60);
/// Demuxer, muxer and the sample tables of a day.
const MEMORY: u64 = 2 << 30;
/// The index of the whole and the padding between files.
const FILE_SLACK: u64 = 64 << 20;

/// Joins MP4 files into `name` in `work_dir`.
///
/// # Errors
/// What ffmpeg could not do.
pub async fn join_mp4(
    tools: &Tools,
    work_dir: &Path,
    name: &str,
    inputs: &[JoinInput],
    tracks: JoinTracks,
    cancel: &CancellationToken,
) -> Result<OutputFacts, Failure> {
    let list = list(inputs)?;
    let (folder, text) = (work_dir.to_owned(), list);
    let written = tokio::task::spawn_blocking(move || {
        let dir = cap_std::fs::Dir::open_ambient_dir(&folder, cap_std::ambient_authority())?;
        dir.write(LIST, text)
    });
    let written = written.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    written.map_err(|error| Failure::from(Reason::Host { detail: error.to_string() }))?;
    let spec = RunSpec {
        program: tools.ffmpeg.clone(),
        args: arguments(name, tracks),
        work_dir: work_dir.to_owned(),
        readable: inputs.iter().map(|input| input.path.clone()).collect(),
        limits: limits(inputs),
        helper: tools.helper.clone(),
        strict: tools.strict,
    };
    match process::run(&spec, cancel, |_| ()).await {
        Outcome::Done => inspect(tools, work_dir, None, name, (tracks.video, tracks.audio), cancel).await,
        Outcome::Failed { reason, stderr_tail, .. } => {
            let paths: Vec<String> = inputs.iter().map(|input| input.path.display().to_string()).collect();
            let hidden: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "part")).collect();
            Err(Failure { reason, detail: complaint(&stderr_tail, &hidden) })
        }
    }
}

/// The demuxer's list. A path is quoted as it asks; one that holds a line break could say anything and is refused.
fn list(inputs: &[JoinInput]) -> Result<String, Failure> {
    let mut list = String::from("ffconcat version 1.0\n");
    for input in inputs {
        let path = input.path.to_str().filter(|path| !path.contains(['\n', '\r', '\0']));
        let path = path.ok_or_else(|| {
            Failure::from(Reason::Host {
                detail: "the data folder's path holds what a list of files cannot".to_owned(),
            })
        })?;
        let (seconds, ms) = (input.duration_ms / 1000, input.duration_ms % 1000);
        // Writing to a string does not fail.
        let _ = writeln!(list, "file '{}'\nduration {seconds}.{ms:03}", path.replace('\'', "'\\''"));
    }
    Ok(list)
}

fn arguments(name: &str, tracks: JoinTracks) -> Vec<OsString> {
    let pixels = MAX_PIXELS.to_string();
    let mut args = vec!["-hide_banner", "-nostdin", "-y", "-nostats", "-loglevel", "level+info", "-progress", "pipe:1"];
    args.extend(["-protocol_whitelist", "file,pipe", "-format_whitelist", "concat,mov"]);
    args.extend(["-codec_whitelist", DECODERS, "-max_pixels", &pixels]);
    // The paths are ours, and absolute; what the demuxer calls safe is a name beside the list.
    args.extend(["-f", "concat", "-safe", "0"]);
    let list = format!("file:{LIST}");
    args.extend(["-i", &list]);
    if tracks.video {
        args.extend(["-map", "0:v:0", "-c:v", "copy"]);
        if tracks.hevc {
            args.extend(["-tag:v", "hvc1"]);
        }
    }
    if tracks.audio {
        args.extend(["-map", "0:a:0", "-c:a", "copy"]);
    }
    args.extend(["-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4", name]);
    args.into_iter().map(OsString::from).collect()
}

fn limits(inputs: &[JoinInput]) -> Limits {
    let bytes: u64 = inputs.iter().map(|input| input.size_bytes).sum();
    let wall = WALL_FLOOR + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND);
    Limits {
        wall,
        no_progress: NO_PROGRESS,
        cpu_seconds: wall.as_secs(),
        memory_bytes: MEMORY,
        file_size_bytes: bytes.saturating_add(FILE_SLACK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(path: &str, duration_ms: u64) -> JoinInput {
        JoinInput { path: PathBuf::from(path), size_bytes: 10 << 20, duration_ms }
    }

    #[test]
    fn the_list_quotes_paths_and_gives_each_its_time() {
        let found = list(&[input("/data/a b.mp4", 5000), input("/it's/c.mp4", 61_007)]).unwrap();
        assert_eq!(
            found,
            "ffconcat version 1.0\nfile '/data/a b.mp4'\nduration 5.000\nfile '/it'\\''s/c.mp4'\nduration 61.007\n"
        );
        assert!(list(&[input("/a\nfile 'b", 1)]).is_err());
    }

    #[test]
    fn nothing_is_encoded() {
        let tracks = JoinTracks { video: true, hevc: true, audio: true };
        let text = arguments("out.mp4", tracks).join(std::ffi::OsStr::new(" ")).into_string().unwrap();
        assert!(text.contains("-map 0:v:0 -c:v copy -tag:v hvc1 -map 0:a:0 -c:a copy"), "{text}");
        let sound = arguments("out.mp4", JoinTracks { video: false, hevc: false, audio: true });
        assert!(!sound.contains(&"0:v:0".into()));
    }

    #[test]
    fn limits_follow_the_bytes() {
        let limits = limits(&[input("/a", 1), input("/b", 1)]);
        assert_eq!((limits.wall, limits.file_size_bytes), (Duration::from_secs(65), 84 << 20));
    }
}
