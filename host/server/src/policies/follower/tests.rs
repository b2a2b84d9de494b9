mod canaries;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, mpsc};

use reprise_lifecycle::decision::{Failure, FailureKind, Verdict};
use reprise_lifecycle::question::Hook;
use reprise_policy::{Class, Evaluation};

use super::*;
use crate::config::Config;
use crate::policies::rollout::again::Request;
use crate::policies::rollout::report::Report;
use crate::policies::rollout::rules::Window;
use crate::policies::rollout::share::place;
use crate::store::bindings::Bound;
use crate::store::rollouts::testkit::{decision, digest, group, number, stream};
use crate::testkit::World;

/// Versions of a policy without an engine: version 1 names `hd`, 2 names `sd` for every seventh question, 3 traps at
/// every third. What each says depends on nothing but the question.
#[derive(Default)]
struct Versions {
    calls: AtomicU64,
    /// The call with this number waits here until the test lets it go, or is gone.
    gate: Option<(u64, Mutex<mpsc::Receiver<()>>)>,
    /// All calls of this tenant wait until the test lets them go.
    stuck: Option<(&'static str, Arc<RwLock<()>>)>,
}

fn says(version: i64, number: u32) -> Verdict {
    match version {
        2 if number.is_multiple_of(7) => group("sd"),
        3 if number.is_multiple_of(3) => {
            Verdict::Failed(Failure { kind: FailureKind::Trap, message: "unreachable".to_owned() })
        }
        _ => group("hd"),
    }
}

impl Again for Versions {
    fn again(&self, request: &Request<'_>) -> Evaluation {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some((at, gate)) = &self.gate
            && *at == call
        {
            let _ = gate.lock().unwrap().recv();
        }
        if let Some((tenant, gate)) = &self.stuck
            && *tenant == request.tenant
        {
            drop(gate.read().unwrap());
        }
        let version = i64::from_str_radix(&request.subject.digest, 16).unwrap();
        assert_eq!(request.subject.digest, digest(version));
        let verdict = says(version, number(request.question));
        Evaluation { verdict, fuel: 1000, elapsed_us: 200, ..Evaluation::failed(FailureKind::Trap, "") }
    }
}

struct Scene {
    world: World,
    policies: Arc<Policies>,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        world.tenant("acme").await;
        world.store.test_plugin("acme", 3).await;
        let config = Config::parse("[policies]\nconcurrent = 1\n").unwrap().policies;
        let policies = Policies::new(&config, world.store.clone(), Arc::clone(&world.files), [9; 32]).unwrap();
        policies.refresh().await.unwrap();
        Self { world, policies: Arc::new(policies) }
    }

    async fn start(&self, tenants: &[&str], kind: &str, version: i64, rules: Rules, fleet: Option<&str>) -> Vec<i64> {
        let window = (kind == "canary").then(Window::default);
        let new = |tenant: &&str| Rollout {
            id: 0,
            tenant: (*tenant).to_owned(),
            plugin: "groups".to_owned(),
            binding: "default".to_owned(),
            kind: kind.to_owned(),
            fleet: fleet.map(str::to_owned),
            version,
            settings_revision: 1,
            base_version: 1,
            base_settings_revision: 1,
            share_permille: if kind == "canary" { 500 } else { 1000 },
            app: "*".to_owned(),
            stream: "*".to_owned(),
            rules: serde_json::to_string(&rules).unwrap(),
            state: "running".to_owned(),
            reason: None,
            cursor: 0,
            report: serde_json::to_string(&Report { window: window.clone(), ..Report::default() }).unwrap(),
            started_at: clock::now().0,
            started_by: "admin".to_owned(),
            ended_at: None,
        };
        let new: Vec<Rollout> = tenants.iter().map(new).collect();
        let ids = self.world.store.start_rollouts(&new).await.unwrap();
        self.policies.refresh_rollouts().await.unwrap();
        ids
    }

    /// Records what version 1 says to these questions, or the candidate of `rollout` of version `version`.
    async fn decide(&self, numbers: std::ops::Range<u32>, version: i64, rollout: Option<i64>) {
        let decided = |number| {
            let decision = decision(number, version, says(version, number), rollout);
            (number, decision, i64::from(number) * 10)
        };
        self.world.store.test_decide("acme", &numbers.map(decided).collect::<Vec<_>>()).await;
    }

    fn follower(&self, versions: &Arc<Versions>) -> Follower {
        let versions = Arc::<Versions>::clone(versions);
        Follower::new(self.world.store.clone(), Arc::clone(&self.policies), versions)
    }

    async fn rollout(&self, tenant: &str, id: i64) -> (Rollout, Report) {
        let row = self.world.store.rollout(tenant, id).await.unwrap().unwrap();
        let report = serde_json::from_str(&row.report).unwrap();
        (row, report)
    }

    fn candidate(&self, tenant: &str, number: u32) -> Option<Bound> {
        let stream = stream(number);
        let bound = self.policies.bound(tenant, Hook::TemplateGroup, Some(&stream)).unwrap();
        self.policies.candidate(tenant, &bound, Some(&stream))
    }
}

async fn to_the_end(follower: &Follower) {
    while follower.look().await.unwrap() {}
}

/// Checks the report and the differences of a shadow of version 2 over questions `0..count`.
async fn assert_exact(scene: &Scene, id: i64, count: u32) {
    let (row, report) = scene.rollout("acme", id).await;
    assert_eq!(row.state, "running");
    let different: Vec<u32> = (0..count).filter(|number| number.is_multiple_of(7)).collect();
    let agreement = &report.agreement;
    assert_eq!(agreement.same, u64::from(count) - different.len() as u64);
    assert_eq!(agreement.different.get("answer"), Some(&(different.len() as u64)));
    assert_eq!((agreement.different.len(), agreement.not_comparable.len()), (1, 0));
    assert_eq!((report.candidate.fuel.count(), report.active.fuel.count()), (count.into(), count.into()));
    let rows = scene.world.store.rollout_differences(id, 0, 10_000).await.unwrap();
    let found: Vec<&str> = rows.iter().filter_map(|row| row.stream.as_deref()).collect();
    let expected: Vec<String> = different.iter().map(|number| format!("cam{number}")).collect();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_reports_exactly_what_differs_across_restarts() {
    let scene = Scene::new().await;
    // What was decided before it began is not its business.
    scene.decide(1000..1010, 1, None).await;
    let id = scene.start(&["acme"], "shadow", 2, Rules::default(), None).await[0];
    scene.decide(0..300, 1, None).await;
    // Nor is what a candidate or another version answered.
    scene.decide(2000..2010, 3, Some(999)).await;
    scene.decide(2010..2020, 3, None).await;
    let versions = Arc::new(Versions::default());
    // A follower for each page, gone after it.
    assert!(scene.follower(&versions).look().await.unwrap());
    assert!(scene.follower(&versions).look().await.unwrap());
    // One that is gone in the middle of a page: nothing of that page was counted.
    let (release, gate) = mpsc::channel();
    let stuck = Arc::new(Versions { gate: Some((5, Mutex::new(gate))), ..Versions::default() });
    let follower = scene.follower(&stuck);
    let looking = tokio::spawn(async move { follower.look().await });
    while stuck.calls.load(Ordering::SeqCst) <= 5 {
        tokio::task::yield_now().await;
    }
    looking.abort();
    assert!(looking.await.unwrap_err().is_cancelled());
    let (before, _) = scene.rollout("acme", id).await;
    drop(release);
    // Two at the same time: whoever is second loses its page.
    let (one, other) = (scene.follower(&versions), scene.follower(&versions));
    tokio::join!(to_the_end(&one), to_the_end(&other));
    to_the_end(&scene.follower(&versions)).await;
    let (after, _) = scene.rollout("acme", id).await;
    assert!(before.cursor < after.cursor);
    assert_exact(&scene, id, 300).await;
    // It goes on where it was.
    scene.decide(300..350, 1, None).await;
    to_the_end(&one).await;
    assert_exact(&scene, id, 350).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_canary_is_rolled_back_with_its_fleet() {
    let scene = Scene::new().await;
    scene.world.tenant("beta").await;
    scene.world.store.test_plugin("beta", 3).await;
    scene.policies.refresh().await.unwrap();
    let ids = scene.start(&["acme", "beta"], "canary", 3, Rules::default(), Some("f1")).await;
    let inside: Vec<u32> =
        (0..50).filter(|number| place("acme", "groups", "default", &stream(*number)) < 500).collect();
    for number in 0..50 {
        let candidate = scene.candidate("acme", number);
        assert_eq!(candidate.is_some(), inside.contains(&number), "{number}");
        if let Some(candidate) = candidate {
            assert_eq!((candidate.version.version, candidate.rollout), (3, Some(ids[0])));
        }
    }
    // Only every third fails: 0 is forgiven, 3 is not, and what was recorded behind it was decided by then.
    scene.decide(0..3, 3, Some(ids[0])).await;
    let versions = Arc::new(Versions::default());
    let follower = scene.follower(&versions);
    to_the_end(&follower).await;
    assert_eq!(scene.rollout("acme", ids[0]).await.0.state, "running");
    scene.decide(3..9, 3, Some(ids[0])).await;
    to_the_end(&follower).await;
    let (row, report) = scene.rollout("acme", ids[0]).await;
    assert_eq!((row.state.as_str(), row.cursor), ("rolled_back", 4), "with the very decision that broke the rule");
    let breach = report.breach.unwrap();
    assert_eq!((breach.rule.as_str(), breach.failures, breach.calls), ("max_failure_permille", 2, 4));
    assert_eq!(row.reason.as_deref(), Some("2 of 4 calls failed within 300 s (max_failure_permille)"));
    assert_eq!(report.agreement.different.get("failure"), Some(&2));
    let (other, _) = scene.rollout("beta", ids[1]).await;
    assert_eq!(other.state, "rolled_back");
    assert!(other.reason.unwrap().contains("2 of 4 calls failed"));
    for number in 0..50 {
        assert_eq!(scene.candidate("acme", number), None);
        assert_eq!(scene.candidate("beta", number), None);
    }
    for tenant in ["acme", "beta"] {
        let changes = scene.world.store.changes(Some(tenant), None, None, 10).await.unwrap();
        let found: Vec<(&str, &str)> =
            changes.iter().map(|change| (change.actor.as_str(), change.action.as_str())).collect();
        assert_eq!(found, [("reprise", "roll-back-rollout"), ("admin", "canary")], "{tenant}");
    }
}

#[tokio::test]
async fn a_canary_counts_differences_against_the_active_version() {
    let scene = Scene::new().await;
    let rules = Rules { max_difference_permille: Some(200), min_calls: 10, ..Rules::default() };
    let id = scene.start(&["acme"], "canary", 2, rules, None).await[0];
    scene.decide(100..120, 1, None).await;
    scene.decide(1..30, 2, Some(id)).await;
    let versions = Arc::new(Versions::default());
    to_the_end(&scene.follower(&versions)).await;
    // 7, 14, 21, 28 differ: 1 of 7, 2 of 14 ... never above a fifth.
    let (row, report) = scene.rollout("acme", id).await;
    assert_eq!(row.state, "running", "{:?}", row.reason);
    assert_eq!((report.candidate.fuel.count(), report.active.fuel.count()), (29, 20));
    assert_eq!((report.agreement.same, report.agreement.different.get("answer")), (25, Some(&4)));
    assert_eq!(versions.calls.load(Ordering::SeqCst), 29, "only the candidate's decisions are asked again");
}

#[tokio::test]
async fn a_rollout_is_over_with_another_active_version() {
    let scene = Scene::new().await;
    let canary = scene.start(&["acme"], "canary", 3, Rules::default(), None).await[0];
    let shadow = scene.start(&["acme"], "shadow", 2, Rules::default(), None).await[0];
    scene.decide(0..10, 1, None).await;
    scene.world.store.test_bind("acme", 2).await;
    scene.policies.refresh().await.unwrap();
    // In memory at once, before anybody has looked.
    for number in 0..50 {
        assert_eq!(scene.candidate("acme", number), None);
    }
    let versions = Arc::new(Versions::default());
    let follower = scene.follower(&versions);
    to_the_end(&follower).await;
    to_the_end(&follower).await;
    for id in [canary, shadow] {
        let (row, _) = scene.rollout("acme", id).await;
        assert_eq!(row.state, "stopped");
        assert!(row.reason.unwrap().starts_with("superseded: version 2"));
    }
    // What was decided until then was compared.
    assert_eq!(scene.rollout("acme", shadow).await.1.agreement.same, 8);
}

#[tokio::test]
async fn a_promotion_is_one_act_and_only_from_where_it_began() {
    let scene = Scene::new().await;
    let id = scene.start(&["acme"], "canary", 3, Rules::default(), None).await[0];
    let (row, _) = scene.rollout("acme", id).await;
    let ending = Ending { state: "promoted", reason: "promoted", actor: "admin", at: 5 };
    let store = &scene.world.store;
    assert!(store.promote_rollout(&row, ending).await.unwrap());
    assert_eq!(store.binding_base("acme", "groups", "default").await.unwrap(), Some((3, 1)));
    assert_eq!(scene.rollout("acme", id).await.0.state, "promoted");
    assert!(!store.promote_rollout(&row, ending).await.unwrap(), "it has ended");
    // Another activation in between: neither the binding nor the rollout changes.
    store.test_bind("acme", 1).await;
    let id = scene.start(&["acme"], "canary", 3, Rules::default(), None).await[0];
    let (row, _) = scene.rollout("acme", id).await;
    store.test_bind("acme", 2).await;
    assert!(!store.promote_rollout(&row, ending).await.unwrap());
    assert_eq!(store.binding_base("acme", "groups", "default").await.unwrap(), Some((2, 1)));
    assert_eq!(scene.rollout("acme", id).await.0.state, "running");
}

#[tokio::test]
async fn one_of_a_kind_runs_on_a_binding_and_its_share_can_grow() {
    let scene = Scene::new().await;
    let id = scene.start(&["acme"], "canary", 3, Rules::default(), None).await[0];
    let (row, _) = scene.rollout("acme", id).await;
    assert!(matches!(scene.world.store.start_rollouts(&[row]).await, Err(store::Error::Conflict(_))));
    let inside = || (0..200).filter(|number| scene.candidate("acme", *number).is_some()).count();
    let before = inside();
    scene.policies.share_rollout("acme", id, 900, "admin").await.unwrap();
    assert!(inside() > before);
    assert!(scene.policies.share_rollout("acme", id, 1001, "admin").await.is_err());
    assert!(scene.policies.share_rollout("other", id, 10, "admin").await.is_err(), "another tenant's");
    scene.policies.stop_rollout("acme", id, "admin").await.unwrap();
    assert_eq!(inside(), 0);
    assert!(scene.policies.stop_rollout("acme", id, "admin").await.is_err());
    assert!(scene.policies.share_rollout("acme", id, 10, "admin").await.is_err());
}

#[tokio::test]
async fn a_promotion_that_waits_for_its_turn_keeps_nobody_from_being_followed() {
    let scene = Scene::new().await;
    // As if somebody compiled the candidate, which takes its time.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let compiling = scene.policies.alone("acme", &digest(2), deadline).await.unwrap();
    let inside = || scene.policies.turns.same.inside(&format!("acme {}", digest(2)));
    let rules = Rules { promote_after_seconds: Some(0), min_calls: 2, ..Rules::default() };
    let canary = scene.start(&["acme"], "canary", 2, rules, None).await[0];
    let shadow = scene.start(&["acme"], "shadow", 3, Rules::default(), None).await[0];
    scene.decide(1..4, 2, Some(canary)).await;
    let versions = Arc::new(Versions::default());
    let follower = scene.follower(&versions);
    let followed = async {
        to_the_end(&follower).await;
        while inside() < 2 {
            tokio::task::yield_now().await;
        }
        // It is due at every look and begun once.
        scene.decide(10..40, 1, None).await;
        to_the_end(&follower).await;
        to_the_end(&follower).await;
    };
    tokio::time::timeout(Duration::from_secs(20), followed).await.expect("a look waited for the promotion");
    assert_eq!(inside(), 2);
    assert_eq!(scene.rollout("acme", shadow).await.1.active.fuel.count(), 30);
    assert_eq!(scene.rollout("acme", canary).await.0.state, "running");
    drop(compiling);
    let promotion = follower.promotions.lock().unwrap().remove("acme").unwrap();
    promotion.await.unwrap();
    assert_eq!(inside(), 0, "it had its turn");
}

/// Acme with a canary and a shadow, and beta with a shadow, all with something to read. Gives the rollouts.
async fn two_tenants(scene: &Scene) -> [i64; 3] {
    scene.world.tenant("beta").await;
    scene.world.store.test_plugin("beta", 3).await;
    scene.policies.refresh().await.unwrap();
    let canary = scene.start(&["acme"], "canary", 2, Rules::default(), None).await[0];
    let shadow = scene.start(&["acme"], "shadow", 2, Rules::default(), None).await[0];
    // Another component than those of acme, as what comes of one is known to all.
    let of_beta = scene.start(&["beta"], "shadow", 3, Rules::default(), None).await[0];
    scene.decide(1..4, 2, Some(canary)).await;
    scene.decide(10..14, 1, None).await;
    let decided = |number| (number, decision(number, 1, says(1, number), None), i64::from(number) * 10);
    scene.world.store.test_decide("beta", &(1..4).map(decided).collect::<Vec<_>>()).await;
    [canary, shadow, of_beta]
}

#[tokio::test]
async fn a_tenant_whose_rollouts_are_slow_keeps_nobody_elses_waiting() {
    let scene = Scene::new().await;
    let [canary, _, of_beta] = two_tenants(&scene).await;
    let gate = Arc::new(RwLock::new(()));
    let versions = Arc::new(Versions { stuck: Some(("acme", Arc::clone(&gate))), ..Versions::default() });
    let follower = scene.follower(&versions);
    let (closed, open) = mpsc::channel::<()>();
    let (shut, is_shut) = mpsc::channel();
    let keeper = std::thread::spawn(move || {
        let _shut = gate.write().unwrap();
        shut.send(()).unwrap();
        let _ = open.recv();
    });
    is_shut.recv().unwrap();
    let looking = tokio::spawn(async move { follower.look().await });
    let seen = async {
        while scene.rollout("beta", of_beta).await.1.active.fuel.count() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("both places are held by one tenant");
    assert_eq!(scene.rollout("acme", canary).await.0.cursor, 0, "acme's are still at it");
    drop(closed);
    keeper.join().unwrap();
    assert!(!looking.await.unwrap().unwrap());
}

#[tokio::test]
async fn a_tenant_that_used_up_its_time_goes_on_in_the_next_look() {
    let scene = Scene::new().await;
    let ids = two_tenants(&scene).await;
    let mut follower = scene.follower(&Arc::new(Versions::default()));
    follower.each = Duration::ZERO;
    let cursors = async || {
        let mut moved = Vec::new();
        for (tenant, id) in ["acme", "acme", "beta"].into_iter().zip(ids) {
            moved.push(scene.rollout(tenant, id).await.0.cursor > 0);
        }
        moved
    };
    for (more, moved) in [(true, [true, false, true]), (false, [true, true, true])] {
        assert_eq!((follower.look().await.unwrap(), cursors().await), (more, moved.to_vec()));
    }
}

#[tokio::test]
async fn code_that_has_to_be_compiled_again_is_not_waited_for() {
    let scene = Scene::new().await;
    let [_, shadow, of_beta] = two_tenants(&scene).await;
    let versions = Arc::new(Versions::default());
    let follower = scene.follower(&versions);
    // As if somebody compiled acme's candidate.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let compiling = scene.policies.alone("acme", &digest(2), deadline).await.unwrap();
    assert!(!follower.look().await.unwrap());
    assert_eq!(scene.rollout("acme", shadow).await.0.cursor, 0);
    assert_eq!(scene.rollout("beta", of_beta).await.1.active.fuel.count(), 3);
    drop(compiling);
    assert!(!follower.look().await.unwrap());
    assert_eq!(scene.rollout("acme", shadow).await.1.active.fuel.count(), 4);
}

#[tokio::test]
async fn code_that_cannot_be_compiled_is_counted_and_holds_up_no_rollout() {
    let scene = Scene::new().await;
    let id = scene.start(&["acme"], "shadow", 2, Rules::default(), None).await[0];
    scene.decide(0..4, 1, None).await;
    let follower =
        Follower::new(scene.world.store.clone(), Arc::clone(&scene.policies), Arc::<Policies>::clone(&scene.policies));
    let compilers = scene.policies.turns.compiling.of(Class::Standard);
    // There is no component to compile; whoever has the turn finds that out.
    let busy = compilers.acquire("busy", tokio::time::Instant::now()).await.unwrap();
    assert!(!follower.look().await.unwrap());
    assert_eq!(scene.rollout("acme", id).await.0.cursor, 0);
    drop(busy);
    while compilers.inside("acme") > 0 {
        tokio::task::yield_now().await;
    }
    let _busy = compilers.acquire("busy", tokio::time::Instant::now()).await.unwrap();
    assert!(!follower.look().await.unwrap());
    let (row, report) = scene.rollout("acme", id).await;
    assert!(row.cursor > 0, "another attempt is waited for");
    assert_eq!(report.candidate.failures.get("unavailable"), Some(&4));
}
