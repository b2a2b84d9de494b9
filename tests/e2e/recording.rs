//! A clip pushed as it is, over several cycles: no frame lost or doubled, times continuous on the disk and from zero for
//! who plays a part, everything plays.

use anyhow::Context as _;
use reprise_tests::server::Server;
use reprise_tests::stage::{Stage, template};
use reprise_tests::{encoder, media};

#[test]
fn every_pushed_frame_is_in_exactly_one_part() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "frames").await?;
        stage.record("live", "VOD_NO_TRANSCODE", 3, 1).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "320x180", 10).await?;
        let pushed = media::pushed(&clip).await?;

        encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
        let videos = stage.settled().await?;
        assert!(videos.len() >= 3, "several cycles, but {} parts", videos.len());

        let (mut pictures, mut sounds, mut times) = (0, 0, Vec::new());
        for video in &videos {
            let id = video["id"].as_str().context("no id")?;
            let file = media::decode(&stage.media_url(id, "source.mp4")).await?;
            let playlist = media::decode(&stage.media_url(id, "source.m3u8")).await?;
            assert_eq!(playlist.video, file.video, "HLS and MP4 of one part show the same pictures");
            pictures += file.video;
            sounds += file.audio;
            // On the disk, times go on; played alone, each part begins at zero and is as long as the API says.
            let on_disk =
                media::decode(&server.data().join("media").join(id).join("source.mp4").to_string_lossy()).await?;
            assert_eq!((on_disk.video, on_disk.audio), (file.video, file.audio));
            times.extend(on_disk.times);
            let (start, length) = media::span(&stage.media_url(id, "source.mp4")).await?;
            let told = video["duration_ms"].as_f64().context("no duration")? / 1000.0;
            assert!((0.0..0.1).contains(&start), "{id} begins at {start}");
            assert!((length - told).abs() < 0.15, "{id} lasts {length}, and {told} is told");
            assert_eq!(video["status"], "ready", "{video}");
        }
        assert_eq!(pictures, pushed.video, "pictures");
        assert_eq!(sounds, pushed.audio, "audio frames");
        let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| (0.035..0.045).contains(step)), "times go on over the cuts: {steps:?}");
        Ok(())
    })
}

#[test]
fn renditions_of_mp4_and_hls_play_at_their_sizes() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "ladder").await?;
        let group = stage.group("two", &[template("LD", "mp4", 160, 200), template("SD", "m3u8", 240, 300)]).await?;
        stage.record("live", &group, 60, 1).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "320x180", 4).await?;
        encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
        let videos = stage.settled().await?;
        assert_eq!(videos.len(), 1);
        let id = videos[0]["id"].as_str().context("no id")?;
        let info = stage.vendor.call("2017-03-21", "GetPlayInfo", &[("VideoId", id)]).await?;
        let streams = info.pointer("/PlayInfoList/PlayInfo").and_then(|list| list.as_array()).context("no streams")?;
        let mut heights = Vec::new();
        for stream in streams {
            let decoded = media::decode(stream["PlayURL"].as_str().context("no URL")?).await?;
            assert_eq!(Some(decoded.height), stream["Height"].as_u64(), "{stream}");
            assert!((98..=102).contains(&decoded.video), "four seconds at 25 frames: {}", decoded.video);
            heights.push(decoded.height);
        }
        heights.sort_unstable();
        assert_eq!(heights, [90, 136], "both templates, aspect kept to the nearest even size");
        Ok(())
    })
}

#[test]
fn a_second_publisher_is_refused_and_a_stranger_too() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "gate").await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 3).await?;
        let first = encoder::publish_loop(&clip, &stage.push_url("live", "cam01"), 20)?;
        reprise_tests::eventually("the first publisher to be live", async || {
            Ok((!stage.list("broadcasts?live=true").await?.is_empty()).then_some(()))
        })
        .await?;
        let second = encoder::publish(&clip, &stage.push_url("live", "cam01"))?.wait_with_output().await?;
        assert!(!second.status.success(), "the second publisher must be refused");
        let forged = stage.push_url("live", "cam02").replace("auth_key=", "auth_key=1");
        assert!(!encoder::publish(&clip, &forged)?.wait_with_output().await?.status.success());
        let unknown = stage.push_url("other", "cam01");
        assert!(!encoder::publish(&clip, &unknown)?.wait_with_output().await?.status.success());
        assert_eq!(stage.list("broadcasts").await?.len(), 1, "none of them opened a broadcast");
        drop(first);
        Ok(())
    })
}
