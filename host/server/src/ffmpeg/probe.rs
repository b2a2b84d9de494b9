//! What is in a file, as ffprobe sees it: boxed and bounded like any other run on media.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::error::{Failure, Reason, complaint};
use super::limits::Limits;
use super::plan::{DECODERS, MAX_PIXELS};
use super::process::{self, Outcome, RunSpec};
use super::tools::Tools;

/// Facts of one media file or playlist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaFacts {
    pub duration_ms: u64,
    /// Of all files together.
    pub size_bytes: u64,
    /// Size over duration, in kbit/s.
    pub bitrate_kbps: u32,
    pub video: Option<VideoFacts>,
    pub audio: Option<AudioFacts>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoFacts {
    /// ffmpeg's name: `h264`, `hevc`.
    pub codec: String,
    pub profile: Option<String>,
    pub width: u32,
    pub height: u32,
    /// Average frames per second; 0 when unknown.
    pub fps: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFacts {
    /// ffmpeg's name: `aac`, `mp3`.
    pub codec: String,
    pub sample_rate: u32,
    pub channels: u8,
}

/// What kind of file to expect; it is never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Mp4,
    Hls,
}

/// ffprobe's answer is a page of JSON; a hostile file can make it long but not this long.
const MOST_PRINTED: usize = 256 * 1024;

/// Looks at `file` (absolute, or relative to `work_dir`), whose files have `size_bytes` together.
pub async fn probe(
    tools: &Tools,
    work_dir: &Path,
    file: &Path,
    form: Form,
    size_bytes: u64,
    cancel: &CancellationToken,
) -> Result<MediaFacts, Failure> {
    let readable: Vec<PathBuf> = file.is_absolute().then(|| file.to_owned()).into_iter().collect();
    let spec = RunSpec {
        program: tools.ffprobe.clone(),
        args: arguments(file, form),
        work_dir: work_dir.to_owned(),
        readable,
        limits: Limits::probing(),
        helper: tools.helper.clone(),
        strict: tools.strict,
    };
    match process::collect(&spec, MOST_PRINTED, cancel).await {
        (Outcome::Done, printed) => {
            read(&printed, size_bytes).map_err(|found| Failure::from(Reason::BadOutput { found: found.to_string() }))
        }
        (Outcome::Failed { reason, stderr_tail, .. }, _) => {
            let path = file.to_string_lossy();
            Err(Failure { reason, detail: complaint(&stderr_tail, &[(&path, "file")]) })
        }
    }
}

fn arguments(file: &Path, form: Form) -> Vec<OsString> {
    let pixels = MAX_PIXELS.to_string();
    let form = match form {
        Form::Mp4 => "mov",
        Form::Hls => "hls",
    };
    let entries = "format=duration:stream=codec_type,codec_name,profile,width,height,\
        avg_frame_rate,sample_rate,channels,duration";
    let mut args: Vec<OsString> = [
        "-hide_banner",
        "-loglevel",
        "level+error",
        "-protocol_whitelist",
        "file",
        "-codec_whitelist",
        DECODERS,
        "-max_pixels",
        &pixels,
        "-f",
        form,
        "-show_entries",
        entries,
        "-of",
        "json",
    ]
    .iter()
    .map(OsString::from)
    .collect();
    let mut url = OsString::from("file:");
    url.push(file);
    args.push("-i".into());
    args.push(url);
    args
}

#[derive(Deserialize)]
struct Printed {
    #[serde(default)]
    streams: Vec<PrintedStream>,
    format: PrintedFormat,
}

#[derive(Deserialize)]
struct PrintedFormat {
    duration: Option<String>,
}

#[derive(Deserialize)]
struct PrintedStream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    profile: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    avg_frame_rate: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u8>,
}

fn read(printed: &[u8], size_bytes: u64) -> Result<MediaFacts, serde_json::Error> {
    let printed: Printed = serde_json::from_slice(printed)?;
    let seconds: f64 = number(&printed.format.duration).unwrap_or(0.0);
    let duration_ms = (seconds.max(0.0) * 1000.0).round() as u64;
    let kbps = size_bytes.saturating_mul(8) / duration_ms.max(1);
    let of = |kind: &str| printed.streams.iter().find(|stream| stream.codec_type.as_deref() == Some(kind));
    Ok(MediaFacts {
        duration_ms,
        size_bytes,
        bitrate_kbps: u32::try_from(kbps).unwrap_or(u32::MAX),
        video: of("video").and_then(|stream| {
            Some(VideoFacts {
                codec: stream.codec_name.clone()?,
                profile: stream.profile.clone(),
                width: stream.width?,
                height: stream.height?,
                fps: rate(stream.avg_frame_rate.as_deref().unwrap_or("")),
            })
        }),
        audio: of("audio").and_then(|stream| {
            Some(AudioFacts {
                codec: stream.codec_name.clone()?,
                sample_rate: number(&stream.sample_rate)?,
                channels: stream.channels?,
            })
        }),
    })
}

fn number<T: std::str::FromStr>(text: &Option<String>) -> Option<T> {
    text.as_ref()?.parse().ok()
}

/// `30000/1001` as a number; 0 for what is none.
fn rate(text: &str) -> f64 {
    let parts = text.split_once('/').unwrap_or((text, "1"));
    match (parts.0.parse::<f64>(), parts.1.parse::<f64>()) {
        (Ok(frames), Ok(seconds)) if frames > 0.0 && seconds > 0.0 => frames / seconds,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_from_json() {
        let printed = br#"{"programs":[],"streams":[
            {"codec_name":"hevc","profile":"Main","codec_type":"video","width":240,"height":180,"avg_frame_rate":"30000/1001"},
            {"codec_name":"aac","codec_type":"audio","sample_rate":"44100","channels":2,"avg_frame_rate":"0/0"}],
            "format":{"duration":"4.000000"}}"#;
        let facts = read(printed, 500_000).unwrap();
        let video = facts.video.unwrap();
        assert_eq!((facts.duration_ms, facts.bitrate_kbps), (4000, 1000));
        assert_eq!((video.width, video.height), (240, 180));
        assert!((video.fps - 29.97).abs() < 0.001);
        assert_eq!(facts.audio.unwrap().sample_rate, 44_100);
    }

    #[test]
    fn odd_answers() {
        let facts = read(br#"{"format":{}}"#, 10).unwrap();
        assert_eq!((facts.duration_ms, facts.video, facts.audio), (0, None, None));
        assert!(read(b"", 0).is_err());
        for (text, expected) in [("25/1", 25.0), ("0/0", 0.0), ("x", 0.0), ("12", 12.0)] {
            assert_eq!(rate(text), expected, "{text}");
        }
    }
}
