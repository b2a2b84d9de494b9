//! Deleting videos, sources and streams.

use reprise_lifecycle::id::JobId;
use serde_json::{Value, json};

use super::Api;
use super::client::{Ask, VOD, refusal};
use crate::store::outbox::EventFilter;

/// The bodies of a tenant's removal events, oldest first, without their times.
async fn told(api: &Api) -> Vec<Value> {
    let filter = EventFilter { kind: Some("DeleteMediaComplete".to_owned()), ..EventFilter::default() };
    let mut events = api.world.store.events("acme", &filter, 100).await.unwrap();
    events.reverse();
    let body = |text: &str| {
        let mut body: Value = serde_json::from_str(text).unwrap();
        body.as_object_mut().unwrap().remove("EventTime").unwrap();
        body
    };
    events.iter().map(|event| body(&event.body)).collect()
}

fn event(video: &str, kind: &str) -> Value {
    json!({
        "EventType": "DeleteMediaComplete", "Status": "success", "MediaType": "video", "DeleteType": kind,
        "MediaId": video
    })
}

#[tokio::test]
async fn a_video_goes_with_all_that_belongs_to_it() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let first = life.part(0).await;
    life.decide(&first, &["mp4"]).await;
    life.rendition(&first, 0, &[("t.mp4", b"mp4")]).await;
    life.covers(&first, 2).await;
    let second = life.part(10_000).await;
    drop(life);

    let ids = format!("{first},gone,{first}");
    assert_eq!(
        api.good(VOD, "DeleteVideo", &[("VideoIds", &ids)]).await,
        json!({ "ForbiddenVideoIds": [], "NonExistVideoIds": ["gone"], "NonExistReferenceIds": [] })
    );
    for action in ["GetVideoInfo", "GetPlayInfo", "GetMezzanineInfo", "ListSnapshots", "ListTranscodeTask"] {
        let refused = api.bad(VOD, action, &[("VideoId", first.as_str())]).await;
        assert_eq!(refused, (404, "InvalidVideo.NotFound".to_owned()), "{action}");
    }
    assert_eq!(api.good(VOD, "SearchMedia", &[]).await["Total"], 1);
    assert_eq!(told(&api).await, [event(first.as_str(), "all")]);
    let filter = EventFilter { kind: Some("MediaBaseChangeComplete".to_owned()), ..EventFilter::default() };
    let events = api.world.store.events("acme", &filter, 100).await.unwrap();
    let mut said: Value = serde_json::from_str(&events[0].body).unwrap();
    said.as_object_mut().unwrap().remove("EventTime").unwrap();
    assert_eq!(
        (events.len(), said),
        (
            1,
            json!({
                "EventType": "MediaBaseChangeComplete", "Status": "success", "MediaType": "video",
                "MediaId": first.as_str(), "OperateMode": "delete",
                "MediaContent": {
                    "Title": "{\"OldValue\":\"cam-one\"}", "CateId": "{\"OldValue\":0}", "Tags": "{\"OldValue\":\"\"}",
                    "Description": "{\"OldValue\":\"cam-one|studio|play.acme.example\"}",
                }
            })
        )
    );

    let gone = ("VideoIds", first.as_str());
    assert_eq!(api.bad(VOD, "DeleteVideo", &[gone]).await, (404, "InvalidVideo.NotFound".to_owned()));
    let many = ["v"; 21].join(",");
    assert_eq!(api.bad(VOD, "DeleteVideo", &[("VideoIds", &many)]).await.1, "VideoIdsExceededMax");
    assert_eq!(api.bad(VOD, "DeleteVideo", &[]).await.1, "MissingParameter");
    let foreign = Ask { tenant: "umbrella", ..api.ask(VOD, "DeleteVideo", &[("VideoIds", second.as_str())]) };
    assert_eq!(refusal(&api.v3(&foreign).await).1, "InvalidVideo.NotFound");
    assert_eq!(told(&api).await.len(), 1);
}

#[tokio::test]
async fn a_source_that_plays_goes_only_by_force() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let transcoded = life.part(0).await;
    life.decide(&transcoded, &["mp4"]).await;
    life.rendition(&transcoded, 0, &[("t.mp4", b"mp4")]).await;
    drop(life);
    let mut life = api.world.broadcast("acme", "two").await;
    let stored = life.part(0).await;
    super::media::store_only(&mut life).await;
    drop(life);

    let ids = format!("{transcoded},{stored},gone");
    assert_eq!(
        api.good(VOD, "DeleteMezzanines", &[("VideoIds", &ids)]).await,
        json!({ "NonExistVideoIds": ["gone"], "UnRemoveableVideoIds": [stored.as_str()], "NonExistReferenceIds": [] })
    );
    let id = ("VideoId", transcoded.as_str());
    assert_eq!(api.good(VOD, "GetMezzanineInfo", &[id]).await["Mezzanine"]["Status"], "Deleted");
    let plays = api.good(VOD, "GetPlayInfo", &[id]).await;
    assert_eq!(plays["PlayInfoList"]["PlayInfo"].as_array().unwrap().len(), 1);

    let forced = [("VideoIds", stored.as_str()), ("Force", "True")];
    assert_eq!(api.good(VOD, "DeleteMezzanines", &forced).await["UnRemoveableVideoIds"], json!([]));
    assert_ne!(api.bad(VOD, "GetPlayInfo", &[("VideoId", stored.as_str())]).await.0, 200);
    assert_eq!(told(&api).await, [event(transcoded.as_str(), "mezzanine"), event(stored.as_str(), "mezzanine")]);
}

#[tokio::test]
async fn a_stream_goes_by_its_job() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = life.part(0).await;
    life.decide(&video, &["m3u8", "mp4"]).await;
    let first = life.rendition(&video, 0, &[("t.m3u8", b"#EXTM3U")]).await;
    let second = life.rendition(&video, 1, &[("t.mp4", b"mp4")]).await;
    drop(life);
    let id = ("VideoId", video.as_str());
    assert_eq!(api.good(VOD, "DeleteStream", &[id, ("JobIds", &first)]).await, json!({}));
    let plays = api.good(VOD, "GetPlayInfo", &[id]).await;
    let jobs: Vec<&Value> =
        plays["PlayInfoList"]["PlayInfo"].as_array().unwrap().iter().map(|it| &it["JobId"]).collect();
    assert_eq!(jobs, [&json!(second)]);
    let mut expected = event(video.as_str(), "stream");
    expected["JobIds"] = first.as_str().into();
    assert_eq!(told(&api).await, [expected]);

    let many = ["j"; 21].join(",");
    for (id, jobs, code) in [
        (video.as_str(), first.as_str(), "InvalidStream.NotFound"),
        (video.as_str(), "gone", "InvalidStream.NotFound"),
        (video.as_str(), &many, "JobIdsExceededMax"),
        ("gone", &second, "InvalidVideo.NotFound"),
    ] {
        assert_eq!(api.bad(VOD, "DeleteStream", &[("VideoId", id), ("JobIds", jobs)]).await.1, code);
    }
    // The stream that is the source has an id too.
    let source = JobId::of_source(&video);
    api.good(VOD, "DeleteStream", &[id, ("JobIds", source.as_str())]).await;
    assert_eq!(api.good(VOD, "GetMezzanineInfo", &[id]).await["Mezzanine"]["Status"], "Deleted");
}
