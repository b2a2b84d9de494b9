//! The break window: what is one broadcast, and what is two.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::{Recording, Stage};
use reprise_tests::{encoder, events, eventually, media};
use serde_json::Value;

const STORE: &str = "VOD_NO_TRANSCODE";

/// The break window of these tests. What an encoder needs to start on a busy machine must fit into the second by which
/// one comes early.
const WINDOW_S: u32 = 5;

struct Window<'a> {
    stage: &'a Stage,
    small: &'a Path,
    large: &'a Path,
}

impl Window<'_> {
    async fn push(&self, stream: &str, clip: &Path) -> anyhow::Result<()> {
        encoder::finished(encoder::publish(clip, &self.stage.push_url("live", stream))?).await
    }

    /// Publishes, stays away for `away` from the moment the server noticed, publishes again.
    async fn again_after(&self, stream: &str, away: Duration) -> anyhow::Result<()> {
        self.push(stream, self.small).await?;
        self.stage.publishing(stream, "broken").await?;
        tokio::time::sleep(away).await;
        self.push(stream, self.small).await
    }

    /// Two encoders at once, for a stream that had none: one is refused and goes.
    async fn race(&self, stream: &str) -> anyhow::Result<()> {
        let url = self.stage.push_url("live", stream);
        let (one, other) = (encoder::publish(self.small, &url)?, encoder::publish(self.small, &url)?);
        let (one, other) = tokio::try_join!(one.wait_with_output(), other.wait_with_output())?;
        anyhow::ensure!(one.status.success() != other.status.success(), "{} and {}", one.status, other.status);
        Ok(())
    }

    /// The encoder comes back at once, with a larger picture.
    async fn grow(&self, stream: &str) -> anyhow::Result<()> {
        self.push(stream, self.small).await?;
        self.stage.publishing(stream, "broken").await?;
        self.push(stream, self.large).await
    }
}

#[test]
fn the_window_tells_one_broadcast_from_two() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "window").await?;
        let receiver = Receiver::start().await?;
        let recording = Recording { group: STORE, compose: Some(STORE), cycle_s: 60, break_s: WINDOW_S };
        stage.recording("live", recording).await?;
        stage.callbacks(&receiver.url()).await?;
        let (small, large) = (server.scratch().join("small.mp4"), server.scratch().join("large.mp4"));
        encoder::clip(&small, "160x90", 2).await?;
        encoder::clip(&large, "192x108", 2).await?;
        let window = Window { stage: &stage, small: &small, large: &large };
        let around = Duration::from_secs(u64::from(WINDOW_S));
        tokio::try_join!(
            window.again_after("early", around - Duration::from_millis(1_500)),
            window.again_after("late", around + Duration::from_secs(1)),
            window.race("race"),
            window.grow("grow"),
        )?;

        let told = stage.told(&receiver).await?;
        let frames = media::pushed(&small).await?.video;
        let videos = stage.videos().await?;
        // Stream, broadcasts, breaks inside them, parts, pictures.
        let table = [
            ("early", 1, 1, 1, 2 * frames),
            ("late", 2, 0, 2, 2 * frames),
            ("race", 1, 0, 1, frames),
            ("grow", 1, 1, 2, 2 * frames),
        ];
        for (stream, broadcasts, breaks, parts, pictures) in table {
            let found = stage.broadcasts_of(stream).await?;
            assert_eq!(found.len(), broadcasts, "{stream}: {found:?}");
            let mut seen_breaks = 0;
            for broadcast in &found {
                let shown = stage.broadcast(broadcast["id"].as_str().context("no id")?).await?;
                seen_breaks += shown["breaks"].as_array().map_or(0, Vec::len);
            }
            assert_eq!(seen_breaks, breaks, "{stream}");
            let ids = |of_part: bool| -> Vec<&str> {
                let mine = videos.iter().filter(|video| video["stream"]["name"] == stream);
                mine.filter(|video| video["part"].is_u64() == of_part)
                    .filter_map(|video| video["id"].as_str())
                    .collect()
            };
            let (recorded, composed) = (ids(true), ids(false));
            assert_eq!((recorded.len(), composed.len()), (parts, broadcasts), "{stream}");
            let mut shown = 0;
            for part in &recorded {
                shown += media::decode(&stage.media_url(part, "source.mp4")).await?.video;
            }
            assert_eq!(shown, pictures, "{stream}: pictures of the parts");
            let mut whole = 0;
            for video in &composed {
                whole += media::decode(&stage.media_url(video, "source.m3u8")).await?.video;
                let file = media::decode(&stage.media_url(video, "source.mp4")).await?;
                assert!(file.video > 0 && file.times.windows(2).all(|pair| pair[1] > pair[0]), "{stream}");
            }
            assert_eq!(whole, pictures, "{stream}: pictures of the whole");
            check_events(&told, stream, &recorded, &composed);
        }
        Ok(())
    })
}

/// One record event for each part, one compose event for each whole, nothing else that names the stream.
fn check_events(told: &[Value], stream: &str, recorded: &[&str], composed: &[&str]) {
    let about = |kind: &str| -> BTreeSet<&str> {
        let named = told.iter().filter(|event| event["StreamName"] == stream && event["EventType"] == kind);
        named.map(events::subject).collect()
    };
    assert_eq!(about("AddLiveRecordVideoComplete"), recorded.iter().copied().collect(), "{stream}");
    assert_eq!(about("LiveRecordVideoComposeStart"), composed.iter().copied().collect(), "{stream}");
    let named = told.iter().filter(|event| event["StreamName"] == stream).count();
    assert_eq!(named, recorded.len() + composed.len(), "{stream}: none is told twice");
}

#[test]
fn a_stop_in_mid_broadcast_loses_nothing_and_the_broadcast_goes_on() -> anyhow::Result<()> {
    crate::run(async {
        let mut server = Server::start("").await?;
        let stage = Stage::new(&server, "restart").await?;
        let receiver = Receiver::start().await?;
        let recording = Recording { group: STORE, compose: Some(STORE), cycle_s: 60, break_s: 15 };
        stage.recording("live", recording).await?;
        stage.callbacks(&receiver.url()).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 20).await?;
        let publisher = encoder::publish(&clip, &stage.push_url("live", "cam01"))?;
        let live = stage.publishing("cam01", "live").await?;
        let id = live["id"].as_str().context("no id")?.to_owned();
        let mark = eventually("two seconds on disk", async || {
            let mark = stage.broadcast(&id).await?["watermark_ms"].as_u64().unwrap_or(0);
            Ok((mark >= 2_000).then_some(mark))
        })
        .await?;
        assert_eq!(server.terminate().await?, Some(0), "it stops in order");
        let refused = publisher.wait_with_output().await?;
        assert!(!refused.status.success(), "the encoder is told to go");

        server.launch().await?;
        // The part that was cut by the stop is a video already, and its events were recorded before the process ended.
        let events = stage.list("events?limit=100").await?;
        let recorded = events.iter().filter(|event| event["kind"] == "AddLiveRecordVideoComplete").count();
        assert_eq!(recorded, 1, "{events:?}");
        let first = stage.videos().await?;
        assert_eq!(first.len(), 1);
        assert!(first[0]["duration_ms"].as_u64().unwrap_or(0) >= mark, "{} of {mark} ms", first[0]["duration_ms"]);

        let more = server.scratch().join("more.mp4");
        encoder::clip(&more, "160x90", 3).await?;
        encoder::finished(encoder::publish(&more, &stage.push_url("live", "cam01"))?).await?;
        let ended = stage.publishing("cam01", "broken").await?;
        assert_eq!(ended["id"], id.as_str(), "the same broadcast");
        let told = stage.told(&receiver).await?;
        assert_eq!(stage.broadcasts_of("cam01").await?.len(), 1);
        let videos = stage.videos().await?;
        let part =
            |number: u64| videos.iter().find(|video| video["part"] == number).and_then(|video| video["id"].as_str());
        let whole = videos.iter().find(|video| video["part"].is_null()).and_then(|video| video["id"].as_str());
        let (one, two, whole) = (part(0).context("0")?, part(1).context("1")?, whole.context("no whole")?);
        assert_eq!(videos.len(), 3);
        check_events(&told, "cam01", &[one, two], &[whole]);
        let mut pictures = 0;
        for video in [one, two] {
            pictures += media::decode(&stage.media_url(video, "source.mp4")).await?.video;
        }
        assert_eq!(media::decode(&stage.media_url(whole, "source.mp4")).await?.video, pictures);
        Ok(())
    })
}
