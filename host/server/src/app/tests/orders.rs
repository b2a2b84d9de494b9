//! The four ways in which a recording begins, and the orders that change it.

use std::sync::Arc;

use reprise_lifecycle::broadcast::{PartState, Publishing};
use reprise_lifecycle::record::{EndCause, LeaveCause, Record};

use super::stage::{CLIP_MS, PLAY, Stage, eventually, key};
use crate::delivery::testkit::{Receiver, Reply};
use crate::ingest::control::{Command, Refused};
use crate::ingest::publishers::OrderRefused;
use crate::store::live_notify::RecordNotify;

impl Stage {
    async fn order(&self, command: Command) -> Result<(), Refused> {
        self.control.command(&self.tenant().await, &key("cam"), command).await
    }

    async fn is_recorded(&self) -> bool {
        self.control.publishers().publisher(&key("cam")).unwrap().recording().is_some()
    }

    async fn decider(&self, url: &str) {
        let notify = RecordNotify {
            url: "http://127.0.0.1:9/".to_owned(),
            on_demand_url: url.to_owned(),
            status: false,
            auth: true,
            auth_key: Some("RecNotifyKey00001".into()),
        };
        assert!(self.store.put_record_notify("acme", PLAY, &notify, true).await.unwrap());
    }
}

#[tokio::test]
async fn orders_start_stop_and_restart_a_recording() {
    let stage = Stage::new().await;
    stage.rule(7, 3600).await;
    assert!(matches!(stage.order(Command::Start).await, Err(Refused::Offline)));
    let mut encoder = stage.encoder("cam").await;
    encoder.push(1_000).await;
    for command in [Command::Stop, Command::EndBreak, Command::Restart] {
        let refused = stage.order(command).await;
        assert!(matches!(refused, Err(Refused::Order(OrderRefused::NotNow(_)))), "{command:?}: {refused:?}");
    }
    assert!(stage.broadcasts().await.is_empty(), "nothing is recorded, so there is no broadcast");

    stage.order(Command::Start).await.unwrap();
    let first = stage.recorded("cam").await;
    assert!(matches!(stage.order(Command::Start).await, Err(Refused::Order(OrderRefused::Started))));
    encoder.media(1_000, 3_000).await;
    // The headers passed before the recording began; they are said again.
    stage.wait_for(&first, |b| b.parts.len() == 1).await;

    stage.order(Command::Stop).await.unwrap();
    let left = stage.wait_for(&first, |b| matches!(b.publishing, Publishing::Broken { .. })).await;
    assert_eq!(left.parts[0].state, PartState::Open, "the break window runs");
    let stopped = |record: &Record| {
        matches!(
            record,
            Record::PublisherLeft { cause: LeaveCause::RecordingStopped, media_ms: Some(1_900..2_100), .. }
        )
    };
    assert!(stage.journal(&first).await.iter().any(stopped), "{:?}", stage.journal(&first).await);

    stage.order(Command::Start).await.unwrap();
    assert_eq!(stage.recorded("cam").await, first, "within the window it is the same broadcast");
    encoder.media(3_000, 5_000).await;
    stage.order(Command::Stop).await.unwrap();
    stage.order(Command::EndBreak).await.unwrap();
    let over = stage.wait_for(&first, |b| matches!(b.parts[0].state, PartState::Closed { .. })).await;
    assert!(matches!(over.publishing, Publishing::Over { cause: EndCause::Stopped, .. }));
    let PartState::Closed { facts, .. } = &over.parts[0].state else { unreachable!() };
    assert_eq!(facts.video_frames, 100, "two times two seconds from keyframe to keyframe");
    assert!(stage.order(Command::EndBreak).await.is_err());

    stage.order(Command::Restart).await.unwrap();
    let second = stage.recorded("cam").await;
    assert_ne!(second, first);
    encoder.media(5_000, CLIP_MS).await;
    stage.wait_for(&second, |b| b.parts.len() == 1).await;
    stage.order(Command::Restart).await.unwrap();
    assert_ne!(stage.recorded("cam").await, second);
    stage.wait_for(&second, |b| b.is_over() && matches!(b.parts[0].state, PartState::Closed { .. })).await;
}

#[tokio::test]
async fn a_manual_recording_does_not_resume_by_itself_and_an_automatic_one_does() {
    for (on_demand, resumes) in [(7, false), (0, true)] {
        let stage = Stage::new().await;
        stage.rule(on_demand, 3600).await;
        let mut encoder = stage.encoder("cam").await;
        encoder.push(2_000).await;
        if on_demand == 0 {
            stage.order(Command::Stop).await.unwrap();
        } else {
            stage.order(Command::Start).await.unwrap();
        }
        encoder.media(2_000, 3_000).await;
        encoder.drop_connection().await;
        eventually(async || stage.control.publishers().publisher(&key("cam")).is_none().then_some(())).await;
        let mut encoder = stage.encoder("cam").await;
        encoder.push(1_000).await;
        assert_eq!(stage.is_recorded().await, resumes, "mode {on_demand}");
        assert_eq!(stage.broadcasts().await.len(), 1);
    }
}

#[tokio::test]
async fn the_push_url_decides_where_the_rule_says_so() {
    let stage = Stage::new().await;
    stage.rule(2, 3600).await;
    for (stream, accepted, recorded) in [
        ("cam?record=on", true, true),
        ("cam?record=off", true, false),
        ("cam", true, false),
        ("cam?record=x", false, false),
    ] {
        let encoder = stage.encoder(stream).await;
        assert_eq!(encoder.is_accepted(), accepted, "{stream}");
        if accepted {
            assert_eq!(stage.is_recorded().await, recorded, "{stream}");
        }
        encoder.drop_connection().await;
        eventually(async || stage.control.publishers().publisher(&key("cam")).is_none().then_some(())).await;
    }
}

#[tokio::test]
async fn somebody_is_asked_and_only_a_clear_no_means_no() {
    let table: [(Reply, bool); 5] = [
        (Reply::Answer(200, vec![], b"{\"ApiVersion\":\"1.0\",\"NeedRecord\":true}".to_vec()), true),
        (Reply::Answer(200, vec![], b"{\"NeedRecord\":false}".to_vec()), false),
        (Reply::Answer(200, vec![], b"what?".to_vec()), true),
        (Reply::Answer(500, vec![], b"{\"NeedRecord\":false}".to_vec()), true),
        (Reply::Stall, true),
    ];
    for (reply, recorded) in table {
        let told = format!("{reply:?}");
        let receiver = Receiver::start(move |_| reply.clone()).await;
        let stage = Stage::new().await;
        stage.rule(1, 3600).await;
        stage.decider(&receiver.url("/decide?x=1")).await;
        let mut encoder = stage.encoder("cam").await;
        encoder.push(CLIP_MS).await;
        let asked = receiver.wait_for(1).await;
        let path = "/decide?x=1&app=studio&domain=play.acme.example&stream=cam&vbitrate=0&codec=h264";
        assert_eq!(asked[0].path, path);
        assert!(asked[0].headers.contains_key("ali-live-signature"));
        if recorded {
            let broadcast = stage.recorded("cam").await;
            encoder.drop_connection().await;
            stage.wait_for(&broadcast, |b| matches!(b.publishing, Publishing::Broken { .. })).await;
            let _ = stage.driver.end(&broadcast, EndCause::Stopped).await;
            let over = stage
                .wait_for(&broadcast, |b| {
                    b.is_over() && b.parts.first().is_some_and(|part| matches!(part.state, PartState::Closed { .. }))
                })
                .await;
            let PartState::Closed { facts, .. } = &over.parts[0].state else { unreachable!() };
            assert_eq!(facts.video_frames, 150, "nothing is lost while somebody thinks: {told}");
        } else {
            encoder.drop_connection().await;
            eventually(async || stage.control.publishers().publisher(&key("cam")).is_none().then_some(())).await;
            assert!(stage.broadcasts().await.is_empty(), "{told}");
        }
    }
}

#[tokio::test]
async fn nobody_who_decides_means_no_recording() {
    let stage = Stage::new().await;
    stage.rule(1, 3600).await;
    let mut encoder = stage.encoder("cam").await;
    encoder.push(CLIP_MS).await;
    // Started by hand: that media came is seen by what is known of it.
    let publisher = stage.control.publishers().publisher(&key("cam")).unwrap();
    eventually(async || publisher.seen().video.map(drop)).await;
    assert!(stage.broadcasts().await.is_empty());
    let _keep = Arc::clone(&publisher);
    stage.order(Command::Start).await.unwrap();
    stage.recorded("cam").await;
}
