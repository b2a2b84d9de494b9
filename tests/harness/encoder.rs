//! A real encoder: ffmpeg, into a real RTMP port.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::{Child, Command};

/// A clip in which every picture differs, with a tone: H.264 with B-frames and a keyframe every second, and AAC.
///
/// # Errors
/// When ffmpeg cannot make it.
pub async fn clip(path: &Path, size: &str, seconds: u32) -> anyhow::Result<()> {
    clip_of(path, size, seconds, 300).await
}

/// The same at a given bitrate of the picture.
///
/// # Errors
/// When ffmpeg cannot make it.
pub async fn clip_of(path: &Path, size: &str, seconds: u32, kbps: u32) -> anyhow::Result<()> {
    let made = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(["-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=25")])
        .args(["-f", "lavfi", "-i", "sine=frequency=330:sample_rate=44100"])
        .args(["-t", &seconds.to_string(), "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "25"])
        .args(["-b:v", &format!("{kbps}k"), "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k"])
        .arg(path)
        .status()
        .await
        .context("cannot run ffmpeg; install it: apt-get install ffmpeg")?;
    anyhow::ensure!(made.success(), "ffmpeg could not make the clip");
    Ok(())
}

/// A clip without sound that nothing can be saved on: noise, at some megabytes a second.
///
/// # Errors
/// When ffmpeg cannot make it.
pub async fn noise(path: &Path, size: &str, seconds: u32) -> anyhow::Result<()> {
    let made = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-f", "lavfi", "-i"])
        .arg(format!("testsrc2=size={size}:rate=25,noise=alls=100:allf=t"))
        .args(["-t", &seconds.to_string(), "-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-g", "25"])
        .args(["-pix_fmt", "yuv420p"])
        .arg(path)
        .status()
        .await
        .context("cannot run ffmpeg; install it: apt-get install ffmpeg")?;
    anyhow::ensure!(made.success(), "ffmpeg could not make the clip");
    Ok(())
}

/// A clip that is white and sounds for a fifth of each second, and is black and silent for the rest.
///
/// # Errors
/// When ffmpeg cannot make it.
pub async fn metronome(path: &Path, seconds: u32) -> anyhow::Result<()> {
    let made = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-f", "lavfi", "-i"])
        .arg("color=black:size=160x90:rate=25,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.2)'")
        .args(["-f", "lavfi", "-i", "aevalsrc='if(lt(mod(t,1),0.2),0.5*sin(2*PI*1000*t),0)':sample_rate=44100"])
        .args(["-t", &seconds.to_string(), "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "25"])
        .args(["-sc_threshold", "0", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k"])
        .arg(path)
        .status()
        .await
        .context("cannot run ffmpeg; install it: apt-get install ffmpeg")?;
    anyhow::ensure!(made.success(), "ffmpeg could not make the clip");
    Ok(())
}

/// Publishes a clip in real time, as it is; the process is killed when this is dropped.
///
/// # Errors
/// When ffmpeg cannot be run.
pub fn publish(clip: &Path, url: &str) -> anyhow::Result<Child> {
    publish_loop(clip, url, 0)
}

/// Publishes a clip `again` times more than once.
///
/// # Errors
/// When ffmpeg cannot be run.
pub fn publish_loop(clip: &Path, url: &str, again: u32) -> anyhow::Result<Child> {
    Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-stream_loop", &again.to_string(), "-i"])
        .arg(clip)
        .args(["-c", "copy", "-f", "flv", url])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run ffmpeg")
}

/// Waits for an encoder to end by itself, and wants it to have ended well.
///
/// # Errors
/// When it did not.
pub async fn finished(encoder: Child) -> anyhow::Result<()> {
    let output = encoder.wait_with_output().await?;
    anyhow::ensure!(output.status.success(), "the encoder failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
