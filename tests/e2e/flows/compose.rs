//! Flows 3 and 4: the parts of a broadcast become one video, transcoded at once or later by hand.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use http::StatusCode;
use reprise_tests::stage::{Recording, VOD};
use reprise_tests::{events, eventually, http as plain, media};
use serde_json::{Value, json};

use super::{COMPOSED, NO_TRANSCODE, Play, RECORDED, names, same_streams, source, streams};

/// The wait between two looks at whether a composed video plays already.
const LOOK: Duration = Duration::from_millis(20);

impl Play {
    /// Waits for the event that names the composed video, and then for the video to play. Says how long that took.
    async fn composed(&self) -> anyhow::Result<(String, Duration)> {
        let id = eventually("a compose to start", async || {
            let told = events::told(&self.receiver);
            let started = told.iter().find(|event| event["EventType"] == "LiveRecordVideoComposeStart");
            Ok(started.and_then(|event| event["VideoId"].as_str()).map(str::to_owned))
        })
        .await?;
        let (url, since) = (self.stage.media_url(&id, "source.m3u8"), Instant::now());
        while plain::get(&url).await?.0 != StatusCode::OK {
            anyhow::ensure!(since.elapsed() < reprise_tests::PATIENCE, "the composed video does not play");
            tokio::time::sleep(LOOK).await;
        }
        Ok((id, since.elapsed()))
    }

    /// Publishes the clip twice within one break window: one broadcast of several cycles with one break.
    async fn publish_twice(&self) -> anyhow::Result<()> {
        self.publish().await?;
        self.publish().await
    }
}

/// The videos of the parts in the order in which they were recorded.
async fn parts(play: &Play) -> anyhow::Result<Vec<String>> {
    let mut videos = play.stage.videos().await?;
    videos.retain(|video| video["part"].is_u64());
    videos.sort_by_key(|video| video["part"].as_u64());
    videos.iter().map(|video| video["id"].as_str().map(str::to_owned).context("no id")).collect()
}

/// Pictures and sound of parts and whole are the same in number, and the whole has no hole.
async fn is_sum(play: &Play, composed: &str, parts: &[String]) -> anyhow::Result<media::Decoded> {
    let whole = source(&play.stage, composed).await?;
    let (mut pictures, mut sounds) = (0, 0);
    for part in parts {
        let part = source(&play.stage, part).await?;
        pictures += part.video;
        sounds += part.audio;
    }
    assert_eq!((whole.video, whole.audio), (pictures, sounds));
    assert_eq!(pictures, 2 * play.pushed.video, "every picture that was pushed");
    let steps: Vec<f64> = whole.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let widest = steps.iter().copied().fold(0.0, f64::max);
    assert!(steps.iter().all(|step| *step > 0.0) && widest < 0.2, "the break is cut: {widest} s");
    Ok(whole)
}

#[test]
fn flow_3_composes_at_once_and_encodes_nothing_twice() -> anyhow::Result<()> {
    crate::run(async {
        let play = Play::new("flow3", 5).await?;
        let stage = &play.stage;
        let group = play.ladder().await?;
        let recording = Recording { group: &group, compose: Some(&group), cycle_s: 3, break_s: 3 };
        stage.recording("live", recording).await?;
        stage.callbacks(&play.receiver.url()).await?;
        play.publish_twice().await?;

        let (composed, took) = play.composed().await?;
        println!("the composed video plays {} ms after its event", took.as_millis());
        let early = media::decode(&stage.media_url(&composed, "source.m3u8")).await?;
        assert_eq!(early.video, 2 * play.pushed.video, "whole from the first moment");

        let (told, by_video) = play.told().await?;
        let parts = parts(&play).await?;
        assert!(parts.len() >= 3, "several cycles, but {} parts", parts.len());
        assert_eq!(by_video.len(), parts.len() + 1, "the parts and the whole: {by_video:?}");
        for part in &parts {
            assert_eq!(by_video.get(part), Some(&names(&RECORDED, 2)));
        }
        assert_eq!(by_video.get(&composed), Some(&names(&COMPOSED, 2)));
        let started = told.iter().find(|event| event["EventType"] == COMPOSED[1]).context("no compose event")?;
        let stream = (&started["DomainName"], &started["AppName"], &started["StreamName"]);
        assert_eq!(stream, (&json!(stage.play_domain), &json!("live"), &json!("cam01")));
        let whole = is_sum(&play, &composed, &parts).await?;

        let broadcasts = stage.broadcasts_of("cam01").await?;
        assert_eq!(broadcasts.len(), 1, "the second push is the same broadcast");
        let broadcast = stage.broadcast(broadcasts[0]["id"].as_str().context("no id")?).await?;
        assert_eq!(broadcast["breaks"].as_array().map(Vec::len), Some(1), "{broadcast}");

        // Each rendition of the whole is those of the parts, one after the other.
        let info = stage.call(VOD, "GetVideoInfo", &[("VideoId", &composed)]).await?;
        assert_eq!(info["Video"]["Status"], "Normal");
        let of_whole = streams(stage, &composed).await?;
        assert_eq!(of_whole.len(), 2);
        same_streams(&told, &composed, &of_whole)?;
        let mut encoded = 0;
        for part in &parts {
            let of_part = streams(stage, part).await?;
            assert_eq!(of_part.len(), 2);
            encoded += of_part.iter().map(|(_, decoded)| decoded.video).sum::<u64>();
        }
        let shown: u64 = of_whole.iter().map(|(_, decoded)| decoded.video).sum();
        assert_eq!(shown, encoded, "pictures of the whole's renditions, and of the parts'");
        assert!(shown.abs_diff(2 * whole.video) <= 2 * parts.len() as u64, "{shown} for twice {}", whole.video);
        let counted = play.server.metric("reprise_encoded_frames_total").await?;
        assert_eq!(counted, encoded, "each picture is encoded once for each template");
        assert_eq!(play.server.metric("reprise_renditions_reused_total{how=\"joined\"}").await?, 2);
        let calls = [
            "AddTranscodeTemplateGroup",
            "AddLiveRecordVodConfig",
            "SetMessageCallback",
            "GetVideoInfo",
            "GetPlayInfo",
        ];
        assert_eq!(stage.calls(), calls);
        Ok(())
    })
}

#[test]
fn flow_4_composes_only_and_transcodes_when_it_is_asked() -> anyhow::Result<()> {
    crate::run(async {
        let play = Play::new("flow4", 4).await?;
        let stage = &play.stage;
        let recording = Recording { group: NO_TRANSCODE, compose: Some(NO_TRANSCODE), cycle_s: 2, break_s: 3 };
        stage.recording("live", recording).await?;
        stage.callbacks(&play.receiver.url()).await?;
        play.publish_twice().await?;

        let (composed, _) = play.composed().await?;
        let (_, by_video) = play.told().await?;
        let parts = parts(&play).await?;
        assert_eq!(by_video.len(), parts.len() + 1, "{by_video:?}");
        for part in &parts {
            assert_eq!(by_video.get(part), Some(&names(&RECORDED, 0)));
        }
        assert_eq!(by_video.get(&composed), Some(&names(&COMPOSED, 0)));
        let whole = is_sum(&play, &composed, &parts).await?;
        let before = streams(stage, &composed).await?;
        assert!(!before.is_empty() && before.iter().all(|(stream, _)| stream["Definition"] == "OD"), "{before:?}");
        assert_eq!(play.server.metric("reprise_encoded_frames_total").await?, 0, "nothing was transcoded");

        let group = play.ladder().await?;
        let submission = [("VideoId", composed.as_str()), ("TemplateGroupId", &group)];
        let submitted = stage.call(VOD, "SubmitTranscodeJobs", &submission).await?;
        let task = submitted["TranscodeTaskId"].as_str().context("no task")?;
        let (told, by_video) = play.told().await?;
        let shown = stage.call(VOD, "GetTranscodeTask", &[("TranscodeTaskId", task)]).await?;
        assert_eq!(shown["TranscodeTask"]["TaskStatus"], "CompleteAllSucc", "{shown}");
        let kinds = by_video.get(&composed).context("no events")?;
        let transcoded = kinds.iter().filter(|kind| kind.contains("Transcode")).count();
        assert_eq!(transcoded, 3, "two streams and their task: {kinds:?}");
        let after = streams(stage, &composed).await?;
        same_streams(&told, &composed, &after)?;
        let encoded = after.iter().filter(|(stream, _)| stream["Definition"] != "OD");
        let shown: Vec<u64> = encoded.map(|(_, decoded)| decoded.video).collect();
        assert_eq!(shown.len(), 2);
        assert!(shown.iter().all(|pictures| pictures.abs_diff(whole.video) <= 2), "{shown:?} of {}", whole.video);
        let of_part = told.iter().filter(|event| event["EventType"] == "TranscodeComplete");
        let about: Vec<&Value> = of_part.map(|event| &event["VideoId"]).collect();
        assert_eq!(about, [&json!(composed)], "nothing of the parts is transcoded");
        let calls = [
            "AddLiveRecordVodConfig",
            "SetMessageCallback",
            "GetPlayInfo",
            "AddTranscodeTemplateGroup",
            "SubmitTranscodeJobs",
            "GetTranscodeTask",
            "GetPlayInfo",
        ];
        assert_eq!(stage.calls(), calls);
        Ok(())
    })
}
