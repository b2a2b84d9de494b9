//! Changes whose client hangs up while they are made: what was committed is published all the same.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use reprise::store::limits::PolicyLimits;
use reprise_lifecycle::question::Hook;

use crate::guests::echo;
use crate::rollouts::{canary, number, start};
use crate::stage::{Stage, stream_of};

/// Attempts to hang up just between the commit and the swap: both may come before anybody can look.
const ATTEMPTS: usize = 50;

/// Which version with which settings is asked about a stream, and what fuel is set for each of the two tenants.
#[derive(Debug, PartialEq, Eq)]
struct Decides {
    asked: Option<(i64, i64)>,
    fuel: [Option<u64>; 2],
}

async fn catalogue(stage: &Stage) -> Decides {
    let running = stage.store.running_rollouts().await.unwrap().into_iter().find(|canary| canary.share_permille > 0);
    let bound = stage.store.bindings("acme").await.unwrap().into_iter().next();
    let bound = bound.map(|bound| (bound.binding.version, bound.binding.settings_revision));
    let asked = running.map(|canary| (canary.version, canary.settings_revision)).or(bound);
    let fuel = async |tenant| stage.store.policy_limits(tenant).await.unwrap().0.fuel;
    Decides { asked, fuel: [fuel("acme").await, fuel("beta").await] }
}

fn memory(stage: &Stage) -> Decides {
    let stream = stream_of("acme", "cam1");
    let asked = stage.policies.bound("acme", Hook::Callback, Some(&stream)).map(|bound| {
        let candidate = stage.policies.candidate("acme", &bound, Some(&stream));
        let asked = candidate.map_or_else(|| bound.binding.clone(), |candidate| candidate.binding);
        (asked.version, asked.settings_revision)
    });
    Decides { asked, fuel: ["acme", "beta"].map(|tenant| stage.policies.limits(tenant, None).set.fuel) }
}

/// A tenant with two versions, of which the first is active, and another tenant.
async fn stage() -> Stage {
    let stage = Stage::new("").await;
    for mark in ["a", "b"] {
        stage.push("acme", "p", echo(mark), "{}").await;
    }
    stage.activate("acme", "p", number(1)).await;
    stage
}

fn fuel(fuel: Option<u64>) -> PolicyLimits {
    PolicyLimits { fuel, ..PolicyLimits::default() }
}

/// What is to be there before a change, whatever is there.
async fn prepare(stage: &Stage, change: &str) {
    let running = stage.store.running_rollouts().await.unwrap();
    for rollout in running {
        stage.policies.stop_rollout("acme", rollout.id, "admin").await.unwrap();
    }
    stage.activate("acme", "p", number(1)).await;
    match change {
        "roll back" => drop(stage.activate("acme", "p", number(2)).await),
        "share" | "promote" => drop(start(stage, &canary(2, 0)).await),
        "stop" => drop(start(stage, &canary(2, 1000)).await),
        "settings" => drop(stage.policies.put_settings("acme", "p", "{}", "admin").await.unwrap()),
        "limits" => stage.policies.put_limits("acme", None, &fuel(None), "admin").await.unwrap().unwrap(),
        "remove" => {
            if stage.store.tenant("beta").await.unwrap().is_none() {
                stage.tenant("beta").await;
            }
            stage.policies.put_limits("beta", None, &fuel(Some(2_000_000)), "admin").await.unwrap().unwrap();
        }
        _ => {}
    }
}

async fn make(stage: &Stage, change: &str) {
    let policies = &stage.policies;
    let running = stage.store.running_rollouts().await.unwrap();
    let rollout = running.first().map_or(0, |rollout| rollout.id);
    match change {
        "activate" => drop(policies.activate("acme", "p", number(2), "admin").await.unwrap()),
        "roll back" => drop(policies.roll_back("acme", "p", None, None, "admin").await.unwrap()),
        "settings" => drop(policies.put_settings("acme", "p", "{\"n\":1}", "admin").await.unwrap()),
        "limits" => policies.put_limits("acme", None, &fuel(Some(1_000_000)), "admin").await.unwrap().unwrap(),
        "canary" => drop(start(stage, &canary(2, 1000)).await),
        "share" => drop(policies.share_rollout("acme", rollout, 1000, "admin").await.unwrap()),
        "stop" => drop(policies.stop_rollout("acme", rollout, "admin").await.unwrap()),
        "promote" => drop(policies.promote_rollout("acme", rollout, "promoted", "admin").await.unwrap()),
        "deactivate" => assert_eq!(policies.deactivate("acme", "p", None, "admin").await.unwrap(), 1),
        "remove" => assert!(policies.remove_tenant("beta").await.unwrap()),
        other => panic!("{other}"),
    }
}

async fn poll_once(future: &mut Pin<&mut impl Future>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

/// Waits until memory says what the catalogue says.
async fn assert_published(stage: &Stage, what: &str) {
    // Its commit may still be on its way: it has come when somebody else can write.
    stage.store.check_writable().await.unwrap();
    let written = catalogue(stage).await;
    let published = async {
        while memory(stage) != written {
            tokio::task::yield_now().await;
        }
    };
    let published = tokio::time::timeout(Duration::from_secs(20), published).await;
    assert!(published.is_ok(), "{what}: memory has {:?}, the catalogue {written:?}", memory(stage));
}

#[tokio::test]
async fn what_was_committed_is_published_though_its_client_hangs_up() {
    let stage = stage().await;
    let changes =
        ["activate", "roll back", "settings", "limits", "canary", "share", "stop", "promote", "deactivate", "remove"];
    for what in changes {
        let mut was_between = false;
        for _ in 0..ATTEMPTS {
            prepare(&stage, what).await;
            let before = memory(&stage);
            {
                let mut change = pin!(make(&stage, what));
                let mut is_done = false;
                while !is_done && catalogue(&stage).await == before {
                    is_done = poll_once(&mut change).await;
                }
                was_between = !is_done && memory(&stage) == before;
            }
            assert_published(&stage, what).await;
            if was_between {
                break;
            }
        }
        assert!(was_between, "{what}: nobody could hang up between the commit and the swap");
    }
}

#[tokio::test]
async fn wherever_a_client_hangs_up_memory_has_what_the_catalogue_has() {
    let stage = stage().await;
    for polls in 1.. {
        prepare(&stage, "limits").await;
        let is_done = {
            // Polled when it is woken, as in a server, so that every number of polls is another place.
            let (mut change, mut polled) = (pin!(make(&stage, "limits")), 0);
            std::future::poll_fn(|context| {
                polled += 1;
                match change.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(true),
                    Poll::Pending if polled == polls => Poll::Ready(false),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        };
        assert_published(&stage, &format!("limits, hung up after {polls} polls")).await;
        if is_done {
            return;
        }
    }
}
