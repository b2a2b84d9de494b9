//! Videos, playback, tasks and pictures.

use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::id::{GroupId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::question::{GapRule, Hook};
use reprise_lifecycle::record::{Resolution, TaskPlan, WorkFailure, WorkResult};
use serde_json::{Value, json};

use super::Api;
use super::client::{Ask, VOD, refusal};
use crate::testkit::{Life, noon, undecided};
use crate::url_auth;

const NOON: &str = "2027-01-01T00:00:00Z";

/// Decides that nothing is encoded, as a record config with the built-in group does.
pub(super) async fn store_only(life: &mut Life<'_>) {
    let asked = life.state.outstanding().into_iter().find(|(_, effect)| matches!(effect, Effect::Ask { .. }));
    let decision = undecided(Hook::TemplateGroup);
    let plan = TaskPlan { group: GroupId::no_transcode(), templates: Vec::new(), cover: true };
    let effect = asked.unwrap().0;
    life.put(Input::VerdictGiven { effect, decision, resolution: Resolution::Process(plan) }).await;
}

/// A transcoded video: an HLS and an MP4 rendition of definition SD, and three pictures.
pub(super) async fn transcoded(life: &mut Life<'_>) -> VideoId {
    let video = life.part(0).await;
    life.decide(&video, &["m3u8", "mp4"]).await;
    life.rendition(&video, 0, &[("t.m3u8", b"#EXTM3U")]).await;
    life.rendition(&video, 1, &[("t.mp4", b"mp4")]).await;
    life.covers(&video, 3).await;
    video
}

#[tokio::test]
async fn a_video_is_shown_with_each_siblings_nesting() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = transcoded(&mut life).await;
    let id = video.as_str();
    let cover = life.state.videos[&video].task().unwrap().cover.as_ref().unwrap().job.clone();
    let picture = |n: u32| format!("http://vod.example.org/media/{id}/{cover}/c-0000{n}.jpg");
    let pictures = json!([picture(1), picture(2), picture(3)]);
    let base = json!({
        "VideoId": id, "Title": "cam-one", "Description": "cam-one|studio|play.acme.example",
        "Duration": 10.0, "Size": 1000, "Status": "Normal", "CoverURL": picture(1), "CateId": 0, "CateName": "",
        "Tags": "", "TemplateGroupId": "g1", "CreationTime": NOON
    });
    let with = |more: Value| {
        let mut all = base.as_object().unwrap().clone();
        all.extend(more.as_object().unwrap().clone());
        Value::Object(all)
    };
    let full = |pictures: &Value| {
        with(json!({
            "Snapshots": pictures, "AuditStatus": "Init", "StorageLocation": "vod.example.org", "RegionId": "local",
            "AppId": "app-1000000", "DownloadSwitch": "on", "StorageClass": "Standard", "ModificationTime": NOON
        }))
    };
    let wrapped = json!({"Snapshot": pictures});
    assert_eq!(api.good(VOD, "GetVideoInfo", &[("VideoId", id)]).await, json!({"Video": full(&wrapped)}));
    assert_eq!(
        api.good(VOD, "GetVideoInfos", &[("VideoIds", &format!("{id},gone"))]).await,
        json!({"VideoList": [full(&pictures)], "NonExistVideoIds": ["gone"], "NonExistReferenceIds": []})
    );
    assert_eq!(
        api.good(VOD, "GetVideoList", &[("Status", "Normal,UploadSucc")]).await,
        json!({"Total": 1, "VideoList": {"Video": [full(&wrapped)]}})
    );
    assert_eq!(
        api.good(VOD, "ListLiveRecordVideo", &[("StreamName", "cam-one")]).await,
        json!({"Total": 1, "LiveRecordVideoList": {"LiveRecordVideo": [{
            "StreamName": "cam-one", "AppName": "studio", "DomainName": "play.acme.example",
            "RecordStartTime": NOON, "RecordEndTime": NOON, "PlaylistId": "one",
            "Video": with(json!({"Snapshots": wrapped, "ModifyTime": NOON}))
        }]}})
    );
}

#[tokio::test]
async fn listings_filter_and_strangers_see_nothing() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let first = life.part(0).await;
    store_only(&mut life).await;
    let second = life.part(10_000).await;
    let total = async |action: &str, params: &[(&str, &str)]| api.good(VOD, action, params).await["Total"].clone();
    assert_eq!(total("GetVideoList", &[]).await, 2);
    assert_eq!(total("GetVideoList", &[("Status", "Normal")]).await, 1);
    assert_eq!(total("GetVideoList", &[("Status", "Checking")]).await, 0);
    assert_eq!(total("GetVideoList", &[("StartTime", NOON), ("EndTime", NOON)]).await, 2);
    assert_eq!(total("GetVideoList", &[("StartTime", "2027-01-01T00:00:01Z")]).await, 0);
    assert_eq!(total("ListLiveRecordVideo", &[("AppName", "studio")]).await, 2);
    assert_eq!(total("ListLiveRecordVideo", &[("DomainName", "play.umbrella.example")]).await, 0);
    let page = api.good(VOD, "GetVideoList", &[("PageSize", "1"), ("PageNo", "2")]).await;
    assert_eq!(page["VideoList"]["Video"].as_array().unwrap().len(), 1);

    let not_found = (404, "InvalidVideo.NotFound".to_owned());
    for (action, name) in [
        ("GetVideoInfo", "VideoId"),
        ("GetVideoInfos", "VideoIds"),
        ("GetPlayInfo", "VideoId"),
        ("GetMezzanineInfo", "VideoId"),
        ("ListTranscodeTask", "VideoId"),
        ("ListSnapshots", "VideoId"),
    ] {
        let foreign = Ask { tenant: "umbrella", ..api.ask(VOD, action, &[(name, first.as_str())]) };
        assert_eq!(refusal(&api.v3(&foreign).await), not_found, "{action}");
        assert_eq!(api.bad(VOD, action, &[]).await, (400, "MissingParameter".to_owned()), "{action}");
    }
    let many = vec![second.as_str(); 21].join(",");
    assert_eq!(api.bad(VOD, "GetVideoInfos", &[("VideoIds", &many)]).await.1, "VideoIdsExceededMax");
    assert_eq!(api.bad(VOD, "GetVideoList", &[("Status", "Odd")]).await.1, "InvalidParameter");
}

#[tokio::test]
async fn a_store_only_video_plays_its_source() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = life.part(0).await;
    let id = ("VideoId", video.as_str());
    let undecided = api.v1(&api.ask(VOD, "GetPlayInfo", &[id])).await;
    assert_eq!(refusal(&undecided), (403, "Forbidden.IllegalStatus".to_owned()));
    assert_eq!(undecided.json()["Message"], "Currently Video Status is UploadSucc and AuditStatus is Init.");
    store_only(&mut life).await;
    let answer = api.good(VOD, "GetPlayInfo", &[id]).await;
    let job = answer["PlayInfoList"]["PlayInfo"][0]["JobId"].as_str().unwrap();
    assert_eq!(job.len(), 32);
    let stream = |format: &str, file: &str| {
        json!({
            "JobId": job, "PlayURL": format!("http://vod.example.org/media/{video}/{file}"), "Format": format,
            "Definition": "OD", "StreamType": "video", "Specification": "Original", "Width": 320, "Height": 240,
            "Size": 1000, "Bitrate": "0", "Fps": "25", "Duration": "10.0000", "Encrypt": 0, "NarrowBandType": "0",
            "Status": "Normal", "PreprocessStatus": "UnPreprocess", "CreationTime": NOON, "ModificationTime": NOON
        })
    };
    assert_eq!(
        answer,
        json!({
            "VideoBase": {
                "VideoId": video.as_str(), "Title": "cam-one", "Duration": "10", "Status": "Normal",
                "MediaType": "video", "CreationTime": NOON, "TranscodeMode": "NoTranscode", "OutputType": "cdn"
            },
            "PlayInfoList": { "PlayInfo": [stream("m3u8", "source.m3u8"), stream("mp4", "source.mp4")] }
        })
    );
}

#[tokio::test]
async fn a_transcoded_video_plays_its_renditions() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = transcoded(&mut life).await;
    let id = ("VideoId", video.as_str());
    let answer = api.good(VOD, "GetPlayInfo", &[id]).await;
    assert_eq!(answer["VideoBase"]["TranscodeMode"], "FastTranscode");
    let list = answer["PlayInfoList"]["PlayInfo"].as_array().unwrap();
    let told: Vec<_> = list.iter().map(|s| (&s["Format"], &s["Definition"], &s["Specification"])).collect();
    assert_eq!(
        told,
        [(&json!("m3u8"), &json!("LD"), &json!("H264.LD")), (&json!("mp4"), &json!("LD"), &json!("H264.LD")),]
    );
    let job = list[0]["JobId"].as_str().unwrap();
    assert_eq!(list[0]["PlayURL"], format!("http://vod.example.org/media/{video}/{job}/t.m3u8"));
    assert_eq!(list[0]["Bitrate"], "500");

    let formats = async |more: &[(&str, &str)]| {
        let params: Vec<_> = [id].iter().chain(more).copied().collect();
        let answer = api.good(VOD, "GetPlayInfo", &params).await;
        answer["PlayInfoList"]["PlayInfo"].as_array().unwrap().len()
    };
    assert_eq!(formats(&[("Formats", "mp4")]).await, 1);
    assert_eq!(formats(&[("Definition", "LD,HD"), ("StreamType", "video"), ("ResultType", "Multiple")]).await, 2);
    assert_eq!(formats(&[("PlayConfig", r#"{"EncryptType":"Unencrypted","PreviewTime":"30"}"#)]).await, 2);
    // The template's own word is not the one of playback.
    let none = api.v1(&api.ask(VOD, "GetPlayInfo", &[id, ("Definition", "SD"), ("Formats", "mp4")])).await;
    assert_eq!(refusal(&none), (404, "InvalidVideo.NoneStream".to_owned()));
    assert!(none.json()["Message"].as_str().unwrap().contains("Formats=mp4 Definition=SD"));
    for bad in [("AuthTimeout", "0"), ("OutputType", "ftp"), ("PlayConfig", "x"), ("ReAuthInfo", r#"{"rand":"a-b"}"#)] {
        assert_eq!(api.bad(VOD, "GetPlayInfo", &[id, bad]).await.1, "InvalidParameter", "{bad:?}");
    }
}

#[tokio::test]
async fn urls_are_signed_when_the_tenant_says_so() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = transcoded(&mut life).await;
    api.world.store.set_tenant_switches("acme", None, Some(true)).await.unwrap();
    let play = async |more: &[(&str, &str)]| {
        let mut params = vec![("VideoId", video.as_str())];
        params.extend(more);
        let answer = api.good(VOD, "GetPlayInfo", &params).await;
        answer["PlayInfoList"]["PlayInfo"][0]["PlayURL"].as_str().unwrap().to_owned()
    };
    let lives_until = |url: &str, last_s: i64| {
        let (url, value) = url.split_once("?auth_key=").unwrap();
        let path = url.strip_prefix("http://vod.example.org").unwrap();
        let verify = |now_s| url_auth::verify(path, Some(value), &["acme-play"], 1800, now_s);
        assert_eq!(verify(noon().0 / 1000 + last_s), Ok(()), "{value}");
        assert!(verify(noon().0 / 1000 + last_s + 1).is_err(), "{value}");
    };
    lives_until(&play(&[]).await, 1800);
    lives_until(&play(&[("AuthTimeout", "60")]).await, 60);
    lives_until(&play(&[("OutputType", "oss")]).await, 3600);
    let url = play(&[("ReAuthInfo", r#"{"uid":"1042","rand":"477b3bbc253f467b8def6711128c7bec"}"#)]).await;
    assert!(url.contains("-477b3bbc253f467b8def6711128c7bec-1042-"), "{url}");
    lives_until(&url, 1800);

    let id = ("VideoId", video.as_str());
    let info = api.good(VOD, "GetVideoInfo", &[id]).await;
    lives_until(info["Video"]["CoverURL"].as_str().unwrap(), 1800);
    let source = api.good(VOD, "GetMezzanineInfo", &[id]).await;
    lives_until(source["Mezzanine"]["FileURL"].as_str().unwrap(), 3600);
    let pictures = api.good(VOD, "ListSnapshots", &[id, ("AuthTimeout", "1")]).await;
    lives_until(pictures["MediaSnapshot"]["Snapshots"]["Snapshot"][0]["Url"].as_str().unwrap(), 3600);
}

#[tokio::test]
async fn the_source_file_is_described() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = life.part(0).await;
    let id = ("VideoId", video.as_str());
    let answer = api.good(VOD, "GetMezzanineInfo", &[id, ("AdditionType", "video,audio")]).await;
    assert_eq!(
        answer["Mezzanine"],
        json!({
            "VideoId": video.as_str(), "FileName": "source.mp4",
            "FileURL": format!("http://vod.example.org/media/{video}/source.mp4"), "Size": 1000,
            "Width": 320, "Height": 240, "Duration": "10.0000", "Bitrate": "0.0000", "Fps": "25.0000",
            "Status": "Normal", "OutputType": "cdn", "CreationTime": NOON, "PreprocessStatus": "UnPreprocess",
            "StorageClass": "Standard",
            "VideoStreamList": [{"Index": "0", "CodecName": "h264", "Profile": "High", "Width": "320", "Height": "240",
                                 "Fps": "25", "AvgFPS": "25", "Duration": "10", "NumFrames": "250"}],
            "AudioStreamList": [{"Index": "1", "CodecName": "aac", "SampleRate": "44100", "Channels": "2",
                                 "ChannelLayout": "stereo", "Duration": "10", "NumFrames": "430"}]
        })
    );
    let answer = api.good(VOD, "GetMezzanineInfo", &[id]).await;
    assert!(answer["Mezzanine"].get("VideoStreamList").is_none());
    assert_eq!(api.bad(VOD, "GetMezzanineInfo", &[id, ("AdditionType", "text")]).await.1, "InvalidParameter");
}

#[tokio::test]
async fn a_composed_video_has_no_file_url_before_it_has_a_file() {
    let api = Api::new().await;
    let shown = async |video: &VideoId| {
        let source = api.good(VOD, "GetMezzanineInfo", &[("VideoId", video.as_str())]).await["Mezzanine"].clone();
        (source["Status"].as_str().unwrap().to_owned(), source["FileURL"].as_str().map(str::to_owned))
    };
    let failure = WorkFailure { code: "InvalidParameter.ResourceContentBad".into(), message: "no keyframe".into() };
    for (name, failure, status) in [("one", None, "Normal"), ("two", Some(failure), "UploadFail")] {
        let mut life = api.world.broadcast("acme", name).await;
        life.part(0).await;
        life.now = noon().plus_ms(10_000);
        life.part(10_000).await;
        let video = life.compose(GapRule::Cut).await;
        life.link().await;
        assert_eq!(shown(&video).await, ("Uploading".to_owned(), None));
        let failed = failure.is_some();
        life.build(failure).await;
        let url = format!("http://vod.example.org/media/{video}/source.mp4");
        assert_eq!(shown(&video).await, (status.to_owned(), (!failed).then_some(url)));
        // It was recorded until its last part ended.
        let row = api.world.store.video("acme", video.as_str()).await.unwrap().unwrap();
        assert_eq!((row.record_start, row.record_end), (Some(noon().0), Some(noon().0 + 10_000)));
    }
    let stream = [("StreamName", "cam-one"), ("SortBy", "CreationTime:Asc")];
    let listed = api.good(VOD, "ListLiveRecordVideo", &stream).await;
    let composed = &listed["LiveRecordVideoList"]["LiveRecordVideo"][2];
    assert_eq!(composed["RecordEndTime"], "2027-01-01T00:00:10Z", "{composed}");
}

#[tokio::test]
async fn tasks_and_jobs_are_shown() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = life.part(0).await;
    life.decide(&video, &["m3u8", "mp4"]).await;
    let done = life.rendition(&video, 0, &[("t.m3u8", b"#EXTM3U")]).await;
    let task = life.state.videos[&video].task().unwrap();
    let (task_id, open) = (task.id.to_string(), task.outputs[1].job.clone());
    let list = async || api.good(VOD, "ListTranscodeTask", &[("VideoId", video.as_str())]).await;
    let header = json!({
        "TranscodeTaskId": task_id, "TranscodeTemplateGroupId": "g1", "VideoId": video.as_str(),
        "TaskStatus": "Partial", "Trigger": "Auto", "CreationTime": NOON
    });
    assert_eq!(list().await, json!({"TranscodeTaskList": [header]}));

    let failure = WorkFailure { code: "InvalidParameter.ResourceContentBad".into(), message: "bad".into() };
    let result = WorkResult::Failed(failure);
    life.put(Input::OutputFinished { video: video.clone(), job: open.clone(), result, started_at: noon() }).await;
    let shown = list().await["TranscodeTaskList"][0].clone();
    assert_eq!((&shown["TaskStatus"], &shown["CompleteTime"]), (&json!("CompletePartialSucc"), &json!(NOON)));

    let answer = api.good(VOD, "GetTranscodeTask", &[("TranscodeTaskId", &task_id)]).await;
    let jobs = answer["TranscodeTask"]["TranscodeJobInfoList"].as_array().unwrap();
    assert_eq!(
        jobs[0],
        json!({
            "TranscodeJobId": done, "TranscodeTemplateId": "t-m3u8", "TranscodeJobStatus": "TranscodeSuccess",
            "TranscodeProgress": 100, "Priority": "6", "Definition": "SD",
            "InputFileUrl": format!("http://vod.example.org/media/{video}/source.mp4"),
            "CreationTime": NOON, "CompleteTime": NOON,
            "OutputFile": {
                "OutputFileUrl": format!("http://vod.example.org/media/{video}/{done}/t.m3u8"), "Format": "m3u8",
                "Width": "320", "Height": "240", "Duration": "10", "Bitrate": "500", "Fps": "25", "Filesize": 1,
                "Encryption": "", "WatermarkIdList": [],
                "VideoStreamList": "[{\"CodecName\":\"H.264\",\"Fps\":\"25\",\"Height\":\"240\",\"Width\":\"320\"}]",
                "AudioStreamList": "[{\"Channels\":\"2\",\"CodecName\":\"AAC\",\"SampleRate\":\"44100\"}]",
                "SubtitleStreamList": "[]"
            }
        })
    );
    assert_eq!(jobs[1]["TranscodeJobStatus"], "TranscodeFail");
    assert_eq!(jobs[1]["ErrorCode"], "InvalidParameter.ResourceContentBad");
    let answer = api.good(VOD, "GetTranscodeTask", &[("JobIds", &format!("{open},gone"))]).await;
    assert_eq!(answer["NonExistJobIds"], json!(["gone"]));
    assert_eq!(answer["TranscodeJobInfoList"][0]["TranscodeJobId"], open.as_str());

    let gone = ("TranscodeTaskId", "gone");
    assert_eq!(api.bad(VOD, "GetTranscodeTask", &[gone]).await, (404, "NoSuchResource".to_owned()));
    assert_eq!(api.bad(VOD, "GetTranscodeTask", &[]).await.1, "MissingParameter");
    let foreign = Ask { tenant: "umbrella", ..api.ask(VOD, "GetTranscodeTask", &[("TranscodeTaskId", &task_id)]) };
    assert_eq!(refusal(&api.v3(&foreign).await).1, "NoSuchResource");
}

#[tokio::test]
async fn pictures_are_listed_by_page() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = transcoded(&mut life).await;
    let id = ("VideoId", video.as_str());
    let job = life.state.videos[&video].task().unwrap().cover.as_ref().unwrap().job.clone();
    let url = |name: &str| format!("http://vod.example.org/media/{video}/{job}/{name}");
    assert_eq!(
        api.good(VOD, "ListSnapshots", &[id, ("PageSize", "2"), ("PageNo", "2")]).await,
        json!({"MediaSnapshot": {
            "JobId": job.as_str(), "CreationTime": NOON, "Total": 3, "Regular": url("c-{SnapshotCount}.jpg"),
            "Snapshots": {"Snapshot": [{"Index": 3, "Url": url("c-00003.jpg")}]}
        }})
    );
    assert_eq!(
        api.good(VOD, "ListSnapshots", &[id, ("SnapshotType", "SpriteSnapshot")]).await,
        json!({"MediaSnapshot": {"Total": 0, "Snapshots": {"Snapshot": []}}})
    );
}
