use std::borrow::Cow;
use std::str::FromStr;

use reprise_lifecycle::decision::{Applied, Decision, Provenance, Verdict};
use reprise_lifecycle::question::{Answer, Hook, TemplateGroupAnswer};
use reprise_lifecycle::time::Timestamp;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use super::*;
use crate::store::decisions;
use crate::store::seal::Seal;
use crate::testkit::{World, noon, plugin_version};

async fn world() -> World {
    let world = World::new().await;
    for tenant in ["acme", "umbrella"] {
        world.tenant(tenant).await;
        world.store.push_plugin(tenant, &plugin_version("p1", "callback"), noon()).await.unwrap();
    }
    world
}

/// A recorded decision of the first version of acme's plugin with these writes; a key without a value goes.
async fn decide(world: &World, plugin: &str, writes: &[(&str, Option<&str>)]) {
    decide_by(world, plugin, 1, writes).await;
}

async fn decide_by(world: &World, plugin: &str, version: u32, writes: &[(&str, Option<&str>)]) {
    let writes = writes.iter();
    let writes = writes.map(|(key, value)| StateWrite { key: (*key).to_owned(), value: value.map(str::to_owned) });
    let provenance = Provenance {
        plugin: plugin.to_owned(),
        version,
        digest: "d".repeat(64),
        interface: "reprise:policy@0.2.0".to_owned(),
        settings_revision: 1,
        fuel: 1,
        elapsed_us: 1,
        log: Vec::new(),
        binding: Some("default".to_owned()),
        rollout: None,
        reason: None,
        code: None,
        state_revision: Some(0),
        writes: writes.collect(),
        granted: None,
    };
    let decision = Decision {
        hook: Hook::TemplateGroup,
        question_digest: "0".repeat(64),
        verdict: Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::UseDefault)),
        applied: Applied::Default,
        provenance: Some(Box::new(provenance)),
    };
    let mut transaction = world.store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let place = decisions::Place { tenant: "acme", ..decisions::Place::default() };
    decisions::write_one(&mut transaction, &place, "{}", &decision, noon().0).await.unwrap();
    transaction.commit().await.unwrap();
}

fn state(revision: u64, entries: &[(&str, &str)]) -> PluginState {
    let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    PluginState { revision, entries }
}

#[tokio::test]
async fn each_decision_that_writes_is_one_revision_and_all_of_them_can_be_had_again() {
    let world = world().await;
    let past = [
        state(0, &[]),
        state(1, &[("a", "1"), ("b", "1")]),
        state(2, &[("a", "2"), ("b", "1")]),
        state(3, &[("a", "2"), ("c", "3")]),
    ];
    assert_eq!(world.store.plugin_state("acme", "p1").await.unwrap(), past[0]);
    decide(&world, "p1", &[("a", Some("1")), ("b", Some("1"))]).await;
    decide(&world, "p1", &[]).await;
    decide(&world, "p1", &[("a", Some("2"))]).await;
    decide(&world, "p1", &[("b", None), ("c", Some("3"))]).await;
    assert_eq!(world.store.plugin_state("acme", "p1").await.unwrap(), past[3]);
    for (revision, expected) in (0..).zip(&past) {
        assert_eq!(&world.store.plugin_state_at("acme", "p1", revision).await.unwrap(), expected);
    }
    assert_eq!(world.store.plugin_state("umbrella", "p1").await.unwrap(), past[0], "a tenant has its own");
    // The writes of a plugin that is gone meanwhile have no place, and keep the decision from nothing.
    decide(&world, "gone", &[("a", Some("1"))]).await;
    assert_eq!(world.store.plugin_state("acme", "gone").await.unwrap(), past[0]);
}

#[tokio::test]
async fn of_two_decisions_on_one_snapshot_the_later_stands() {
    let world = world().await;
    // Both calls saw `count` absent and wrote what they made of it: one update is lost, nothing is half written.
    decide(&world, "p1", &[("count", Some("1")), ("last", Some("first"))]).await;
    decide(&world, "p1", &[("count", Some("1")), ("last", Some("second"))]).await;
    let expected = state(2, &[("count", "1"), ("last", "second")]);
    assert_eq!(world.store.plugin_state("acme", "p1").await.unwrap(), expected);
}

#[tokio::test]
async fn clearing_is_a_revision_and_an_entry_in_the_log_of_changes() {
    let world = world().await;
    assert_eq!(world.store.clear_plugin_state("acme", "p1", "admin", 1).await.unwrap(), 0);
    decide(&world, "p1", &[("a", Some("1")), ("b", Some("1"))]).await;
    decide(&world, "p1", &[("b", None)]).await;
    assert_eq!(world.store.clear_plugin_state("acme", "p1", "key:AK", 1).await.unwrap(), 1);
    assert_eq!(world.store.plugin_state("acme", "p1").await.unwrap(), state(3, &[]));
    assert_eq!(world.store.plugin_state_at("acme", "p1", 1).await.unwrap(), state(1, &[("a", "1"), ("b", "1")]));
    let changes = world.store.changes(Some("acme"), Some("p1"), None, 10).await.unwrap();
    let cleared: Vec<_> = changes.iter().filter(|change| change.action == "clear-state").collect();
    assert_eq!((cleared.len(), cleared[0].actor.as_str()), (1, "key:AK"));
}

/// What a plugin that does a little of everything writes at each revision: one key is there all the time, one comes and
/// goes, each has a key of its own for a while, and at some revisions only something goes.
fn writes(revision: i64) -> Vec<(String, Option<String>)> {
    let value = Some(format!("v{revision}"));
    match revision {
        1 => vec![("all the time".to_owned(), value)],
        _ if revision % 7 == 0 => vec![("now and then".to_owned(), None)],
        _ => vec![
            (format!("own {revision}"), value.clone()),
            (format!("own {}", revision - 5), None),
            ("now and then".to_owned(), value.filter(|_| revision % 3 == 0)),
        ],
    }
}

/// The states of all revisions up to one.
fn states(newest: i64) -> Vec<PluginState> {
    let mut states = vec![PluginState::default()];
    for revision in 1..=newest {
        let mut state = states[states.len() - 1].clone();
        state.revision += 1;
        for (key, value) in writes(revision) {
            match value {
                Some(value) => state.entries.insert(key, value),
                None => state.entries.remove(&key),
            };
        }
        states.push(state);
    }
    states
}

/// Writes of acme's plugin at these revisions, in one transaction.
async fn write_all(world: &World, revisions: std::ops::RangeInclusive<i64>) {
    let mut transaction = world.store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    for revision in revisions {
        let writes = writes(revision).into_iter().map(|(key, value)| StateWrite { key, value });
        let made = apply(&mut transaction, "acme", "p1", None, &writes.collect::<Vec<_>>(), noon().0 + revision).await;
        assert_eq!(made.unwrap(), u64::try_from(revision).ok());
    }
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn every_state_of_the_past_can_be_had_across_eras() {
    let world = world().await;
    write_all(&world, 1..=3 * ERA + 5).await;
    let states = states(3 * ERA + 5);
    assert_eq!(&world.store.plugin_state("acme", "p1").await.unwrap(), states.last().unwrap());
    for state in &states {
        assert_eq!(&world.store.plugin_state_at("acme", "p1", state.revision).await.unwrap(), state);
    }
    let beyond = world.store.plugin_state_at("acme", "p1", u64::MAX).await.unwrap();
    assert_eq!(&beyond, states.last().unwrap(), "what is not there yet is the newest");
}

#[tokio::test]
async fn keys_that_went_cost_the_calls_after_them_nothing() {
    let world = world().await;
    let mut transaction = world.store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    for call in 0..2 * ERA {
        let set = (0..32).map(|n| StateWrite { key: format!("{call}/{n}"), value: Some("v".to_owned()) });
        apply(&mut transaction, "acme", "p1", None, &set.collect::<Vec<_>>(), 1).await.unwrap();
        let delete = (0..32).map(|n| StateWrite { key: format!("{call}/{n}"), value: None });
        apply(&mut transaction, "acme", "p1", None, &delete.collect::<Vec<_>>(), 1).await.unwrap();
    }
    let left = [StateWrite { key: "left".to_owned(), value: Some("v".to_owned()) }];
    apply(&mut transaction, "acme", "p1", None, &left, 1).await.unwrap();
    transaction.commit().await.unwrap();
    let newest = 4 * u64::try_from(ERA).unwrap() + 1;
    assert_eq!(world.store.plugin_state("acme", "p1").await.unwrap(), state(newest, &[("left", "v")]));
    // It looks at the rows of the plugin in the table of what there is, of which there is one; and for a state of the past
    // at those of its era.
    for (query, table, search) in [
        (NOW, "plugin_state", "SEARCH s USING PRIMARY KEY (tenant=? AND plugin=?) LEFT-JOIN"),
        (
            PAST,
            "plugin_state_history",
            "SEARCH h USING PRIMARY KEY (tenant=? AND plugin=? AND revision>? AND revision<?) LEFT-JOIN",
        ),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let plan = sqlx::query_as(explain).bind("acme").bind("p1").bind(1).bind(ERA);
        let plan: Vec<(i64, i64, i64, String)> = plan.fetch_all(&world.store.reader).await.unwrap();
        let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
        assert!(steps.len() == 2 && steps[0].starts_with("SEARCH p USING"), "{table}: {steps:?}");
        assert_eq!(steps[1], search, "{table}");
    }
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM plugin_state").fetch_one(&world.store.reader).await.unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn eras_that_no_kept_decision_saw_go_and_all_later_states_stay() {
    let world = world().await;
    let store = &world.store;
    let newest = 3 * ERA + 5;
    write_all(&world, 1..=newest).await;
    let states = states(newest);
    let oldest = async || -> i64 {
        let oldest = "SELECT min(revision) FROM plugin_state_history WHERE tenant = 'acme' AND plugin = 'p1'";
        sqlx::query_scalar(oldest).fetch_one(&store.reader).await.unwrap()
    };
    let clear = async |now: i64| while store.clear_states("acme", Timestamp(now)).await.unwrap() > 0 {};
    let hour_later = noon().0 + newest + 3_600_000;
    decide(&world, "p1", &[]).await;
    clear(hour_later).await;
    assert_eq!(oldest().await, 1, "a decision saw revision 0");
    // It saw the state in the middle of the second era.
    let seen = "UPDATE decisions SET state_revision = ? WHERE plugin = 'p1'";
    sqlx::query(seen).bind(ERA + 9).execute(&store.writer).await.unwrap();
    clear(noon().0 + ERA + 3_600_000).await;
    assert_eq!(oldest().await, 1, "a decision that is being made may have seen what came just before");
    clear(hour_later).await;
    assert_eq!(oldest().await, ERA);
    sqlx::query("DELETE FROM decisions").execute(&store.writer).await.unwrap();
    clear(hour_later).await;
    assert_eq!(oldest().await, 3 * ERA, "nobody asks for the past");
    for state in &states[usize::try_from(3 * ERA).unwrap()..] {
        assert_eq!(&store.plugin_state_at("acme", "p1", state.revision).await.unwrap(), state);
    }
    assert_eq!(&store.plugin_state("acme", "p1").await.unwrap(), states.last().unwrap());
}

#[tokio::test]
async fn the_past_of_a_deleted_plugin_goes_after_it_and_is_not_that_of_a_later_one() {
    let world = world().await;
    let store = &world.store;
    write_all(&world, 1..=ERA + 5).await;
    let rows = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM plugin_state_history").fetch_one(&store.reader).await.unwrap()
    };
    let written = rows().await;
    store.remove_plugin("acme", "p1", "admin", noon()).await.unwrap();
    assert_eq!(rows().await, written, "the transaction that deletes it is a short one");
    assert_eq!(store.plugin_state("acme", "p1").await.unwrap(), PluginState::default());
    store.push_plugin("acme", &plugin_version("p1", "callback"), noon()).await.unwrap();
    let first = 2 * u64::try_from(ERA).unwrap();
    assert_eq!(store.plugin_state("acme", "p1").await.unwrap(), state(first, &[]));
    // The call of the one that was deleted was under way.
    decide(&world, "p1", &[("a", Some("0"))]).await;
    assert_eq!(store.plugin_state("acme", "p1").await.unwrap(), state(first, &[]));
    decide_by(&world, "p1", 2, &[("a", Some("1"))]).await;
    for revision in [first, first + 1] {
        let entries: &[(&str, &str)] = if revision == first { &[] } else { &[("a", "1")] };
        assert_eq!(store.plugin_state_at("acme", "p1", revision).await.unwrap(), state(revision, entries));
    }
    // It goes at once, however much the later one wrote since, and whatever the decisions of the deleted one saw.
    for call in 0..=ERA {
        decide_by(&world, "p1", 2, &[("a", Some(&call.to_string()))]).await;
    }
    while store.clear_states("acme", noon()).await.unwrap() > 0 {}
    let least = sqlx::query_scalar("SELECT min(revision) FROM plugin_state_history");
    let least: i64 = least.fetch_one(&store.reader).await.unwrap();
    assert_eq!(least, 2 * ERA + 1);
    store.remove_plugin("acme", "p1", "admin", noon()).await.unwrap();
    while store.clear_states("acme", noon()).await.unwrap() > 0 {}
    assert_eq!(rows().await, 0);
}

#[tokio::test]
async fn states_that_nobody_needs_go_in_whole_batches_however_short_their_eras_are() {
    let world = world().await;
    let mut transaction = world.store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    for revision in 0..10 * ERA {
        let write = [StateWrite { key: "count".to_owned(), value: Some(revision.to_string()) }];
        apply(&mut transaction, "acme", "p1", None, &write, noon().0).await.unwrap();
    }
    transaction.commit().await.unwrap();
    // Of all but the newest era.
    let mut left = u64::try_from(10 * ERA - 1).unwrap();
    let hour_later = Timestamp(noon().0 + 3_600_001);
    while left > 0 {
        let gone = world.store.clear_states("acme", hour_later).await.unwrap();
        assert_eq!(gone, left.min(u64::try_from(retention::BATCH).unwrap()));
        left -= gone;
    }
    assert_eq!(world.store.clear_states("acme", hour_later).await.unwrap(), 0);
    assert_eq!(world.store.tenants_with_states().await.unwrap(), ["acme"]);
}

#[tokio::test]
async fn the_past_of_a_removed_tenant_goes_after_it() {
    let world = world().await;
    write_all(&world, 1..=2 * ERA).await;
    assert!(world.store.delete_tenant("acme").await.unwrap());
    let mut batches = 0;
    while world.store.tenants_with_states().await.unwrap() == ["acme"] {
        assert!(world.store.clear_states("acme", noon()).await.unwrap() > 0);
        batches += 1;
    }
    assert!(batches > 1, "its removal is a short transaction");
    assert_eq!(world.store.clear_states("acme", noon()).await.unwrap(), 0);
}

#[tokio::test]
async fn states_from_before_eras_come_out_the_same_as_far_as_somebody_can_ask() {
    let newest = 3 * ERA + 5;
    let states = states(newest);
    // What the decisions saw, the first revision that can be asked for, and so many copies of keys for that.
    let copies = |eras: &[i64]| -> i64 {
        let copied = |era: &i64| {
            let written = writes(*era);
            let lives = states[usize::try_from(*era).unwrap()].entries.keys();
            lives.filter(|key| written.iter().all(|(own, _)| own != *key)).count() as i64
        };
        eras.iter().map(copied).sum()
    };
    let table = [
        (vec![0, ERA + 9], 0, copies(&[ERA, 2 * ERA, 3 * ERA])),
        (vec![newest, 2 * ERA + 9], 2 * ERA, copies(&[2 * ERA, 3 * ERA])),
        (vec![2 * ERA], 2 * ERA, copies(&[2 * ERA, 3 * ERA])),
        (vec![2 * ERA - 1], ERA, copies(&[ERA, 2 * ERA, 3 * ERA])),
        (vec![], 3 * ERA, copies(&[3 * ERA])),
    ];
    for (seen, first, copies) in table {
        let store = migrated(&seen).await;
        for state in &states[usize::try_from(first).unwrap()..] {
            let past = store.0.plugin_state_at("acme", "p1", state.revision).await.unwrap();
            assert_eq!(&past, state, "decisions saw {seen:?}");
        }
        assert_eq!(&store.0.plugin_state("acme", "p1").await.unwrap(), states.last().unwrap());
        assert_eq!(store.0.plugin_state("acme", "empty").await.unwrap(), PluginState::default());
        let rows = sqlx::query_scalar("SELECT count(*) FROM plugin_state_history");
        let rows: i64 = rows.fetch_one(&store.0.reader).await.unwrap();
        let written: i64 = (1..=newest).map(|revision| writes(revision).len() as i64).sum();
        assert_eq!(rows - written, copies, "decisions saw {seen:?}");
    }
}

/// A catalogue from before eras, in which decisions saw these revisions, brought up to date.
async fn migrated(seen: &[i64]) -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("catalogue.db");
    let mut early = sqlx::migrate!("./migrations");
    early.migrations = Cow::Owned(early.migrations.iter().filter(|step| step.version < 15).cloned().collect());
    let options =
        SqliteConnectOptions::from_str(&format!("sqlite:{}", file.display())).unwrap().create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    early.run(&pool).await.unwrap();
    let newest = 3 * ERA + 5;
    let mut transaction = pool.begin().await.unwrap();
    for statement in [
        "INSERT INTO tenants (name, push_domain, play_domain, push_auth, push_key, play_key, webhook_secret, created_at) \
         VALUES ('acme', 'a', 'b', 1, x'', x'', x'', 0)",
        "INSERT INTO plugins (tenant, name, created_at) VALUES ('acme', 'p1', 0), ('acme', 'empty', 0)",
    ] {
        sqlx::query(statement).execute(&mut *transaction).await.unwrap();
    }
    for revision in 1..=newest {
        for (key, value) in writes(revision) {
            let row =
                "INSERT INTO plugin_state (tenant, plugin, key, revision, value, at) VALUES ('acme', 'p1', ?, ?, ?, ?)";
            let row = sqlx::query(row).bind(key).bind(revision).bind(value).bind(revision);
            row.execute(&mut *transaction).await.unwrap();
        }
    }
    for revision in seen {
        let row = "INSERT INTO decisions (tenant, hook, plugin, applied, state_revision, at, question, decision) \
                   VALUES ('acme', 'callback', 'p1', 'answer', ?, 0, '{}', '{}')";
        sqlx::query(row).bind(revision).execute(&mut *transaction).await.unwrap();
    }
    let counted = "UPDATE plugins SET state_revision = ? WHERE name = 'p1'";
    sqlx::query(counted).bind(newest).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    pool.close().await;
    (Store::open(&file, Seal::from_key([1; 32])).await.unwrap(), dir)
}
