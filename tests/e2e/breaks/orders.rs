//! Orders of the tenant's: forbidding a stream and letting it in again; recording from here to there.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::{LIVE, Recording, Stage};
use reprise_tests::{encoder, events, eventually, media};

const STORE: &str = "VOD_NO_TRANSCODE";

/// A window that no test waits for: what ends a broadcast here ends it at once.
const LONG_S: u32 = 600;

#[test]
fn a_forbidden_stream_ends_at_once_and_is_refused_until_it_is_let_in() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "forbid").await?;
        let receiver = Receiver::start().await?;
        let recording = Recording { group: STORE, compose: Some(STORE), cycle_s: 60, break_s: LONG_S };
        stage.recording("live", recording).await?;
        stage.callbacks(&receiver.url()).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 20).await?;
        let url = stage.push_url("live", "cam01");
        let publisher = encoder::publish(&clip, &url)?;
        let live = stage.publishing("cam01", "live").await?;
        let id = live["id"].as_str().context("no id")?.to_owned();
        eventually("media on disk", async || {
            Ok(stage.broadcast(&id).await?["watermark_ms"].as_u64().is_some_and(|mark| mark > 1_000).then_some(()))
        })
        .await?;
        let stream = [
            ("DomainName", stage.push_domain.as_str()),
            ("AppName", "live"),
            ("StreamName", "cam01"),
            ("LiveStreamType", "publisher"),
        ];
        let since = Instant::now();
        stage.call(LIVE, "ForbidLiveStream", &stream).await?;
        assert!(!publisher.wait_with_output().await?.status.success(), "the encoder is sent away");
        let told = stage.told(&receiver).await?;
        assert!(since.elapsed() < Duration::from_secs(u64::from(LONG_S)) / 2, "nobody waits for the window");
        let names: Vec<&str> = told.iter().filter_map(|event| event["EventType"].as_str()).collect();
        for kind in ["AddLiveRecordVideoComplete", "LiveRecordVideoComposeStart"] {
            assert_eq!(names.iter().filter(|name| **name == kind).count(), 1, "{names:?}");
        }

        let banned = encoder::publish(&clip, &url)?.wait_with_output().await?;
        assert!(!banned.status.success(), "a banned encoder is refused");
        let listed =
            stage.call(LIVE, "DescribeLiveStreamsBlockList", &[("DomainName", stage.play_domain.as_str())]).await?;
        assert_eq!(listed["TotalNum"], 1, "{listed}");
        assert_eq!(stage.broadcasts_of("cam01").await?.len(), 1);
        stage.call(LIVE, "ResumeLiveStream", &stream).await?;
        let back = encoder::publish(&clip, &url)?;
        let second = eventually("a second broadcast", async || {
            let broadcasts = stage.broadcasts_of("cam01").await?;
            Ok(broadcasts.into_iter().find(|broadcast| broadcast["id"] != id.as_str()))
        })
        .await?;
        assert_eq!(second["publishing"], "live");
        drop(back);
        Ok(())
    })
}

#[test]
fn a_recording_begins_and_ends_by_order() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "orders").await?;
        let receiver = Receiver::start().await?;
        let rule = [
            ("DomainName", stage.play_domain.as_str()),
            ("AppName", "live"),
            ("VodTranscodeGroupId", STORE),
            ("CycleDuration", "60"),
            ("DelayTime", "600"),
            ("OnDemand", "7"),
        ];
        stage.call(LIVE, "AddLiveRecordVodConfig", &rule).await?;
        stage.callbacks(&receiver.url()).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 30).await?;
        let order = async |command: &str| {
            let order = [
                ("DomainName", stage.play_domain.as_str()),
                ("AppName", "live"),
                ("StreamName", "cam01"),
                ("Command", command),
            ];
            stage.call(LIVE, "RealTimeRecordCommand", &order).await
        };
        assert!(order("start").await.is_err(), "nobody publishes");
        let publisher = encoder::publish(&clip, &stage.push_url("live", "cam01"))?;
        eventually("the stream to be online", async || {
            let domain = [("DomainName", stage.play_domain.as_str())];
            let online = stage.vendor.call(LIVE, "DescribeLiveStreamsOnlineList", &domain).await?;
            Ok((online["TotalNum"] == 1).then_some(()))
        })
        .await?;
        assert!(stage.broadcasts_of("cam01").await?.is_empty(), "nothing is recorded before the order");
        assert!(order("stop").await.is_err(), "there is nothing to stop");

        order("start").await?;
        assert!(order("start").await.is_err(), "it is started already");
        let live = stage.publishing("cam01", "live").await?;
        let id = live["id"].as_str().context("no id")?.to_owned();
        eventually("media on disk", async || {
            Ok(stage.broadcast(&id).await?["watermark_ms"].as_u64().is_some_and(|mark| mark > 1_500).then_some(()))
        })
        .await?;
        order("stop").await?;
        stage.publishing("cam01", "broken").await?;
        assert!(events::told(&receiver).is_empty(), "no video before the window is over, or is ended");
        order("cancel_delay").await?;
        let told = stage.told(&receiver).await?;
        let recorded: Vec<&str> = told
            .iter()
            .filter(|event| event["EventType"] == "AddLiveRecordVideoComplete")
            .map(events::subject)
            .collect();
        assert_eq!(recorded.len(), 1);
        let part = media::decode(&stage.media_url(recorded[0], "source.mp4")).await?;
        assert!(part.video >= 25, "{} pictures", part.video);
        drop(publisher);
        eventually("the stream to be offline", async || {
            let domain = [("DomainName", stage.play_domain.as_str())];
            let online = stage.vendor.call(LIVE, "DescribeLiveStreamsOnlineList", &domain).await?;
            Ok((online["TotalNum"] == 0).then_some(()))
        })
        .await?;
        assert_eq!(stage.broadcasts_of("cam01").await?.len(), 1);
        Ok(())
    })
}
