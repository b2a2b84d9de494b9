//! Shadows, canaries, backtests and audits with real components.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reprise::policies::backtest::report::Report;
use reprise::policies::backtest::{Backtests, NewBacktest, NewCandidate};
use reprise::policies::follower::Follower;
use reprise::policies::rollout::rules::Rules;
use reprise::policies::rollout::share::{Share, place};
use reprise::policies::rollout::{NewRollout, Which};
use reprise::policies::{Activation, Policies};
use reprise::store::backtests::{Backtest, Recorded};
use reprise::store::decisions::LoggedDecision;
use reprise::store::journal::Append;
use reprise::store::limits::PolicyLimits;
use reprise::store::rollouts::Rollout;
use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::{Decision, FailureKind, Verdict};
use reprise_lifecycle::id::{BroadcastId, TenantId};
use reprise_lifecycle::question::CallbackQuestion;
use reprise_lifecycle::record::{Opening, RecordRules};
use reprise_lifecycle::time::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::guests::{callback, trap};
use crate::stage::{Stage, question, stream_of};

pub(crate) const PATIENT: &str = "[policies]\ncalls_per_second = 100000\ncalls_burst = 100000\nconcurrent_per_tenant = 8\n\
                       deadline_ms = 10000\nwall_ms = 20000\nwait_ms = 60000\n";

/// Leaves every event as it is.
pub(crate) fn keeps() -> Vec<u8> {
    callback("(i32.const 1024)", "")
}

/// Drops events whose id ends with a 7.
pub(crate) fn sifts() -> Vec<u8> {
    let last = "(i32.load8_u (i32.sub (i32.add (i32.load offset=48 (local.get $question))
        (i32.load offset=52 (local.get $question))) (i32.const 1)))";
    callback(&format!("(i32.store8 (i32.const 1028) (i32.eq {last} (i32.const 55))) (i32.const 1024)"), "")
}

pub(crate) fn number(version: i64) -> Activation {
    Activation { version: Some(version), ..Activation::default() }
}

/// Event `number` of a stream.
fn event(number: u32, stream: &str) -> CallbackQuestion {
    CallbackQuestion { event_id: format!("evt_{number}"), ..question("acme", &stream_of("acme", stream)) }
}

pub(crate) async fn ask(policies: &Arc<Policies>, number: u32, stream: &str) -> LoggedDecision {
    let chained = policies.callback(event(number, stream), Some(&stream_of("acme", stream))).await;
    let (question, decision) = chained.steps.into_iter().next().unwrap();
    LoggedDecision { question, decision, video: None, at: i64::from(number) }
}

/// Records decisions as those of a broadcast, and wakes who follows.
pub(crate) async fn record(stage: &Stage, broadcast: &str, decisions: Vec<LoggedDecision>) {
    let opening = Opening {
        tenant: TenantId::new("acme"),
        stream: stream_of("acme", broadcast),
        play_domain: "play.acme".to_owned(),
        push_args: Vec::new(),
        rules: RecordRules::default(),
    };
    let records = Broadcast::open(opening, "203.0.113.9:4711".to_owned(), Timestamp(0));
    let after = Broadcast::fold(BroadcastId::new(broadcast), &records).unwrap().unwrap();
    let append = Append {
        after: &after,
        first_seq: 0,
        records: &records,
        events: Vec::new(),
        notices: Vec::new(),
        decisions,
        shape: false,
    };
    stage.store.append(&[append]).await.unwrap();
    stage.policies.to_follow().notify_one();
}

fn made_by(decision: &Decision) -> (u32, Option<i64>) {
    let made = decision.provenance.as_ref().unwrap();
    (made.version, made.rollout)
}

pub(crate) fn canary(version: i64, permille: u16) -> NewRollout {
    NewRollout {
        plugin: "p".to_owned(),
        binding: None,
        canary: true,
        which: Which::Version(version),
        settings_revision: None,
        share: Share { permille, app: "*".to_owned(), stream: "*".to_owned() },
        rules: Rules::default(),
    }
}

pub(crate) async fn start(stage: &Stage, new: &NewRollout) -> Rollout {
    stage.policies.start_rollouts(&["acme".to_owned()], new, false, "admin").await.unwrap().remove(0)
}

pub(crate) async fn until(stage: &Stage, id: i64, is: impl Fn(&Rollout) -> bool) -> Rollout {
    let look = async {
        loop {
            let rollout = stage.store.rollout("acme", id).await.unwrap().unwrap();
            if is(&rollout) {
                return rollout;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_of_a_failing_guest_rolls_itself_back_and_others_never_see_it() {
    let stage = Stage::new(PATIENT).await;
    stage.push("acme", "p", keeps(), "{}").await;
    stage.push("acme", "p", trap(), "{}").await;
    stage.activate("acme", "p", number(1)).await;
    let follower =
        Follower::new(stage.store.clone(), Arc::clone(&stage.policies), Arc::<Policies>::clone(&stage.policies));
    let stop = CancellationToken::new();
    let following = tokio::spawn(follower.run(stop.clone()));
    let rollout = start(&stage, &canary(2, 500)).await;
    let is_inside = |stream: &str| place("acme", "p", "default", &stream_of("acme", stream)) < 500;
    let (mut failed, mut asked) = (0, 0);
    while stage.store.rollout("acme", rollout.id).await.unwrap().unwrap().state == "running" {
        let stream = format!("cam{asked}");
        let logged = ask(&stage.policies, asked, &stream).await;
        let by = made_by(&logged.decision);
        if by == (2, Some(rollout.id)) {
            assert!(is_inside(&stream), "{stream} is outside the share");
            failed += 1;
        } else {
            assert_eq!(by, (1, None));
        }
        record(&stage, &stream, vec![logged]).await;
        asked += 1;
        assert!(asked < 2000, "it is never rolled back");
        if failed >= 2 {
            until(&stage, rollout.id, |rollout| rollout.state != "running").await;
        }
    }
    let ended = until(&stage, rollout.id, |rollout| rollout.state != "running").await;
    assert_eq!((ended.state.as_str(), failed), ("rolled_back", 2), "{:?}", ended.reason);
    // The catalogue says it first, and a moment later so does memory.
    let inside = (asked..).map(|number| format!("cam{number}")).find(|stream| is_inside(stream)).unwrap();
    let swapped = async {
        while made_by(&ask(&stage.policies, asked, &inside).await.decision) != (1, None) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), swapped).await.expect("memory follows the catalogue");
    for number in asked..asked + 50 {
        assert_eq!(made_by(&ask(&stage.policies, number, &format!("cam{number}")).await.decision), (1, None));
    }
    // As after a crash: what has ended stays ended.
    let restarted = stage.restarted().await;
    restarted.refresh_rollouts().await.unwrap();
    assert_eq!(made_by(&ask(&restarted, 1, "cam1").await.decision), (1, None));
    let changes = stage.store.changes(Some("acme"), Some("p"), None, 1).await.unwrap();
    assert_eq!((changes[0].actor.as_str(), changes[0].action.as_str()), ("reprise", "roll-back-rollout"));
    stop.cancel();
    following.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_is_checked_tried_and_promoted() {
    let stage = Stage::new(PATIENT).await;
    stage.push("acme", "p", keeps(), "{}").await;
    let refused = stage.policies.start_rollouts(&["acme".to_owned()], &canary(1, 10), false, "admin").await;
    assert!(refused.unwrap_err().to_string().contains("activate one first"));
    stage.activate("acme", "p", number(1)).await;
    let refused = stage.policies.start_rollouts(&["acme".to_owned()], &canary(1, 10), false, "admin").await;
    assert!(refused.unwrap_err().to_string().contains("is the active one"));
    stage.push("acme", "p", sifts(), "{}").await;
    let shadow = start(&stage, &NewRollout { canary: false, ..canary(2, 1000) }).await;
    let rollout = start(&stage, &canary(2, 1000)).await;
    let refused = stage.policies.start_rollouts(&["acme".to_owned()], &canary(2, 10), false, "admin").await;
    assert!(refused.unwrap_err().to_string().contains("stop or promote it first"));
    assert_eq!(made_by(&ask(&stage.policies, 1, "cam1").await.decision), (2, Some(rollout.id)));
    // A running candidate survives a restart.
    let restarted = stage.restarted().await;
    restarted.refresh_rollouts().await.unwrap();
    assert_eq!(made_by(&ask(&restarted, 1, "cam1").await.decision), (2, Some(rollout.id)));
    let promoted = stage.policies.promote_rollout("acme", rollout.id, "promoted", "admin").await.unwrap();
    assert_eq!(promoted.state, "promoted");
    assert_eq!(made_by(&ask(&stage.policies, 1, "cam1").await.decision), (2, None));
    let history = stage.store.binding_history("acme", "p", "default").await.unwrap();
    let versions: Vec<i64> = history.iter().map(|past| past.version).collect();
    assert_eq!(versions, [2, 1], "a roll-back goes on working");
    // The shadow was beside version 1, which is not active any more.
    let policies = Arc::<Policies>::clone(&stage.policies);
    Follower::new(stage.store.clone(), Arc::clone(&stage.policies), policies).look().await.unwrap();
    assert_eq!(stage.store.rollout("acme", shadow.id).await.unwrap().unwrap().state, "stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_is_due_becomes_the_active_version_by_itself() {
    let stage = Stage::new(PATIENT).await;
    stage.push("acme", "p", keeps(), "{}").await;
    stage.push("acme", "p", sifts(), "{}").await;
    stage.activate("acme", "p", number(1)).await;
    let policies = Arc::<Policies>::clone(&stage.policies);
    let stop = CancellationToken::new();
    let follower = Follower::new(stage.store.clone(), Arc::clone(&stage.policies), policies);
    let following = tokio::spawn(follower.run(stop.clone()));
    let rules = Rules { promote_after_seconds: Some(0), min_calls: 2, ..Rules::default() };
    let rollout = start(&stage, &NewRollout { rules, ..canary(2, 1000) }).await;
    for number in 0..2 {
        let stream = format!("cam{number}");
        let logged = ask(&stage.policies, number, &stream).await;
        record(&stage, &stream, vec![logged]).await;
    }
    let ended = until(&stage, rollout.id, |rollout| rollout.state != "running").await;
    assert_eq!((ended.state.as_str(), ended.reason.unwrap().contains("no rule was broken")), ("promoted", true));
    let promoted = async {
        while made_by(&ask(&stage.policies, 2, "cam2").await.decision) != (2, None) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), promoted).await.expect("memory follows the catalogue");
    stop.cancel();
    following.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_recorded_questions_are_put_to_another_version_and_to_their_own() {
    const COUNT: u32 = 10_000;
    let stage = Stage::new(PATIENT).await;
    stage.push("acme", "p", keeps(), "{}").await;
    stage.push("acme", "p", sifts(), "{}").await;
    stage.activate("acme", "p", number(1)).await;
    let asking = (0..COUNT).map(|number| {
        let policies = Arc::clone(&stage.policies);
        async move { ask(&policies, number, "cam1").await }
    });
    let decisions: Vec<LoggedDecision> = futures_util::stream::iter(asking).buffered(8).collect().await;
    record(&stage, "cam1", decisions).await;
    let run = async |candidate| run(&stage, candidate).await;
    let (row, report) = run(Some(2)).await;
    assert_eq!((row.state.as_str(), report.done), ("done", COUNT.into()), "{:?}", row.reason);
    let rows = stage.store.backtest_differences(row.id, 0, 100_000).await.unwrap();
    // The decisions were recorded in order, so the one on event `n` has the number `n + 1`.
    let found: Vec<i64> = rows.iter().map(|row| row.decision).collect();
    let expected: Vec<i64> = (0..i64::from(COUNT)).filter(|number| number % 10 == 7).map(|number| number + 1).collect();
    assert_eq!(found, expected);
    assert_eq!(report.agreement.same, u64::from(COUNT) - expected.len() as u64);
    println!("backtest: {} decisions/s on 2 threads", report.done * 1000 / report.wall_ms.max(1));
    let (_, second) = run(Some(2)).await;
    assert_eq!(second.exact(), report.exact());
    assert_eq!(second.now.fuel, report.now.fuel);
    let (_, audit) = run(None).await;
    assert_eq!((audit.agreement.same, audit.done), (COUNT.into(), COUNT.into()), "{:?}", audit.agreement);
    assert_eq!(audit.now.fuel, audit.then.fuel);
}

/// Puts all recorded questions to a version of `p`, or to their own.
async fn run(stage: &Stage, candidate: Option<i64>) -> (Backtest, Report) {
    let again = Arc::<Policies>::clone(&stage.policies);
    let backtests = Backtests::new(stage.store.clone(), again, 2, CancellationToken::new());
    let candidate = candidate.map(|version| NewCandidate { version: Some(version), ..NewCandidate::default() });
    let new = NewBacktest { plugin: Some("p".to_owned()), candidate, filter: Recorded::default() };
    let begun = backtests.begin("acme", new, "admin").await.unwrap();
    backtests.ended().await;
    let row = stage.store.backtest("acme", begun.id).await.unwrap().unwrap();
    let report = serde_json::from_str(&row.report).unwrap();
    (row, report)
}

/// Logs three lines and leaves every event as it is.
fn talks() -> Vec<u8> {
    let line = "(call $log (i32.const 1) (i32.const 1200) (i32.const 5))";
    callback(&format!("{line}{line}{line} (i32.const 1024)"), r#"(data (i32.const 1200) "a day")"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_grants_what_the_recorded_call_was_granted() {
    let stage = Stage::new(PATIENT).await;
    stage.push("acme", "p", talks(), "{}").await;
    stage.activate("acme", "p", number(1)).await;
    let set = async |limits: PolicyLimits| {
        stage.policies.put_limits("acme", Some("p"), &limits, "admin").await.unwrap().unwrap();
    };
    // It needs two pages of memory.
    let (none, memory_bytes) = (PolicyLimits::default(), Some(65_536));
    let mut decisions = Vec::new();
    for (number, limits) in [
        PolicyLimits { log_lines: Some(1), ..none.clone() },
        PolicyLimits { log_bytes: Some(8), ..none.clone() },
        PolicyLimits { memory_bytes, ..none.clone() },
        none.clone(),
    ]
    .into_iter()
    .enumerate()
    {
        set(limits).await;
        decisions.push(ask(&stage.policies, u32::try_from(number).unwrap(), "cam1").await);
    }
    let made = |at: usize| decisions[at].decision.provenance.as_deref().unwrap();
    assert_eq!(made(0).log, ["info: a day", "(2 more lines left out)"]);
    assert!(matches!(&decisions[2].decision.verdict, Verdict::Failed(failed) if failed.kind == FailureKind::Memory));
    assert_eq!(made(3).log.len(), 3);
    record(&stage, "cam1", decisions).await;
    for today in [none.clone(), PolicyLimits { log_lines: Some(2), memory_bytes, wall_ms: Some(1), ..none }] {
        set(today.clone()).await;
        let (_, audit) = run(&stage, None).await;
        assert_eq!((audit.done, audit.agreement.same), (4, 4), "{today:?}: {:?}", audit.agreement);
    }
}
