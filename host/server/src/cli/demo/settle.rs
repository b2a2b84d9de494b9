//! The wait for all that follows a broadcast, and the list of videos at the end.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::flow::{Flow, Phase};
use super::stage::{Stage, VOD, made};
use super::step;

/// Waits until the broadcast is over, every video has its end state, every event has been received, and all that the
/// flow promises is among them.
pub(super) async fn settle(stage: &Stage, flow: Flow, phase: Phase, limit: Duration) -> anyhow::Result<bool> {
    let until = Instant::now() + limit;
    let mut said = String::new();
    loop {
        let broadcasts = stage.list("broadcasts").await?;
        let videos = stage.list("videos?limit=1000").await?;
        let events = stage.list("events?limit=1000").await?;
        let settled = broadcasts.iter().all(|broadcast| broadcast["settled"] == true);
        let ready = videos.iter().filter(|video| video["status"] == "ready").count();
        let received =
            events.iter().filter_map(|event| event["id"].as_str()).filter(|id| stage.receiver.has(id)).count();
        let known: Vec<_> = videos.iter().map(made).collect();
        let missing = flow.missing(phase, &known, &stage.receiver.told());
        let line =
            format!("{ready} of {} videos ready, {received} of {} callbacks received", videos.len(), events.len());
        if missing.is_none() && settled && ready == videos.len() && received == events.len() {
            step(&format!("complete  {line}"));
            return Ok(true);
        }
        if Instant::now() >= until {
            let missing = missing.map(|missing| format!("; {missing} did not come")).unwrap_or_default();
            step(&format!("gave up   {line}{missing}"));
            return Ok(false);
        }
        if line != said {
            step(&format!("waiting   {line}"));
            said = line;
        }
        tokio::select! {
            () = stage.receiver.something() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// The videos with their URLs, as the vendor's API tells them.
pub(super) async fn report(stage: &Stage) -> anyhow::Result<()> {
    println!();
    for video in stage.list("videos?limit=1000").await?.iter().rev() {
        let id = video["id"].as_str().unwrap_or_default();
        let kind = if made(video).is_composed { ", composed" } else { "" };
        println!("video {id}  {:.2} s{kind}", video["duration_ms"].as_f64().unwrap_or(0.0) / 1000.0);
        println!("  source    {}/media/{id}/source.m3u8", stage.http);
        let played = stage.vendor.call(VOD, "GetPlayInfo", &[("VideoId", id)]).await;
        if let Ok(info) = played {
            for stream in info.pointer("/PlayInfoList/PlayInfo").and_then(Value::as_array).into_iter().flatten() {
                let word = |name: &str| stream[name].as_str().unwrap_or_default().to_owned();
                println!("  {:<9} {} ({}x{})", word("Definition"), word("PlayURL"), stream["Width"], stream["Height"]);
            }
        }
        println!("  open this in a browser: {}/media/{id}/player.html", stage.http);
    }
    Ok(())
}
