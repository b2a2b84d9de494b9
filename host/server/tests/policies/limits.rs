//! What keeps a tenant, and a version that fails, to itself.

use std::sync::Arc;

use futures_util::future::join_all;
use reprise::policies::Activation;
use reprise::store::limits::PolicyLimits;
use reprise_lifecycle::decision::FailureKind;

use crate::guests::{echo, endless, trap};
use crate::stage::{Stage, event, failures};

#[tokio::test]
async fn a_version_that_keeps_failing_is_left_alone_until_another_is_activated() {
    let stage = Stage::new("[policies]\nbreaker_failures = 3\n").await;
    stage.push("acme", "p", trap(), "{}").await;
    stage.push("acme", "p", echo("a"), "{}").await;
    stage.activate("acme", "p", Activation { version: Some(1), ..Activation::default() }).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let chained = stage.event("acme", "cam1").await;
        seen.extend(failures(&chained));
        assert_eq!(
            chained.steps[0].1.provenance.as_ref().unwrap().fuel > 0,
            seen.len() <= 3,
            "a call that is not made"
        );
    }
    let (trapped, open) = (Some(FailureKind::Trap), Some(FailureKind::BreakerOpen));
    assert_eq!(seen, [trapped, trapped, trapped, open, open]);
    let (count, open_for) = stage.policies.breaker("acme", "p", (1, 1));
    assert!(count == 3 && open_for.is_some());
    stage.activate("acme", "p", Activation { version: Some(2), ..Activation::default() }).await;
    assert_eq!(failures(&stage.event("acme", "cam1").await), [None]);
    stage.activate("acme", "p", Activation { version: Some(1), ..Activation::default() }).await;
    assert_eq!(failures(&stage.event("acme", "cam1").await), [trapped], "an activation is a fresh start");
}

#[tokio::test]
async fn limits_of_a_tenant_and_a_plugin_hold_from_the_next_call_on() {
    let stage = Stage::new("[policies]\nwait_ms = 0\n").await;
    stage.tenant("umbrella").await;
    for tenant in ["acme", "umbrella"] {
        stage.push(tenant, "p", echo("a"), "{}").await;
        stage.activate(tenant, "p", Activation::default()).await;
    }
    let ask = async |tenant| failures(&stage.event(tenant, "cam1").await)[0];
    let set = async |plugin, limits: PolicyLimits| {
        stage.policies.put_limits("acme", plugin, &limits, "admin").await.unwrap().unwrap();
    };
    let none = PolicyLimits::default();
    assert_eq!(ask("acme").await, None);
    set(Some("p"), PolicyLimits { fuel: Some(10), ..none.clone() }).await;
    assert_eq!((ask("acme").await, ask("umbrella").await), (Some(FailureKind::Fuel), None));
    set(Some("p"), none.clone()).await;
    assert_eq!(ask("acme").await, None);
    set(None, PolicyLimits { memory_bytes: Some(65_536), ..none.clone() }).await;
    assert_eq!(ask("acme").await, Some(FailureKind::Memory));
    set(None, PolicyLimits { calls_per_second: Some(1), burst: Some(1), ..none.clone() }).await;
    ask("acme").await;
    assert_eq!(ask("acme").await, Some(FailureKind::RateLimited), "two in one second");
    assert_eq!(ask("umbrella").await, None);
    let refused =
        stage.policies.put_limits("acme", None, &PolicyLimits { fuel: Some(0), ..none.clone() }, "admin").await;
    assert!(refused.unwrap().is_err());
    let shown = stage.policies.limits("acme", Some("p"));
    assert_eq!((shown.effective.calls_per_second, shown.set), (1, none));
    let again = stage.restarted().await;
    assert_eq!(again.limits("acme", None).effective.burst, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tenant_that_asks_too_much_waits_for_itself() {
    let stage = Stage::new("[policies]\nbreaker_failures = 1000000\nwait_ms = 60000\n").await;
    stage.tenant("umbrella").await;
    stage.push("acme", "noisy", endless(), "{}").await;
    stage.push("umbrella", "quiet", echo("a"), "{}").await;
    stage.activate("acme", "noisy", Activation::default()).await;
    stage.activate("umbrella", "quiet", Activation::default()).await;
    let noise: Vec<_> = (0..200)
        .map(|_| {
            let policies = Arc::clone(&stage.policies);
            tokio::spawn(async move { failures(&event(&policies, "acme", "cam1").await)[0] })
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(failures(&stage.event("umbrella", "cam1").await), [None]);
    }
    let ended = noise.iter().filter(|call| call.is_finished()).count();
    assert!(ended < 200, "the quiet tenant had its answers only after all of the noisy one's calls");
    for call in join_all(noise).await {
        let failure = call.unwrap();
        assert!(matches!(failure, Some(FailureKind::Fuel | FailureKind::Deadline)), "{failure:?}");
    }
}
