use std::time::Duration;

use reprise_lifecycle::decision::Verdict;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::Instant;

use super::*;
use crate::config::Config;
use crate::policies::{ActivateError, Wanted};
use crate::store::rollouts::testkit::question;
use crate::testkit::World;

type Loads = JoinHandle<Result<(Arc<Loaded>, CodeSource), NotLoaded>>;

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
    let Err(NotLoaded::Failed(why)) = load.await.unwrap() else { panic!("there is nothing to load") };
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
        let waits = load(&policies, "acme", &format!("a {class:?}"), class);
        until_inside(|| queue.inside("acme"), of_acme + 1).await;
        assert_tried(load(&policies, "beta", &format!("b {class:?}"), class)).await;
        assert!(!waits.is_finished(), "{class:?}");
        drop(held);
        assert_tried(waits).await;
    }
}

#[tokio::test]
async fn who_waits_for_a_compiler_keeps_no_turn_to_load_from_disk() {
    let world = World::new().await;
    let policies = policies(&world).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    for class in [Class::Standard, Class::Scripted] {
        let (loading, compiling) = (policies.turns.loading.of(class), policies.turns.compiling.of(class));
        let busy = compiling.acquire("busy", deadline).await.unwrap();
        let mut waiting = Vec::new();
        for tenant in ["acme", "beta", "gamma"] {
            waiting
                .extend((0..3).map(|number| load(&policies, tenant, &format!("{tenant} {number} {class:?}"), class)));
            until_inside(|| compiling.inside(tenant), 3).await;
            assert_eq!(loading.inside(tenant), 0, "{tenant} {class:?}");
        }
        drop(busy);
        for load in waiting {
            assert_tried(load).await;
        }
    }
}

#[tokio::test]
async fn code_is_compiled_though_nobody_waits_for_it_any_more() {
    let world = World::new().await;
    let policies = policies(&world).await;
    let compiling = policies.turns.compiling.of(Class::Standard);
    let busy = compiling.acquire("busy", Instant::now()).await.unwrap();
    let soon = Instant::now() + Duration::from_millis(50);
    let late = policies.loaded_for("acme", "d1", "standard", soon).await;
    assert!(matches!(late, Err(NotLoaded::NoTurn(NoTurn::Late))), "{late:?}");
    assert_eq!(compiling.inside("acme"), 1, "it waits on");
    drop(busy);
    until_inside(|| usize::from(policies.at_hand("acme", "d1").is_some()), 1).await;
}

#[tokio::test]
async fn what_failed_a_short_while_ago_is_told_at_once() {
    let world = World::new().await;
    let policies = policies(&world).await;
    assert_tried(load(&policies, "acme", "d1", Class::Standard)).await;
    // Whoever needed a turn now would not get it.
    let deadline = Instant::now() + Duration::from_secs(60);
    let queue = policies.turns.loading.of(Class::Standard);
    let mut held = Vec::new();
    for tenant in ["acme", "acme", "beta", "beta"] {
        held.push(queue.acquire(tenant, deadline).await.unwrap());
    }
    for tenant in ["acme", "beta"] {
        let told = policies.loaded_for(tenant, "d1", "standard", Instant::now()).await;
        assert!(matches!(&told, Err(NotLoaded::Failed(why)) if why.contains("tried again in")), "{told:?}");
    }
    policies.failures.remove("d1");
    let late = policies.loaded_for("acme", "d1", "standard", Instant::now()).await;
    assert!(matches!(late, Err(NotLoaded::NoTurn(NoTurn::Late))), "{late:?}");
    drop(held);
}

#[tokio::test]
async fn a_tenant_that_has_code_compiled_all_the_time_is_told_to_wait() {
    let world = World::new().await;
    let tenants = ["acme", "beta"];
    for tenant in tenants {
        world.tenant(tenant).await;
        world.store.test_plugin(tenant, 1).await;
    }
    let policies = policies(&world).await;
    while policies.recompiles.count("acme", Class::Standard, std::time::Instant::now()).is_ok() {}
    let question = question(1);
    let wanted = Wanted { question, version: None, settings_revision: None };
    let mut failures = Vec::new();
    for tenant in tenants {
        let tried = policies.try_out(tenant, "groups", &wanted).await.unwrap();
        let Verdict::Failed(failure) = tried.evaluation.verdict else { panic!("there is nothing to ask") };
        failures.push((failure.kind, failure.message));
    }
    let [(of_acme, why), (of_beta, _)] = failures.try_into().unwrap();
    assert_eq!((of_acme, of_beta), (FailureKind::RateLimited, FailureKind::Unavailable));
    assert!(why.starts_with("too much code of the tenant was compiled again lately; wait "), "{why}");
}

#[tokio::test]
async fn a_tenant_that_changes_all_the_time_stands_where_others_do_once() {
    let world = World::new().await;
    let policies = policies(&world).await;
    let busy = policies.turn_to_change("acme").await.unwrap();
    let (told, mut heard) = mpsc::unbounded_channel();
    let change = |tenant: &str| {
        let (policies, told, tenant) = (Arc::clone(&policies), told.clone(), tenant.to_owned());
        tokio::spawn(async move {
            let turn = policies.turn_to_change(&tenant).await.unwrap();
            told.send(tenant).unwrap();
            drop(turn);
        })
    };
    let waiting: Vec<_> = (0..CHANGES_WAITING).map(|_| change("acme")).collect();
    until_inside(|| policies.turns.changing.inside("acme"), CHANGES_WAITING + 1).await;
    let queue = policies.queue_of("acme");
    let beside = (0..).map(|number| format!("t{number}")).find(|name| policies.queue_of(name) == queue).unwrap();
    let other = change(&beside);
    until_inside(|| policies.turns.changing.inside(&beside), 1).await;
    let one_more = policies.deactivate("acme", "groups", None, "admin").await;
    assert!(matches!(one_more, Err(ActivateError::Busy(NoTurn::Crowded(17)))), "{one_more:?}");
    drop(busy);
    other.await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), beside, "it came last, and none of acme's was before it");
    for change in waiting {
        change.await.unwrap();
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
