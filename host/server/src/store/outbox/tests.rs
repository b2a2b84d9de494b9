//! Sending again, over deliveries in every state.

use reprise_lifecycle::delivery::{DeadReason, Pending, State};
use reprise_lifecycle::time::Timestamp;

use super::{Again, DeliveryFilter, Redelivered};
use crate::store::{Store, write_json};
use crate::testkit::{World, noon};

const LATER: Timestamp = Timestamp(1_900_000_000_000);

/// A tenant with one delivery in each of these states, in this order. Gives their numbers.
async fn furnish(world: &World, tenant: &str, states: &[(&str, Option<State>)]) -> Vec<i64> {
    world.tenant(tenant).await;
    world.receiver(tenant, "https://hooks.example/in").await;
    let mut life = world.broadcast(tenant, &format!("b-{tenant}")).await;
    for part in 0..states.len() {
        life.part(part as u64 * 10_000).await;
    }
    let rows = world.store.deliveries(tenant, &DeliveryFilter::default(), 1000).await.unwrap();
    let mut ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    ids.reverse();
    for (id, (phase, state)) in ids.iter().zip(states) {
        let due_at = state.and_then(|state| state.due_at()).map(|at| at.0);
        let state = state.map_or("{}".to_owned(), |state| write_json("state", &state).unwrap());
        sqlx::query("UPDATE deliveries SET phase = ?, state = ?, due_at = ? WHERE id = ?")
            .bind(*phase)
            .bind(state)
            .bind(due_at)
            .bind(id)
            .execute(&world.store.writer)
            .await
            .unwrap();
    }
    ids
}

fn every_state() -> Vec<(&'static str, Option<State>)> {
    let at = noon();
    let pending = Pending { attempt: 3, step: 2, due_at: LATER.plus_ms(60_000) };
    vec![
        ("shaping", None),
        ("pending", Some(State::Pending(pending))),
        ("delivered", Some(State::Delivered { attempt: 1, at })),
        ("exhausted", Some(State::Exhausted { attempt: 9, at, reason: DeadReason::TriesUsedUp })),
        ("disabled", Some(State::Disabled { attempt: 2, at })),
        ("dropped", Some(State::Dropped { at })),
    ]
}

async fn state(store: &Store, id: i64) -> (String, Option<i64>, String) {
    let one = "SELECT phase, due_at, state FROM deliveries WHERE id = ?";
    sqlx::query_as(one).bind(id).fetch_one(&store.reader).await.unwrap()
}

#[tokio::test]
async fn each_state_is_sent_again_as_the_machine_allows() {
    let world = World::new().await;
    let ids = furnish(&world, "acme", &every_state()).await;
    let expected = [
        (Redelivered::Refused, "shaping", None),
        (Redelivered::Due, "pending", Some((3, 2))),
        (Redelivered::Due, "pending", Some((2, 0))),
        (Redelivered::Due, "pending", Some((10, 0))),
        (Redelivered::Due, "pending", Some((3, 0))),
        (Redelivered::Refused, "dropped", None),
    ];
    for (id, (result, phase, next)) in ids.iter().zip(expected) {
        assert_eq!(world.store.redeliver("acme", *id, LATER).await.unwrap(), result, "{phase}");
        let (now_phase, due_at, json) = state(&world.store, *id).await;
        assert_eq!((now_phase.as_str(), due_at), (phase, next.map(|_| LATER.0)));
        if let Some((attempt, step)) = next {
            let next = State::Pending(Pending { attempt, step, due_at: LATER });
            assert_eq!(serde_json::from_str::<State>(&json).unwrap(), next);
        }
    }
    assert_eq!(world.store.redeliver("acme", 9999, LATER).await.unwrap(), Redelivered::Unknown);
}

#[tokio::test]
async fn another_tenants_deliveries_stay_as_they_are() {
    let world = World::new().await;
    let acme = furnish(&world, "acme", &every_state()).await;
    furnish(&world, "umbrella", &[]).await;
    let mut before = Vec::new();
    for id in &acme {
        assert_eq!(world.store.redeliver("umbrella", *id, LATER).await.unwrap(), Redelivered::Unknown);
        before.push(state(&world.store, *id).await);
    }
    let event = world.store.deliveries("acme", &DeliveryFilter::default(), 1).await.unwrap()[0].event.clone();
    for which in [Again::DeadLetters, Again::Event(&event)] {
        assert_eq!(world.store.redeliver_all("umbrella", which, LATER).await.unwrap(), 0);
    }
    for (id, before) in acme.iter().zip(before) {
        assert_eq!(state(&world.store, *id).await, before);
    }
}

#[tokio::test]
async fn all_dead_letters_are_sent_again_and_nothing_else() {
    let world = World::new().await;
    let at = noon();
    let mut states = every_state();
    let dead = State::Exhausted { attempt: 9, at, reason: DeadReason::TriesUsedUp };
    states.extend(std::iter::repeat_n(("exhausted", Some(dead)), 10));
    let ids = furnish(&world, "acme", &states).await;
    assert_eq!(world.store.redeliver_all("acme", Again::DeadLetters, LATER).await.unwrap(), 12);
    assert_eq!(world.store.redeliver_all("acme", Again::DeadLetters, LATER).await.unwrap(), 0);
    assert_eq!(state(&world.store, ids[2]).await.0, "delivered");
    assert_eq!(state(&world.store, ids[1]).await.1, Some(LATER.0 + 60_000), "a pending one waits for its own time");
}

#[tokio::test]
async fn more_dead_letters_than_one_transaction_takes() {
    let world = World::new().await;
    let dead = State::Exhausted { attempt: 9, at: noon(), reason: DeadReason::TriesUsedUp };
    let ids = furnish(&world, "acme", &[("exhausted", Some(dead))]).await;
    // The same event for many receivers.
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
         INSERT INTO deliveries (event, tenant, app_id, url, phase, state, body, created_at) \
         SELECT event, tenant, app_id, url || i, phase, state, body, created_at FROM deliveries, n WHERE id = ?1",
    )
    .bind(ids[0])
    .bind(super::BATCH * 2)
    .execute(&world.store.writer)
    .await
    .unwrap();
    let all = super::BATCH as u64 * 2 + 1;
    assert_eq!(world.store.redeliver_all("acme", Again::DeadLetters, LATER).await.unwrap(), all);
}
