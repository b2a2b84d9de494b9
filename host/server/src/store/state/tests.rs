use reprise_lifecycle::decision::{Applied, Decision, Provenance, Verdict};
use reprise_lifecycle::question::{Answer, Hook, TemplateGroupAnswer};

use super::*;
use crate::store::decisions;
use crate::testkit::{World, noon, plugin_version};

async fn world() -> World {
    let world = World::new().await;
    for tenant in ["acme", "umbrella"] {
        world.tenant(tenant).await;
        world.store.push_plugin(tenant, &plugin_version("p1", "callback"), noon()).await.unwrap();
    }
    world
}

/// A recorded decision of acme's plugin with these writes; a key without a value goes.
async fn decide(world: &World, plugin: &str, writes: &[(&str, Option<&str>)]) {
    let writes = writes.iter();
    let writes = writes.map(|(key, value)| StateWrite { key: (*key).to_owned(), value: value.map(str::to_owned) });
    let provenance = Provenance {
        plugin: plugin.to_owned(),
        version: 1,
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
