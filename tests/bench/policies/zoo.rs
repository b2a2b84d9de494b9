//! A good tenant beside hostile ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use reprise::client::Rest;
use reprise::client::rest::push_plugin;
use reprise_lifecycle::question::Hook;
use reprise_policy::sample;
use reprise_tests::guests;
use reprise_tests::server::Server;
use reprise_tests::stage::Stage;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use crate::{percentile, ratio};

/// Calls of the good tenant while nobody else is there, and how far apart they are, then and beside the others: a call
/// that follows at once finds everything still in the processor's caches, and above 200 a second a tenant waits for its
/// own limit.
const ALONE: usize = 1_000;
const EVERY: Duration = Duration::from_millis(10);

const QUOTAS: &str = "[policies.quotas]\nplugins = 1000\nuploads_per_hour = 10000\ncomponent_mib = 4096\n";

pub(crate) async fn run() -> anyhow::Result<()> {
    let mut server = Server::start(QUOTAS).await?;
    let mob = Stage::new(&server, "mob").await?;
    let good = Stage::new(&server, "good").await?;
    good.plugin("groups", &guests::component("template-by-stream")?, &json!({"rules": []}), "*").await?;
    let mut alone = Vec::with_capacity(ALONE);
    let mut pace = pace();
    for _ in 0..ALONE {
        pace.tick().await;
        alone.push(ask(&good.admin, "good", "groups", Hook::TemplateGroup).await?);
    }
    let over = Arc::new(AtomicBool::new(false));
    let asking = {
        let (api, over) = (server.admin()?, Arc::clone(&over));
        tokio::spawn(async move {
            let mut beside = Vec::new();
            while !over.load(Ordering::Relaxed) {
                pace.tick().await;
                beside.push(ask(&api, "good", "groups", Hook::TemplateGroup).await?);
            }
            anyhow::Ok(beside)
        })
    };
    let zoo = reprise_hostile::zoo();
    let mut accepted = 0;
    for (number, specimen) in zoo.iter().enumerate() {
        let name = format!("zoo-{number}");
        if push_plugin(&mob.admin, &mob.name, &name, &specimen.bytes, "{}").await.is_ok() {
            accepted += 1;
            for _ in 0..10 {
                ask(&mob.admin, &mob.name, &name, specimen.hook).await?;
            }
        }
    }
    over.store(true, Ordering::Relaxed);
    let beside = asking.await??;
    println!(
        "{} hostile components, {accepted} accepted and asked 10 times each, the server {}",
        zoo.len(),
        if server.alive() { "alive" } else { "DEAD" }
    );
    let sorted = |times: &[(u64, u64)], of: fn(&(u64, u64)) -> u64| {
        let mut times: Vec<u64> = times.iter().map(of).collect();
        times.sort_unstable();
        times
    };
    for (what, of) in [("in the guest", (|time| time.0) as fn(&(u64, u64)) -> u64), ("over HTTP", |time| time.1)] {
        let (alone, beside) = (sorted(&alone, of), sorted(&beside, of));
        for (name, times) in [("left alone", &alone), ("beside them", &beside)] {
            println!(
                "  good tenant {what:<12} {name:<12} {:>6} calls, p50 {} µs, p99 {} µs",
                times.len(),
                percentile(times, 50),
                percentile(times, 99)
            );
        }
        println!("  ratio p99 {:.2}", ratio(percentile(&beside, 99), percentile(&alone, 99)));
    }
    Ok(())
}

fn pace() -> tokio::time::Interval {
    let mut pace = tokio::time::interval(EVERY);
    // What was late is not made up for by calls in a row.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

/// One call; gives the time it took in the guest, and the whole time over HTTP.
async fn ask(api: &Rest, tenant: &str, plugin: &str, hook: Hook) -> anyhow::Result<(u64, u64)> {
    let began = Instant::now();
    let path = format!("/v1/tenants/{tenant}/plugins/{plugin}/ask");
    let said =
        api.call(Method::POST, &path, Some(&json!({"hook": hook.name(), "question": sample::question(hook)}))).await?;
    Ok((said["elapsed_us"].as_u64().unwrap_or(0), u64::try_from(began.elapsed().as_micros())?))
}
