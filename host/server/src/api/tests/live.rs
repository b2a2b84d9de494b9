//! The Live actions.

use serde_json::{Value, json};

use super::Api;
use super::client::{Ask, LIVE, VOD, refusal};

const ADD: &str = "AddLiveRecordVodConfig";
const UPDATE: &str = "UpdateLiveRecordVodConfig";
const LIST: &str = "DescribeLiveRecordVodConfigs";
const DELETE: &str = "DeleteLiveRecordVodConfig";

const PLAY: (&str, &str) = ("DomainName", "play.acme.example");
const APP: (&str, &str) = ("AppName", "studio");
const STORE_ONLY: (&str, &str) = ("VodTranscodeGroupId", "VOD_NO_TRANSCODE");

/// Parameters, and the status and code they are refused with.
type Refusal<'a> = (&'a [(&'a str, &'a str)], (u16, &'a str));

async fn rules(api: &Api) -> Vec<Value> {
    let answer = api.good(LIVE, LIST, &[PLAY]).await;
    answer["LiveRecordVodConfigs"]["LiveRecordVodConfig"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_rule_lives_from_add_to_delete() {
    let api = Api::new().await;
    let group = api.good(VOD, "AddTranscodeTemplateGroup", &[("Name", "g")]).await;
    let group = group["TranscodeTemplateGroupId"].as_str().unwrap();

    let added = [PLAY, APP, STORE_ONLY, ("StreamName", "cam01"), ("CycleDuration", "1200"), ("SpaceId", "space")];
    assert_eq!(api.good(LIVE, ADD, &added).await, json!({}));
    assert_eq!(api.bad(LIVE, ADD, &added).await, (400, "ConfigAlreadyExists".to_owned()));
    assert_eq!(
        api.good(LIVE, LIST, &[PLAY, APP, ("StreamName", "cam01"), ("PageSize", "5")]).await,
        json!({
            "PageNum": 1, "PageSize": 5, "Total": "1",
            "LiveRecordVodConfigs": { "LiveRecordVodConfig": [ {
                "DomainName": "play.acme.example", "AppName": "studio", "StreamName": "cam01",
                "VodTranscodeGroupId": "VOD_NO_TRANSCODE", "CycleDuration": 1200, "AutoCompose": "OFF",
                "ComposeVodTranscodeGroupId": "", "DelayTime": 180, "OnDemand": 0, "RecordContent": "raw",
                "TranscodeTemplates": "", "StorageLocation": "", "SpaceId": "space", "FormatConfig": false,
                "RecordFormatList": { "RecordFormat": [] }, "CreateTime": "2027-01-01T00:00:00Z"
            } ] }
        })
    );

    let key = [PLAY, APP, ("StreamName", "cam01")];
    let mut change = key.to_vec();
    change.extend([("VodTranscodeGroupId", group), ("DelayTime", "15")]);
    api.good(LIVE, UPDATE, &change).await;
    let rule = &rules(&api).await[0];
    assert_eq!((&rule["VodTranscodeGroupId"], &rule["DelayTime"]), (&json!(group), &json!(15)));
    assert_eq!((&rule["CycleDuration"], &rule["SpaceId"]), (&json!(1200), &json!("space")));

    // The app's rule is another one than the stream's, whichever way "all streams" is written.
    api.good(LIVE, ADD, &[PLAY, APP, STORE_ONLY, ("StreamName", "*")]).await;
    assert_eq!(api.bad(LIVE, ADD, &[PLAY, APP, STORE_ONLY]).await.1, "ConfigAlreadyExists");
    api.good(LIVE, DELETE, &[PLAY, APP]).await;
    assert_eq!(rules(&api).await.len(), 1);
    api.good(LIVE, DELETE, &key).await;
    assert_eq!(api.bad(LIVE, DELETE, &key).await, (400, "CodeConfigNotFound".to_owned()));
    assert_eq!(api.bad(LIVE, UPDATE, &key).await, (400, "CodeConfigNotFound".to_owned()));
}

#[tokio::test]
async fn a_format_rule_replaces_the_single_values() {
    let api = Api::new().await;
    let format = [
        PLAY,
        APP,
        ("RecordFormat.1.Format", "m3u8"),
        ("RecordFormat.1.SliceDuration", "10"),
        ("RecordFormat.1.ProcessMethod", "transcode"),
        ("RecordFormat.1.ProcessTemplateId", "VOD_NO_TRANSCODE"),
        ("RecordFormat.1.VideoProcess", "origin"),
        ("RecordFormat.1.AutoCompose", "OFF"),
    ];
    api.good(LIVE, ADD, &format).await;
    let rule = &rules(&api).await[0];
    assert_eq!(rule["FormatConfig"], true);
    assert_eq!(rule["VodTranscodeGroupId"], "VOD_NO_TRANSCODE");
    assert_eq!(
        rule["RecordFormatList"],
        json!({"RecordFormat": [{
            "Format": "m3u8", "SliceDuration": 10, "ProcessMethod": "transcode", "ProcessTemplateId": "VOD_NO_TRANSCODE",
            "VideoProcess": "origin", "AutoCompose": "OFF", "Tags": ""
        }]})
    );
    api.good(LIVE, UPDATE, &[PLAY, APP, STORE_ONLY]).await;
    assert_eq!(rules(&api).await[0]["FormatConfig"], false);
}

#[tokio::test]
async fn a_rule_composes_in_either_form() {
    let api = Api::new().await;
    let compose = [PLAY, APP, STORE_ONLY, ("AutoCompose", "on"), ("ComposeVodTranscodeGroupId", "VOD_NO_TRANSCODE")];
    api.good(LIVE, ADD, &compose).await;
    let rule = &rules(&api).await[0];
    assert_eq!((&rule["AutoCompose"], &rule["ComposeVodTranscodeGroupId"]), (&json!("ON"), &json!("VOD_NO_TRANSCODE")));
    let merged_only = [
        PLAY,
        APP,
        ("RecordFormat.1.Format", "mp4"),
        ("RecordFormat.1.ProcessTemplateId", "VOD_NO_TRANSCODE"),
        ("RecordFormat.1.VideoProcess", "compose"),
        ("RecordFormat.1.AutoCompose", "ON"),
    ];
    api.good(LIVE, UPDATE, &merged_only).await;
    let rule = &rules(&api).await[0];
    assert_eq!(rule["RecordFormatList"]["RecordFormat"][0]["VideoProcess"], "compose");
    assert_eq!((&rule["AutoCompose"], &rule["VodTranscodeGroupId"]), (&json!("ON"), &json!("VOD_NO_TRANSCODE")));
}

#[tokio::test]
async fn a_rule_that_cannot_be_is_refused_by_name() {
    let api = Api::new().await;
    let invalid = (400, "InvalidParameter");
    let not_offered = (400, "UnsupportedOperation");
    let table: &[Refusal] = &[
        (&[APP, STORE_ONLY], (400, "MissingDomainName")),
        (&[PLAY, STORE_ONLY], (400, "MissingAppName")),
        (&[PLAY, APP], (400, "MissingVodTranscodeGroupId")),
        (&[("DomainName", "push.acme.example"), APP, STORE_ONLY], (404, "InvalidDomain.NotFound")),
        (&[("DomainName", "play.umbrella.example"), APP, STORE_ONLY], (404, "InvalidDomain.NotFound")),
        (&[PLAY, ("AppName", "a/b"), STORE_ONLY], invalid),
        (&[PLAY, APP, STORE_ONLY, ("StreamName", "a b")], invalid),
        (&[PLAY, APP, STORE_ONLY, ("CycleDuration", "299")], invalid),
        (&[PLAY, APP, STORE_ONLY, ("CycleDuration", "21601")], invalid),
        (&[PLAY, APP, STORE_ONLY, ("DelayTime", "14")], invalid),
        (&[PLAY, APP, STORE_ONLY, ("OnDemand", "3")], invalid),
        (&[PLAY, APP, STORE_ONLY, ("AutoCompose", "MAYBE")], invalid),
        (&[PLAY, APP, STORE_ONLY, ("RecordContent", "all")], invalid),
        (&[PLAY, APP, ("VodTranscodeGroupId", "0123")], (404, "InvalidTranscodeTemplateGroup.NotFound")),
        (&[PLAY, APP, STORE_ONLY, ("AutoCompose", "ON")], (400, "MissingComposeVodTranscodeGroupId")),
        (
            &[PLAY, APP, STORE_ONLY, ("AutoCompose", "ON"), ("ComposeVodTranscodeGroupId", "0123")],
            (404, "InvalidTranscodeTemplateGroup.NotFound"),
        ),
        (&[PLAY, APP, STORE_ONLY, ("OnDemand", "7")], not_offered),
        (&[PLAY, APP, STORE_ONLY, ("RecordContent", "raw,transcode")], not_offered),
        (&[PLAY, APP, ("RecordFormat.1.Format", "avi")], invalid),
        (&[PLAY, APP, ("RecordFormat.1.Format", "mp4")], invalid),
        (&[PLAY, APP, ("RecordFormat.1.Format", "m3u8"), ("RecordFormat.1.SliceDuration", "31")], invalid),
        (
            &[
                PLAY,
                APP,
                ("RecordFormat.1.Format", "m3u8"),
                ("RecordFormat.1.ProcessMethod", "workflow"),
                ("RecordFormat.1.ProcessTemplateId", "VOD_NO_TRANSCODE"),
            ],
            not_offered,
        ),
    ];
    for (params, (status, code)) in table {
        assert_eq!(api.bad(LIVE, ADD, params).await, (*status, (*code).to_owned()), "{params:?}");
    }
    assert!(rules(&api).await.is_empty());
}

#[tokio::test]
async fn live_streams_are_listed_while_they_are_pushed() {
    let api = Api::new().await;
    let mut first = api.world.broadcast("acme", "one").await;
    api.world.broadcast("acme", "two").await;
    api.world.broadcast("umbrella", "three").await;
    first.part(0).await;
    let list = "DescribeLiveStreamsOnlineList";
    let answer = api.good(LIVE, list, &[PLAY, ("StreamName", "cam-one"), ("QueryType", "strict")]).await;
    assert_eq!(
        answer,
        json!({
            "PageNum": 1, "PageSize": 2000, "TotalNum": 1, "TotalPage": 1,
            "OnlineInfo": { "LiveStreamOnlineInfo": [ {
                "DomainName": "play.acme.example", "AppName": "studio", "StreamName": "cam-one",
                "PublishTime": "2027-01-01T00:00:00Z", "PublishType": "edge", "PublishDomain": "push.acme.example",
                "PublishUrl": "rtmp://push.acme.example/studio/cam-one", "ClientIp": "203.0.113.9", "Transcoded": "no",
                "Width": 320, "Height": 240, "FrameRate": 25, "VideoCodecId": 7, "AudioCodecId": 10
            } ] }
        })
    );
    let count = async |params: &[(&str, &str)]| {
        let answer = api.good(LIVE, list, params).await;
        answer["OnlineInfo"]["LiveStreamOnlineInfo"].as_array().unwrap().len()
    };
    assert_eq!(count(&[PLAY]).await, 2);
    assert_eq!(count(&[PLAY, ("StreamName", "o"), ("OnlyStream", "yes")]).await, 2);
    assert_eq!(count(&[PLAY, ("StreamName", "o"), ("QueryType", "strict")]).await, 0);
    assert_eq!(count(&[PLAY, ("StreamType", "trans")]).await, 0);
    assert_eq!(count(&[PLAY, ("AppName", "other")]).await, 0);
    assert_eq!(count(&[PLAY, ("PageSize", "1"), ("PageNum", "2")]).await, 1);
    let foreign = Ask { tenant: "umbrella", ..api.ask(LIVE, list, &[PLAY]) };
    assert_eq!(refusal(&api.v3(&foreign).await).1, "InvalidDomain.NotFound");
}
