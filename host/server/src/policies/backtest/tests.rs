use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake};
use std::time::Duration;

use reprise_lifecycle::decision::{Failure, FailureKind, StateWrite, Verdict};
use reprise_lifecycle::time::Timestamp;
use reprise_policy::Evaluation;
use tokio::sync::Notify;

use super::*;
use crate::policies::rollout::again::Request;
use crate::store::backtests::PastState;
use crate::store::decisions::Retention;
use crate::store::plugins::{PluginVersion, Removed};
use crate::store::rollouts::testkit::{decision, digest, group, number};
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
    /// The question at which it panics.
    panics_at: Option<u32>,
}

impl Again for Versions {
    fn again(&self, request: &Request<'_>) -> Evaluation {
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (version, number) = (i64::from_str_radix(&request.subject.digest, 16).unwrap(), number(request.question));
        assert_ne!(Some(number), self.panics_at, "as it was told");
        let verdict = says(version, number);
        Evaluation { verdict, fuel: 1000, elapsed_us: 10, ..Evaluation::failed(FailureKind::Trap, "") }
    }
}

struct Scene {
    world: World,
    versions: Arc<Versions>,
    backtests: Backtests,
    /// Ends the server, as far as it is there.
    server: CancellationToken,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Versions::default()).await
    }

    async fn with(versions: Versions) -> Self {
        let world = World::new().await;
        world.tenant("acme").await;
        world.store.test_plugin("acme", 2).await;
        let (versions, server) = (Arc::new(versions), CancellationToken::new());
        let again = Arc::<Versions>::clone(&versions);
        let backtests = Backtests::new(world.store.clone(), again, 3, server.clone());
        Self { world, versions, backtests, server }
    }

    /// The next server on the same catalogue.
    async fn restart(&mut self) {
        self.server.cancel();
        self.backtests.ended().await;
        self.server = CancellationToken::new();
        let again = Arc::<Versions>::clone(&self.versions);
        self.backtests = Backtests::new(self.world.store.clone(), again, 3, self.server.clone());
        self.backtests.recover().await.unwrap();
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
    assert_eq!(serde_json::from_str::<Report>(&begun.report).unwrap().total, 0, "who asks does not wait for the count");
    let refused = scene.begin(Some(2), Recorded::default()).await.unwrap_err();
    assert!(refused.to_string().contains("runs already"), "{refused}");
    assert!(!scene.backtests.stop("other", begun.id).await.unwrap(), "another tenant's");
    assert!(scene.backtests.stop("acme", begun.id).await.unwrap());
    // A server that ends now finds nothing to start anew.
    let stopped = scene.world.store.backtest("acme", begun.id).await.unwrap().unwrap();
    assert_eq!((stopped.state.as_str(), stopped.reason.as_deref()), ("stopped", Some("stopped before its end")));
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
async fn one_that_takes_too_long_fails() {
    let mut scene = Scene::new().await;
    scene.backtests.within = Duration::ZERO;
    scene.decide(0..1000).await;
    let run = tokio::time::timeout(Duration::from_secs(60), scene.run(Some(2), Recorded::default()));
    let (row, report) = run.await.expect("it ends");
    assert_eq!((row.state.as_str(), report.digest), ("failed", None));
    assert!(row.reason.unwrap().contains("start it again over fewer decisions"));
}

#[tokio::test]
async fn a_full_server_is_not_the_tenants_doing() {
    let scene = Scene::new().await;
    let (begun, _) = scene.run(None, Recorded::default()).await;
    let begin = async |tenant: &str| {
        let row = Backtest { tenant: tenant.to_owned(), ..begun.clone() };
        scene.world.store.begin_backtest(&row, 1, 2).await
    };
    scene.world.tenant("umbrella").await;
    scene.world.tenant("third").await;
    for tenant in ["acme", "umbrella"] {
        begin(tenant).await.unwrap();
    }
    for (tenant, is_busy) in [("acme", false), ("umbrella", false), ("third", true)] {
        let refused = begin(tenant).await.unwrap_err();
        assert_eq!(matches!(refused, store::Error::Busy(_)), is_busy, "{tenant}: {refused}");
        assert_eq!(matches!(refused, store::Error::Conflict(_)), !is_busy, "{tenant}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_ends_it_as_failed() {
    let scene = Scene::with(Versions { panics_at: Some(100), ..Versions::default() }).await;
    // More than there is room for behind the one that never comes.
    scene.decide(0..2000).await;
    let run = tokio::time::timeout(Duration::from_secs(60), scene.run(Some(2), Recorded::default()));
    let (row, report) = run.await.expect("it ends");
    assert_eq!((row.state.as_str(), report.digest), ("failed", None));
    let reason = row.reason.unwrap();
    assert!(reason.contains("decision 101") && reason.contains("panic"), "{reason}");
    assert!(report.done <= 100, "{}", report.done);
    let (next, _) = scene.run(Some(2), Recorded { last: Some(100), ..Recorded::default() }).await;
    assert_eq!(next.state, "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_that_are_kept_no_longer_leave_a_running_audit() {
    let scene = Scene::new().await;
    scene.decide(0..1000).await;
    scene.versions.held.store(true, Ordering::SeqCst);
    let begun = scene.begin(None, Recorded::default()).await.unwrap();
    let (keep, late) = (Retention { days: 1, per_tenant: 0 }, Timestamp(i64::from(u32::MAX)));
    let mut gone = 0;
    loop {
        match scene.world.store.clear_decisions("acme", keep, None, late).await.unwrap() {
            0 => break,
            batch => gone += batch,
        }
    }
    scene.versions.held.store(false, Ordering::SeqCst);
    assert_eq!(gone, 1000, "nothing is held back");
    let (row, report) = scene.ended(begun.id).await;
    assert_eq!(row.state, "done", "{:?}", row.reason);
    assert!(report.done < 1000, "what was not read is not in it");
    assert_eq!((report.total, report.agreement.same), (report.done, report.done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_plugins_state_is_not_taken_for_an_empty_one() {
    let scene = Scene::new().await;
    let store = &scene.world.store;
    let push = async || {
        let version = PluginVersion {
            plugin: "counts".to_owned(),
            digest: digest(1),
            hooks: "template-group".to_owned(),
            settings: "{}".to_owned(),
            ..PluginVersion::default()
        };
        store.push_plugin("acme", &version, Timestamp(0)).await.unwrap()
    };
    // On a question, by a version with a revision of settings, which saw a revision of the state and maybe wrote to it.
    let decide = async |number, (version, settings): (i64, i64), saw, writes: bool| {
        let mut decision = decision(number, 1, says(1, number), None);
        let made = decision.provenance.as_mut().unwrap();
        (made.plugin, made.version) = ("counts".to_owned(), u32::try_from(version).unwrap());
        (made.settings_revision, made.state_revision) = (u32::try_from(settings).unwrap(), Some(saw));
        if writes {
            made.writes = vec![StateWrite { key: format!("k{number}"), value: Some("1".to_owned()) }];
        }
        store.test_decide("acme", &[(number, decision, 0)]).await;
    };
    let first = push().await;
    decide(1, first, 0, true).await;
    decide(2, first, 1, false).await;
    assert_eq!(store.remove_plugin("acme", "counts", "admin", Timestamp(0)).await.unwrap(), Removed::Done);
    let second = push().await;
    assert_eq!(second.0, 2, "it counts on");
    let fresh = store.plugin_state("acme", "counts").await.unwrap().revision;
    decide(3, second, fresh, true).await;
    decide(4, second, fresh + 1, false).await;
    let candidate = Some(NewCandidate::default());
    let new = NewBacktest { plugin: Some("counts".to_owned()), candidate, filter: Recorded::default() };
    let begun = scene.backtests.begin("acme", new, "admin").await.unwrap();
    let (_, report) = scene.ended(begun.id).await;
    let not_asked: Vec<_> = report.agreement.not_comparable.into_iter().collect();
    assert_eq!(not_asked, [("its state was deleted with the plugin".to_owned(), 1)]);
    // The one that saw none, and those that came later; what wrote then says now that it does not.
    assert_eq!((report.agreement.same, report.agreement.different.get("writes")), (1, Some(&2)));
    // What is there now is seen as it was.
    let page = store.recorded("acme", "counts", &Recorded::default(), 0, 10).await.unwrap();
    let states: Vec<_> = page.into_iter().map(|(_, state)| state).collect();
    let kept = |entries: &[(&str, &str)]| {
        let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        PastState::Kept(entries.collect())
    };
    assert_eq!(states, [kept(&[]), PastState::Deleted, kept(&[]), kept(&[("k3", "1")])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_servers_end_cuts_off_is_started_anew() {
    let mut scene = Scene::new().await;
    scene.decide(0..1000).await;
    let (whole, report) = scene.run(Some(2), Recorded::default()).await;
    let expected = scene.different(whole.id).await;
    scene.versions.held.store(true, Ordering::SeqCst);
    let begun = scene.begin(Some(2), Recorded::default()).await.unwrap();
    scene.server.cancel();
    scene.versions.held.store(false, Ordering::SeqCst);
    scene.backtests.ended().await;
    let store = scene.world.store.clone();
    let left = store.backtest("acme", begun.id).await.unwrap().unwrap();
    assert_eq!((left.state.as_str(), left.reason), ("running", None));
    // What it found in its first life does not count twice.
    assert!(store.progress_backtest(begun.id, &left.report, &[(7, "{}".to_owned())]).await.unwrap());
    scene.decide(1000..1097).await;
    scene.restart().await;
    let (row, second) = scene.ended(begun.id).await;
    assert_eq!((row.state.as_str(), second.restarts), ("done", 1), "{:?}", row.reason);
    assert_eq!(second.exact(), report.exact());
    assert_eq!(scene.different(row.id).await, expected);
    // One that its tenant stopped stays stopped, even if the server ends before it does.
    scene.versions.held.store(true, Ordering::SeqCst);
    let begun = scene.begin(Some(2), Recorded::default()).await.unwrap();
    assert!(scene.backtests.stop("acme", begun.id).await.unwrap());
    scene.server.cancel();
    scene.versions.held.store(false, Ordering::SeqCst);
    scene.restart().await;
    assert_eq!(store.backtest("acme", begun.id).await.unwrap().unwrap().state, "stopped");
}

/// Says when a future wants to be polled again.
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_while_one_begins_leaves_one_that_runs() {
    let scene = Scene::new().await;
    scene.decide(0..10).await;
    let woken = Arc::new(Woken(Notify::new()));
    let waker = Arc::clone(&woken).into();
    let mut begin = Box::pin(scene.begin(Some(2), Recorded::default()));
    // Polled by hand until the catalogue has it: the answer is not there yet, and nobody waits for it any more.
    let store = &scene.world.store;
    while store.backtests("acme", None, 1).await.unwrap().is_empty() {
        assert!(begin.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        woken.0.notified().await;
    }
    drop(begin);
    let id = store.backtests("acme", None, 1).await.unwrap()[0].id;
    let (row, report) = tokio::time::timeout(Duration::from_secs(20), scene.ended(id)).await.expect("nobody runs it");
    assert_eq!((row.state.as_str(), report.done), ("done", 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_started_anew_says_why() {
    let mut scene = Scene::new().await;
    scene.decide(0..10).await;
    let (row, _) = scene.run(Some(2), Recorded::default()).await;
    let often = Report { restarts: MOST_RESTARTS, ..Report::default() }.text();
    let running = Backtest { state: "running".to_owned(), ended_at: None, ..row };
    let mut left = Vec::new();
    for (row, why) in [
        (Backtest { settings_revision: None, ..running.clone() }, "settings that are no revision"),
        (Backtest { version: Some(9), ..running.clone() }, "its version was deleted"),
        (Backtest { settings_revision: Some(9), ..running.clone() }, "its settings revision was deleted"),
        (Backtest { report: often, ..running.clone() }, "4 times"),
    ] {
        left.push((scene.world.store.begin_backtest(&row, 9, 9).await.unwrap(), why));
    }
    scene.restart().await;
    for (id, why) in left {
        let failed = scene.world.store.backtest("acme", id).await.unwrap().unwrap();
        assert_eq!((failed.state.as_str(), failed.ended_at.is_some()), ("failed", true), "{why}");
        assert!(failed.reason.as_deref().unwrap().contains(why), "{failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_ones_go() {
    let scene = Scene::new().await;
    scene.decide(0..10).await;
    for _ in 0..60 {
        scene.run(Some(2), Recorded::default()).await;
    }
    assert_eq!(scene.world.store.backtests("acme", None, 1000).await.unwrap().len(), 50);
}
