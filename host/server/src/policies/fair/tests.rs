use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};

use super::*;

/// Late enough for tests that end when they are done.
fn some_time() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// So many callers of a tenant, who tell when they have their turn and give it back.
fn callers(fair: &Arc<Fair>, tenant: &'static str, count: usize, told: &mpsc::UnboundedSender<&'static str>) {
    for _ in 0..count {
        let (fair, told) = (Arc::clone(fair), told.clone());
        tokio::spawn(async move {
            let _turn = fair.acquire(tenant, some_time()).await.unwrap();
            told.send(tenant).unwrap();
        });
    }
}

async fn until_inside(fair: &Fair, tenant: &str, count: usize) {
    while fair.inside(tenant) < count {
        yield_now().await;
    }
}

#[tokio::test]
async fn turns_go_round_the_tenants_however_many_of_one_wait() {
    let fair = Arc::new(Fair::new(Size { turns: 1, each: 1, waiting: 60 }));
    let (told, mut heard) = mpsc::unbounded_channel();
    let held = fair.acquire("acme", some_time()).await.unwrap();
    callers(&fair, "acme", 50, &told);
    until_inside(&fair, "acme", 51).await;
    callers(&fair, "beta", 3, &told);
    callers(&fair, "gamma", 1, &told);
    until_inside(&fair, "beta", 3).await;
    until_inside(&fair, "gamma", 1).await;
    drop(told);
    drop(held);
    let mut order = Vec::new();
    while let Some(tenant) = heard.recv().await {
        order.push(tenant);
    }
    assert_eq!(order.len(), 54);
    assert_eq!(order[..6], ["beta", "gamma", "acme", "beta", "acme", "beta"]);
    assert!(order[6..].iter().all(|tenant| *tenant == "acme"));
    assert_eq!(lock(&fair.own.lanes).len(), 0, "nobody is remembered");
}

#[tokio::test]
async fn a_tenant_never_has_more_than_its_part() {
    let fair = Arc::new(Fair::new(Size { turns: 4, each: 2, waiting: 9 }));
    let ask = |tenant: &'static str| -> JoinHandle<Turn> {
        let fair = Arc::clone(&fair);
        tokio::spawn(async move { fair.acquire(tenant, some_time()).await.unwrap() })
    };
    let mut of_acme: Vec<_> = (0..3).map(|_| ask("acme")).collect();
    until_inside(&fair, "acme", 3).await;
    let of_beta = join_all((0..2).map(|_| ask("beta"))).await;
    assert_eq!(fair.all.available_permits(), 0, "two of each");
    let third = of_acme.pop().unwrap();
    assert!(!third.is_finished(), "two of its own are held");
    let first = of_acme.pop().unwrap().await.unwrap();
    drop(of_beta);
    yield_now().await;
    assert!(!third.is_finished(), "what is free is for others");
    drop(first);
    third.await.unwrap();
}

#[tokio::test]
async fn who_cannot_have_a_turn_is_told_why_and_leaves_nothing() {
    let fair = Arc::new(Fair::new(Size { turns: 1, each: 1, waiting: 1 }));
    let held = fair.acquire("acme", some_time()).await.unwrap();
    assert_eq!(fair.acquire("acme", Instant::now()).await.unwrap_err(), NoTurn::Late);
    assert_eq!(fair.acquire("beta", Instant::now()).await.unwrap_err(), NoTurn::Late);
    let waits = {
        let fair = Arc::clone(&fair);
        tokio::spawn(async move { fair.acquire("acme", some_time()).await })
    };
    until_inside(&fair, "acme", 2).await;
    assert_eq!(fair.acquire("acme", some_time()).await.unwrap_err(), NoTurn::Crowded(2));
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled());
    assert_eq!((fair.inside("acme"), fair.inside("beta")), (1, 0));
    drop(held);
    assert_eq!((fair.all.available_permits(), lock(&fair.own.lanes).len()), (1, 0));
}
