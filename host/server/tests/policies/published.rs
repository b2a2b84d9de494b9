//! Changes whose client hangs up between the commit and the swap: what was committed is published all the same.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use reprise::policies::Activation;
use reprise::store::limits::PolicyLimits;
use reprise_lifecycle::question::Hook;

use crate::guests::echo;
use crate::rollouts::{canary, number, start};
use crate::stage::{Stage, stream_of};

/// Which version with which settings is asked about a stream, and what fuel is set for the tenant.
type Decides = (Option<(i64, i64)>, Option<u64>);

async fn catalogue(stage: &Stage) -> Decides {
    let running = stage.store.running_rollouts().await.unwrap().into_iter().find(|canary| canary.share_permille > 0);
    let bound = stage.store.bindings("acme").await.unwrap().into_iter().next();
    let bound = bound.map(|bound| (bound.binding.version, bound.binding.settings_revision));
    let asked = running.map(|canary| (canary.version, canary.settings_revision)).or(bound);
    (asked, stage.store.policy_limits("acme").await.unwrap().0.fuel)
}

fn memory(stage: &Stage) -> Decides {
    let stream = stream_of("acme", "cam1");
    let asked = stage.policies.bound("acme", Hook::Callback, Some(&stream)).map(|bound| {
        let candidate = stage.policies.candidate("acme", &bound, Some(&stream));
        candidate.map_or((bound.binding.version, bound.binding.settings_revision), |candidate| {
            (candidate.binding.version, candidate.binding.settings_revision)
        })
    });
    (asked, stage.policies.limits("acme", None).set.fuel)
}

/// Drops a change as soon as it is in the catalogue, and waits until memory says the same.
async fn hang_up<T>(stage: &Stage, what: &str, change: impl Future<Output = T>) {
    let before = memory(stage);
    assert_eq!(catalogue(stage).await, before, "before: {what}");
    {
        let mut change = pin!(change);
        while catalogue(stage).await == before {
            let polled = std::future::poll_fn(|context| Poll::Ready(change.as_mut().poll(context))).await;
            assert!(polled.is_pending(), "nobody could hang up in time: {what}");
        }
        assert_eq!(memory(stage), before, "committed and not published: {what}");
    }
    let after = catalogue(stage).await;
    let published = async {
        while memory(stage) != after {
            tokio::task::yield_now().await;
        }
    };
    let published = tokio::time::timeout(Duration::from_secs(20), published).await;
    assert!(published.is_ok(), "{what}: memory has {:?}, the catalogue {after:?}", memory(stage));
}

#[tokio::test]
async fn what_was_committed_is_published_though_its_client_hangs_up() {
    let stage = Stage::new("").await;
    for mark in ["a", "b"] {
        stage.push("acme", "p", echo(mark), "{}").await;
    }
    let (policies, tenants) = (&stage.policies, ["acme".to_owned()]);
    let limits = PolicyLimits { fuel: Some(1_000_000), ..PolicyLimits::default() };
    hang_up(&stage, "activate", policies.activate("acme", "p", number(1), "admin")).await;
    hang_up(&stage, "limits", policies.put_limits("acme", None, &limits, "admin")).await;
    hang_up(&stage, "settings", policies.put_settings("acme", "p", "{\"n\":1}", "admin")).await;
    hang_up(&stage, "activate another", policies.activate("acme", "p", number(2), "admin")).await;
    hang_up(&stage, "roll back", policies.roll_back("acme", "p", None, None, "admin")).await;
    let new = canary(2, 1000);
    hang_up(&stage, "canary", policies.start_rollouts(&tenants, &new, false, "admin")).await;
    let id = stage.store.running_rollouts().await.unwrap()[0].id;
    hang_up(&stage, "share less", policies.share_rollout("acme", id, 0, "admin")).await;
    hang_up(&stage, "share more", policies.share_rollout("acme", id, 1000, "admin")).await;
    hang_up(&stage, "stop", policies.stop_rollout("acme", id, "admin")).await;
    let id = start(&stage, &canary(2, 0)).await.id;
    hang_up(&stage, "promote", policies.promote_rollout("acme", id, "promoted", "admin")).await;
    hang_up(&stage, "deactivate", policies.deactivate("acme", "p", None, "admin")).await;
    stage.activate("acme", "p", Activation::default()).await;
    hang_up(&stage, "remove the tenant", policies.remove_tenant("acme")).await;
    assert_eq!(memory(&stage), (None, None));
}
