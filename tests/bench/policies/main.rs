//! Figures of policies in many hands, of the built server from outside: `swap` (calls while a policy is swapped twenty
//! times a second, beside calls left alone), `zoo` (a good tenant's calls while hostile components are pushed and asked,
//! beside calls left alone), `backtest N` (recorded decisions put again), `tenants N` (as many tenants with a component
//! each: start, memory, first and later calls).
//!
//! `make bench-policies` runs all four against the release build. Nothing here fails on a figure.

mod backtest;
mod tenants;
mod zoo;

use std::path::Path;
use std::time::Duration;

use reprise_tests::server::Server;
use reprise_tests::{encoder, swapping};

/// How long each half of `swap` takes.
const SWAP_SECONDS: u32 = 60;

/// Tenants and recorded decisions, if nothing else is said.
const TENANTS: usize = 5_000;
const DECISIONS: u32 = 10_000;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match arguments[..] {
            ["swap"] => swap().await,
            ["zoo"] => zoo::run().await,
            ["backtest"] => backtest::run(DECISIONS).await,
            ["backtest", count] => backtest::run(count.parse()?).await,
            ["tenants"] => tenants::run(TENANTS, None).await,
            ["tenants", count] => tenants::run(count.parse()?, None).await,
            ["tenants", count, folder] => tenants::run(count.parse()?, Some(Path::new(folder))).await,
            [] => {
                swap().await?;
                zoo::run().await?;
                backtest::run(DECISIONS).await?;
                tenants::run(TENANTS, None).await
            }
            _ => anyhow::bail!("there is: swap, zoo, backtest [N], tenants [N [FOLDER]]"),
        }
    })
}

async fn swap() -> anyhow::Result<()> {
    let server = Server::start("").await?;
    let clip = server.scratch().join("clip.mp4");
    encoder::clip(&clip, "160x90", SWAP_SECONDS).await?;
    let alone = swapping::run(&server, "alone", &clip, 4, SWAP_SECONDS, None).await?;
    let every = Duration::from_millis(50);
    let swapped = swapping::run(&server, "swapped", &clip, 4, SWAP_SECONDS, Some(every)).await?;
    println!("hot swap, 4 live broadcasts cut every second, {SWAP_SECONDS} s each");
    for (name, outcome) in [("left alone", &alone), ("swapped every 50 ms", &swapped)] {
        println!(
            "  {name:<22} {:>5} swaps, {:>5} calls, {} failed or mixed, {} went back; p50 {} µs, p99 {} µs",
            outcome.swaps,
            outcome.decisions,
            outcome.wrong.len(),
            outcome.back,
            outcome.percentile(50),
            outcome.percentile(99)
        );
    }
    let ratio = |percent| ratio(swapped.percentile(percent), alone.percentile(percent));
    println!("  ratio p50 {:.2}, p99 {:.2}", ratio(50), ratio(99));
    Ok(())
}

fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other.max(1) as f64
}

/// A share of sorted times.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0)
}
