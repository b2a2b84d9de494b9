//! Seconds from the end of a publish to the complete ladder of its part, with parts encoded while they are recorded and
//! without, in one run. The server is started anew for each, so that nothing is left over.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use reprise_tests::server::Server;
use reprise_tests::stage::{Stage, template};
use reprise_tests::{encoder, eventually};

/// Lengths of the broadcasts in seconds when none are given.
const LENGTHS: [u32; 2] = [20, 60];

/// The picture that is pushed, and its bitrate.
const SIZE: &str = "1280x720";
const KBPS: u32 = 2000;

/// Measures each of `lengths`, the defaults when there are none.
pub(crate) async fn run(lengths: &[u32]) -> anyhow::Result<()> {
    let lengths = if lengths.is_empty() { &LENGTHS } else { lengths };
    println!("end of publish to complete ladder, {SIZE} at {KBPS} kbit/s into 360p (MP4) and 540p (HLS)");
    println!("  {:>8}  {:>12}  {:>12}  {:>6}", "length", "following", "afterwards", "ratio");
    for length in lengths {
        let followed = measure(*length, 1).await?;
        let afterwards = measure(*length, 0).await?;
        println!(
            "  {length:>6} s  {:>10.1} s  {:>10.1} s  {:>6.2}",
            followed.as_secs_f64(),
            afterwards.as_secs_f64(),
            followed.as_secs_f64() / afterwards.as_secs_f64().max(0.001)
        );
    }
    Ok(())
}

async fn measure(length: u32, following: u32) -> anyhow::Result<Duration> {
    let server = Server::start(&format!("[jobs]\nfollowing = {following}\n")).await?;
    let stage = Stage::new(&server, "ladder").await?;
    let group = stage.group("two", &[template("LD", "mp4", 640, 600), template("SD", "m3u8", 960, 1200)]).await?;
    // One part, and the break window as short as it may be: it is part of every figure.
    stage.record("live", &group, length + 3600, 1).await?;
    let clip = server.scratch().join("clip.mp4");
    encoder::clip_of(&clip, SIZE, length, KBPS).await?;
    encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
    let ended = Instant::now();
    eventually("the ladder", async || {
        let videos = stage.videos().await?;
        let Some(video) = videos.first() else { return Ok(None) };
        let id = video["id"].as_str().context("no id")?;
        let path = format!("/v1/tenants/{}/videos/{id}", stage.name);
        let shown = stage.admin.call(http::Method::GET, &path, None).await?;
        let renditions = shown["renditions"].as_array().context("no renditions")?;
        let whole = renditions.len() == 2 && renditions.iter().all(|rendition| rendition["status"] == "done");
        Ok(whole.then_some(()))
    })
    .await?;
    Ok(ended.elapsed())
}
