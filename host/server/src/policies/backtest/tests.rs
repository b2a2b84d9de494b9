use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reprise_lifecycle::decision::{Failure, FailureKind, Verdict};
use reprise_policy::Evaluation;

use super::*;
use crate::policies::rollout::again::Request;
use crate::store::rollouts::testkit::{decision, group, number};
use crate::testkit::World;

/// Version 1 names `hd`; version 2 names `sd` at every 97th question and traps at every 501st.
fn says(version: i64, number: u32) -> Verdict {
    match version {
        2 if number.is_multiple_of(501) => {
            Verdict::Failed(Failure { kind: FailureKind::Trap, message: "unreachable".to_owned() })
        }
        2 if number.is_multiple_of(97) => group("sd"),
        _ => group("hd"),
    }
}

/// Those versions, without an engine. While it is held, every call waits a little.
#[derive(Default)]
struct Versions {
    held: AtomicBool,
}

impl Again for Versions {
    fn again(&self, request: &Request<'_>) -> Evaluation {
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let version = i64::from_str_radix(&request.subject.digest, 16).unwrap();
        let verdict = says(version, number(request.question));
        Evaluation { verdict, fuel: 1000, elapsed_us: 10, ..Evaluation::failed(FailureKind::Trap, "") }
    }
}

struct Scene {
    world: World,
    versions: Arc<Versions>,
    backtests: Backtests,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        world.tenant("acme").await;
        world.store.test_plugin("acme", 2).await;
        let versions = Arc::new(Versions::default());
        let again = Arc::<Versions>::clone(&versions);
        let backtests = Backtests::new(world.store.clone(), again, 3, CancellationToken::new());
        Self { world, versions, backtests }
    }

    async fn decide(&self, numbers: std::ops::Range<u32>) {
        let decided = |number| (number, decision(number, 1, says(1, number), None), i64::from(number));
        self.world.store.test_decide("acme", &numbers.map(decided).collect::<Vec<_>>()).await;
    }

    async fn begin(&self, version: Option<i64>, filter: Recorded) -> Result<Backtest, BacktestError> {
        let candidate = version.map(|version| NewCandidate { version: Some(version), ..NewCandidate::default() });
        let new = NewBacktest { plugin: Some("groups".to_owned()), candidate, filter };
        self.backtests.begin("acme", new, "admin").await
    }

    async fn ended(&self, id: i64) -> (Backtest, Report) {
        loop {
            let row = self.world.store.backtest("acme", id).await.unwrap().unwrap();
            if row.state != "running" && !self.backtests.running.lock().unwrap().contains_key(&id) {
                let report = serde_json::from_str(&row.report).unwrap();
                return (row, report);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn run(&self, version: Option<i64>, filter: Recorded) -> (Backtest, Report) {
        let begun = self.begin(version, filter).await.unwrap();
        self.ended(begun.id).await
    }

    async fn different(&self, id: i64) -> Vec<String> {
        let rows = self.world.store.backtest_differences(id, 0, 10_000).await.unwrap();
        rows.into_iter().filter_map(|row| row.stream).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backtest_of_ten_thousand_decisions_finds_exactly_what_differs() {
    const COUNT: u32 = 10_000;
    let scene = Scene::new().await;
    scene.decide(0..COUNT).await;
    let (row, report) = scene.run(Some(2), Recorded::default()).await;
    assert_eq!((row.state.as_str(), row.reason.as_deref()), ("done", None));
    let expected: Vec<String> = (0..COUNT)
        .filter(|number| number.is_multiple_of(97) || number.is_multiple_of(501))
        .map(|number| format!("cam{number}"))
        .collect();
    assert_eq!(scene.different(row.id).await, expected);
    assert_eq!((report.total, report.done, report.kept), (10_000, 10_000, expected.len() as u64));
    assert_eq!(report.agreement.same, 10_000 - expected.len() as u64);
    assert_eq!(report.agreement.different.values().sum::<u64>(), expected.len() as u64);
    assert_eq!(report.agreement.different.get("failure"), Some(&20));
    assert_eq!(report.now.failures.get("trap"), Some(&20));
    println!("{} decisions/s on 3 threads, asking included nothing", report.done * 1000 / report.wall_ms.max(1));
    // The set is fixed: what is decided later is not in it, and the same set has the same report.
    scene.decide(COUNT..COUNT + 97).await;
    let last = serde_json::from_str::<Recorded>(&row.filter).unwrap().last;
    let (again, second) = scene.run(Some(2), Recorded { last, ..Recorded::default() }).await;
    assert!(report.digest.is_some());
    assert_eq!(second.exact(), report.exact());
    assert_eq!(scene.different(again.id).await, expected);
    // Another set, another digest; and nothing differs from itself.
    let (_, third) = scene.run(Some(2), Recorded { to: Some(5000), ..Recorded::default() }).await;
    assert_eq!(third.done, 5001);
    assert_ne!(third.digest, report.digest);
    let (_, same) = scene.run(Some(1), Recorded::default()).await;
    assert_eq!((same.agreement.same, same.agreement.differences()), (u64::from(COUNT) + 97, 0));
    // One stream, one hook, numbers.
    for (filter, done) in [
        (Recorded { stream: Some("cam97".to_owned()), ..Recorded::default() }, 1),
        (Recorded { hook: Some("callback".to_owned()), ..Recorded::default() }, 0),
        (Recorded { first: Some(11), last: Some(20), ..Recorded::default() }, 10),
        (Recorded { from: Some(10), to: Some(11), ..Recorded::default() }, 2),
    ] {
        assert_eq!(scene.run(Some(2), filter.clone()).await.1.done, done, "{filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_finds_a_forged_answer_and_says_what_it_cannot_check() {
    let scene = Scene::new().await;
    scene.decide(0..200).await;
    let (row, report) = scene.run(None, Recorded::default()).await;
    assert_eq!((row.kind.as_str(), row.version, row.state.as_str()), ("audit", None, "done"));
    assert_eq!((report.agreement.same, report.agreement.differences()), (200, 0));
    // An answer that was never given, one whose cost was changed, a question that was never asked, a version that is
    // gone, and a failure that was the machine's.
    let forged = decision(200, 1, group("gold"), None);
    let mut dearer = decision(201, 1, says(1, 201), None);
    dearer.provenance.as_mut().unwrap().fuel += 1;
    let mut unasked = decision(202, 1, says(1, 202), None);
    unasked.question_digest = "0".repeat(64);
    let gone = decision(203, 9, says(1, 203), None);
    let late = Failure { kind: FailureKind::Deadline, message: "late".to_owned() };
    let late = decision(204, 1, Verdict::Failed(late), None);
    let odd = [(200, forged, 0), (201, dearer, 0), (202, unasked, 0), (203, gone, 0), (204, late, 0)];
    scene.world.store.test_decide("acme", &odd).await;
    let (row, report) = scene.run(None, Recorded::default()).await;
    assert_eq!(scene.different(row.id).await, ["cam200", "cam201"]);
    let kinds: Vec<(&str, u64)> =
        report.agreement.different.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(kinds, [("answer", 1), ("fuel", 1)]);
    let reasons: Vec<&str> = report.agreement.not_comparable.keys().map(String::as_str).collect();
    let expected = [
        "the recorded failure was not the guest's alone: deadline",
        "the recorded question is not the one that was asked",
        "the version that answered was deleted",
    ];
    assert_eq!(reasons, expected);
    // For a backtest the cost is no difference.
    let (_, report) = scene.run(Some(1), Recorded { first: Some(202), last: Some(202), ..Recorded::default() }).await;
    assert_eq!((report.done, report.agreement.same), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_runs_at_a_time_and_can_be_stopped() {
    let scene = Scene::new().await;
    scene.decide(0..1000).await;
    scene.versions.held.store(true, Ordering::SeqCst);
    let begun = scene.begin(Some(2), Recorded::default()).await.unwrap();
    let refused = scene.begin(Some(2), Recorded::default()).await.unwrap_err();
    assert!(refused.to_string().contains("runs already"), "{refused}");
    assert!(!scene.backtests.stop("other", begun.id).await.unwrap(), "another tenant's");
    assert!(scene.backtests.stop("acme", begun.id).await.unwrap());
    scene.versions.held.store(false, Ordering::SeqCst);
    let (row, report) = scene.ended(begun.id).await;
    assert_eq!(row.state, "stopped");
    assert!(report.done < 1000 && report.digest.is_none(), "{report:?}");
    assert!(!scene.backtests.stop("acme", begun.id).await.unwrap());
    assert_eq!(scene.run(Some(2), Recorded::default()).await.0.state, "done");
    // Names of nothing are said so.
    for (version, what) in [(Some(7), "version")] {
        let refused = scene.begin(version, Recorded::default()).await.unwrap_err();
        assert!(refused.to_string().ends_with(what), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_leaves_running_has_failed_and_old_ones_go() {
    let scene = Scene::new().await;
    scene.decide(0..10).await;
    let (row, _) = scene.run(Some(2), Recorded::default()).await;
    let left = Backtest { state: "running".to_owned(), ended_at: None, ..row };
    let left = scene.world.store.begin_backtest(&left, 1, 2).await.unwrap();
    scene.backtests.recover().await.unwrap();
    let failed = scene.world.store.backtest("acme", left).await.unwrap().unwrap();
    assert_eq!((failed.state.as_str(), failed.ended_at.is_some()), ("failed", true));
    assert!(failed.reason.unwrap().contains("restarted"));
    for _ in 0..60 {
        scene.run(Some(2), Recorded::default()).await;
    }
    assert_eq!(scene.world.store.backtests("acme", None, 1000).await.unwrap().len(), 50);
}
