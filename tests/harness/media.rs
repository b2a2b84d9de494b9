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
