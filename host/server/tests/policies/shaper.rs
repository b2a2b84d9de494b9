//! Callbacks of many tenants on their way to their policies.

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use reprise::policies::Activation;
use reprise::shaper::Shaper;
use reprise::store::deliveries::OutboxEvent;
use reprise::store::journal::Append;
use reprise::store::message_callbacks::MessageCallback;
use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::id::{BroadcastId, TenantId, VideoId};
use reprise_lifecycle::record::{Opening, RecordRules};
use reprise_lifecycle::time::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::guests::{echo, endless};
use crate::stage::{Stage, stream_of};

/// So many events of one broadcast, all waiting for the tenant's policy.
async fn events(stage: &Stage, tenant: &str, count: u64) {
    let callback = MessageCallback {
        app_id: "app-1000000".to_owned(),
        url: format!("https://hooks.{tenant}.example"),
        event_types: "ALL".to_owned(),
        auth_switch: false,
        auth_key: None,
        extra: "{}".to_owned(),
    };
    stage.store.put_message_callback(tenant, &callback, Timestamp(0)).await.unwrap();
    let opening = Opening {
        tenant: TenantId::new(tenant),
        stream: stream_of(tenant, "cam1"),
        play_domain: format!("play.{tenant}"),
        push_args: Vec::new(),
        rules: RecordRules::default(),
    };
    let records = Broadcast::open(opening, "203.0.113.9:4711".to_owned(), Timestamp(0));
    let after = Broadcast::fold(BroadcastId::new(format!("b-{tenant}")), &records).unwrap().unwrap();
    let event = |number: u64| OutboxEvent {
        id: format!("evt-{tenant}-{number}"),
        seq: number,
        video: VideoId::new(format!("v-{tenant}")),
        kind: "FileUploadComplete",
        at: 0,
        body: "{}".to_owned(),
        callback: None,
    };
    let append = Append {
        after: &after,
        first_seq: 0,
        records: &records,
        events: (0..count).map(event).collect(),
        notices: Vec::new(),
        decisions: Vec::new(),
        shape: true,
    };
    stage.store.append(&[append]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tenant_with_a_slow_policy_and_many_events_keeps_no_other_waiting() {
    let stage = Stage::new("[policies]\nbreaker_failures = 1000000\nwait_ms = 60000\n").await;
    stage.tenant("umbrella").await;
    stage.push("acme", "slow", endless(), "{}").await;
    stage.push("umbrella", "quick", echo("a"), "{}").await;
    stage.activate("acme", "slow", Activation::default()).await;
    stage.activate("umbrella", "quick", Activation::default()).await;
    events(&stage, "acme", 200).await;
    let (wake, shaped, stop) = (Arc::new(Notify::new()), Arc::new(Notify::new()), CancellationToken::new());
    let shaper = Shaper {
        store: stage.store.clone(),
        policies: Arc::clone(&stage.policies),
        wake: Arc::clone(&wake),
        shaped: Arc::clone(&shaped),
    };
    let shaper = tokio::spawn(shaper.run(stop.clone()));
    shaped.notified().await;
    events(&stage, "umbrella", 20).await;
    wake.notify_one();
    let waiting = async |tenant| stage.store.unshaped(tenant, 1000).await.unwrap().len();
    while waiting("umbrella").await > 0 {
        shaped.notified().await;
    }
    assert!(waiting("acme").await > 0, "all of the slow tenant's were done first");
    stop.cancel();
    shaper.await.unwrap();

    let mut registry = Registry::with_prefix("reprise");
    stage.policies.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        "reprise_policy_calls_total{hook=\"callback\",outcome=\"answered\"} 20",
        "reprise_policy_call_seconds_count{hook=\"callback\"}",
        "reprise_policy_code_total{source=\"memory\"}",
        "reprise_policy_swaps_total 2",
        "reprise_policy_breakers_open 0",
        "reprise_policy_tenants 2",
        "reprise_policy_code_loaded 2",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("acme"), "a tenant's name is no label");
}
