//! The actions about streams that are being pushed, and about who is told of them.

use serde_json::json;

use super::Api;
use super::client::{Ask, LIVE, refusal};
use crate::ingest::publishers::{Entry, tests::who};
use crate::store::live_notices::NewNotice;
use crate::store::live_publishes::Publish;
use crate::testkit::noon;

const PLAY: (&str, &str) = ("DomainName", "play.acme.example");
const PUSH: (&str, &str) = ("DomainName", "push.acme.example");
const APP: (&str, &str) = ("AppName", "studio");
const ONE: (&str, &str) = ("StreamName", "one");
const PUBLISHER: (&str, &str) = ("LiveStreamType", "publisher");
const SPAN: [(&str, &str); 2] = [("StartTime", "2026-12-31T00:00:00Z"), ("EndTime", "2027-01-02T00:00:00Z")];

impl Api {
    fn online(&self, tenant: &str, stream: &str) -> Entry {
        self.publishers.enter(who(tenant, stream), 10).unwrap()
    }
}

#[tokio::test]
async fn live_streams_are_listed_while_they_are_pushed() {
    let api = Api::new().await;
    let _streams = [api.online("acme", "one"), api.online("acme", "two"), api.online("umbrella", "one")];
    let list = "DescribeLiveStreamsOnlineList";
    let answer = api.good(LIVE, list, &[PLAY, ONE, ("QueryType", "strict")]).await;
    assert_eq!(
        answer,
        json!({
            "PageNum": 1, "PageSize": 2000, "TotalNum": 1, "TotalPage": 1,
            "OnlineInfo": { "LiveStreamOnlineInfo": [ {
                "DomainName": "play.acme.example", "AppName": "studio", "StreamName": "one",
                "PublishTime": "2027-01-01T00:00:00Z", "PublishType": "edge", "PublishDomain": "push.acme.example",
                "PublishUrl": "rtmp://push.acme.example/studio/one", "ClientIp": "203.0.113.9",
                "ServerIp": "127.0.0.1", "Transcoded": "no"
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
    for domain in [PLAY, PUSH] {
        let state = api.good(LIVE, "DescribeLiveStreamState", &[domain, APP, ONE]).await;
        assert_eq!(state, json!({"StreamState": "online", "Type": "push"}));
    }
    let state = api.good(LIVE, "DescribeLiveStreamState", &[PLAY, APP, ("StreamName", "three")]).await;
    assert_eq!(state["StreamState"], "offline");
}

#[tokio::test]
async fn a_stream_is_on_the_block_list_from_forbid_to_resume() {
    let api = Api::new().await;
    let forbid = "ForbidLiveStream";
    assert_eq!(api.bad(LIVE, forbid, &[PLAY, APP, ONE, PUBLISHER]).await.1, "InvalidDomain.NotFound");
    assert_eq!(api.bad(LIVE, forbid, &[PUSH, APP, ONE]).await.1, "MissingLiveStreamType");
    let past = ("ResumeTime", "2026-12-31T00:00:00Z");
    assert_eq!(api.bad(LIVE, forbid, &[PUSH, APP, ONE, PUBLISHER, past]).await.1, "InvalidParameter");
    api.good(LIVE, forbid, &[PUSH, APP, ("StreamName", "once"), PUBLISHER, ("Oneshot", "yes")]).await;
    api.good(LIVE, forbid, &[PUSH, APP, ONE, PUBLISHER]).await;
    let soon = ("ResumeTime", "2027-01-01T00:01:00Z");
    api.good(LIVE, forbid, &[PUSH, APP, ("StreamName", "two"), PUBLISHER, soon]).await;
    let list = async || api.good(LIVE, "DescribeLiveStreamsBlockList", &[PLAY]).await;
    assert_eq!(
        list().await,
        json!({
            "DomainName": "play.acme.example", "PageNum": 1, "PageSize": 2000, "TotalNum": 2, "TotalPage": 1,
            "StreamUrls": { "StreamUrl": ["push.acme.example/studio/one", "push.acme.example/studio/two"] }
        })
    );
    api.clock.fetch_add(61_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(list().await["StreamUrls"]["StreamUrl"], json!(["push.acme.example/studio/one"]));
    api.good(LIVE, "ResumeLiveStream", &[PUSH, ("AppName", "*"), ONE, PUBLISHER]).await;
    assert_eq!(list().await["TotalNum"], 0);
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_as_the_vendor_does() {
    let api = Api::new().await;
    let command = "RealTimeRecordCommand";
    let start = ("Command", "start");
    for (params, (status, code)) in [
        (&[APP, ONE, start][..], (400, "MissingDomainName")),
        (&[PLAY, ONE, start], (400, "MissingAppName")),
        (&[PLAY, APP, start], (400, "MissingStreamName")),
        (&[PLAY, APP, ONE], (400, "MissingCommand")),
        (&[PLAY, APP, ("StreamName", "*"), start], (400, "InvalidParameter")),
        (&[PLAY, APP, ONE, ("Command", "pause")], (400, "InvalidParameter")),
        (&[PUSH, APP, ONE, start], (404, "InvalidDomain.NotFound")),
        (&[PLAY, APP, ONE, start], (404, "InvalidStream.NotFound")),
    ] {
        assert_eq!(api.bad(LIVE, command, params).await, (status, code.to_owned()), "{params:?}");
    }
    let _online = api.online("acme", "one");
    assert_eq!(api.bad(LIVE, command, &[PLAY, APP, ONE, start]).await, (404, "InvalidConfig.NotFound".to_owned()));
}

#[tokio::test]
async fn receivers_of_notices_live_from_set_to_delete() {
    let api = Api::new().await;
    let url = ("NotifyUrl", "http://127.0.0.1:9000/hook");
    let (set, show, delete) =
        ("SetLiveStreamsNotifyUrlConfig", "DescribeLiveStreamsNotifyUrlConfig", "DeleteLiveStreamsNotifyUrlConfig");
    assert_eq!(api.bad(LIVE, show, &[PUSH]).await, (400, "CodeConfigNotFound".to_owned()));
    assert_eq!(api.bad(LIVE, set, &[PUSH, url, ("NotifyReqAuth", "yes")]).await.1, "MissingNotifyAuthKey");
    assert_eq!(api.bad(LIVE, set, &[PUSH, ("NotifyUrl", "http://10.0.0.1/")]).await.1, "InvalidParameter");
    let key = ("NotifyAuthKey", "LiveNotifyKey0001");
    api.good(LIVE, set, &[PUSH, url, ("NotifyReqAuth", "yes"), key]).await;
    assert_eq!(
        api.good(LIVE, show, &[PUSH]).await["LiveStreamsNotifyConfig"],
        json!({
            "DomainName": "push.acme.example", "NotifyUrl": "http://127.0.0.1:9000/hook", "NotifyReqAuth": "yes",
            "NotifyAuthKey": "LiveNotifyKey0001", "ExceptionNotifyUrl": ""
        })
    );
    api.good(LIVE, delete, &[PUSH]).await;
    assert_eq!(api.bad(LIVE, delete, &[PUSH]).await.1, "CodeConfigNotFound");

    let (add, update) = ("AddLiveRecordNotifyConfig", "UpdateLiveRecordNotifyConfig");
    let (show, delete) = ("DescribeLiveRecordNotifyConfig", "DeleteLiveRecordNotifyConfig");
    assert_eq!(api.bad(LIVE, update, &[PLAY, url]).await.1, "CodeConfigNotFound");
    api.good(LIVE, add, &[PLAY, url]).await;
    assert_eq!(api.bad(LIVE, add, &[PLAY, url]).await.1, "ConfigAlreadyExists");
    let decider = ("OnDemandUrl", "http://127.0.0.1:9000/decide");
    let signed = [("NotifyReqAuth", "true"), ("NotifyAuthKey", "RecNotifyKey00001")];
    api.good(LIVE, update, &[PLAY, url, decider, ("NeedStatusNotify", "True"), signed[0], signed[1]]).await;
    assert_eq!(
        api.good(LIVE, show, &[PLAY]).await["LiveRecordNotifyConfig"],
        json!({
            "DomainName": "play.acme.example", "NotifyUrl": "http://127.0.0.1:9000/hook",
            "OnDemandUrl": "http://127.0.0.1:9000/decide", "NeedStatusNotify": true, "NotifyReqAuth": true,
            "NotifyAuthKey": "RecNotifyKey00001"
        })
    );
    api.good(LIVE, delete, &[PLAY]).await;
    assert_eq!(api.bad(LIVE, show, &[PLAY]).await.1, "CodeConfigNotFound");

    api.good(LIVE, "AddLiveDetectNotifyConfig", &[PLAY, url]).await;
    api.good(LIVE, "UpdateLiveDetectNotifyConfig", &[PLAY, ("NotifyUrl", "http://127.0.0.1:9000/two")]).await;
    let shown = api.good(LIVE, "DescribeLiveDetectNotifyConfig", &[PLAY]).await;
    assert_eq!(
        shown["LiveDetectNotifyConfig"],
        json!({"DomainName": "play.acme.example", "NotifyUrl": "http://127.0.0.1:9000/two"})
    );
    api.good(LIVE, "DeleteLiveDetectNotifyConfig", &[PLAY]).await;
    assert_eq!(api.bad(LIVE, "DescribeLiveDetectNotifyConfig", &[PLAY]).await.1, "CodeConfigNotFound");
}

#[tokio::test]
async fn publishes_are_listed_by_time_and_by_name() {
    let api = Api::new().await;
    for (number, stream) in ["b", "a", "c"].into_iter().enumerate() {
        let publish = Publish {
            id: format!("p{number}"),
            tenant: "acme".to_owned(),
            domain: "push.acme.example".to_owned(),
            play_domain: "play.acme.example".to_owned(),
            app: "studio".to_owned(),
            stream: stream.to_owned(),
            client: "203.0.113.9".to_owned(),
            arguments: String::new(),
            published_at: noon().0 + number as i64 * 1000,
            stopped_at: None,
        };
        api.world.store.publish_began(&publish).await.unwrap();
    }
    let notice = NewNotice {
        tenant: "acme".to_owned(),
        domain: "push.acme.example".to_owned(),
        app: "studio".to_owned(),
        stream: "b".to_owned(),
        kind: "publish_done",
        status: false,
        content: String::new(),
        at: noon().0 + 60_000,
    };
    api.world.store.publish_ended("p0", &notice).await.unwrap();
    let list = "DescribeLiveStreamsPublishList";
    let names = async |order: &str| {
        let answer = api.good(LIVE, list, &[PUSH, SPAN[0], SPAN[1], ("OrderBy", order)]).await;
        let rows = answer["PublishInfo"]["LiveStreamPublishInfo"].as_array().unwrap().clone();
        rows.iter().map(|row| row["StreamName"].as_str().unwrap().to_owned()).collect::<String>()
    };
    for (order, shown) in [
        ("publish_time_asc", "bac"),
        ("publish_time_desc", "cab"),
        ("stream_name_asc", "abc"),
        ("stream_name_desc", "cba"),
    ] {
        assert_eq!(names(order).await, shown, "{order}");
    }
    let one = api.good(LIVE, list, &[PLAY, SPAN[0], SPAN[1], ("StreamName", "b"), ("QueryType", "strict")]).await;
    assert_eq!(
        one,
        json!({
            "PageNum": 1, "PageSize": 2000, "TotalNum": 1, "TotalPage": 1,
            "PublishInfo": { "LiveStreamPublishInfo": [ {
                "DomainName": "play.acme.example", "AppName": "studio", "StreamName": "b",
                "StreamUrl": "rtmp://push.acme.example/studio/b", "PublishTime": "2027-01-01T00:00:00Z",
                "StopTime": "2027-01-01T00:01:00Z", "PublishUrl": "rtmp://push.acme.example/studio/b",
                "PublishDomain": "push.acme.example", "PublishType": "edge", "ClientAddr": "203.0.113.9",
                "EdgeNodeAddr": "", "Transcoded": "no", "TranscodeId": "", "AliInnerErrorFlags": ""
            } ] }
        })
    );
    let long = [("StartTime", "2026-11-01T00:00:00Z"), ("EndTime", "2027-01-02T00:00:00Z")];
    assert_eq!(api.bad(LIVE, list, &[PLAY, long[0], long[1]]).await.1, "InvalidParameter");
    assert_eq!(api.bad(LIVE, list, &[PLAY]).await.1, "MissingStartTime");
}

#[tokio::test]
async fn notices_that_were_tried_are_listed_for_each_side() {
    let api = Api::new().await;
    let answer = api.good(LIVE, "DescribeLiveStreamsNotifyRecords", &[PUSH, SPAN[0], SPAN[1]]).await;
    assert_eq!(
        answer,
        json!({
            "PageNum": 1, "PageSize": 20, "TotalNum": 0, "TotalPage": 0,
            "NotifyRecordsInfo": { "LiveStreamNotifyRecordsInfo": [] }
        })
    );
    let records = "DescribeLiveRecordNotifyRecords";
    assert_eq!(api.bad(LIVE, records, &[PLAY, SPAN[0], SPAN[1]]).await.1, "MissingPageNumber");
    let page = [("PageNumber", "1"), ("PageSize", "10")];
    let answer = api.good(LIVE, records, &[PLAY, SPAN[0], SPAN[1], page[0], page[1]]).await;
    assert_eq!(answer, json!({"CallbackList": [], "Code": 200, "Msg": "success"}));
}
