//! Figures of the whole server, from outside: CPU and memory of ingest for each of 50 publishers, beside nginx-rtmp in
//! the same run where it is installed; and the time from a commit to the first attempt of its callbacks.
//!
//! With `ladder`, and lengths in seconds if others than the usual are wanted (`bench ladder 60 300 900`): how soon a
//! part's renditions are complete.
//!
//! `make bench` runs it against the release build. Nothing here fails on a figure.

mod ladder;
mod load;

use std::time::Duration;

use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::Stage;
use reprise_tests::{encoder, eventually};

use load::{Load, nginx};

/// Publishers at once.
const PUBLISHERS: usize = 50;

/// How long they are measured.
const WINDOW: Duration = Duration::from_secs(20);

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        if let Some((which, lengths)) = arguments.split_first() {
            anyhow::ensure!(which == "ladder", "there is no bench {which:?}; there is: ladder [SECONDS...]");
            let lengths: Result<Vec<u32>, _> = lengths.iter().map(|length| length.parse()).collect();
            return ladder::run(&lengths?).await;
        }
        let scratch = tempfile::tempdir()?;
        let clip = scratch.path().join("clip.mp4");
        encoder::clip_of(&clip, "640x360", 60, 900).await?;

        let server = Server::start("").await?;
        let stage = Stage::new(&server, "bench").await?;
        let receiver = Receiver::start().await?;
        stage.record("live", "VOD_NO_TRANSCODE", 10, 1).await?;
        stage.callbacks(&receiver.url()).await?;
        let urls: Vec<String> =
            (0..PUBLISHERS).map(|number| stage.push_url("live", &format!("cam{number:02}"))).collect();
        let ours = Load::run(&clip, &urls, server.pid()?, WINDOW).await?;
        println!("ingest, {PUBLISHERS} publishers of 1 Mbit/s, {} s", WINDOW.as_secs());
        println!(
            "  {:<28} {:>8.3} % of a core, {:>7.0} KiB for each stream",
            "reprise (fMP4, fsync, journal)", ours.cpu_percent, ours.memory_kib
        );
        match nginx(scratch.path()).await? {
            Some(peer) => {
                let urls: Vec<String> = (0..PUBLISHERS).map(|number| format!("{}/cam{number:02}", peer.url)).collect();
                let theirs = Load::run(&clip, &urls, peer.worker, WINDOW).await?;
                println!(
                    "  {:<28} {:>8.3} % of a core, {:>7.0} KiB for each stream",
                    "nginx-rtmp (FLV, no fsync)", theirs.cpu_percent, theirs.memory_kib
                );
                println!("  ratio {:.2}", ours.cpu_percent / theirs.cpu_percent);
            }
            None => println!("  nginx-rtmp is not installed (apt-get install nginx libnginx-mod-rtmp); no ratio"),
        }

        stage.settled().await?;
        let mut waits = eventually("all callbacks", async || {
            let mut waits = Vec::new();
            for delivery in stage.list("deliveries?limit=1000").await? {
                let id = &delivery["id"];
                let path = format!("/v1/tenants/{}/deliveries/{id}", stage.name);
                let whole = stage.admin.call(http::Method::GET, &path, None).await?;
                let (Some(at), Some(tried)) =
                    (load::time_of(&whole["created_at"]), load::time_of(&whole["attempts"][0]["at"]))
                else {
                    return Ok(None);
                };
                waits.push(tried - at);
            }
            Ok((!waits.is_empty()).then_some(waits))
        })
        .await?;
        waits.sort_unstable();
        let at = |share: usize| waits[(waits.len() - 1) * share / 100];
        println!(
            "commit to first attempt of a callback, {} callbacks of {PUBLISHERS} streams that end together",
            waits.len()
        );
        println!("  p50 {} ms, p99 {} ms, max {} ms", at(50), at(99), at(100));
        Ok(())
    })
}
