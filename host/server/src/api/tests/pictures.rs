//! Asking for pictures, and templates of them.

use reprise_lifecycle::id::{BroadcastId, JobId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::{Record, WorkResult};
use reprise_lifecycle::work::{PictureFacts, PictureKind};
use serde_json::{Value, json};

use super::Api;
use super::client::VOD;
use crate::ffmpeg::pictures::{PictureSettings, Times};
use crate::store::outbox::EventFilter;

const TEMPLATE: &str = r#"{"SnapshotType":"WebVttSnapshot","SnapshotConfig":{"FrameType":"intra","Count":"10",
    "Interval":"2","SpecifiedOffsetTime":"0","SpriteSnapshotConfig":{"Columns":"2"},"Format":"vtt"}}"#;

/// What the journal of broadcast `one` was asked for last: kind, settings, and what came with the request.
async fn asked(api: &Api) -> (PictureKind, PictureSettings, Option<String>) {
    let records = api.world.store.journal(&BroadcastId::new("one")).await.unwrap();
    let Some(Record::PicturesAsked { plan, request, .. }) = records.last() else { panic!("{records:?}") };
    (plan.kind, serde_json::from_str(&plan.settings).unwrap(), request.extend.clone())
}

#[tokio::test]
async fn pictures_are_asked_for_taken_and_listed() {
    let api = Api::new().await;
    let video = api.world.broadcast("acme", "one").await.part(0).await;
    let id = ("VideoId", video.as_str());
    let params = [id, ("Count", "3"), ("Interval", "2"), ("UserData", r#"{"Extend":{"a":1}}"#)];
    let answer = api.good(VOD, "SubmitSnapshotJob", &params).await;
    let job = answer["SnapshotJob"]["JobId"].as_str().unwrap().to_owned();
    let times = Times::Every { from_ms: 0, interval_ms: 2000, count: Some(3) };
    let (kind, settings, extend) = asked(&api).await;
    assert_eq!((kind, settings.times, extend.as_deref()), (PictureKind::Normal, times, Some(r#"{"a":1}"#)));

    let normal = ("SnapshotType", "NormalSnapshot");
    let none = api.good(VOD, "ListSnapshots", &[id, normal]).await;
    assert_eq!(none["MediaSnapshot"]["Total"], 0);
    let pattern = format!("{job}/{{SnapshotCount}}.jpg");
    let facts = PictureFacts { kind: PictureKind::Normal, pattern, count: 3 };
    let result = WorkResult::Done(vec![facts]);
    let done = Input::PicturesFinished { video: video.clone(), job: JobId::new(job.clone()), result };
    api.driver.job_input(&BroadcastId::new("one"), done).await.unwrap();
    let listed = api.good(VOD, "ListSnapshots", &[id, normal]).await["MediaSnapshot"].clone();
    assert_eq!((&listed["JobId"], &listed["Total"]), (&json!(job), &json!(3)));
    let url = format!("http://vod.example.org/media/{video}/{job}/00002.jpg");
    assert_eq!(listed["Snapshots"]["Snapshot"][1], json!({ "Index": 2, "Url": url }));

    let filter = EventFilter { kind: Some("SnapshotComplete".to_owned()), ..EventFilter::default() };
    let events = api.world.store.events("acme", &filter, 10).await.unwrap();
    let mut body: Value = serde_json::from_str(&events[0].body).unwrap();
    body.as_object_mut().unwrap().remove("EventTime").unwrap();
    let format = format!("{video}/{job}/{{SnapshotCount}}.jpg");
    assert_eq!(
        body,
        json!({
            "EventType": "SnapshotComplete", "VideoId": video.as_str(), "Status": "success",
            "SubType": "SpecifiedTime", "Extend": r#"{"a":1}"#,
            "SnapshotInfos": [{
                "Status": "success", "SnapshotType": "NormalSnapshot", "SnapshotCount": 3, "SnapshotFormat": format,
                "SnapshotRegular": format!("http://vod.example.org/media/{format}"), "JobId": job
            }]
        })
    );
}

#[tokio::test]
async fn templates_are_kept_and_followed() {
    let api = Api::new().await;
    let video = api.world.broadcast("acme", "one").await.part(0).await;
    let id = ("VideoId", video.as_str());
    let new = [("Name", "thumbs"), ("TemplateType", "Snapshot"), ("TemplateConfig", TEMPLATE)];
    let template = api.good(VOD, "AddVodTemplate", &new).await["VodTemplateId"].as_str().unwrap().to_owned();
    let named = ("VodTemplateId", template.as_str());
    let shown = api.good(VOD, "GetVodTemplate", &[named]).await["VodTemplateInfo"].clone();
    assert_eq!(
        shown,
        json!({
            "VodTemplateId": template, "Name": "thumbs", "TemplateType": "Snapshot", "TemplateConfig": TEMPLATE,
            "IsDefault": "NotDefault", "CreationTime": "2027-01-01T00:00:00Z", "ModifyTime": "2027-01-01T00:00:00Z"
        })
    );
    assert_eq!(
        api.good(VOD, "UpdateVodTemplate", &[named, ("Name", "better")]).await,
        json!({ "VodTemplateId": template })
    );
    let listed = api.good(VOD, "ListVodTemplate", &[("TemplateType", "Snapshot")]).await;
    assert_eq!(listed["VodTemplateInfoList"][0]["Name"], "better");
    assert_eq!(listed["VodTemplateInfoList"][0]["TemplateConfig"], TEMPLATE);

    // Everything beside the template is ignored.
    api.good(VOD, "SubmitSnapshotJob", &[id, ("SnapshotTemplateId", &template), ("Count", "none")]).await;
    let (kind, settings, _) = asked(&api).await;
    assert!(kind == PictureKind::WebVtt && settings.key_frames && settings.sheet.unwrap().columns == 2);

    assert_eq!(api.good(VOD, "DeleteVodTemplate", &[named]).await, json!({ "VodTemplateId": template }));
    for (action, params) in [
        ("GetVodTemplate", vec![named]),
        ("DeleteVodTemplate", vec![named]),
        ("UpdateVodTemplate", vec![named, ("Name", "x")]),
        ("SubmitSnapshotJob", vec![id, ("SnapshotTemplateId", template.as_str())]),
    ] {
        assert_eq!(api.bad(VOD, action, &params).await, (404, "NoSuchResource".to_owned()), "{action}");
    }
    let animated = [("Name", "a"), ("TemplateType", "DynamicImage"), ("TemplateConfig", "{}")];
    assert_ne!(api.bad(VOD, "AddVodTemplate", &animated).await.0, 200);
    let spoilt = [("Name", "a"), ("TemplateType", "Snapshot"), ("TemplateConfig", "{}")];
    assert_eq!(api.bad(VOD, "AddVodTemplate", &spoilt).await.1, "MissingParameter");
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let busy = life.part(0).await;
    life.decide(&busy, &["mp4"]).await;
    let without = life.part(10_000).await;
    drop(life);
    let submit = async |params: &[(&str, &str)]| api.bad(VOD, "SubmitSnapshotJob", params).await;
    assert_eq!(submit(&[]).await.1, "MissingParameter");
    let one = ("Count", "1");
    assert_eq!(submit(&[("VideoId", "gone")]).await.1, "MissingParameter");
    assert_eq!(submit(&[("VideoId", "gone"), one]).await, (404, "InvalidVideo.NotFound".to_owned()));
    assert_eq!(submit(&[("VideoId", busy.as_str()), one]).await, (400, "Forbidden.IllegalStatus".to_owned()));
    let id = ("VideoId", without.as_str());
    assert_eq!(submit(&[id, one, ("SpriteSnapshotConfig", r#"{"Color":"0x000000"}"#)]).await.1, "InvalidParameter");
    api.good(VOD, "DeleteMezzanines", &[("VideoIds", without.as_str())]).await;
    assert_eq!(submit(&[id, one]).await, (400, "Forbidden.IllegalStatus".to_owned()));
}
