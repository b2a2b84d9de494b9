//! What receivers are told of streams and recordings.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::stage::{PLAY, PUSH, Stage, eventually, key};
use crate::delivery::testkit::{Received, Receiver, Reply};
use crate::store::live_notify::{RecordNotify, StreamNotify};

fn query(received: &Received) -> BTreeMap<String, String> {
    let (_, query) = received.path.split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

async fn tell_of_streams(stage: &Stage, url: &str) {
    let notify = StreamNotify {
        url: url.to_owned(),
        exception_url: String::new(),
        switch_url: String::new(),
        auth: true,
        auth_key: Some("LiveNotifyKey0001".into()),
    };
    stage.store.put_stream_notify("acme", PUSH, &notify).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_stays_is_told_on_and_off_and_one_that_does_not_is_not() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let stage = Stage::new().await;
    stage.rule(7, 3600).await;
    tell_of_streams(&stage, &receiver.url("/on")).await;
    // Gone before it is announced.
    stage.encoder("short").await.drop_connection().await;
    let mut encoder = stage.encoder("cam?callback_user=42&x=a%20b").await;
    encoder.push(1_000).await;
    let told = receiver.wait_for(1).await;
    let told = query(&told[0]);
    let text = |name: &str| told.get(name).map_or("", String::as_str);
    assert_eq!((text("action"), text("app"), text("appname"), text("id")), ("publish", PUSH, "studio", "cam"));
    assert_eq!((text("ip"), text("width"), text("height")), ("127.0.0.1", "160", "120"));
    assert_eq!(text("usrargs"), "callback_user=42&x=a+b");
    encoder.drop_connection().await;
    let all = receiver.wait_for(2).await;
    assert_eq!((query(&all[1])["action"].as_str(), query(&all[1])["id"].as_str()), ("publish_done", "cam"));
    assert!(all.iter().all(|told| told.headers.contains_key("ali-live-signature")));
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn a_stream_that_was_on_when_the_server_died_is_told_off_at_the_next_start() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut stage = Stage::new().await;
    stage.rule(7, 3600).await;
    tell_of_streams(&stage, &receiver.url("/")).await;
    let _encoder = stage.encoder("cam").await;
    receiver.wait_for(1).await;
    stage.stop().await;
    // What a stop writes down, a crash does not.
    let url = format!("sqlite://{}", stage.media().parent().unwrap().join("catalogue.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("UPDATE live_publishes SET stopped_at = NULL").execute(&pool).await.unwrap();
    sqlx::query("DELETE FROM live_notices WHERE kind = 'publish_done'").execute(&pool).await.unwrap();
    pool.close().await;
    let before = receiver.received().len();
    stage.start().await;
    let all = receiver.wait_for(before + 1).await;
    assert_eq!(query(&all[before])["action"], "publish_done");
}

#[tokio::test]
async fn recordings_are_told_in_the_words_that_were_asked_for() {
    for status in [false, true] {
        let receiver = Receiver::start(|_| Reply::Status(200)).await;
        let stage = Stage::new().await;
        stage.rule(0, 1).await;
        let notify = RecordNotify {
            url: receiver.url("/rec"),
            on_demand_url: String::new(),
            status,
            auth: false,
            auth_key: None,
        };
        assert!(stage.store.put_record_notify("acme", PLAY, &notify, true).await.unwrap());
        let mut encoder = stage.encoder("cam?callback_user=42&x=1").await;
        encoder.push(3_000).await;
        let broadcast = stage.recorded("cam").await;
        stage.wait_for(&broadcast, |b| !b.parts.is_empty()).await;
        encoder.drop_connection().await;
        let count = if status { 3 } else { 1 };
        let bodies: Vec<Value> =
            receiver.wait_for(count).await.iter().map(|told| serde_json::from_slice(&told.body).unwrap()).collect();
        let file = bodies.iter().find(|body| body.get("uri").is_some()).unwrap();
        assert_eq!(
            (&file["domain"], &file["app"], &file["stream"], &file["push_args"]),
            (&json!(PLAY), &json!("studio"), &json!("cam"), &json!({"callback_user": "42"}))
        );
        assert!(file["duration"].as_f64().unwrap() > 2.5 && file["start_time"].is_i64() && file["stop_time"].is_i64());
        let mut events: Vec<&str> = bodies.iter().filter_map(|body| body["event"].as_str()).collect();
        events.sort_unstable();
        assert_eq!(events, if status { vec!["record_paused", "record_started"] } else { vec![] });
        eventually(async || stage.control.publishers().publisher(&key("cam")).is_none().then_some(())).await;
    }
}
