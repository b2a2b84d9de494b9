//! The server is killed without warning, again and again, while a broadcast runs. What was below the watermark is
//! there, each part is one video, each event arrives under one id, and all jobs end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::{Stage, template};
use reprise_tests::{encoder, eventually, media};

/// Numbers below `most` from a seed that is printed.
pub(super) fn draws(seed: u64, most: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % most
    })
}

#[test]
fn killed_at_random_moments_nothing_below_the_watermark_is_lost() -> anyhow::Result<()> {
    let seed: u64 = std::env::var("REPRISE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5EED_CAFE);
    println!("REPRISE_SEED={seed}");
    crate::run(async move {
        let mut server = Server::start("").await?;
        let stage = Stage::new(&server, "phoenix").await?;
        let receiver = Receiver::start().await?;
        let group = stage.group("one", &[template("LD", "mp4", 128, 100)]).await?;
        stage.record("live", &group, 4, 20).await?;
        stage.callbacks(&receiver.url()).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 20).await?;

        let mut durable_ms = 0;
        // How long each run of the server lives with media, in milliseconds.
        for moment in draws(seed, 4_000).take(3).map(|drawn| 1_500 + drawn) {
            let publisher = encoder::publish(&clip, &stage.push_url("live", "cam01"))?;
            let mark = eventually("a watermark that moves", async || {
                let mark = watermark(&stage).await?;
                Ok((mark > durable_ms).then_some(mark))
            })
            .await?;
            durable_ms = mark;
            tokio::time::sleep(Duration::from_millis(moment)).await;
            durable_ms = durable_ms.max(watermark(&stage).await?);
            server.kill()?;
            drop(publisher);
            server.launch().await?;
        }
        // The last publisher leaves for good; the broadcast ends with its break window.
        let last = encoder::publish(&clip, &stage.push_url("live", "cam01"))?;
        eventually("the last publisher's media", async || Ok((watermark(&stage).await? > durable_ms).then_some(())))
            .await?;
        drop(last);

        let videos = stage.settled().await?;
        assert_eq!(stage.list("broadcasts").await?.len(), 1, "every publisher joined the same broadcast");
        let recorded_ms: u64 = videos.iter().filter_map(|video| video["duration_ms"].as_u64()).sum();
        assert!(recorded_ms >= durable_ms, "{recorded_ms} ms are there, {durable_ms} ms were durable");
        let parts: BTreeSet<u64> = videos.iter().filter_map(|video| video["part"].as_u64()).collect();
        assert_eq!(parts.len(), videos.len(), "one video for each part");
        for video in &videos {
            assert_eq!(video["status"], "ready", "{video}");
            let id = video["id"].as_str().context("no id")?;
            let decoded = media::decode(&stage.media_url(id, "source.mp4")).await?;
            assert!(decoded.video > 0);
        }
        let told = stage.list("events?limit=1000").await?;
        let ids: BTreeSet<&str> = told.iter().filter_map(|event| event["id"].as_str()).collect();
        eventually("every event at least once", async || {
            let arrived: BTreeSet<String> = receiver.received().iter().map(|one| one.id()).collect();
            Ok(ids.iter().all(|id| arrived.contains(*id)).then_some(()))
        })
        .await?;
        let mut bodies: BTreeMap<String, bytes::Bytes> = BTreeMap::new();
        for one in receiver.received() {
            let body = bodies.entry(one.id()).or_insert_with(|| one.body.clone());
            assert_eq!(*body, one.body, "a repeat carries the same bytes");
        }
        let complete = receiver
            .received()
            .iter()
            .filter(|one| one.event()["EventType"] == "AddLiveRecordVideoComplete")
            .map(|one| one.id())
            .collect::<BTreeSet<_>>();
        assert_eq!(complete.len(), videos.len(), "one AddLiveRecordVideoComplete for each video");
        Ok(())
    })
}

async fn watermark(stage: &Stage) -> anyhow::Result<u64> {
    let broadcasts = stage.list("broadcasts").await?;
    let Some(id) = broadcasts.first().and_then(|broadcast| broadcast["id"].as_str()) else { return Ok(0) };
    let path = format!("/v1/tenants/{}/broadcasts/{id}", stage.name);
    let broadcast = stage.admin.call(http::Method::GET, &path, None).await?;
    Ok(broadcast["watermark_ms"].as_u64().unwrap_or(0))
}

#[test]
fn a_stopped_server_keeps_what_it_recorded() -> anyhow::Result<()> {
    crate::run(async {
        let mut server = Server::start("").await?;
        let stage = Stage::new(&server, "stop").await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 2).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 30).await?;
        let publisher = encoder::publish(&clip, &stage.push_url("live", "cam01"))?;
        let mark = eventually("a watermark", async || {
            let mark = watermark(&stage).await?;
            Ok((mark > 1_000).then_some(mark))
        })
        .await?;
        assert_eq!(server.terminate().await?, Some(0));
        drop(publisher);
        server.launch().await?;
        let videos = stage.settled().await?;
        assert_eq!(videos.len(), 1);
        assert!(videos[0]["duration_ms"].as_u64().unwrap_or(0) >= mark);
        Ok(())
    })
}
