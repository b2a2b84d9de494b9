//! What the driver keeps, and what it does when the catalogue takes nothing.

use std::time::Duration;

use reprise_lifecycle::broadcast::Publishing;
use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::{EndCause, LeaveCause, RecordRules};
use reprise_lifecycle::work::Removal;

use super::*;
use crate::testkit::World;

/// Does nothing, and ends when it is told to.
struct Idle;

impl Perform for Idle {
    fn perform(&self, work: Work) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { work.cancel.cancelled().await })
    }
}

#[derive(Debug)]
struct NoShapes;

impl Shapes for NoShapes {
    fn shapes(&self, _: &str, _: &StreamKey) -> bool {
        false
    }
}

async fn driver(world: &World) -> Driver {
    let (handle, inbox) = inbox();
    let context = Context {
        store: world.store.clone(),
        files: Arc::clone(&world.files),
        urls: MediaUrls::new("http://vod.example.org/media"),
        publishers_per_tenant: 100,
        shapes: Arc::new(NoShapes),
        committed: Vec::new(),
    };
    Driver::load(context, handle, inbox, Arc::new(Idle)).await.unwrap()
}

/// A message, and where its answer comes.
fn told(
    broadcast: &BroadcastId,
    input: Input,
) -> (Message, tokio::sync::oneshot::Receiver<Result<handle::Taken, Refused>>) {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let (broadcast, input) = (broadcast.clone(), Box::new(input));
    (Message::Input { broadcast, input, question: None, reply: Some(reply) }, answer)
}

#[tokio::test]
async fn a_settled_broadcast_stays_in_memory_only_while_something_comes_of_an_input() {
    let world = World::new().await;
    world.tenant("acme").await;
    let mut life = world.broadcast("acme", "b1").await;
    life.put(Input::PublisherGone { epoch: 1, cause: LeaveCause::Unpublished, media_ms: None, last_media_at: None })
        .await;
    life.put(Input::End { cause: EndCause::Forbidden }).await;
    assert!(life.state.is_settled());
    let mut driver = driver(&world).await;
    let id = life.state.id.clone();
    for input in [
        Input::End { cause: EndCause::Forbidden },
        Input::Remove { video: VideoId::new("x"), what: Removal::Video },
        Input::Discarded { effect: reprise_lifecycle::id::EffectId { record: 1, ordinal: 0 } },
    ] {
        let (message, answer) = told(&id, input.clone());
        driver.turn(vec![message]).await;
        let answer = answer.await.unwrap();
        assert!(answer.is_ok() || matches!(answer, Err(Refused::Unfit(_))), "{answer:?}");
        assert!(driver.live.is_empty(), "{input:?}");
    }
}

#[tokio::test]
async fn what_the_catalogue_does_not_take_is_tried_again_after_a_while() {
    let world = World::new().await;
    world.tenant("acme").await;
    let rules = RecordRules { break_ms: 0, ..RecordRules::default() };
    let life = world.broadcast_by("acme", "b1", rules).await;
    world.store.refuse_records(true).await;
    let mut driver = driver(&world).await;
    let publishing = |driver: &Driver| driver.live.get(&life.state.id).map(|broadcast| broadcast.publishing);
    let is_pause = |wake_in: Duration| wake_in > Duration::ZERO && wake_in <= AFTER_FAILURE;

    driver.lost = driver.lost_publishers().await;
    driver.report_lost().await;
    assert_eq!(publishing(&driver), Some(Publishing::Live { epoch: 1 }), "nothing of it happened");
    assert!(is_pause(driver.wake_in()));
    world.store.refuse_records(false).await;
    driver.report_lost().await;
    assert!(matches!(publishing(&driver), Some(Publishing::Broken { .. })));
    assert_eq!((driver.lost.len(), driver.wake_in()), (0, Duration::ZERO), "the end of its window is due");

    world.store.refuse_records(true).await;
    driver.tick().await;
    assert!(matches!(publishing(&driver), Some(Publishing::Broken { .. })));
    assert!(is_pause(driver.wake_in()));
    world.store.refuse_records(false).await;
    driver.tick().await;
    assert_eq!(publishing(&driver), None, "it is over, and nothing comes of it");
}

#[tokio::test]
async fn work_holds_no_more_of_its_broadcast_than_concerns_it() {
    let world = World::new().await;
    world.tenant("acme").await;
    let mut life = world.broadcast("acme", "b1").await;
    let videos = [life.part(0).await, life.part(10_000).await];
    for video in &videos {
        life.decide(video, &["mp4"]).await;
    }
    let asked: Vec<Effect> = life.state.outstanding().into_values().collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    for effect in &asked {
        let Effect::Process { video, task } = effect else { panic!("{effect:?}") };
        let excerpt = life.state.excerpt(effect);
        assert_eq!(excerpt.videos.keys().collect::<Vec<_>>(), [video]);
        assert_eq!(excerpt.videos[video], life.state.videos[video]);
        assert!(excerpt.videos[video].task_by_id(task).is_some());
        assert!(excerpt.parts.is_empty() && excerpt.breaks.is_empty());
        assert_eq!((&excerpt.tenant, &excerpt.stream), (&life.state.tenant, &life.state.stream));
    }
}
