//! A real encoder: ffmpeg with a moving test picture and a tone.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// Publishes for `seconds`, in real time.
pub(super) async fn publish(url: &str, seconds: u32) -> anyhow::Result<()> {
    let seconds = seconds.to_string();
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-re"])
        .args(["-f", "lavfi", "-i", "testsrc2=size=854x480:rate=25"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"])
        .args(["-t", &seconds, "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "25"])
        .args(["-pix_fmt", "yuv420p", "-b:v", "1000k", "-c:a", "aac", "-b:a", "96k", "-ac", "2", "-f", "flv", url])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run ffmpeg; install it: apt-get install ffmpeg")?;
    if !output.status.success() {
        // Never the URL: it is signed.
        bail!(
            "the encoder ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).replace(url, "(push URL)")
        );
    }
    Ok(())
}
