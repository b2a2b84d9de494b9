//! What viewers of the whole see where the encoder was away, when the gaps are filled: the video is as long as the
//! broadcast was.

use std::time::Duration;

use anyhow::Context as _;
use http::Method;
use reprise_tests::server::Server;
use reprise_tests::stage::{Recording, Stage};
use reprise_tests::{encoder, eventually, media};
use serde_json::json;

const STORE: &str = "VOD_NO_TRANSCODE";

/// How far the length may be from media and break together.
const OFF_MS: u64 = 1_000;

/// The longest time between two pictures: where a gap is filled, the standing one is there once a second.
const BETWEEN_S: f64 = 1.5;

/// Composes streams of an app with this in the gaps.
async fn record(stage: &Stage, app: &str, gaps: &str) -> anyhow::Result<()> {
    stage.recording(app, Recording { group: STORE, compose: Some(STORE), cycle_s: 60, break_s: 6 }).await?;
    let path = format!("/v1/tenants/{}/record-configs/{app}/*", stage.name);
    let settings = json!({"retention_days": 0, "gaps": gaps, "analyse": false});
    stage.admin.call(Method::PUT, &path, Some(&settings)).await.map(drop)
}

/// Checks a stream's one whole against its parts and its one break of `at_least` this long.
async fn check(stage: &Stage, stream: &str, at_least: Duration) -> anyhow::Result<()> {
    let broadcasts = stage.broadcasts_of(stream).await?;
    assert_eq!(broadcasts.len(), 1, "{stream}: {broadcasts:?}");
    let shown = stage.broadcast(broadcasts[0]["id"].as_str().context("no id")?).await?;
    let breaks = shown["breaks"].as_array().context("no breaks")?;
    let lengths: Vec<u64> = breaks.iter().filter_map(|gap| gap["duration_ms"].as_u64()).collect();
    assert_eq!(lengths.len(), 1, "{stream}: {breaks:?}");
    assert!(u128::from(lengths[0]) >= at_least.as_millis(), "{stream}: {breaks:?}");
    let (mut parts_ms, mut whole) = (0, None);
    for video in stage.videos().await?.iter().filter(|video| video["stream"]["name"] == stream) {
        let length_ms = video["duration_ms"].as_u64().context("no length")?;
        if video["part"].is_u64() {
            parts_ms += length_ms;
        } else {
            whole = Some((video["id"].as_str().context("no id")?.to_owned(), length_ms));
        }
    }
    let (id, length_ms) = whole.with_context(|| format!("{stream}: nothing was composed"))?;
    let expected_ms = parts_ms + lengths[0];
    assert!(length_ms.abs_diff(expected_ms) <= OFF_MS, "{stream}: {length_ms} ms, not {parts_ms} and {lengths:?}");
    let decoded = media::decode(&stage.media_url(&id, "source.mp4")).await?;
    let last_ms = decoded.times.last().copied().unwrap_or(0.0) * 1000.0;
    assert!((last_ms - expected_ms as f64).abs() <= OFF_MS as f64, "{stream}: the last picture is at {last_ms} ms");
    let widest = decoded.times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(widest <= BETWEEN_S, "{stream}: no picture for {widest} s");
    println!("{stream}: {length_ms} ms of {parts_ms} ms media and a break of {} ms", lengths[0]);
    Ok(())
}

#[test]
fn a_filled_gap_is_as_long_as_the_break_was() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "gaps").await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 3).await?;
        let away = Duration::from_secs(3);
        let leave_and_return = async |gaps: &str| {
            record(&stage, gaps, gaps).await?;
            for turn in 0..2 {
                encoder::finished(encoder::publish(&clip, &stage.push_url(gaps, gaps))?).await?;
                stage.publishing(gaps, "broken").await?;
                if turn == 0 {
                    tokio::time::sleep(away).await;
                }
            }
            anyhow::Ok(())
        };
        tokio::try_join!(leave_and_return("hold"), leave_and_return("slate"))?;
        stage.settled().await?;
        for stream in ["hold", "slate"] {
            check(&stage, stream, away).await?;
        }
        Ok(())
    })
}

#[test]
fn a_gap_that_a_killed_server_left_is_filled_where_it_was() -> anyhow::Result<()> {
    crate::run(async {
        let mut server = Server::start("").await?;
        let stage = Stage::new(&server, "gapkill").await?;
        record(&stage, "live", "hold").await?;
        let (long, short) = (server.scratch().join("long.mp4"), server.scratch().join("short.mp4"));
        encoder::clip(&long, "160x90", 20).await?;
        encoder::clip(&short, "160x90", 3).await?;
        let publisher = encoder::publish(&long, &stage.push_url("live", "killed"))?;
        let live = stage.publishing("killed", "live").await?;
        let id = live["id"].as_str().context("no id")?.to_owned();
        eventually("media on disk", async || {
            let mark = stage.broadcast(&id).await?["watermark_ms"].as_u64();
            Ok(mark.is_some_and(|mark| mark >= 3_000).then_some(()))
        })
        .await?;
        server.kill()?;
        drop(publisher);
        let away = Duration::from_secs(2);
        tokio::time::sleep(away).await;
        server.launch().await?;
        encoder::finished(encoder::publish(&short, &stage.push_url("live", "killed"))?).await?;
        stage.settled().await?;
        check(&stage, "killed", away).await
    })
}
