use std::time::Duration;

use super::*;
use crate::delivery::client::ClientConfig;
use crate::delivery::testkit::{Receiver, Reply};
use crate::store::live_notices::{NewNotice, NoticeFilter, NoticeRow};
use crate::store::live_notify::StreamNotify;
use crate::store::live_publishes::Publish;
use crate::testkit::World;

struct Post {
    world: World,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Post {
    async fn new(tenants: &[(&str, &str)]) -> Self {
        let world = World::new().await;
        for (tenant, url) in tenants {
            world.tenant(tenant).await;
            let notify = StreamNotify {
                url: (*url).to_owned(),
                exception_url: String::new(),
                switch_url: String::new(),
                auth: false,
                auth_key: None,
            };
            world.store.put_stream_notify(tenant, &format!("push.{tenant}.example"), &notify).await.unwrap();
        }
        let timeout = Duration::from_millis(300);
        let config = ClientConfig { timeout, ..ClientConfig::new(vec!["127.0.0.0/8".parse().unwrap()]) };
        let sender = Sender::new(world.store.clone(), Client::new(config).unwrap(), Arc::default());
        let stop = CancellationToken::new();
        let task = tokio::spawn(sender.run(stop.clone()));
        Self { world, stop, task }
    }

    /// A stream that is announced.
    async fn announce(&self, tenant: &str, stream: &str) -> Publish {
        let publish = Publish {
            id: format!("{tenant}-{stream}"),
            tenant: tenant.to_owned(),
            domain: format!("push.{tenant}.example"),
            play_domain: format!("play.{tenant}.example"),
            app: "studio".to_owned(),
            stream: stream.to_owned(),
            client: "203.0.113.9".to_owned(),
            arguments: String::new(),
            published_at: clock::now().0,
            stopped_at: None,
        };
        self.world.store.publish_began(&publish).await.unwrap();
        self.world.store.publish_announced(&publish.id, &notice(&publish, "publish")).await.unwrap();
        publish
    }

    async fn end(&self, publish: &Publish) {
        self.world.store.publish_ended(&publish.id, &notice(publish, "publish_done")).await.unwrap();
    }

    async fn tried(&self, tenant: &str) -> Vec<NoticeRow> {
        let now = clock::now();
        let filter = NoticeFilter {
            side: Side::Stream,
            from: now.plus_ms(-60_000),
            to: now.plus_ms(60_000),
            app: None,
            stream: None,
            delivered: None,
        };
        let domain = format!("push.{tenant}.example");
        self.world.store.notices(tenant, &domain, &filter, 0, 100).await.unwrap().1
    }

    async fn close(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn notice(publish: &Publish, kind: &'static str) -> NewNotice {
    NewNotice {
        tenant: publish.tenant.clone(),
        domain: publish.domain.clone(),
        app: publish.app.clone(),
        stream: publish.stream.clone(),
        kind,
        status: false,
        content: format!("action={kind}&id={}", publish.stream),
        at: clock::now().0,
    }
}

#[tokio::test]
async fn a_notice_is_tried_six_times_and_the_next_of_its_stream_waits() {
    let receiver =
        Receiver::start(|request| Reply::Status(if request.path.contains("done") { 200 } else { 503 })).await;
    let post = Post::new(&[("acme", &receiver.url("/"))]).await;
    let publish = post.announce("acme", "cam").await;
    post.end(&publish).await;
    let all = receiver.wait_for(7).await;
    let paths: Vec<bool> = all.iter().map(|request| request.path.contains("publish_done")).collect();
    assert_eq!(paths, [false, false, false, false, false, false, true]);
    post.close().await;
}

#[tokio::test]
async fn a_dead_receiver_delays_its_own_tenant_only() {
    let dead = Receiver::start(|_| Reply::Stall).await;
    let alive = Receiver::start(|_| Reply::Status(200)).await;
    let post = Post::new(&[("acme", &dead.url("/")), ("umbrella", &alive.url("/"))]).await;
    for number in 0..40 {
        post.announce("acme", &format!("cam{number}")).await;
    }
    dead.wait_for(PER_TENANT).await;
    post.announce("umbrella", "cam").await;
    alive.wait_for(1).await;
    assert!(dead.most_in_flight() <= PER_TENANT);
    post.close().await;
}

#[tokio::test]
async fn how_a_notice_went_is_kept() {
    let receiver = Receiver::start(|_| Reply::Answer(404, vec![], b"no such hook".to_vec())).await;
    let post = Post::new(&[("acme", &receiver.url("/")), ("umbrella", "http://10.0.0.1/")]).await;
    for tenant in ["acme", "umbrella"] {
        post.announce(tenant, "cam").await;
    }
    let row = async |tenant: &str| loop {
        if let Some(row) = post.tried(tenant).await.pop() {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let (refused, guarded) =
        tokio::time::timeout(Duration::from_secs(30), async { (row("acme").await, row("umbrella").await) })
            .await
            .unwrap();
    assert_eq!((refused.response.as_str(), refused.detail.as_str()), ("no such hook", "the receiver answered 404"));
    assert!(!refused.delivered && guarded.detail.starts_with("refused_address"), "{guarded:?}");
    post.close().await;
}
