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

/// No camera is faster; where a header promises more, it is the finest step of an uneven clock.
const MOST_FPS: f64 = 240.0;

/// Looks at `file` (absolute, or relative to `work_dir`), whose files have `size_bytes` together.
pub async fn probe(
    tools: &Tools,
    work_dir: &Path,
    file: &Path,
    form: Form,
    size_bytes: u64,
    cancel: &CancellationToken,
) -> Result<MediaFacts, Failure> {
    let printed = look(tools, work_dir, file, arguments(file, form, FACTS), cancel).await?;
    let printed: Printed = serde_json::from_slice(&printed)
        .map_err(|found| Failure::from(Reason::BadOutput { found: found.to_string() }))?;
    let mut facts = facts(&printed, size_bytes);
    if let Some(video) = facts.video.as_mut().filter(|video| video.fps == 0.0) {
        // Of an uneven playlist ffprobe knows no average. A file whose times cannot be read is no worse for it: its
        // header's promise has to do.
        let times = look(tools, work_dir, file, arguments(file, form, TIMES), cancel).await.unwrap_or_default();
        video.fps = measured(&times).unwrap_or_else(|| promised(&printed));
    }
    Ok(facts)
}

/// What the headers say.
const FACTS: &[&str] = &[
    "-show_entries",
    "format=duration:stream=codec_type,codec_name,profile,width,height,avg_frame_rate,r_frame_rate,sample_rate,channels",
    "-of",
    "json",
];

/// When the pictures of the first minute are shown, one a line: enough for an average, and of the fastest camera's not
/// more than may be printed.
const TIMES: &[&str] =
    &["-select_streams", "v:0", "-read_intervals", "%+60", "-show_entries", "packet=pts_time", "-of", "csv=p=0"];

/// One run of ffprobe: what it printed.
async fn look(
    tools: &Tools,
    work_dir: &Path,
    file: &Path,
    args: Vec<OsString>,
    cancel: &CancellationToken,
) -> Result<Vec<u8>, Failure> {
    let readable: Vec<PathBuf> = file.is_absolute().then(|| file.to_owned()).into_iter().collect();
    let spec = RunSpec {
        program: tools.ffprobe.clone(),
        args,
        work_dir: work_dir.to_owned(),
        readable,
        limits: Limits::probing(),
        helper: tools.helper.clone(),
        strict: tools.strict,
    };
    match process::collect(&spec, MOST_PRINTED, cancel).await {
        (Outcome::Done, printed) => Ok(printed),
        (Outcome::Failed { reason, stderr_tail, .. }, _) => {
            let path = file.to_string_lossy();
            Err(Failure { reason, detail: complaint(&stderr_tail, &[(&path, "file")]) })
        }
    }
}

fn arguments(file: &Path, form: Form, entries: &[&str]) -> Vec<OsString> {
    let pixels = MAX_PIXELS.to_string();
    let form = match form {
        Form::Mp4 => "mov",
        Form::Hls => "hls",
    };
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
    ]
    .iter()
    .chain(entries)
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
    r_frame_rate: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u8>,
}

impl Printed {
    fn first(&self, kind: &str) -> Option<&PrintedStream> {
        self.streams.iter().find(|stream| stream.codec_type.as_deref() == Some(kind))
    }
}

fn facts(printed: &Printed, size_bytes: u64) -> MediaFacts {
    let seconds: f64 = number(&printed.format.duration).unwrap_or(0.0);
    let duration_ms = (seconds.max(0.0) * 1000.0).round() as u64;
    let kbps = size_bytes.saturating_mul(8) / duration_ms.max(1);
    MediaFacts {
        duration_ms,
        size_bytes,
        bitrate_kbps: u32::try_from(kbps).unwrap_or(u32::MAX),
        video: printed.first("video").and_then(|stream| {
            Some(VideoFacts {
                codec: stream.codec_name.clone()?,
                profile: stream.profile.clone(),
                width: stream.width?,
                height: stream.height?,
                fps: rate(stream.avg_frame_rate.as_deref().unwrap_or("")),
            })
        }),
        audio: printed.first("audio").and_then(|stream| {
            Some(AudioFacts {
                codec: stream.codec_name.clone()?,
                sample_rate: number(&stream.sample_rate)?,
                channels: stream.channels?,
            })
        }),
    }
}

/// Pictures per second by the times at which they are shown; nothing by fewer than two.
fn measured(times: &[u8]) -> Option<f64> {
    let times = String::from_utf8_lossy(times);
    let times: Vec<f64> = times.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    // They come in the order of decoding.
    let first = times.iter().copied().reduce(f64::min)?;
    let last = times.iter().copied().reduce(f64::max)?;
    let rate = (times.len() - 1) as f64 / (last - first);
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

/// The rate in the header, unless it is the finest step of an uneven clock.
fn promised(printed: &Printed) -> f64 {
    let rate = printed.first("video").and_then(|stream| stream.r_frame_rate.as_deref()).map_or(0.0, rate);
    if rate <= MOST_FPS { rate } else { 0.0 }
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

    fn printed(json: &str) -> Printed {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn facts_from_json() {
        let printed = printed(
            r#"{"programs":[],"streams":[
            {"codec_name":"hevc","profile":"Main","codec_type":"video","width":240,"height":180,"avg_frame_rate":"30000/1001"},
            {"codec_name":"aac","codec_type":"audio","sample_rate":"44100","channels":2,"avg_frame_rate":"0/0"}],
            "format":{"duration":"4.000000"}}"#,
        );
        let facts = facts(&printed, 500_000);
        let video = facts.video.unwrap();
        assert_eq!((facts.duration_ms, facts.bitrate_kbps), (4000, 1000));
        assert_eq!((video.width, video.height), (240, 180));
        assert!((video.fps - 29.97).abs() < 0.001);
        assert_eq!(facts.audio.unwrap().sample_rate, 44_100);
    }

    #[test]
    fn odd_answers() {
        let facts = facts(&printed(r#"{"format":{}}"#), 10);
        assert_eq!((facts.duration_ms, facts.video, facts.audio), (0, None, None));
        for (text, expected) in [("25/1", 25.0), ("0/0", 0.0), ("x", 0.0), ("12", 12.0)] {
            assert_eq!(rate(text), expected, "{text}");
        }
    }

    #[test]
    fn a_rate_without_an_average_is_measured_or_else_promised() {
        let measured = |times: &str| measured(times.as_bytes()).map(|rate| (rate * 100.0).round() / 100.0);
        for (times, expected) in [
            // As they are decoded: one is shown after the next two.
            ("0.083000\n0.163000\n0.123000,\n0.206000\n\n", Some(24.39)),
            ("0.5\nN/A\n1.0\n", Some(2.0)),
            ("0.083000\n", None),
            ("1.0\n1.0\n", None),
            ("NaN\ninf\n", None),
            ("", None),
        ] {
            assert_eq!(measured(times), expected, "{times:?}");
        }
        for (rate, expected) in [("30000/1001", 30000.0 / 1001.0), ("240/1", 240.0), ("1000/1", 0.0), ("0/0", 0.0)] {
            let streams = format!(r#"[{{"codec_type":"video","r_frame_rate":"{rate}"}}]"#);
            let header = printed(&format!(r#"{{"streams":{streams},"format":{{}}}}"#));
            assert_eq!(promised(&header), expected, "{rate}");
        }
    }
}
