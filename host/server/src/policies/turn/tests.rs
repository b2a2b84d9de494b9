use std::time::Duration;

use tokio::task::{JoinHandle, yield_now};
use tokio::time::Instant;

use super::*;
use crate::config::Config;
use crate::testkit::World;

type Loads = JoinHandle<Result<Option<(Arc<Loaded>, CodeSource)>, String>>;

async fn policies(world: &World) -> Arc<Policies> {
    let config = Config::parse("").unwrap().policies;
    Arc::new(Policies::new(&config, world.store.clone(), Arc::clone(&world.files), [9; 32]).unwrap())
}

/// Asks for code that is nowhere: whoever has the turns for it is told so.
fn load(policies: &Arc<Policies>, tenant: &'static str, digest: &str, class: Class) -> Loads {
    let (policies, digest) = (Arc::clone(policies), digest.to_owned());
    let deadline = Instant::now() + Duration::from_secs(60);
    tokio::spawn(async move { policies.loaded_for(tenant, &digest, class.name(), deadline).await })
}

async fn until_inside(inside: impl Fn() -> usize, count: usize) {
    while inside() < count {
        yield_now().await;
    }
}

async fn assert_tried(load: Loads) {
    let why = load.await.unwrap().unwrap_err();
    assert!(why.contains("cannot be read"), "{why}");
}

#[tokio::test]
async fn callers_of_one_cold_component_take_one_turn() {
    let world = World::new().await;
    let policies = policies(&world).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    let busy = policies.alone("acme", "d1", deadline).await.unwrap();
    let waiting: Vec<_> = (0..10).map(|_| load(&policies, "acme", "d1", Class::Standard)).collect();
    until_inside(|| policies.turns.same.inside("acme d1"), 11).await;
    assert_eq!(policies.turns.loading.of(Class::Standard).inside("acme"), 0, "they wait in front of the turns");
    assert_tried(load(&policies, "acme", "d2", Class::Standard)).await;
    assert_tried(load(&policies, "beta", "d1", Class::Standard)).await;
    drop(busy);
    for load in waiting {
        assert_tried(load).await;
    }
}

#[tokio::test]
async fn a_tenant_that_loads_all_the_time_leaves_turns_to_others() {
    let world = World::new().await;
    let policies = policies(&world).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    for (class, of_acme) in [(Class::Standard, 2), (Class::Scripted, 1)] {
        let queue = policies.turns.loading.of(class);
        let mut held = Vec::new();
        for _ in 0..of_acme {
            held.push(queue.acquire("acme", deadline).await.unwrap());
        }
        let waits = load(&policies, "acme", "d1", class);
        until_inside(|| queue.inside("acme"), of_acme + 1).await;
        assert_tried(load(&policies, "beta", "d1", class)).await;
        assert!(!waits.is_finished(), "{class:?}");
        drop(held);
        assert_tried(waits).await;
    }
}

#[tokio::test]
async fn no_tenant_has_all_turns_of_scripts() {
    let world = World::new().await;
    let policies = policies(&world).await;
    let queue = policies.turns.calling.of(Class::Scripted);
    let now = Instant::now();
    let _held = queue.acquire("acme", now).await.unwrap();
    assert!(queue.acquire("acme", now).await.is_err());
    assert!(queue.acquire("beta", now).await.is_ok());
}
