//! Activations, roll-backs and settings while calls are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reprise::policies::{ActivateError, Activation, Push, Pushed};
use reprise::store::bindings::Binding;
use reprise_lifecycle::question::Hook;

use crate::guests::echo;
use crate::stage::{Stage, event, failures, headers, sent, stream_of};

fn version(version: i64) -> Activation {
    Activation { version: Some(version), ..Activation::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_go_on_while_versions_and_settings_change_under_them() {
    let stage = Stage::new("[policies]\ncalls_per_second = 100000\ncalls_burst = 100000\n").await;
    stage.push("acme", "p", echo("a"), "{\"n\":1}").await;
    stage.push("acme", "p", echo("b"), "{\"n\":1}").await;
    stage.activate("acme", "p", version(1)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = (0..2)
        .map(|_| {
            let (policies, stop) = (Arc::clone(&stage.policies), Arc::clone(&stop));
            tokio::spawn(async move {
                let (mut calls, mut newest) = (0_u32, 0);
                while !stop.load(Ordering::Relaxed) {
                    let chained = event(&policies, "acme", "cam1").await;
                    assert_eq!(failures(&chained), [None], "no call fails");
                    let made = chained.steps[0].1.provenance.clone().unwrap();
                    // The settings of its revision and the mark of its version: nothing of two versions is mixed.
                    assert_eq!(sent(&chained), Some(format!("{{\"n\":{}}}", made.settings_revision).as_str()));
                    let mark = ["a", "b"][made.version as usize - 1];
                    assert_eq!(headers(&chained), format!("[[\"x-by\",\"{mark}\"]]"));
                    assert!(made.settings_revision >= newest, "back to {} from {newest}", made.settings_revision);
                    newest = made.settings_revision;
                    calls += 1;
                }
                (calls, newest)
            })
        })
        .collect();
    let began = Instant::now();
    let mut swaps = 0;
    for n in 2.. {
        stage.policies.put_settings("acme", "p", &format!("{{\"n\":{n}}}"), "admin").await.unwrap();
        stage.activate("acme", "p", version(n % 2 + 1)).await;
        swaps += 2;
        if began.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for asker in askers {
        let (calls, newest) = asker.await.unwrap();
        assert!(calls > 10 && newest > 2, "{calls} calls, {swaps} swaps, newest settings {newest}");
    }
    assert!(swaps > 10, "{swaps}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_activations_at_once_the_last_written_is_the_one_that_is_asked() {
    let stage = Stage::new("").await;
    for mark in ["a", "b"] {
        stage.push("acme", "p", echo(mark), "{}").await;
    }
    for round in 0..10 {
        let activations: Vec<_> = (0..6)
            .map(|n| {
                let policies = Arc::clone(&stage.policies);
                let activation = Activation { priority: Some(round * 10 + n), ..version(n % 2 + 1) };
                tokio::spawn(async move { policies.activate("acme", "p", activation, "admin").await })
            })
            .collect();
        for activation in activations {
            // Each was made, or was told that others are faster.
            assert!(matches!(activation.await.unwrap(), Ok(_) | Err(ActivateError::Conflict(_))));
        }
        let written = stage.store.bindings("acme").await.unwrap().remove(0).binding;
        let asked = stage.policies.bound("acme", Hook::Callback, Some(&stream_of("acme", "cam1"))).unwrap();
        assert_eq!(asked.binding, written, "round {round}");
    }
}

#[tokio::test]
async fn a_roll_back_is_to_what_was_before_and_outlives_a_restart() {
    let stage = Stage::new("").await;
    stage.push("acme", "p", echo("a"), "{\"n\":1}").await;
    stage.push("acme", "p", echo("b"), "{\"n\":2}").await;
    let roll_back = async |to| stage.policies.roll_back("acme", "p", None, to, "key:AKacme").await;
    assert!(matches!(roll_back(None).await, Err(ActivateError::No(_))), "nothing is bound");
    let narrow = Activation { stream: Some("cam*".to_owned()), priority: Some(3), ..version(1) };
    stage.activate("acme", "p", narrow).await;
    assert!(matches!(roll_back(None).await, Err(ActivateError::Conflict(_))), "it never was anything else");
    stage.activate("acme", "p", version(2)).await;
    stage.policies.put_settings("acme", "p", "{\"n\":3}", "admin").await.unwrap();
    let body = async || sent(&stage.event("acme", "cam1").await).map(str::to_owned);
    assert_eq!(body().await.as_deref(), Some("{\"n\":3}"));
    let back = roll_back(None).await.unwrap();
    assert_eq!((back.version, back.settings_revision, back.stream.as_str(), back.priority), (2, 2, "cam*", 3));
    assert_eq!(body().await.as_deref(), Some("{\"n\":2}"));
    let back = roll_back(Some(1)).await.unwrap();
    assert_eq!((back.version, back.settings_revision), (1, 1));
    assert!(matches!(roll_back(Some(7)).await, Err(ActivateError::Conflict(_))));
    let again = stage.restarted().await;
    assert_eq!(sent(&event(&again, "acme", "cam1").await), Some("{\"n\":1}"));
    assert_eq!(sent(&event(&again, "acme", "other").await), Some("{}"), "not covered");
    let changes = stage.store.changes(Some("acme"), Some("p"), None, 2).await.unwrap();
    let by: Vec<_> = changes.iter().map(|change| (change.action.as_str(), change.actor.as_str())).collect();
    assert_eq!(by, [("roll-back", "key:AKacme"); 2]);
}

#[tokio::test]
async fn going_back_again_goes_further_back_and_what_was_left_stays_away() {
    let stage = Stage::new("").await;
    for (name, n) in [("a", 1), ("b", 2), ("c", 3)] {
        stage.push("acme", "p", echo(name), &format!("{{\"n\":{n}}}")).await;
    }
    for number in 1..=3 {
        stage.activate("acme", "p", version(number)).await;
    }
    let back = async || stage.policies.roll_back("acme", "p", None, None, "admin").await;
    let pair = |binding: &Binding| (binding.version, binding.settings_revision);
    assert_eq!(pair(&back().await.unwrap()), (2, 2));
    assert_eq!(pair(&back().await.unwrap()), (1, 1), "not 3, which was left");
    assert!(matches!(back().await, Err(ActivateError::Conflict(_))), "there was nothing before");
    // A version that comes without settings has those that stand, and not the newest, which were left.
    let push = Push {
        plugin: "p".to_owned(),
        component: Pushed::Bytes(echo("d")),
        settings: None,
        signature: None,
        actor: "admin".to_owned(),
    };
    stage.policies.push("acme", push).await.unwrap();
    assert_eq!(pair(&stage.activate("acme", "p", Activation::default()).await), (4, 1));
    assert_eq!(pair(&back().await.unwrap()), (1, 1));
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let stage = Stage::new("").await;
    stage.push("acme", "p", echo("a"), "{\"n\":1}").await;
    stage.activate("acme", "p", version(1)).await;
    let before = stage.store.bindings("acme").await.unwrap();
    let activations = [
        version(2),
        Activation { settings_revision: Some(9), ..Activation::default() },
        Activation { failure_policy: Some("panic".to_owned()), ..Activation::default() },
        Activation { stream: Some("x".repeat(256)), ..Activation::default() },
        Activation { name: Some("A b".to_owned()), ..Activation::default() },
        Activation { priority: Some(i64::MIN + 1), ..Activation::default() },
    ];
    for activation in activations {
        let refused = stage.policies.activate("acme", "p", activation.clone(), "admin").await;
        assert!(refused.is_err(), "{activation:?}");
    }
    for settings in ["{", "", &format!("\"{}\"", "x".repeat(65_536))] {
        let refused = stage.policies.put_settings("acme", "p", settings, "admin").await;
        assert!(matches!(refused, Err(ActivateError::Invalid(_))), "{} bytes", settings.len());
    }
    let missing = stage.policies.put_settings("acme", "q", "{}", "admin").await.unwrap_err();
    assert_eq!(missing.to_string(), "there is no plugin `q`");
    let later = Activation { version: Some(99), ..Activation::default() };
    let missing = stage.policies.activate("acme", "p", later, "admin").await.unwrap_err();
    assert_eq!(missing.to_string(), "there is no version 99 of plugin `p`");
    assert_eq!(stage.store.bindings("acme").await.unwrap(), before);
}
