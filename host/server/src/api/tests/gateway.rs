//! What every request goes through, whatever its action.

use axum::http::Method;

use super::Api;
use super::client::{Ask, LIVE, VOD, refusal};
use crate::testkit::ask;

const LIST: &str = "ListTranscodeTemplateGroup";

#[tokio::test]
async fn every_way_of_asking_is_answered() {
    let api = Api::new().await;
    let asked = || api.ask(VOD, LIST, &[("Extra", "a b+*~/中")]);
    for answered in
        [api.v1(&asked()).await, api.v1_form(&asked()).await, api.v1_get(&asked()).await, api.v3(&asked()).await]
    {
        assert_eq!(answered.status, 200, "{}", answered.text());
        assert_eq!(answered.header("content-type"), "application/json;charset=utf-8");
        let id = answered.json()["RequestId"].as_str().unwrap().to_owned();
        assert!(id.len() == 36 && id == id.to_uppercase(), "{id}");
    }
    let xml = api.v1(&Ask { format: None, ..asked() }).await;
    assert_eq!(xml.header("content-type"), "text/xml;charset=utf-8");
    assert!(xml.text().contains("<ListTranscodeTemplateGroupResponse><RequestId>"), "{}", xml.text());
    assert!(xml.text().contains("<TranscodeTemplateGroupId>VOD_NO_TRANSCODE</TranscodeTemplateGroupId>"));
}

#[tokio::test]
async fn what_is_wrong_first_is_said_first() {
    let api = Api::new().await;
    let good = || api.ask(VOD, LIST, &[]);
    let late = api.now().plus_ms(-16 * 60 * 1000);
    // Each row is wrong in one more way than the row below it.
    let table = [
        (Ask { version: "2015-01-01", tenant: "nobody", ..good() }, 400, "NoSuchVersion"),
        (Ask { action: "GetNothing", tenant: "nobody", ..good() }, 404, "InvalidApi.NotFound"),
        (Ask { version: LIVE, tenant: "nobody", ..good() }, 404, "InvalidApi.NotFound"),
        (Ask { tenant: "nobody", at: late, ..good() }, 404, "InvalidAccessKeyId.NotFound"),
        (Ask { at: late, secret: Some("wrong"), ..good() }, 400, "InvalidTimeStamp.Expired"),
        (Ask { secret: Some("wrong"), action: "GetVideoInfo", ..good() }, 400, "SignatureDoesNotMatch"),
    ];
    for (asked, status, code) in table {
        assert_eq!(refusal(&api.v1(&asked).await), (status, code.to_owned()));
        assert_eq!(refusal(&api.v3(&asked).await), (status, code.to_owned()));
    }
    let odd = Ask { format: Some("yaml"), tenant: "nobody", ..good() };
    let answered = api.v1(&odd).await;
    assert_eq!(answered.status, 400);
    assert!(answered.text().contains("<Code>InvalidParameter.Format</Code>"), "{}", answered.text());
    let put = ask(&api.router, Method::PUT, "/?Format=JSON", &[("host", "h")], "").await;
    assert_eq!(refusal(&put), (400, "UnsupportedHTTPMethod".to_owned()));
}

#[tokio::test]
async fn a_mismatch_says_what_should_have_been_signed() {
    let api = Api::new().await;
    let asked = Ask { secret: Some("wrong"), ..api.ask(VOD, LIST, &[]) };
    let message = api.v1(&asked).await.json()["Message"].as_str().unwrap().to_owned();
    let (text, string_to_sign) = message.split_once(':').unwrap();
    assert_eq!(text, "Specified signature is not matched with our calculation. server string to sign is");
    assert!(string_to_sign.starts_with("POST&%2F&AccessKeyId%3DAKacme%26Action%3DListTranscodeTemplateGroup%26"));
    let message = api.v3(&asked).await.json()["Message"].as_str().unwrap().to_owned();
    assert!(message.contains("server string to sign is:ACS3-HMAC-SHA256\n"), "{message}");
}

#[tokio::test]
async fn a_request_serves_once_and_a_wrong_one_uses_nothing_up() {
    let mut api = Api::new().await;
    let reads = api.ask(VOD, LIST, &[]);
    let forged = Ask { secret: Some("wrong"), ..reads.clone() };
    assert_eq!(refusal(&api.v3(&forged).await).1, "SignatureDoesNotMatch");
    assert_eq!(api.v3(&reads).await.status, 200);
    assert_eq!(refusal(&api.v3(&reads).await), (400, "SignatureNonceUsed".to_owned()));
    // Another key may have drawn the same nonce.
    assert_eq!(api.v3(&Ask { tenant: "umbrella", ..reads.clone() }).await.status, 200);

    let changes = api.ask(VOD, "AddTranscodeTemplateGroup", &[("Name", "once")]);
    assert_eq!(api.v1(&changes).await.status, 200);
    api.restart().await;
    assert_eq!(refusal(&api.v1(&changes).await).1, "SignatureNonceUsed");
    let groups = api.good(VOD, LIST, &[]).await["TranscodeTemplateGroupList"].as_array().unwrap().len();
    assert_eq!(groups, 2, "the built-in group and one more");
}

#[tokio::test]
async fn a_switched_off_key_is_refused() {
    let api = Api::new().await;
    let url = format!("sqlite://{}", api.world.files.catalogue().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("UPDATE access_keys SET active = 0 WHERE tenant = 'acme'").execute(&pool).await.unwrap();
    assert_eq!(api.bad(VOD, LIST, &[]).await, (400, "InvalidAccessKeyId.Inactive".to_owned()));
}

#[tokio::test]
async fn one_keys_flood_is_denied_and_others_notice_nothing() {
    let api = Api::new().await;
    let mut denied = None;
    for _ in 0..=super::super::Rate::default().burst {
        let answered = api.v3(&api.ask(VOD, LIST, &[])).await;
        if answered.status != 200 {
            denied = Some(refusal(&answered));
        }
    }
    assert_eq!(denied, Some((400, "Throttling.User".to_owned())));
    let other = Ask { tenant: "umbrella", ..api.ask(VOD, LIST, &[]) };
    assert_eq!(api.v3(&other).await.status, 200);
}

#[tokio::test]
async fn unsigned_requests_are_told_what_is_missing() {
    let api = Api::new().await;
    let table = [
        ("/?Format=JSON", "MissingVersion"),
        ("/?Format=JSON&Version=2017-03-21", "MissingAction"),
        ("/?Format=JSON&Version=2017-03-21&Action=GetVideoInfo", "MissingAccessKeyId"),
        ("/?Format=JSON&Version=2017-03-21&Action=GetVideoInfo&AccessKeyId=AKacme", "MissingTimestamp"),
        (
            "/?Format=JSON&Version=2017-03-21&Action=GetVideoInfo&AccessKeyId=AKacme&Timestamp=2027-01-01",
            "InvalidTimeStamp.Format",
        ),
        (
            "/?Format=JSON&Version=2017-03-21&Action=GetVideoInfo&AccessKeyId=AKacme&Timestamp=2027-01-01T00:00:00Z",
            "MissingSignatureNonce",
        ),
    ];
    for (path, code) in table {
        let answered = ask(&api.router, Method::GET, path, &[("host", "h")], "").await;
        assert_eq!(refusal(&answered), (400, code.to_owned()), "{path}");
    }
    // A stranger who knows a key's id can neither use its rate nor fill its memory: nothing was admitted.
    assert_eq!(api.v3(&api.ask(VOD, LIST, &[])).await.status, 200);
}
