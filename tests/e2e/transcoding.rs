//! Transcoding around the usual: while a part is recorded, and by hand of what was only stored.

use std::time::Duration;

use anyhow::Context as _;
use http::Method;
use reprise_tests::receiver::{Received, Receiver};
use reprise_tests::server::Server;
use reprise_tests::stage::{LIVE, Stage, VOD, template};
use reprise_tests::{encoder, eventually, media};
use serde_json::{Value, json};

#[test]
fn a_ladder_is_made_while_its_part_is_recorded() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("[jobs]\nfollowing = 1\n").await?;
        let stage = Stage::new(&server, "ahead").await?;
        let group = stage.group("two", &[template("LD", "mp4", 160, 200), template("SD", "m3u8", 240, 300)]).await?;
        stage.record("live", &group, 60, 1).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "320x180", 8).await?;
        encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
        let videos = stage.settled().await?;
        assert_eq!(videos.len(), 1);
        let id = videos[0]["id"].as_str().context("no id")?;
        let source = media::decode(&stage.media_url(id, "source.mp4")).await?;
        let shown = stage.admin.call(Method::GET, &format!("/v1/tenants/ahead/videos/{id}"), None).await?;
        let renditions = shown["renditions"].as_array().context("no renditions")?;
        assert_eq!(renditions.len(), 2);
        for rendition in renditions {
            let decoded = media::decode(rendition["url"].as_str().context("no URL")?).await?;
            assert_eq!(decoded.video, source.video, "{rendition}");
        }
        assert_eq!(server.metric("reprise_renditions_reused_total{how=\"followed\"}").await?, 2);
        let frames = source.video * 2;
        assert_eq!(server.metric("reprise_encoded_frames_total").await?, frames, "each frame once for each rendition");
        Ok(())
    })
}

#[test]
fn what_was_only_stored_is_transcoded_by_hand() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "byhand").await?;
        let receiver = Receiver::start().await?;
        stage.callbacks(&receiver.url()).await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        let group = stage.group("two", &[template("LD", "mp4", 160, 200), template("SD", "m3u8", 240, 300)]).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "320x180", 4).await?;
        encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
        let videos = stage.settled().await?;
        let id = videos[0]["id"].as_str().context("no id")?;

        let parameters = [
            ("VideoId", id),
            ("TemplateGroupId", group.as_str()),
            ("Priority", "8"),
            ("SessionId", "order-77"),
            ("UserData", r#"{"Extend":{"localId":"77"}}"#),
        ];
        let submitted = stage.vendor.call(VOD, "SubmitTranscodeJobs", &parameters).await?;
        let task = submitted["TranscodeTaskId"].as_str().context("no task")?;
        let jobs = submitted.pointer("/TranscodeJobs/TranscodeJob").and_then(Value::as_array).context("no jobs")?;
        let jobs: Vec<&str> = jobs.iter().filter_map(|job| job["JobId"].as_str()).collect();
        assert!(stage.vendor.call(VOD, "SubmitTranscodeJobs", &parameters).await.is_err(), "the session is used");

        let done = eventually("the task to end", async || {
            let shown = stage.vendor.call(VOD, "GetTranscodeTask", &[("TranscodeTaskId", task)]).await?;
            let ended = shown["TranscodeTask"]["TaskStatus"] == "CompleteAllSucc";
            Ok(ended.then(|| shown["TranscodeTask"].clone()))
        })
        .await?;
        assert_eq!(done["Trigger"], "Manual");
        for info in done["TranscodeJobInfoList"].as_array().context("no job infos")? {
            assert!(jobs.contains(&info["TranscodeJobId"].as_str().context("no job id")?), "{info}");
            assert_eq!((&info["TranscodeProgress"], &info["Priority"]), (&json!(100), &json!("8")));
            let url = info["OutputFile"]["OutputFileUrl"].as_str().context("no output")?;
            assert!((98..=102).contains(&media::decode(url).await?.video), "{info}");
        }
        let told = eventually("the task's events", async || {
            let told = receiver.received();
            let of = |kind: &str| {
                told.iter().map(Received::event).filter(|event| event["EventType"] == kind).collect::<Vec<_>>()
            };
            let (streams, tasks) = (of("StreamTranscodeComplete"), of("TranscodeComplete"));
            Ok((streams.len() == 2 && tasks.len() == 1).then_some([streams, tasks].concat()))
        })
        .await?;
        for event in told {
            assert_eq!((&event["Extend"], &event["Status"]), (&json!("{\"localId\":\"77\"}"), &json!("success")));
            assert_eq!(event["VideoId"], id);
        }
        Ok(())
    })
}

#[test]
fn a_task_that_waits_can_be_cancelled() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("[jobs]\nworkers = 1\nfollowing = 0\n").await?;
        let stage = Stage::new(&server, "nomore").await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        let mut heavy = template("HD", "mp4", 1280, 3000);
        heavy["Video"]["Preset"] = json!("slower");
        heavy["TransConfig"] = json!({"IsCheckReso": "false"});
        let group = stage.group("heavy", &[heavy]).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "320x180", 6).await?;
        encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
        let videos = stage.settled().await?;
        let id = videos[0]["id"].as_str().context("no id")?;
        let mut tasks = Vec::new();
        for _ in 0..2 {
            let parameters = [("VideoId", id), ("TemplateGroupId", group.as_str())];
            let submitted = stage.vendor.call(VOD, "SubmitTranscodeJobs", &parameters).await?;
            tasks.push(submitted["TranscodeTaskId"].as_str().context("no task")?.to_owned());
        }
        // Both the one that runs and the one that waits behind it.
        let since = std::time::Instant::now();
        for task in &tasks {
            let path = format!("/v1/tenants/nomore/tasks/{task}/cancel");
            stage.admin.call(Method::POST, &path, None).await?;
            let shown = stage.vendor.call(VOD, "GetTranscodeTask", &[("TranscodeTaskId", task.as_str())]).await?;
            let info = &shown["TranscodeTask"]["TranscodeJobInfoList"][0];
            assert_eq!(info["ErrorCode"], "JobCancelled", "{info}");
        }
        eventually("both to be gone", async || {
            let running = server.metric("reprise_jobs_running").await? + server.metric("reprise_jobs_waiting").await?;
            Ok((running == 0).then_some(()))
        })
        .await?;
        assert!(since.elapsed() < Duration::from_secs(10), "cancelled, not waited for");
        Ok(())
    })
}

#[test]
fn a_composed_ladder_is_joined_from_those_of_its_parts() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("[jobs]\nfollowing = 0\n").await?;
        let stage = Stage::new(&server, "once").await?;
        let group = stage.group("two", &[template("LD", "mp4", 160, 200), template("SD", "m3u8", 240, 300)]).await?;
        let parameters = [
            ("DomainName", stage.play_domain.as_str()),
            ("AppName", "live"),
            ("VodTranscodeGroupId", &group),
            ("CycleDuration", "3"),
            ("DelayTime", "1"),
            ("AutoCompose", "ON"),
            ("ComposeVodTranscodeGroupId", &group),
        ];
        stage.vendor.call(LIVE, "AddLiveRecordVodConfig", &parameters).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "320x180", 9).await?;
        let pushed = media::pushed(&clip).await?.video;
        encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
        let videos = stage.settled().await?;
        let composed: Vec<_> = videos.iter().filter(|video| video["part"].is_null()).collect();
        assert_eq!((videos.len() >= 4, composed.len()), (true, 1), "three cycles and the whole");
        let id = composed[0]["id"].as_str().context("no id")?;
        let shown = stage.admin.call(Method::GET, &format!("/v1/tenants/once/videos/{id}"), None).await?;
        let renditions = shown["renditions"].as_array().context("no renditions")?;
        assert_eq!(renditions.len(), 2);
        for rendition in renditions {
            let decoded = media::decode(rendition["url"].as_str().context("no URL")?).await?;
            assert_eq!(decoded.video, pushed, "{rendition}");
            let steps: Vec<f64> = decoded.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(steps.iter().all(|step| (0.035..0.045).contains(step)), "{rendition}: {steps:?}");
        }
        assert_eq!(server.metric("reprise_renditions_reused_total{how=\"joined\"}").await?, 2);
        assert_eq!(server.metric("reprise_encoded_frames_total").await?, pushed * 2, "no frame is encoded twice");
        Ok(())
    })
}
