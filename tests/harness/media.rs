//! What an independent decoder says of media: ffprobe and ffmpeg.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::Command;

/// Decoded frames of a file or URL, and where its first and last picture lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Pictures.
    pub video: u64,
    /// Audio frames.
    pub audio: u64,
    /// Height of the picture; 0 without one.
    pub height: u64,
    /// Times of all pictures in seconds, in order of presentation.
    pub times: Vec<f64>,
}

/// Decodes everything.
///
/// # Errors
/// When ffprobe does not read it.
pub async fn decode(input: &str) -> anyhow::Result<Decoded> {
    let video = frames(input, "v:0").await?;
    let audio = frames(input, "a:0").await?;
    let mut times: Vec<f64> =
        video.iter().filter_map(|frame| frame["best_effort_timestamp_time"].as_str()?.parse().ok()).collect();
    times.sort_by(f64::total_cmp);
    let height = video.first().and_then(|frame| frame["height"].as_u64()).unwrap_or(0);
    Ok(Decoded { video: video.len() as u64, audio: audio.len() as u64, height, times })
}

/// Where a file or URL says that it begins, and how long it says that it is, in seconds.
///
/// # Errors
/// When ffprobe does not read it.
pub async fn span(input: &str) -> anyhow::Result<(f64, f64)> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "format=start_time,duration", "-of", "json", input])
        .output()
        .await?;
    anyhow::ensure!(output.status.success(), "ffprobe: {}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout)?;
    let seconds =
        |name: &str| -> anyhow::Result<f64> { Ok(shown["format"][name].as_str().context("no time")?.parse()?) };
    Ok((seconds("start_time")?, seconds("duration")?))
}

/// What an encoder pushes of a clip: the clip as FLV, which has no edit list that hides frames.
///
/// # Errors
/// When ffmpeg does not read it.
pub async fn pushed(clip: &Path) -> anyhow::Result<Decoded> {
    let flv = clip.with_extension("flv");
    let made = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i"])
        .arg(clip)
        .args(["-c", "copy", "-f", "flv"])
        .arg(&flv)
        .status()
        .await?;
    anyhow::ensure!(made.success(), "ffmpeg could not rewrap the clip");
    decode(&flv.to_string_lossy()).await
}

/// Where the flashes and the beeps of [`crate::encoder::metronome`] begin, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Beats {
    /// When it becomes white.
    pub flashes: Vec<f64>,
    /// When it becomes loud.
    pub beeps: Vec<f64>,
}

impl Beats {
    /// For each flash, how far the nearest beep is from it, in milliseconds.
    pub fn offsets_ms(&self) -> Vec<f64> {
        let nearest =
            |flash: &f64| self.beeps.iter().map(|beep| beep - flash).min_by(|a, b| a.abs().total_cmp(&b.abs()));
        self.flashes.iter().filter_map(nearest).map(|offset| offset * 1000.0).collect()
    }
}

/// Looks and listens to everything.
///
/// # Errors
/// When ffmpeg does not read it.
pub async fn beats(input: &str) -> anyhow::Result<Beats> {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-i", input])
        .args(["-vf", "blackdetect=d=0.05:pix_th=0.3", "-af", "silencedetect=noise=-30dB:d=0.05", "-f", "null", "-"])
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "ffmpeg: {text}");
    let after = |word: &str| -> Vec<f64> {
        let values = text.split(word).skip(1).filter_map(|rest| rest.split_whitespace().next()?.parse().ok());
        values.collect()
    };
    let ends = |word: &str, beginnings: &str| {
        // What goes on at the end has no end of its own, or one that nothing follows.
        let (ends, started) = (after(word), after(beginnings));
        let last = *started.last().unwrap_or(&f64::MAX);
        ends.into_iter().filter(|end| *end < last).collect::<Vec<f64>>()
    };
    Ok(Beats { flashes: ends("black_end:", "black_start:"), beeps: ends("silence_end:", "silence_start:") })
}

async fn frames(input: &str, stream: &str) -> anyhow::Result<Vec<Value>> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream, "-show_frames", "-of", "json"])
        .args(["-show_entries", "frame=best_effort_timestamp_time,height"])
        .arg(input)
        .output()
        .await
        .context("cannot run ffprobe; install it: apt-get install ffmpeg")?;
    anyhow::ensure!(output.status.success(), "ffprobe: {}", String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.stderr.is_empty(), "the decoder complains: {}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&output.stdout)?;
    Ok(value["frames"].as_array().cloned().unwrap_or_default())
}
