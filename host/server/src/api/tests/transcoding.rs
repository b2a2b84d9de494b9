//! Transcoding by hand.

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::input::Input;
use reprise_lifecycle::question::GapRule;
use reprise_lifecycle::record::{Record, WorkFailure, WorkResult};
use reprise_lifecycle::work::Request;
use serde_json::{Value, json};

use super::Api;
use super::client::{Ask, VOD, refusal};
use crate::testkit::{Life, noon};

const ACTION: &str = "SubmitTranscodeJobs";

/// A group of an SD and an OD template, and their ids.
async fn group(api: &Api) -> (String, Vec<String>) {
    let template = |definition: &str| {
        json!({"TemplateName": definition, "Definition": definition, "Container": {"Format": "mp4"},
            "Video": {"Codec": "H.264", "Bitrate": "900"}, "Audio": {"Codec": "AAC"}})
    };
    let list = json!([template("SD"), template("OD")]).to_string();
    let made = api.good(VOD, "AddTranscodeTemplateGroup", &[("Name", "g"), ("TranscodeTemplateList", &list)]).await;
    let id = made["TranscodeTemplateGroupId"].as_str().unwrap().to_owned();
    let shown = api.good(VOD, "GetTranscodeTemplateGroup", &[("TranscodeTemplateGroupId", &id)]).await;
    let list = shown["TranscodeTemplateGroup"]["TranscodeTemplateList"].as_array().unwrap().clone();
    let ids = list.iter().map(|it| it["TranscodeTemplateId"].as_str().unwrap().to_owned()).collect();
    (id, ids)
}

async fn tasks(life: &Life<'_>, api: &Api) -> Vec<Record> {
    let journal = api.world.store.journal(&life.state.id).await.unwrap();
    journal.into_iter().filter(|record| matches!(record, Record::TaskOpened { .. })).collect()
}

async fn stored(api: &Api) -> (Life<'_>, VideoId) {
    let mut life = api.world.broadcast("acme", "one").await;
    let video = life.part(0).await;
    (life, video)
}

#[tokio::test]
async fn a_task_is_opened_as_it_was_asked_for() {
    let api = Api::new().await;
    let (life, video) = stored(&api).await;
    let (group, templates) = group(&api).await;
    let overrides =
        json!({"TranscodeTemplateList": [{"TranscodeTemplateId": templates[0], "Video": {"Bitrate": 300}}]})
            .to_string();
    let answer = api
        .good(
            VOD,
            ACTION,
            &[
                ("VideoId", video.as_str()),
                ("TemplateGroupId", &group),
                ("Priority", "9"),
                ("PipelineId", "ignored"),
                ("OverrideParams", &overrides),
                ("UserData", r#"{"Extend":{"id":7},"MessageCallback":{"CallbackURL":"http://hooks.example.org/x"}}"#),
                ("SessionId", "order-1"),
            ],
        )
        .await;
    let opened = tasks(&life, &api).await;
    let [Record::TaskOpened { task, plan, request, .. }] = opened.as_slice() else { panic!("{opened:?}") };
    assert_eq!(answer["TranscodeTaskId"], task.as_str());
    let jobs = answer["TranscodeJobs"]["TranscodeJob"].as_array().unwrap();
    assert_eq!(jobs.len(), 2, "one for each template");
    let expected = Request {
        priority: 9,
        extend: Some("{\"id\":7}".to_owned()),
        callback: Some("http://hooks.example.org/x".to_owned()),
    };
    assert_eq!((request, plan.cover), (&expected, true));
    let settings: Vec<Value> =
        plan.templates.iter().map(|template| serde_json::from_str(&template.settings).unwrap()).collect();
    assert_eq!((&settings[0]["Video"]["Bitrate"], &settings[1]["Video"]["Bitrate"]), (&json!("300"), &json!("900")));

    let shown = api.good(VOD, "GetTranscodeTask", &[("TranscodeTaskId", task.as_str())]).await;
    let task = &shown["TranscodeTask"];
    assert_eq!((&task["Trigger"], &task["TaskStatus"]), (&json!("Manual"), &json!("Processing")));
    let infos = task["TranscodeJobInfoList"].as_array().unwrap();
    let ids: Vec<&Value> = infos.iter().map(|info| &info["TranscodeJobId"]).collect();
    assert_eq!(ids, jobs.iter().map(|job| &job["JobId"]).collect::<Vec<_>>());
    assert_eq!((&infos[0]["Priority"], &infos[0]["TranscodeProgress"]), (&json!("9"), &json!(0)));
}

#[tokio::test]
async fn a_session_is_good_for_one_task() {
    let mut api = Api::new().await;
    let (group, _) = group(&api).await;
    let (video, second) = {
        let (mut life, video) = stored(&api).await;
        (video, life.part(10_000).await)
    };
    let params = [("VideoId", video.as_str()), ("TemplateGroupId", group.as_str()), ("SessionId", "order_1")];
    // One that is refused leaves its name free.
    let mut gone = params;
    gone[0].1 = "gone";
    assert_eq!(api.bad(VOD, ACTION, &gone).await, (404, "InvalidVideo.NotFound".to_owned()));
    api.good(VOD, ACTION, &params).await;
    let repeated = (400, "SessionIdRepeated".to_owned());
    assert_eq!(api.bad(VOD, ACTION, &params).await, repeated);
    api.restart().await;
    assert_eq!(api.bad(VOD, ACTION, &params).await, repeated);
    let mut other = params;
    other[0].1 = second.as_str();
    assert_eq!(api.bad(VOD, ACTION, &other).await, repeated);
    other[2].1 = "order_2";
    api.good(VOD, ACTION, &other).await;
}

#[tokio::test]
async fn a_video_is_transcoded_when_it_is_stored_plays_or_failed() {
    let api = Api::new().await;
    let (group, _) = group(&api).await;
    let mut life = api.world.broadcast("acme", "one").await;
    let stored = life.part(0).await;
    let busy = life.part(10_000).await;
    let failed = life.part(20_000).await;
    let ready = life.part(30_000).await;
    // Each is decided in the order of the parts; the first one never is.
    life.decide(&stored, &[]).await;
    for video in [&busy, &failed, &ready] {
        life.decide(video, &["mp4"]).await;
    }
    life.rendition(&ready, 0, &[("t.mp4", b"mp4")]).await;
    let job = life.state.videos[&failed].task().unwrap().outputs[0].job.clone();
    let failure = WorkFailure { code: "InvalidParameter.ResourceContentBad".into(), message: "no picture".into() };
    let result = WorkResult::Failed(failure);
    life.put(Input::OutputFinished { video: failed.clone(), job, result, started_at: noon() }).await;
    let composed = life.compose(GapRule::Cut).await;
    life.link().await;
    let illegal = (400, "Forbidden.IllegalStatus".to_owned());
    for (video, status, refused) in [
        (&stored, "UploadSucc", false),
        (&ready, "Normal", false),
        (&failed, "TranscodeFail", false),
        (&busy, "Transcoding", true),
        (&composed, "Uploading", true),
    ] {
        let id = ("VideoId", video.as_str());
        assert_eq!(api.good(VOD, "GetVideoInfo", &[id]).await["Video"]["Status"], status);
        let params = [id, ("TemplateGroupId", group.as_str()), ("SessionId", "again")];
        if refused {
            assert_eq!(api.bad(VOD, ACTION, &params).await, illegal, "{status}");
        } else {
            api.good(VOD, ACTION, &params[..2]).await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_leaves_nothing() {
    let api = Api::new().await;
    let (life, video) = stored(&api).await;
    let (group, templates) = group(&api).await;
    let empty = api.good(VOD, "AddTranscodeTemplateGroup", &[("Name", "empty")]).await;
    let empty = empty["TranscodeTemplateGroupId"].as_str().unwrap().to_owned();
    let clip =
        json!({"TranscodeTemplateList": [{"TranscodeTemplateId": templates[0], "Clip": {"Seek": "1"}}]}).to_string();
    let (long, video) = ("s".repeat(51), video.as_str());
    type Case<'a> = (&'a [(&'a str, &'a str)], (u16, &'a str));
    let table: [Case<'_>; 13] = [
        (&[("TemplateGroupId", &group)], (400, "MissingParameter")),
        (&[("ReferenceId", "my-video"), ("TemplateGroupId", &group)], (400, "UnsupportedOperation")),
        (&[("VideoId", video)], (400, "MissingParameter")),
        (&[("VideoId", "gone"), ("TemplateGroupId", &group)], (404, "InvalidVideo.NotFound")),
        (&[("VideoId", video), ("TemplateGroupId", "gone")], (404, "InvalidTranscodeTemplateGroup.NotFound")),
        (&[("VideoId", video), ("TemplateGroupId", "VOD_NO_TRANSCODE")], (400, "InvalidParameter")),
        (&[("VideoId", video), ("TemplateGroupId", &empty)], (400, "InvalidParameter")),
        (&[("VideoId", video), ("TemplateGroupId", &group), ("Priority", "11")], (400, "InvalidParameter")),
        (&[("VideoId", video), ("TemplateGroupId", &group), ("SessionId", &long)], (400, "InvalidParameter")),
        (&[("VideoId", video), ("TemplateGroupId", &group), ("SessionId", "a b")], (400, "InvalidParameter")),
        (&[("VideoId", video), ("TemplateGroupId", &group), ("UserData", "[]")], (400, "InvalidParameter")),
        (&[("VideoId", video), ("TemplateGroupId", &group), ("OverrideParams", &clip)], (400, "InvalidParameter")),
        (&[("VideoId", video), ("TemplateGroupId", &group), ("EncryptConfig", "{}")], (400, "UnsupportedOperation")),
    ];
    for (params, (status, code)) in table {
        assert_eq!(api.bad(VOD, ACTION, params).await, (status, code.to_owned()), "{params:?}");
    }
    let params = [("VideoId", video), ("TemplateGroupId", group.as_str())];
    let foreign = Ask { tenant: "umbrella", ..api.ask(VOD, ACTION, &params) };
    assert_eq!(refusal(&api.v3(&foreign).await), (404, "InvalidVideo.NotFound".to_owned()));
    assert_eq!(tasks(&life, &api).await, []);
}
