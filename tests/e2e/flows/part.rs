//! Flows 1 and 2: each part becomes a video, transcoded at once or later by hand.

use std::collections::BTreeSet;

use anyhow::Context as _;
use reprise_tests::eventually;
use reprise_tests::stage::{LIVE, Recording, VOD};
use serde_json::{Value, json};

use super::{NO_TRANSCODE, Play, RECORDED, names, same_streams, source, streams};

#[test]
fn flow_1_records_transcodes_and_plays() -> anyhow::Result<()> {
    crate::run(async {
        let play = Play::new("flow1", 7).await?;
        let stage = &play.stage;
        let group = play.ladder().await?;
        stage.recording("live", Recording { group: &group, compose: None, cycle_s: 3, break_s: 1 }).await?;
        stage.callbacks(&play.receiver.url()).await?;
        play.publish().await?;

        let (told, by_video) = play.told().await?;
        assert!(by_video.len() >= 2, "several cycles, but {} videos", by_video.len());
        let mut pictures = 0;
        for (video, kinds) in &by_video {
            assert_eq!(*kinds, names(&RECORDED, 2), "{video}");
            let recorded = told.iter().find(|event| event["EventType"] == RECORDED[0] && event["VideoId"] == **video);
            let recorded = recorded.context("no record event")?;
            let stream = (&recorded["DomainName"], &recorded["AppName"], &recorded["StreamName"]);
            assert_eq!(stream, (&json!(stage.play_domain), &json!("live"), &json!("cam01")));

            let info = stage.call(VOD, "GetVideoInfo", &[("VideoId", video)]).await?;
            assert_eq!(info["Video"]["Status"], "Normal");
            assert_eq!(info["Video"]["TemplateGroupId"], json!(group));
            let uploaded = told.iter().find(|event| event["EventType"] == RECORDED[1] && event["VideoId"] == **video);
            assert_eq!(uploaded.context("no upload event")?["Size"], info["Video"]["Size"]);

            let part = source(stage, video).await?;
            pictures += part.video;
            let played = streams(stage, video).await?;
            assert_eq!(played.len(), 2, "both templates");
            for (stream, decoded) in &played {
                assert!(
                    decoded.video.abs_diff(part.video) <= 1,
                    "{} of {} pictures: {stream}",
                    decoded.video,
                    part.video
                );
            }
            same_streams(&told, video, &played)?;
        }
        assert_eq!(pictures, play.pushed.video, "every picture is in one part");
        let calls = [
            "AddTranscodeTemplateGroup",
            "AddLiveRecordVodConfig",
            "SetMessageCallback",
            "GetVideoInfo",
            "GetPlayInfo",
        ];
        assert_eq!(stage.calls()[..5], calls);
        Ok(())
    })
}

#[test]
fn flow_2_stores_and_transcodes_when_it_is_asked() -> anyhow::Result<()> {
    crate::run(async {
        let play = Play::new("flow2", 4).await?;
        let stage = &play.stage;
        stage.recording("live", Recording { group: NO_TRANSCODE, compose: None, cycle_s: 60, break_s: 1 }).await?;
        stage.callbacks(&play.receiver.url()).await?;
        play.publish().await?;

        let (_, by_video) = play.told().await?;
        let stored = [("AppName", "live"), ("StreamName", "cam01"), ("DomainName", stage.play_domain.as_str())];
        let listed = stage.call(VOD, "ListLiveRecordVideo", &stored).await?;
        let video = listed.pointer("/LiveRecordVideoList/LiveRecordVideo/0/Video/VideoId").and_then(Value::as_str);
        let video = video.context("no video is listed")?;
        assert_eq!(by_video.get(video), Some(&names(&RECORDED, 0)), "{by_video:?}");
        let before = streams(stage, video).await?;
        for (stream, decoded) in &before {
            assert_eq!((&stream["Definition"], decoded.video), (&json!("OD"), play.pushed.video), "the source itself");
        }
        assert_eq!(play.server.metric("reprise_encoded_frames_total").await?, 0, "nothing was transcoded");

        // By hand, with all that may come with it.
        let group = play.ladder().await?;
        let read = stage.call(VOD, "GetTranscodeTemplateGroup", &[("TranscodeTemplateGroupId", &group)]).await?;
        let templates = read.pointer("/TranscodeTemplateGroup/TranscodeTemplateList").and_then(Value::as_array);
        let small = templates.into_iter().flatten().find(|template| template["Definition"] == "LD");
        let small = small.and_then(|template| template["TranscodeTemplateId"].as_str()).context("no template")?;
        let narrower = json!({"TranscodeTemplateList": [{"TranscodeTemplateId": small, "Video": {"Width": "136"}}]});
        let submission = [
            ("VideoId", video),
            ("TemplateGroupId", group.as_str()),
            ("Priority", "8"),
            ("OverrideParams", &narrower.to_string()),
            ("UserData", &json!({"Extend": {"localId": "77"}}).to_string()),
            ("SessionId", "by-hand_1"),
        ];
        let submitted = stage.call(VOD, "SubmitTranscodeJobs", &submission).await?;
        let jobs = submitted.pointer("/TranscodeJobs/TranscodeJob").and_then(Value::as_array).context("no jobs")?;
        let jobs: BTreeSet<String> = jobs.iter().filter_map(|job| job["JobId"].as_str().map(str::to_owned)).collect();
        assert_eq!(jobs.len(), 2, "one job for each template");
        let again = stage.call(VOD, "SubmitTranscodeJobs", &submission).await;
        assert!(again.is_err(), "the same session twice: {again:?}");

        let task = submitted["TranscodeTaskId"].as_str().context("no task")?;
        let done = eventually("the task to end", async || {
            let shown =
                stage.call(VOD, "GetTranscodeTask", &[("TranscodeTaskId", task)]).await?["TranscodeTask"].clone();
            Ok(shown["CompleteTime"].as_str().is_some_and(|at| !at.is_empty()).then_some(shown))
        })
        .await?;
        assert_eq!((&done["Trigger"], &done["VideoId"]), (&json!("Manual"), &json!(video)), "{done}");
        for job in done["TranscodeJobInfoList"].as_array().context("no jobs")? {
            assert_eq!((&job["TranscodeProgress"], &job["Priority"]), (&json!(100), &json!("8")), "{job}");
        }

        let (told, by_video) = play.told().await?;
        let kinds = by_video.get(video).context("no events")?;
        let mut expected = names(&RECORDED, 2);
        // Covers belong to a task: those of the second come too.
        expected.extend(kinds.iter().filter(|kind| *kind == "SnapshotComplete").skip(1).cloned());
        expected.sort();
        assert_eq!(*kinds, expected);
        let streams_told: BTreeSet<String> = told
            .iter()
            .filter(|event| event["EventType"] == "StreamTranscodeComplete")
            .filter_map(|event| event["JobId"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(streams_told, jobs);
        for event in
            told.iter().filter(|event| event["EventType"].as_str().is_some_and(|kind| kind.contains("Transcode")))
        {
            let extend: Value = serde_json::from_str(event["Extend"].as_str().context("no Extend")?)?;
            assert_eq!(extend, json!({"localId": "77"}));
        }
        let after = streams(stage, video).await?;
        same_streams(&told, video, &after)?;
        let widths: BTreeSet<Option<u64>> = after
            .iter()
            .filter(|(stream, _)| stream["Definition"] != "OD")
            .map(|(stream, _)| stream["Width"].as_u64())
            .collect();
        assert_eq!(widths, [Some(136), Some(144)].into(), "the narrower one is as this request wanted it");
        let calls = [
            "AddLiveRecordVodConfig",
            "SetMessageCallback",
            "ListLiveRecordVideo",
            "GetPlayInfo",
            "AddTranscodeTemplateGroup",
            "GetTranscodeTemplateGroup",
            "SubmitTranscodeJobs",
            "GetTranscodeTask",
            "GetPlayInfo",
        ];
        assert_eq!(stage.calls(), calls);
        let gone = stage.call(LIVE, "DeleteLiveRecordVodConfig", &stored[..1]).await;
        assert!(gone.is_err(), "the app is mandatory");
        Ok(())
    })
}
