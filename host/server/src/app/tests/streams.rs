//! Kicking, forbidding, and who is already live.

use reprise_lifecycle::broadcast::{PartState, Publishing};
use reprise_lifecycle::record::EndCause;
use reprise_lifecycle::time::Timestamp;

use super::stage::{Stage, key};
use crate::clock;

fn in_an_hour() -> Timestamp {
    clock::now().plus_ms(3_600_000)
}

#[tokio::test]
async fn a_publisher_that_was_sent_away_once_goes_on_where_it_was() {
    let stage = Stage::new().await;
    stage.rule(0, 3600).await;
    let mut encoder = stage.encoder("cam").await;
    encoder.push(3_000).await;
    let broadcast = stage.recorded("cam").await;
    let second = stage.encoder("cam").await;
    assert_eq!(second.answer(), "NetStream.Publish.BadName", "the stream is already live");

    assert!(stage.control.kick(&key("cam")).await);
    assert_eq!(encoder.let_go().await, "NetStream.Publish.Failed");
    assert!(!stage.control.kick(&key("cam")).await, "nobody is there");
    let broken = stage.wait_for(&broadcast, |b| matches!(b.publishing, Publishing::Broken { .. })).await;
    assert_eq!(broken.parts.len(), 1);

    let mut encoder = stage.encoder("cam").await;
    encoder.push(2_000).await;
    assert_eq!(stage.recorded("cam").await, broadcast);
}

#[tokio::test]
async fn a_forbidden_stream_ends_at_once_and_is_refused_until_it_is_let_in() {
    let stage = Stage::new().await;
    stage.rule(0, 3600).await;
    let mut encoder = stage.encoder("cam").await;
    encoder.push(3_000).await;
    let broadcast = stage.recorded("cam").await;
    stage.wait_for(&broadcast, |b| !b.parts.is_empty()).await;
    assert!(stage.control.forbid("acme", &key("cam"), in_an_hour(), clock::now()).await.unwrap());
    assert_eq!(encoder.let_go().await, "NetStream.Publish.Failed");
    let over =
        stage.wait_for(&broadcast, |b| b.is_over() && matches!(b.parts[0].state, PartState::Closed { .. })).await;
    assert!(matches!(over.publishing, Publishing::Over { cause: EndCause::Forbidden, lingering: None, .. }));
    assert_eq!(stage.driver.current(&key("cam")).await, None);

    let refused = stage.encoder("cam").await;
    assert_eq!(refused.answer(), "NetStream.Publish.Denied");
    assert!(stage.encoder("other").await.is_accepted());
    assert!(stage.store.lift_ban("acme", &key("cam")).await.unwrap());
    assert!(stage.encoder("cam").await.is_accepted());
    assert_ne!(stage.recorded("cam").await, broadcast);
}

#[tokio::test]
async fn forbidding_a_stream_in_its_break_ends_it_too() {
    let stage = Stage::new().await;
    stage.rule(0, 3600).await;
    let mut encoder = stage.encoder("cam").await;
    encoder.push(2_000).await;
    let broadcast = stage.recorded("cam").await;
    encoder.drop_connection().await;
    stage.wait_for(&broadcast, |b| matches!(b.publishing, Publishing::Broken { .. })).await;
    assert!(!stage.control.forbid("acme", &key("cam"), in_an_hour(), clock::now()).await.unwrap());
    stage.wait_for(&broadcast, |b| b.is_over()).await;
}
