//! The decision log at a size at which it matters how it is read.

use reprise_lifecycle::decision::{Applied, Failure, FailureKind, Provenance};
use reprise_lifecycle::question::{Answer, CallbackAnswer, Hook, TemplateGroupAnswer};
use reprise_lifecycle::time::Timestamp;
use sqlx::Row;

use super::search::SCANNED;
use super::*;
use crate::testkit::{World, noon};

const ROWS: i64 = 10_000;
const SECOND: i64 = 1000;
const DAY: i64 = 86_400 * SECOND;

fn made(index: i64) -> Provenance {
    Provenance {
        plugin: if index % 3 == 0 { "groups" } else { "shape" }.to_owned(),
        version: u32::try_from(index / 4000 + 1).unwrap(),
        digest: format!("{:064x}", index / 4000),
        interface: "reprise:policy@0.2.0".to_owned(),
        settings_revision: 4,
        fuel: 31_000,
        elapsed_us: 90,
        log: vec![format!("looked at rule {}", index % 20)],
        binding: Some("default".to_owned()),
        rollout: (index % 100 == 7).then_some(index % 200),
        reason: Some("The stream's name begins with cam.".to_owned()),
        code: None,
        state_revision: (index % 3 == 0).then_some(u64::try_from(index / 3).unwrap()),
        writes: Vec::new(),
        granted: None,
    }
}

/// The `index`th decision: every third about a video, one in fifty a failure, two minutes apart.
fn decision(index: i64) -> Decision {
    let hook = if index % 3 == 0 { Hook::TemplateGroup } else { Hook::Callback };
    let verdict = match (index % 50, hook) {
        (11, _) => Verdict::Failed(Failure { kind: FailureKind::Trap, message: "unreachable".to_owned() }),
        (31, _) => Verdict::Failed(Failure { kind: FailureKind::Fuel, message: "used up".to_owned() }),
        (_, Hook::TemplateGroup) => {
            Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::Group("hd".to_owned())))
        }
        _ => Verdict::Answered(Answer::Callback(CallbackAnswer::Drop)),
    };
    let applied = if matches!(verdict, Verdict::Failed(_)) { Applied::Fallback } else { Applied::Answer };
    let provenance = Some(Box::new(made(index)));
    Decision { hook, question_digest: format!("{index:064x}"), verdict, applied, provenance }
}

async fn fill(store: &Store, tenant: &str, rows: i64) {
    let question = format!("{{\"callback\":{{\"body\":\"{}\"}}}}", "x".repeat(1500));
    let mut transaction = store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    for index in 0..rows {
        let (broadcast, video) = (format!("b{}", index / 100), format!("v{}", index / 10));
        let (event, stream) = (format!("evt{}", index / 2), format!("cam-{}", index % 40));
        let decision = decision(index);
        let place = Place {
            tenant,
            broadcast: Some(&broadcast),
            video: Some(&video),
            event: (decision.hook == Hook::Callback).then_some(event.as_str()),
            app: if index % 2 == 0 { "studio" } else { "field" },
            stream: &stream,
        };
        let at = noon().0 + index * 120 * SECOND;
        write_one(&mut transaction, &place, &question, &decision, at).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// A search, the index it follows, and which of the decisions of [`fill`] it is to find.
type Case = (&'static str, DecisionFilter, &'static str, fn(i64) -> bool);

fn cases() -> Vec<Case> {
    let some = |text: &str| Some(text.to_owned());
    let all = DecisionFilter::default;
    let at = |index: i64| Some(noon().0 + index * 120 * SECOND);
    vec![
        ("all", all(), "decisions_by_tenant", |_| true),
        ("video", DecisionFilter { video: some("v77"), ..all() }, "decisions_by_video", |index| index / 10 == 77),
        ("broadcast", DecisionFilter { broadcast: some("b9"), ..all() }, "decisions_by_broadcast", |i| i / 100 == 9),
        ("event", DecisionFilter { event: some("evt50"), ..all() }, "decisions_by_event", |i| {
            i / 2 == 50 && i % 3 != 0
        }),
        ("rollout", DecisionFilter { rollout: Some(107), ..all() }, "decisions_by_rollout", |i| i % 200 == 107),
        ("stream", DecisionFilter { stream: some("cam-3"), ..all() }, "decisions_by_stream", |i| i % 40 == 3),
        ("plugin", DecisionFilter { plugin: some("groups"), ..all() }, "decisions_by_plugin", |i| i % 3 == 0),
        ("failed", DecisionFilter { failed: true, ..all() }, "decisions_failed", |i| matches!(i % 50, 11 | 31)),
        ("failure", DecisionFilter { failure: some("fuel"), ..all() }, "decisions_failed", |i| i % 50 == 31),
        ("version", DecisionFilter { plugin: some("shape"), version: Some(3), ..all() }, "decisions_by_plugin", |i| {
            i % 3 != 0 && i >= 8000
        }),
        ("digest", DecisionFilter { digest: Some(format!("{:064x}", 1)), ..all() }, "decisions_by_tenant", |i| {
            (4000..8000).contains(&i)
        }),
        ("hook", DecisionFilter { hook: some("template-group"), ..all() }, "decisions_by_tenant", |i| i % 3 == 0),
        ("applied", DecisionFilter { applied: some("fallback"), ..all() }, "decisions_by_tenant", |i| {
            matches!(i % 50, 11 | 31)
        }),
        ("app", DecisionFilter { app: some("stu*"), ..all() }, "decisions_by_tenant", |i| i % 2 == 0),
        ("pattern", DecisionFilter { stream: some("*-3?"), ..all() }, "decisions_by_tenant", |_| false),
        ("two stars", DecisionFilter { stream: some("c*-3*"), ..all() }, "decisions_by_tenant", |i| {
            (i % 40).to_string().starts_with('3')
        }),
        ("period", DecisionFilter { from: at(500), to: at(600), ..all() }, "decisions_by_tenant", |i| {
            (500..600).contains(&i)
        }),
        (
            "both",
            DecisionFilter { stream: some("cam-3"), failed: true, app: some("field"), ..all() },
            "decisions_failed",
            |i| i % 40 == 3 && matches!(i % 50, 11 | 31),
        ),
    ]
}

#[tokio::test]
async fn every_search_follows_its_index_and_finds_all_there_is() {
    let world = World::new().await;
    fill(&world.store, "acme", ROWS).await;
    fill(&world.store, "umbrella", 200).await;
    for (name, filter, index, is_meant) in cases() {
        for order in [" ORDER BY id DESC LIMIT ", " ORDER BY id LIMIT "] {
            let span = world.store.span("acme", &filter).await.unwrap();
            for mut query in [filter.select("EXPLAIN QUERY PLAN SELECT id", "acme", span)] {
                query.push(order).push_bind(10_i64);
                let plan = query.build().fetch_all(&world.store.reader).await.unwrap();
                let plan: Vec<String> = plan.iter().map(|row| row.get::<String, _>("detail")).collect();
                assert_eq!(plan.len(), 1, "{name}: sorted apart: {plan:?}");
                assert!(plan[0].starts_with("SEARCH decisions") && plan[0].contains(index), "{name}: {plan:?}");
                assert!(plan[0].contains("tenant=?"), "{name}: {plan:?}");
            }
        }
        let expected: Vec<i64> = (0..ROWS).filter(|row| is_meant(*row)).map(|row| row + 1).collect();
        let mut found = Vec::new();
        let mut page = Page::Before(None);
        loop {
            let got = world.store.search_decisions("acme", &filter, page, 700).await.unwrap();
            found.extend(got.rows.iter().map(|row| row.id));
            let Some(next) = got.next else { break };
            page = Page::Before(Some(next));
        }
        found.reverse();
        assert_eq!(found, expected, "{name}, newest first");
        let (mut found, mut after) = (Vec::new(), Some(0));
        while let Some(from) = after {
            let got = world.store.search_decisions("acme", &filter, Page::After(from), 700).await.unwrap();
            found.extend(got.rows.iter().map(|row| row.id));
            after = got.next;
        }
        assert_eq!(found, expected, "{name}, oldest first");
    }
    assert_eq!(world.store.newest_decision("acme").await.unwrap(), ROWS);
    assert_eq!(world.store.newest_decision("nobody").await.unwrap(), 0);
}

#[tokio::test]
async fn a_search_that_finds_nothing_looks_at_a_bounded_number_of_rows() {
    let world = World::new().await;
    fill(&world.store, "acme", SCANNED + 500).await;
    let filter = DecisionFilter { app: Some("nowhere".to_owned()), ..DecisionFilter::default() };
    let first = world.store.search_decisions("acme", &filter, Page::Before(None), 10).await.unwrap();
    assert_eq!((first.rows.len(), first.next), (0, Some(501)), "it says where to go on");
    let rest = world.store.search_decisions("acme", &filter, Page::Before(first.next), 10).await.unwrap();
    assert_eq!((rest.rows.len(), rest.next), (0, None));
    let first = world.store.search_decisions("acme", &filter, Page::After(0), 10).await.unwrap();
    assert_eq!((first.rows.len(), first.next), (0, Some(SCANNED)));
}

#[tokio::test]
async fn what_a_decision_was_made_of_stands_in_its_row_and_its_page_is_bounded_in_bytes() {
    let world = World::new().await;
    world.tenant("acme").await;
    world.broadcast("acme", "b0").await;
    let mut rings = world.store.decided();
    let mut transaction = world.store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let place = Place { tenant: "acme", broadcast: Some("b0"), app: "studio", stream: "cam-b0", ..Place::default() };
    let huge = format!("\"{}\"", "x".repeat(3 << 20));
    for _ in 0..4 {
        write_one(&mut transaction, &place, &huge, &decision(307), noon().0).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let row = sqlx::query("SELECT domain, version, settings_revision, rollout, fuel, elapsed_us FROM decisions")
        .fetch_one(&world.store.reader)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>(0), "push.acme.example");
    let numbers: Vec<i64> = (1..6).map(|column| row.get(column)).collect();
    assert_eq!(numbers, [1, 4, 107, 31_000, 90]);
    let page = world.store.search_decisions("acme", &DecisionFilter::default(), Page::After(0), 100).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (3, Some(3)), "three of three mebibytes fill a page");
    assert!(!rings.has_changed().unwrap(), "only a commit of the store's own rings");
    let mut life = world.broadcast("acme", "b1").await;
    let video = life.part(0).await;
    life.decide(&video, &[]).await;
    rings.changed().await.unwrap();
}

#[tokio::test]
async fn old_and_surplus_decisions_go_in_small_batches() {
    let world = World::new().await;
    fill(&world.store, "acme", 1000).await;
    fill(&world.store, "umbrella", 3).await;
    let (store, for_ever) = (&world.store, Retention { days: 0, per_tenant: 0 });
    assert_eq!(store.tenants_with_decisions().await.unwrap(), ["acme", "umbrella"]);
    // 720 are made a day, so 365 are older than one day when the newest is a day and half of another old.
    let now = Timestamp(noon().0 + 364 * 120 * SECOND + DAY + 1);
    assert_eq!(store.decisions_to_keep("acme", for_ever).await.unwrap(), None);
    assert_eq!(store.clear_decisions("acme", for_ever, None, now).await.unwrap(), 0);
    let daily = Retention { days: 1, per_tenant: 0 };
    let mut batches = Vec::new();
    loop {
        match store.clear_decisions("acme", daily, None, now).await.unwrap() {
            0 => break,
            gone => batches.push(gone),
        }
    }
    assert_eq!(batches, [200, 165]);
    let oldest = async || {
        let page = store.search_decisions("acme", &DecisionFilter::default(), Page::After(0), 1).await.unwrap();
        page.rows[0].id
    };
    assert_eq!(oldest().await, 366);

    let few = Retention { days: 0, per_tenant: 500 };
    let keep = store.decisions_to_keep("acme", few).await.unwrap();
    assert_eq!(keep, Some(501));
    assert_eq!(store.decisions_to_keep("umbrella", few).await.unwrap(), None);
    assert_eq!(store.clear_decisions("acme", few, keep, now).await.unwrap(), 135);
    assert_eq!(store.clear_decisions("acme", few, keep, now).await.unwrap(), 0);
    assert_eq!(oldest().await, 501);
    assert_eq!(store.decisions("umbrella", &DecisionFilter::default(), 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_a_rollout_has_to_read_stays_and_no_backtest_holds_anything() {
    let world = World::new().await;
    world.tenant("acme").await;
    fill(&world.store, "acme", 300).await;
    let store = &world.store;
    sqlx::query(
        "INSERT INTO rollouts (tenant, plugin, binding, kind, version, settings_revision, share_permille, rules, state, \
         cursor, report, started_at, started_by) VALUES ('acme', 'groups', 'default', 'shadow', 2, 1, 1000, '{}', \
         'running', 120, '{}', 0, 'admin')",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    let (keep, now) = (Retention { days: 1, per_tenant: 0 }, Timestamp(noon().0 + 100 * DAY));
    assert_eq!(store.clear_decisions("acme", keep, None, now).await.unwrap(), 120, "the shadow has read so many");
    assert_eq!(store.clear_decisions("acme", keep, None, now).await.unwrap(), 0);
    assert_eq!(store.clear_decisions("acme", Retention { days: 0, ..keep }, Some(200), now).await.unwrap(), 0);
    sqlx::query("UPDATE rollouts SET state = 'promoted'").execute(&store.writer).await.unwrap();
    sqlx::query(
        "INSERT INTO backtests (tenant, kind, plugin, filter, state, report, started_at, started_by) \
         VALUES ('acme', 'audit', 'groups', '{}', 'running', '{}', 0, 'admin')",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    assert_eq!(store.clear_decisions("acme", keep, None, now).await.unwrap(), 180);
}
