//! When canaries are rolled back: by what asking again takes, and with their fleets.

use super::*;

/// A version that takes so long for every question, and names `hd` or fails.
#[derive(Debug)]
struct Slow {
    elapsed_us: u64,
    failure: Option<FailureKind>,
}

impl Again for Slow {
    fn again(&self, _: &Request<'_>) -> Evaluation {
        let failed = Evaluation::failed(self.failure.unwrap_or(FailureKind::Trap), "as it was told");
        let verdict = if self.failure.is_some() { failed.verdict.clone() } else { group("hd") };
        Evaluation { verdict, elapsed_us: self.elapsed_us, ..failed }
    }
}

#[tokio::test]
async fn a_slow_canary_of_all_streams_is_rolled_back_by_what_it_takes_to_ask_again() {
    // What the candidate took, how asking again ends and how long that takes, and what comes of it.
    for (elapsed_us, again, expected) in [
        (50_000, Slow { elapsed_us: 200, failure: None }, "rolled_back"),
        (50_000, Slow { elapsed_us: 200, failure: Some(FailureKind::Trap) }, "rolled_back"),
        (50_000, Slow { elapsed_us: 30_000, failure: None }, "running"),
        (4_000, Slow { elapsed_us: 200, failure: None }, "running"),
        // Without a run there is no time to compare with.
        (50_000, Slow { elapsed_us: 0, failure: Some(FailureKind::Unavailable) }, "running"),
    ] {
        let scene = Scene::new().await;
        let id = scene.start(&["acme"], "canary", 2, Rules::default(), None).await[0];
        let decided = |number| {
            let mut decision = decision(number, 2, group("hd"), Some(id));
            decision.provenance.as_mut().unwrap().elapsed_us = elapsed_us;
            (number, decision, i64::from(number) * 10)
        };
        scene.world.store.test_decide("acme", &(1..=30).map(decided).collect::<Vec<_>>()).await;
        let case = format!("{elapsed_us} beside {again:?}");
        let follower = Follower::new(scene.world.store.clone(), Arc::clone(&scene.policies), Arc::new(again));
        to_the_end(&follower).await;
        let (row, report) = scene.rollout("acme", id).await;
        assert_eq!(row.state, expected, "{case}: {:?}", row.reason);
        if expected == "rolled_back" {
            let breach = report.breach.unwrap();
            assert_eq!((breach.rule.as_str(), breach.calls), ("max_latency_ratio", 20), "{case}");
            assert_eq!((breach.candidate_p99_us, breach.active_p99_us), (elapsed_us, 200), "{case}");
        }
        assert_eq!(report.active.fuel.count(), 0, "{case}: what is asked again is no call of the active version");
    }
}

/// Five tenants with a canary of version 3 each, under this fleet. Gives tenants and rollouts.
async fn fleet(scene: &Scene, names: [&'static str; 5], fleet: Option<&str>) -> Vec<(&'static str, i64)> {
    for name in names {
        scene.world.tenant(name).await;
        scene.world.store.test_plugin(name, 3).await;
    }
    scene.policies.refresh().await.unwrap();
    let ids = scene.start(&names, "canary", 3, Rules::default(), fleet).await;
    names.into_iter().zip(ids).collect()
}

/// Records five calls of a canary, of which one fails if it is said to.
async fn five_calls(scene: &Scene, (tenant, id): (&str, i64), fails: bool, at: i64) {
    let decided = |number| {
        let verdict = if fails && number == 3 { says(3, 3) } else { group("hd") };
        (number, decision(number, 3, verdict, Some(id)), at)
    };
    scene.world.store.test_decide(tenant, &(1..=5).map(decided).collect::<Vec<_>>()).await;
}

async fn states(scene: &Scene, members: &[(&str, i64)]) -> Vec<String> {
    let mut states = Vec::new();
    for (tenant, id) in members {
        states.push(scene.rollout(tenant, *id).await.0.state);
    }
    states
}

#[tokio::test]
async fn a_fleet_is_rolled_back_for_what_its_tenants_show_together() {
    let scene = Scene::new().await;
    let members = fleet(&scene, ["t1", "t2", "t3", "t4", "t5"], Some("f1")).await;
    // As much of each, but they are not one fleet; and of this one only one fails.
    let others = fleet(&scene, ["u1", "u2", "u3", "u4", "u5"], None).await;
    let good = fleet(&scene, ["w1", "w2", "w3", "w4", "w5"], Some("f2")).await;
    for member in members.iter().chain(&others) {
        five_calls(&scene, *member, true, 0).await;
    }
    for (index, member) in good.iter().enumerate() {
        five_calls(&scene, *member, index == 0, 0).await;
    }
    let versions = Arc::new(Versions::default());
    // Each alone is within the rules.
    to_the_end(&scene.follower(&versions)).await;
    assert_eq!(states(&scene, &members).await, ["running"; 5]);
    // One that was restarted before the fleet was judged has nothing but the catalogue.
    assert!(!scene.follower(&versions).look().await.unwrap());
    assert_eq!(states(&scene, &members).await, ["rolled_back"; 5]);
    let (first, report) = scene.rollout("t1", members[0].1).await;
    let reason =
        "5 of 25 calls failed within 300 s (max_failure_permille), in the 5 running rollouts of its fleet together";
    assert_eq!(first.reason.as_deref(), Some(reason));
    let breach = report.breach.unwrap();
    assert_eq!((breach.failures, breach.calls, report.candidate.fuel.count()), (5, 25, 5));
    let last = scene.rollout("t5", members[4].1).await.0;
    assert_eq!(last.reason, Some(format!("rollout {} of the same fleet: {reason}", first.id)));
    for (tenant, _) in &members {
        assert!((0..50).all(|number| scene.candidate(tenant, number).is_none()), "{tenant}");
    }
    // It has nothing more to judge, and the others go on.
    to_the_end(&scene.follower(&versions)).await;
    for still in [&others, &good] {
        assert_eq!(states(&scene, still).await, ["running"; 5]);
    }
}

#[tokio::test]
async fn a_fleet_is_judged_by_those_of_it_that_run_and_by_the_newest_window() {
    let scene = Scene::new().await;
    let members = fleet(&scene, ["t1", "t2", "t3", "t4", "t5"], Some("f1")).await;
    let versions = Arc::new(Versions::default());
    let follower = scene.follower(&versions);
    five_calls(&scene, members[0], true, 0).await;
    // Another, but ten minutes later.
    five_calls(&scene, members[1], true, 600_000).await;
    to_the_end(&follower).await;
    to_the_end(&follower).await;
    assert_eq!(states(&scene, &members).await, ["running"; 5]);
    // What was promoted counts no more, and stays what it is when the others are rolled back.
    let ending = Ending { state: "promoted", reason: "promoted", actor: "admin", at: 5 };
    let second = scene.rollout("t2", members[1].1).await.0;
    assert!(scene.world.store.promote_rollout(&second, ending).await.unwrap());
    five_calls(&scene, members[2], true, 600_000).await;
    to_the_end(&follower).await;
    to_the_end(&follower).await;
    assert_eq!(states(&scene, &members).await, ["running", "promoted", "running", "running", "running"]);
    five_calls(&scene, members[3], true, 600_000).await;
    to_the_end(&follower).await;
    to_the_end(&follower).await;
    let ended = states(&scene, &members).await;
    assert_eq!(ended, ["rolled_back", "promoted", "rolled_back", "rolled_back", "rolled_back"]);
    assert_eq!(scene.world.store.binding_base("t2", "groups", "default").await.unwrap(), Some((3, 1)));
}
