mod queue;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use reprise_lifecycle::delivery::Outcome;
use reprise_lifecycle::id::EventId;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use self::queue::{MemoryQueue, Row};
use super::*;
use crate::delivery::client::ClientConfig;
use crate::delivery::request::Callback;
use crate::delivery::testkit::{PATIENCE, Receiver, Reply};

/// A worker with a store in memory, and a clock that can be moved.
struct World {
    queue: Arc<MemoryQueue>,
    wake: Arc<Notify>,
    offset_ms: Arc<AtomicI64>,
    config: WorkerConfig,
    timeout: Duration,
    running: Option<(JoinHandle<()>, CancellationToken, Arc<Counters>)>,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some((task, ..)) = &self.running {
            task.abort();
        }
    }
}

impl World {
    /// No attempt ends by time: what is held is held until the test lets go.
    fn new() -> Self {
        Self {
            queue: Arc::default(),
            wake: Arc::default(),
            offset_ms: Arc::default(),
            config: WorkerConfig::default(),
            timeout: 2 * PATIENCE,
            running: None,
        }
    }

    fn start(&mut self) {
        let client = ClientConfig { timeout: self.timeout, ..ClientConfig::new(vec!["127.0.0.0/8".parse().unwrap()]) };
        let offset = self.offset_ms.clone();
        let clock: Clock = Arc::new(move || {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
            Timestamp(i64::try_from(unix).unwrap() + offset.load(Ordering::SeqCst))
        });
        let worker = Worker::new(
            self.queue.clone(),
            Client::new(client).unwrap(),
            self.config.clone(),
            clock,
            self.wake.clone(),
        );
        let (stop, counters) = (CancellationToken::new(), worker.counters());
        self.running = Some((tokio::spawn(worker.run(stop.clone())), stop, counters));
    }

    /// As `kill -9` does it: whatever is in flight is gone, and nothing is recorded.
    async fn kill(&mut self) {
        let (task, ..) = self.running.take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    fn jump_ms(&self, ms: i64) {
        self.offset_ms.fetch_add(ms, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// Commits deliveries that became due one millisecond after the other, some time ago; each is about a video of its
    /// own.
    fn commit(&self, tenant: &str, url: &str, numbers: std::ops::Range<usize>) -> Vec<DeliveryId> {
        self.commit_about(None, tenant, url, numbers)
    }

    fn commit_about(
        &self,
        video: Option<&str>,
        tenant: &str,
        url: &str,
        numbers: std::ops::Range<usize>,
    ) -> Vec<DeliveryId> {
        let mut rows = self.queue.rows.lock().unwrap();
        let mut ids = Vec::new();
        for number in numbers {
            let name = format!("{tenant}_{number:05}_{}", rows.len());
            let callback = Callback {
                event: EventId::new(format!("evt_{name}")),
                url: url.to_owned(),
                auth: None,
                secrets: vec![],
                headers: vec![],
                body: Bytes::from(format!("{{\"n\":{number}}}")),
            };
            let lane = LaneKey { tenant: TenantId::new(tenant), url: url.to_owned() };
            let state = State::new(Timestamp(1_700_000_000_000 + i64::try_from(number).unwrap()));
            let video = video.map_or_else(|| name.clone(), str::to_owned);
            let id = DeliveryId::new(name);
            rows.insert(id.clone(), Row { lane, video, callback, state, attempts: vec![] });
            ids.push(id);
        }
        drop(rows);
        self.wake.notify_one();
        ids
    }
}

fn held() -> (Arc<Semaphore>, Reply) {
    let gate = Arc::new(Semaphore::new(0));
    (gate.clone(), Reply::Hold(gate, 200))
}

#[tokio::test]
async fn a_dead_endpoint_delays_nobody_else() {
    let (gate, hold) = held();
    let dead = Receiver::start(move |_| hold.clone()).await;
    let well = Receiver::start(|_| Reply::Status(200)).await;
    let mut world = World::new();
    world.commit("dead", &dead.url("/"), 0..200);
    world.start();
    dead.wait_for(4).await;
    // Another tenant, and another endpoint of the same tenant; younger than the whole backlog of the dead one.
    world.commit("well", &well.url("/other"), 1_000..1_020);
    world.commit("dead", &well.url("/same"), 1_000..1_020);
    well.wait_for(40).await;
    assert_eq!(dead.received().len(), 4, "of the dead endpoint's backlog only its lane's share has begun");
    gate.add_permits(200);
    world.queue.wait_all_delivered().await;
    assert_eq!(dead.most_in_flight(), 4);
}

#[tokio::test]
async fn a_tenant_with_many_dead_endpoints_has_only_its_share() {
    let (_gate, hold) = held();
    let dead = Receiver::start(move |_| hold.clone()).await;
    let well = Receiver::start(|_| Reply::Status(200)).await;
    let mut world = World::new();
    for endpoint in 0..40 {
        world.commit("dead", &dead.url(&format!("/{endpoint}")), 0..5);
    }
    world.start();
    dead.wait_for(16).await;
    for tenant in ["aaa", "zzz"] {
        world.commit(tenant, &well.url("/"), 1_000..1_050);
    }
    well.wait_for(100).await;
    assert_eq!(dead.received().len(), 16);
}

#[tokio::test]
async fn a_receiver_that_was_down_gets_everything() {
    let up = Arc::new(AtomicBool::new(false));
    let script_up = up.clone();
    let receiver =
        Receiver::start(move |_| if script_up.load(Ordering::SeqCst) { Reply::Status(200) } else { Reply::Close })
            .await;
    let mut world = World::new();
    let ids = world.commit("t", &receiver.url("/"), 0..50);
    world.start();
    for attempts in 1..=6 {
        let made = |rows: &BTreeMap<DeliveryId, Row>| rows.values().all(|row| row.attempts.len() >= attempts);
        world.queue.wait_until(made).await;
        world.jump_ms(3_600_000);
    }
    up.store(true, Ordering::SeqCst);
    world.jump_ms(12 * 3_600_000);
    world.queue.wait_all_delivered().await;

    let received = receiver.received();
    for id in &ids {
        let row = world.queue.row(id);
        let mine: Vec<_> = received.iter().filter(|request| request.id() == row.callback.event.as_str()).collect();
        assert_eq!(mine.len(), row.attempts.len(), "every request is an attempt on record");
        assert!(mine.iter().all(|request| request.body == row.callback.body), "the same bytes every time");
        let numbers: Vec<u32> = row.attempts.iter().map(|attempt| attempt.attempt).collect();
        assert!(numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap()));
        assert_eq!(row.attempts[0].outcome, Outcome::Closed);
    }
}

#[tokio::test]
async fn a_lane_is_served_in_the_order_of_its_due_times() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut world = World::new();
    world.config.limits.lane = 1;
    world.commit("t", &receiver.url("/"), 50..100);
    world.commit("t", &receiver.url("/"), 0..50);
    world.start();
    let received = receiver.wait_for(100).await;
    let bodies: Vec<Bytes> = received.into_iter().map(|request| request.body).collect();
    let expected: Vec<Bytes> = (0..100).map(|n| Bytes::from(format!("{{\"n\":{n}}}"))).collect();
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn first_attempts_about_a_video_go_one_after_the_other() {
    // The first about the first video is slow and fails; what is about the second video waits for nobody.
    let gate = Arc::new(Semaphore::new(0));
    let script_gate = gate.clone();
    let receiver = Receiver::start(move |request| match request.body.as_ref() {
        b"{\"n\":0}" => Reply::Hold(script_gate.clone(), 500),
        _ => Reply::Status(200),
    })
    .await;
    let mut world = World::new();
    world.config.schedule = Schedule::new(vec![3_600_000]).unwrap();
    let slow = world.commit_about(Some("first"), "t", &receiver.url("/"), 0..6);
    world.commit_about(Some("second"), "t", &receiver.url("/"), 10..16);
    world.start();
    let numbers = |requests: &[crate::delivery::testkit::Received]| -> Vec<Bytes> {
        requests.iter().map(|request| request.body.clone()).collect()
    };
    let body = |n: usize| Bytes::from(format!("{{\"n\":{n}}}"));
    let received = receiver.wait_for(7).await;
    let mut second = numbers(&received);
    second.retain(|it| *it != body(0));
    assert_eq!(second, (10..16).map(body).collect::<Vec<_>>(), "the other video's, in order");
    gate.add_permits(1);
    let received = receiver.wait_for(12).await;
    assert_eq!(numbers(&received[7..]), (1..6).map(body).collect::<Vec<_>>());
    let first = world.queue.row(&slow[0]);
    assert!(matches!(first.state, State::Pending(_)), "it is tried again later, and held up nobody: {first:?}");
}

#[tokio::test]
async fn an_attempt_in_flight_does_not_hide_the_next_due_time() {
    let (_gate, hold) = held();
    let slow = Receiver::start(move |_| hold.clone()).await;
    let once = Receiver::start(|request| Reply::Status(if request.number == 0 { 500 } else { 200 })).await;
    let mut world = World::new();
    world.config.schedule = Schedule::new(vec![50]).unwrap();
    world.commit("t", &slow.url("/"), 0..1);
    world.start();
    slow.wait_for(1).await;
    let ids = world.commit("t", &once.url("/"), 0..1);
    world.queue.wait_until(|rows| matches!(rows[&ids[0]].state, State::Delivered { attempt: 2, .. })).await;
}

#[tokio::test]
async fn a_failing_lane_is_probed_one_at_a_time() {
    let gate = Arc::new(Semaphore::new(0));
    let script_gate = gate.clone();
    let receiver =
        Receiver::start(
            move |request| {
                if request.number < 8 { Reply::Status(500) } else { Reply::Hold(script_gate.clone(), 200) }
            },
        )
        .await;
    let mut world = World::new();
    // Failed ones stay away, so that what comes later is the rest of the backlog.
    world.config.schedule = Schedule::new(vec![3_600_000]).unwrap();
    world.commit("t", &receiver.url("/"), 0..40);
    world.start();
    // The breaker opens after five failures; of the four then in flight at most three are still to end.
    receiver.wait_for(9).await;
    world.queue.wait_until(|rows| rows.values().filter(|row| !row.attempts.is_empty()).count() == 8).await;
    let looked = world.queue.looks.load(Ordering::SeqCst);
    while world.queue.looks.load(Ordering::SeqCst) < looked + 3 {
        world.wake.notify_one();
        tokio::task::yield_now().await;
    }
    assert_eq!((receiver.received().len(), receiver.in_flight()), (9, 1), "one probe, however often it looks");
    gate.add_permits(1_000);
    let begun = |rows: &BTreeMap<DeliveryId, Row>| rows.values().all(|row| !row.attempts.is_empty());
    world.queue.wait_until(begun).await;
}

#[tokio::test]
async fn redelivery_sends_the_same_id_and_bytes() {
    let receiver = Receiver::start(|request| Reply::Status(if request.number == 0 { 410 } else { 200 })).await;
    let mut world = World::new();
    let ids = world.commit("t", &receiver.url("/"), 0..1);
    world.start();
    world.queue.wait_until(|rows| rows[&ids[0]].state.is_dead_letter()).await;
    for expected in 2..4 {
        {
            let mut rows = world.queue.rows.lock().unwrap();
            let row = rows.get_mut(&ids[0]).unwrap();
            row.state = row.state.redeliver(Timestamp(1_700_000_000_000)).unwrap();
        }
        world.wake.notify_one();
        world
            .queue
            .wait_until(|rows| matches!(rows[&ids[0]].state, State::Delivered { attempt, .. } if attempt == expected))
            .await;
    }
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|again| again.id() == received[0].id() && again.body == received[0].body));
    let (_, _, counters) = world.running.as_ref().unwrap();
    assert_eq!(counters.snapshot().get("dead_letter"), Some(&1));
}

#[tokio::test]
async fn a_crash_between_sending_and_recording_is_one_repeat() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut world = World::new();
    world.queue.hang_on_record.store(true, Ordering::SeqCst);
    let ids = world.commit("t", &receiver.url("/"), 0..1);
    world.start();
    world.queue.wait_until(|_| world.queue.asked_to_record.load(Ordering::SeqCst) == 1).await;
    world.kill().await;
    world.queue.hang_on_record.store(false, Ordering::SeqCst);
    world.start();
    world.queue.wait_all_delivered().await;
    let received = receiver.received();
    assert_eq!(received.len(), 2, "one repeat");
    assert_eq!((received[0].id(), &received[0].body), (received[1].id(), &received[1].body));
    assert_eq!(world.queue.row(&ids[0]).attempts.len(), 1);
}

#[tokio::test]
async fn a_record_that_is_refused_is_kept_later_and_nothing_is_sent_twice() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut world = World::new();
    world.queue.refused_records.store(3, Ordering::SeqCst);
    world.commit("t", &receiver.url("/"), 0..1);
    world.start();
    world.queue.wait_all_delivered().await;
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(world.queue.asked_to_record.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_lane_that_cannot_be_read_stops_nobody_else() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut world = World::new();
    let damaged = world.commit("a", &receiver.url("/damaged"), 0..1);
    let lane = world.queue.row(&damaged[0]).lane;
    *world.queue.unreadable.lock().unwrap() = Some(lane);
    world.commit("a", &receiver.url("/well"), 0..1);
    world.commit("b", &receiver.url("/well"), 0..1);
    world.start();
    receiver.wait_for(2).await;
    *world.queue.unreadable.lock().unwrap() = None;
    world.wake.notify_one();
    world.queue.wait_all_delivered().await;
}

#[tokio::test]
async fn told_to_stop_it_lets_what_is_in_flight_end() {
    let (gate, hold) = held();
    let receiver = Receiver::start(move |_| hold.clone()).await;
    let mut world = World::new();
    world.commit("t", &receiver.url("/"), 0..10);
    world.start();
    receiver.wait_for(4).await;
    let (task, stop, counters) = world.running.take().unwrap();
    stop.cancel();
    gate.add_permits(10);
    timeout(PATIENCE, task).await.unwrap().unwrap();
    let rows = world.queue.rows.lock().unwrap();
    let delivered = rows.values().filter(|row| matches!(row.state, State::Delivered { .. })).count();
    assert_eq!((delivered, receiver.received().len()), (4, 4));
    assert_eq!(counters.snapshot().get("delivered"), Some(&4));
}

#[tokio::test]
async fn lanes_of_a_full_tenant_take_turns() {
    let (gate, hold) = held();
    let receiver = Receiver::start(move |_| hold.clone()).await;
    let mut world = World::new();
    world.config.limits.tenant = 2;
    for endpoint in 0..5 {
        world.commit("t", &receiver.url(&format!("/{endpoint}")), 0..50);
    }
    world.start();
    for done in 0..50 {
        receiver.wait_for(done + 2).await;
        gate.add_permits(1);
    }
    let received = receiver.wait_for(50).await;
    for endpoint in 0..5 {
        let count = received[..50].iter().filter(|request| request.path == format!("/{endpoint}")).count();
        assert!((8..=12).contains(&count), "endpoint {endpoint} has had {count} of 50 turns");
    }
}

#[tokio::test]
async fn hundreds_of_endpoints_of_many_tenants_are_all_served() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut world = World::new();
    for endpoint in 0..400 {
        world.commit(&format!("t{}", endpoint % 37), &receiver.url(&format!("/{endpoint}")), 0..2);
    }
    world.start();
    world.queue.wait_all_delivered().await;
    assert_eq!(receiver.received().len(), 800);
    assert!(receiver.most_in_flight() <= 64);
}
