use std::sync::Arc;

use super::*;
use crate::config::Config;
use crate::store::backtests::Backtest;
use crate::store::rollouts::testkit::{decision, group};
use crate::store::rollouts::{Ending, Rollout};
use crate::testkit::World;

fn rollout(tenant: &str, kind: &str) -> Rollout {
    Rollout {
        id: 0,
        tenant: tenant.to_owned(),
        plugin: "groups".to_owned(),
        binding: "default".to_owned(),
        kind: kind.to_owned(),
        fleet: (kind == "canary").then(|| "f1".to_owned()),
        version: 2,
        settings_revision: 1,
        base_version: 1,
        base_settings_revision: 1,
        share_permille: 1000,
        app: "*".to_owned(),
        stream: "*".to_owned(),
        rules: "{}".to_owned(),
        state: "running".to_owned(),
        reason: None,
        cursor: 0,
        report: "{}".to_owned(),
        started_at: 0,
        started_by: "admin".to_owned(),
        ended_at: None,
    }
}

#[tokio::test]
async fn rollouts_and_backtests_are_counted_by_kind_and_end() {
    let world = World::new().await;
    for tenant in ["acme", "beta"] {
        world.tenant(tenant).await;
        world.store.test_plugin(tenant, 2).await;
    }
    let policies =
        Policies::new(&Config::parse("").unwrap().policies, world.store.clone(), Arc::clone(&world.files), [9; 32]);
    let policies = Arc::new(policies.unwrap());
    let told = async || {
        let mut registry = Registry::default();
        policies.register(&mut registry);
        policies.register_again(&mut registry, Timestamp(12_500)).await;
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let ours = |line: &&str| {
            (line.starts_with("policy_rollout") || line.starts_with("policy_backtests"))
                && !(line.starts_with("policy_rollouts_ended") && line.ends_with(" 0"))
        };
        let mut lines: Vec<String> = text.lines().filter(ours).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let (none, lag) = ([0, 0], "policy_rollout_lag_seconds");
    let running = |[canaries, shadows]: [i64; 2], backtests: i64, late: &str| {
        [
            format!("policy_backtests_running {backtests}"),
            format!("{lag} {late}"),
            format!("policy_rollouts_running{{kind=\"canary\"}} {canaries}"),
            format!("policy_rollouts_running{{kind=\"shadow\"}} {shadows}"),
        ]
    };
    assert_eq!(told().await, running(none, 0, "0.0"));

    let all = [rollout("acme", "canary"), rollout("beta", "canary"), rollout("acme", "shadow")];
    let ids = world.store.start_rollouts(&all).await.unwrap();
    world.store.test_decide("beta", &[(1, decision(1, 1, group("hd"), None), 10_000)]).await;
    let backtest = Backtest {
        id: 0,
        tenant: "acme".to_owned(),
        kind: "audit".to_owned(),
        plugin: "groups".to_owned(),
        version: None,
        settings_revision: None,
        filter: "{}".to_owned(),
        state: "running".to_owned(),
        reason: None,
        report: "{}".to_owned(),
        started_at: 0,
        started_by: "admin".to_owned(),
        ended_at: None,
    };
    world.store.begin_backtest(&backtest, 1, 2).await.unwrap();
    assert_eq!(told().await, running([2, 1], 1, "2.5"));

    let canary = Rollout { id: ids[0], ..rollout("acme", "canary") };
    let ending = Ending { state: "rolled_back", reason: "it fails", actor: "reprise", at: 1 };
    policies.end_rollout_at(&canary, None, ending).await.unwrap();
    policies.stop_rollout("acme", ids[2], "admin").await.unwrap();
    let mut expected = running(none, 1, "0.0").to_vec();
    expected.extend([
        "policy_rollouts_ended_total{kind=\"canary\",outcome=\"rolled_back\"} 2".to_owned(),
        "policy_rollouts_ended_total{kind=\"shadow\",outcome=\"stopped\"} 1".to_owned(),
    ]);
    expected.sort_unstable();
    assert_eq!(told().await, expected, "a fleet goes as one");
}

#[test]
fn a_series_is_there_before_anything_of_it_happened() {
    let meters = Meters::default();
    let mut registry = Registry::default();
    registry.register("calls", "", meters.calls.clone());
    registry.register("code", "", meters.code.clone());
    registry.register("ended", "", meters.rollouts_ended.clone());
    let told = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let series = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned);
        series.collect::<Vec<_>>()
    };
    let before = told();
    assert!(before.iter().all(|series| series.ends_with(" 0")), "{before:?}");
    meters.called(Hook::Callback, &Verdict::NoPolicy, 9, 9);
    meters.code(CodeSource::Disk);
    meters.rollout_ended("canary", "rolled_back");
    let after = told();
    assert_eq!(after.len(), before.len());
    assert_eq!(after.iter().filter(|series| series.ends_with(" 1")).count(), 3, "{after:?}");
}
