//! The four flows from a live stream to videos, each from outside, step by step: the calls that a tenant makes, in
//! order; the events that it is told, each with its fields; and what viewers get.

mod compose;
mod part;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use reprise_tests::media::Decoded;
use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::{Stage, VOD, template};
use reprise_tests::{encoder, events, media};
use serde_json::Value;

const NO_TRANSCODE: &str = "VOD_NO_TRANSCODE";

/// What a recorded part's video is told to have, before any rendition.
const RECORDED: [&str; 4] =
    ["AddLiveRecordVideoComplete", "FileUploadComplete", "SnapshotComplete", "VideoAnalysisComplete"];

/// The same for a composed one.
const COMPOSED: [&str; 4] =
    ["FileUploadComplete", "LiveRecordVideoComposeStart", "SnapshotComplete", "VideoAnalysisComplete"];

/// Everything that a flow is played with.
struct Play {
    server: Server,
    stage: Stage,
    receiver: Receiver,
    clip: PathBuf,
    pushed: Decoded,
}

impl Play {
    async fn new(name: &str, seconds: u32) -> anyhow::Result<Self> {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, name).await?;
        let receiver = Receiver::start().await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", seconds).await?;
        let pushed = media::pushed(&clip).await?;
        Ok(Self { server, stage, receiver, clip, pushed })
    }

    /// A small ladder: one file, one playlist.
    async fn ladder(&self) -> anyhow::Result<String> {
        self.stage.group("ladder", &[template("LD", "mp4", 128, 80), template("SD", "m3u8", 144, 100)]).await
    }

    /// Publishes the clip to its end.
    async fn publish(&self) -> anyhow::Result<()> {
        encoder::finished(encoder::publish(&self.clip, &self.stage.push_url("live", "cam01"))?).await
    }

    /// The videos that events are told about, with the names of these events.
    async fn told(&self) -> anyhow::Result<(Vec<Value>, BTreeMap<String, Vec<String>>)> {
        let told = self.stage.told(&self.receiver).await?;
        let by_video = events::by_video(&told);
        Ok((told, by_video))
    }
}

/// Names of events, in the order of [`events::by_video`]: `before`, and those of so many renditions in one task.
fn names(before: &[&str], renditions: usize) -> Vec<String> {
    let mut names: Vec<String> = before.iter().map(ToString::to_string).collect();
    if renditions > 0 {
        names.extend(std::iter::repeat_n("StreamTranscodeComplete".to_owned(), renditions));
        names.push("TranscodeComplete".to_owned());
    }
    names.sort();
    names
}

/// Decodes a video's source over HTTP, as a playlist and as a file, which must show the same.
async fn source(stage: &Stage, video: &str) -> anyhow::Result<Decoded> {
    let file = media::decode(&stage.media_url(video, "source.mp4")).await?;
    let playlist = media::decode(&stage.media_url(video, "source.m3u8")).await?;
    anyhow::ensure!(playlist.video == file.video, "{} pictures as HLS, {} as MP4", playlist.video, file.video);
    Ok(file)
}

/// Asks where a video plays, and decodes each stream there is. Each is the height that it says it is.
async fn streams(stage: &Stage, video: &str) -> anyhow::Result<Vec<(Value, Decoded)>> {
    let info = stage.call(VOD, "GetPlayInfo", &[("VideoId", video)]).await?;
    anyhow::ensure!(info["VideoBase"]["VideoId"] == video && info["VideoBase"]["Status"] == "Normal", "{info}");
    let listed = info.pointer("/PlayInfoList/PlayInfo").and_then(Value::as_array).context("no streams")?;
    let mut decoded = Vec::new();
    for stream in listed {
        let played = media::decode(stream["PlayURL"].as_str().context("no URL")?).await?;
        anyhow::ensure!(stream["Height"].as_u64() == Some(played.height), "{} high: {stream}", played.height);
        decoded.push((stream.clone(), played));
    }
    Ok(decoded)
}

/// What events say of a video's streams is what the API says of them, and where they say they are they are.
fn same_streams(told: &[Value], video: &str, streams: &[(Value, Decoded)]) -> anyhow::Result<()> {
    let about = |kind: &str| -> Vec<&Value> {
        told.iter().filter(|event| event["EventType"] == kind && event["VideoId"] == video).collect()
    };
    let facts = |stream: &Value, url: &str| {
        let texts = ["JobId", "Definition", "Format"].map(|name| stream[name].as_str().unwrap_or_default().to_owned());
        let numbers = ["Width", "Height", "Size"].map(|name| stream[name].as_u64());
        (texts, numbers, stream[url].as_str().unwrap_or_default().to_owned())
    };
    let sorted = |mut facts: Vec<_>| {
        facts.sort();
        facts
    };
    let single = sorted(about("StreamTranscodeComplete").iter().map(|event| facts(event, "FileUrl")).collect());
    let tasks = about("TranscodeComplete").into_iter().filter_map(|event| event["StreamInfos"].as_array()).flatten();
    let of_task = sorted(tasks.map(|stream| facts(stream, "FileUrl")).collect());
    let encoded = streams.iter().filter(|(stream, _)| stream["Definition"] != "OD");
    let played = sorted(encoded.map(|(stream, _)| facts(stream, "PlayURL")).collect());
    anyhow::ensure!(single == of_task, "{single:?} were told one by one, {of_task:?} by their task");
    anyhow::ensure!(single == played, "{single:?} were told, {played:?} play");
    Ok(())
}
