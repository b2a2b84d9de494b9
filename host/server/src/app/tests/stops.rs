//! Stops of the server: asked for, and sudden.

use std::time::{Duration, SystemTime};

use reprise_lifecycle::broadcast::{PartState, Publishing};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::record::{LeaveCause, Record};
use reprise_lifecycle::time::Timestamp;

use super::stage::{Stage, eventually};
use crate::files;
use crate::testkit::{World, recording};

#[tokio::test]
async fn a_server_that_is_asked_to_stop_closes_the_part_before_the_leave() {
    let mut stage = Stage::new().await;
    stage.rule(0, 3600).await;
    let mut encoder = stage.encoder("cam").await;
    encoder.push(3_000).await;
    let broadcast = stage.recorded("cam").await;
    stage.wait_for(&broadcast, |b| !b.parts.is_empty()).await;
    stage.stop().await;
    assert_eq!(encoder.let_go().await, "NetStream.Publish.Failed");

    stage.start().await;
    let journal = stage.journal(&broadcast).await;
    let closed = journal.iter().position(|record| matches!(record, Record::PartClosed { .. })).unwrap();
    let left = journal
        .iter()
        .position(|record| matches!(record, Record::PublisherLeft { cause: LeaveCause::ServerStopped, .. }))
        .unwrap();
    assert!(closed < left, "{journal:?}");
    let stopped = stage.wait_for(&broadcast, |_| true).await;
    assert!(matches!(stopped.publishing, Publishing::Broken { .. }), "its window runs over the restart");
    let PartState::Closed { facts, .. } = &stopped.parts[0].state else { panic!("the part is a video") };
    let end_ms = facts.first_ms + facts.duration_ms;
    let index = stage.media().join(VideoId::of_part(&broadcast, 0).as_str()).join(files::SOURCE_INDEX);
    assert!(index.exists(), "it is sealed");

    let mut encoder = stage.encoder("cam").await;
    encoder.push(2_000).await;
    assert_eq!(stage.recorded("cam").await, broadcast);
    let goes_on = stage.wait_for(&broadcast, |b| b.parts.len() == 2).await;
    assert_eq!(goes_on.parts[1].first_ms, end_ms);
    stage.stop().await;
}

#[tokio::test]
async fn a_catalogue_that_takes_nothing_keeps_neither_a_stop_nor_a_stream() {
    let mut stage = Stage::new().await;
    stage.rule(0, 3600).await;
    let mut encoder = stage.encoder("cam").await;
    encoder.push(3_000).await;
    let broadcast = stage.recorded("cam").await;
    stage.wait_for(&broadcast, |b| !b.parts.is_empty()).await;
    stage.store.refuse_records(true).await;
    stage.stop().await;
    assert_eq!(encoder.let_go().await, "NetStream.Publish.Failed");

    // The connection's task gives the data folder back in its own time.
    let data = stage.media().parent().unwrap().to_owned();
    eventually(async || files::Files::open(&data).ok()).await;

    // Nor does it at the start after that: the leave is recorded as soon as there is room.
    stage.start().await;
    stage.store.refuse_records(false).await;
    let left = stage.wait_for(&broadcast, |b| matches!(b.publishing, Publishing::Broken { .. })).await;
    assert_eq!((left.parts.len(), &left.parts[0].state), (1, &PartState::Open), "what is synced is there");
    let mut encoder = stage.encoder("cam").await;
    encoder.push(2_000).await;
    assert_eq!(stage.recorded("cam").await, broadcast);
    stage.stop().await;
}

#[tokio::test]
async fn after_a_crash_the_break_lies_where_the_last_media_ends() {
    let torn =
        |whole: u64, more: u64| [recording(whole), recording(more)[recording(1).len()..][..100].to_vec()].concat();
    for (what, closed, file, media_ms) in [
        ("whole fragments", false, Some(recording(3)), Some(3_000)),
        ("one that is torn", false, Some(torn(2, 3)), Some(2_000)),
        ("nothing yet", false, Some(Vec::new()), None),
        ("nothing yet after another part", true, Some(Vec::new()), Some(10_000)),
        ("not even a file", true, None, Some(10_000)),
    ] {
        let world = World::new().await;
        world.tenant("acme").await;
        let mut life = world.broadcast("acme", "b1").await;
        if closed {
            life.part(0).await;
        }
        let (epoch, first_ms) = (life.state.epoch, 0);
        life.put(reprise_lifecycle::input::Input::PartOpening { epoch, video: None, audio: None, first_ms }).await;
        let id = life.state.id.clone();
        let video = VideoId::of_part(&id, life.state.open_part().unwrap());
        let written = SystemTime::now() - Duration::from_secs(90);
        if let Some(bytes) = &file {
            let dir = world.files.make_video(&video).unwrap();
            dir.write(files::SOURCE, bytes).unwrap();
            dir.open(files::SOURCE).unwrap().into_std().set_modified(written).unwrap();
        }

        let _driver = world.driver().await;
        let stood = eventually(async || {
            world.store.journal(&id).await.unwrap().into_iter().find_map(|record| match record {
                Record::PublisherLeft { media_ms, last_media_at, .. } => Some((media_ms, last_media_at)),
                _ => None,
            })
        })
        .await;
        let written_ms = written.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
        assert_eq!(stood, (media_ms, file.map(|_| Timestamp(written_ms))), "{what}");
    }
}
