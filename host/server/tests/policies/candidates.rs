//! A candidate beside the active version: what each keeps to itself, and what busy streams must not hold up.

use std::sync::Arc;
use std::time::Duration;

use reprise::policies::follower::Follower;
use reprise::policies::rollout::NewRollout;
use reprise::policies::rollout::rules::Rules;
use reprise::policies::rollout::share::place;
use reprise::policies::{Activation, Policies};
use reprise_lifecycle::decision::FailureKind;
use reprise_lifecycle::time::Timestamp;

use crate::guests::{callback, trap};
use crate::rollouts::{PATIENT, ask, canary, keeps, number, record, sifts, start, until};
use crate::stage::{Stage, failures, stream_of};

/// Traps with settings of two characters and leaves every event as it is with all others.
fn wants_settings() -> Vec<u8> {
    let short = "(i32.eq (i32.load offset=92 (local.get $question)) (i32.const 2))";
    callback(&format!("(if {short} (then (unreachable))) (i32.const 1024)"), "")
}

/// A version and its settings revision.
type Subject = (i64, i64);

/// Half of the streams are the candidate's. Gives the failures of those streams (true) and the others in this order.
async fn play(stage: &Stage, active: Subject, candidate: Subject, streams: &[bool]) -> Vec<Option<FailureKind>> {
    let binding = Activation { settings_revision: Some(active.1), ..number(active.0) };
    stage.activate("acme", "p", binding).await;
    start(stage, &NewRollout { settings_revision: Some(candidate.1), ..canary(candidate.0, 500) }).await;
    let is_inside = |name: &String| place("acme", "p", "default", &stream_of("acme", name)) < 500;
    let (inside, outside): (Vec<_>, Vec<_>) = (0..20).map(|number| format!("cam{number}")).partition(is_inside);
    let mut seen = Vec::new();
    for is_candidates in streams {
        let stream = if *is_candidates { &inside[0] } else { &outside[0] };
        seen.extend(failures(&stage.event("acme", stream).await));
    }
    seen
}

#[tokio::test]
async fn the_breakers_of_a_candidate_and_of_the_active_version_know_nothing_of_each_other() {
    let (trapped, open) = (Some(FailureKind::Trap), Some(FailureKind::BreakerOpen));
    // Two that fail, one that works, the third that fails: had the one that works been told to the other's breaker, it
    // would begin anew. Then the failing one is not asked, and that the other one works does not change it.
    let fails = [true, true, false, true, true, false, false, true];
    let expected = [trapped, trapped, None, trapped, open, None, None, open];
    let table: [(&str, Vec<u8>, Subject, Subject); 2] = [
        ("another version", trap(), (1, 1), (2, 1)),
        ("other settings of the same version", wants_settings(), (2, 1), (2, 2)),
    ];
    for (what, second, working, failing) in table {
        for failing_is_candidate in [true, false] {
            let stage = Stage::new("[policies]\nbreaker_failures = 3\n").await;
            stage.push("acme", "p", keeps(), "{\"n\":1}").await;
            stage.push("acme", "p", second.clone(), "{\"n\":1}").await;
            stage.policies.put_settings("acme", "p", "{}", "admin").await.unwrap();
            let (active, candidate) = if failing_is_candidate { (working, failing) } else { (failing, working) };
            let streams = fails.map(|fails| fails == failing_is_candidate);
            let seen = play(&stage, active, candidate, &streams).await;
            assert_eq!(seen, expected, "{what}, the candidate fails: {failing_is_candidate}");
            let rests = |subject| stage.policies.breaker("acme", "p", subject).1.is_some();
            assert!(rests(failing) && !rests(working), "{what}, the candidate fails: {failing_is_candidate}");
        }
    }
}

#[tokio::test]
async fn a_canary_that_is_due_is_promoted_while_decisions_keep_coming() {
    let stage = Stage::new(PATIENT).await;
    stage.push("acme", "p", keeps(), "{}").await;
    stage.push("acme", "p", sifts(), "{}").await;
    stage.activate("acme", "p", number(1)).await;
    let rules = Rules { promote_after_seconds: Some(0), min_calls: 3, ..Rules::default() };
    let rollout = start(&stage, &NewRollout { rules, ..canary(2, 1000) }).await;
    let again = Arc::<Policies>::clone(&stage.policies);
    let follower = Follower::new(stage.store.clone(), Arc::clone(&stage.policies), again);
    let busy = async {
        let mut number = 0;
        loop {
            // No look finds nothing new.
            let stream = format!("cam{number}");
            let logged = ask(&stage.policies, number, &stream).await;
            record(&stage, &stream, vec![logged]).await;
            follower.look().await.unwrap();
            number += 1;
            let state = stage.store.rollout("acme", rollout.id).await.unwrap().unwrap().state;
            if state != "running" {
                return (number, state);
            }
        }
    };
    let (calls, state) = tokio::time::timeout(Duration::from_secs(60), busy).await.unwrap();
    assert!(calls >= 3 && state == "promoted", "{state} after {calls} calls");
    let binding = stage.store.bindings("acme").await.unwrap().remove(0).binding;
    assert_eq!((binding.version, binding.activated_by.as_str()), (2, "reprise"));
}

#[tokio::test]
async fn a_canary_that_is_due_and_cannot_be_promoted_ends_and_says_why() {
    let stage = Stage::new(PATIENT).await;
    stage.push("acme", "p", keeps(), "{}").await;
    stage.push("acme", "p", sifts(), "{}").await;
    stage.activate("acme", "p", number(1)).await;
    let rules = Rules { promote_after_seconds: Some(0), min_calls: 1, ..Rules::default() };
    let rollout = start(&stage, &NewRollout { rules, ..canary(2, 1000) }).await;
    stage.store.set_require_signature("acme", true, "admin", Timestamp(0)).await.unwrap();
    let logged = ask(&stage.policies, 1, "cam1").await;
    record(&stage, "cam1", vec![logged]).await;
    let again = Arc::<Policies>::clone(&stage.policies);
    let follower = Follower::new(stage.store.clone(), Arc::clone(&stage.policies), again);
    follower.look().await.unwrap();
    let ended = until(&stage, rollout.id, |rollout| rollout.state != "running").await;
    let reason = ended.reason.unwrap_or_default();
    assert_eq!(ended.state, "stopped", "{reason}");
    assert!(reason.contains("cannot be promoted") && reason.contains("signature"), "{reason}");
    assert_eq!(stage.store.bindings("acme").await.unwrap().remove(0).binding.version, 1);
}
