//! `reprise demo`: everything in one go, on free ports, with a real encoder and a real receiver. What it does, it
//! does through the same faces that tenants use.
//!
//! | Module | What it knows |
//! |---|---|
//! | `flow` | the four flows: how each records, what is asked for by hand, and what must have arrived |
//! | `stage` | the tenant, its groups, its record config, its policy |
//! | `publisher`, `receiver` | a real encoder; a receiver that prints each callback with the decision behind it |
//! | `settle` | the wait for all that follows, and the list of videos at the end |

mod flow;
mod publisher;
mod receiver;
mod settle;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use http::Method;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::flow::{Flow, Phase};
use self::settle::{report, settle};
use self::stage::{PLUGIN, Stage, TENANT};
use crate::app::App;
use crate::client::Rest;
use crate::client::rest::items;
use crate::config::Config;
use crate::telemetry;

/// How long the work after the broadcast may take on a slow machine: a fixed part, and one for each second.
const SETTLE: Duration = Duration::from_secs(120);
const SETTLE_PER_SECOND: Duration = Duration::from_secs(4);

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Which flow: 1 records and transcodes; 2 stores, and transcodes by hand; 3 composes and transcodes several parts;
    /// 4 composes them, and transcodes by hand
    #[arg(long, default_value_t = Flow::Transcode)]
    flow: Flow,
    /// How long the encoder publishes
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(3..=3600))]
    seconds: u32,
    /// End when everything has arrived, with code 0 only if it did
    #[arg(long)]
    exit: bool,
    /// The sample policy as a component; built from plugins/template-by-stream when it is not there
    #[arg(long, default_value = "target/plugins/template-by-stream.wasm")]
    plugin: PathBuf,
    /// Data folder; a temporary one by default, removed at the end
    #[arg(long)]
    data: Option<PathBuf>,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::runtime()?.block_on(self.play())
    }

    async fn play(&self) -> anyhow::Result<ExitCode> {
        let component = if self.flow.has_policy() { Some(self.component()?) } else { None };
        let folder = Folder::new(self.data.clone())?;
        let mut config = Config::load(None)?;
        config.data = folder.path.clone();
        config.http = ([127, 0, 0, 1], 0).into();
        config.rtmp = ([127, 0, 0, 1], 0).into();
        config.limits.min_cycle_seconds = 1;
        config.limits.min_break_seconds = 1;
        config.limits.disk_reserve_mib = 64;
        config.callbacks.allow_private = vec!["127.0.0.0/8".parse()?];
        config.logs.filter = "warn".to_owned();
        telemetry::start(&config.logs)?;

        let stop = CancellationToken::new();
        super::serve::stop_on_signals(stop.clone())?;
        let app = App::load(&config, stop.clone()).await?;
        let (http, rtmp) = (format!("http://{}", app.http()), app.rtmp().to_string());
        let server = tokio::spawn(app.run());
        step(&format!("flow      {}: {}", self.flow, self.flow.story()));
        step(&format!("server    {http}  rtmp://{rtmp}  data {}", folder.path.display()));

        let shown = tokio::select! {
            shown = self.show(&folder, http, rtmp, component.as_deref()) => shown,
            () = stop.cancelled() => Err(anyhow::anyhow!("stopped")),
        };
        let complete = match &shown {
            Ok(complete) => *complete,
            Err(error) => {
                eprintln!("error: {error:#}");
                false
            }
        };
        if !self.exit && shown.is_ok() {
            println!("\nThe server goes on; press Ctrl-C to end it.");
            stop.cancelled().await;
        }
        stop.cancel();
        server.await.context("the server ended by a panic")?;
        Ok(if complete { ExitCode::SUCCESS } else { ExitCode::from(super::NOT_IN_ORDER) })
    }

    /// The sample policy, built if it is not there.
    fn component(&self) -> anyhow::Result<Vec<u8>> {
        if !self.plugin.exists() {
            let source = PathBuf::from("plugins").join(PLUGIN);
            if !source.exists() {
                bail!(
                    "{} is not there; run this in the source folder, or name a component with --plugin",
                    self.plugin.display()
                );
            }
            step("building the sample policy");
            if let Some(folder) = self.plugin.parent() {
                std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
            super::plugin::build(&source, Some(&self.plugin), "plugin")?;
        }
        std::fs::read(&self.plugin).with_context(|| format!("cannot read {}", self.plugin.display()))
    }

    /// Sets the stage, publishes, and waits for all that follows. Says whether everything arrived.
    async fn show(
        &self,
        folder: &Folder,
        http: String,
        rtmp: String,
        component: Option<&[u8]>,
    ) -> anyhow::Result<bool> {
        let token = std::fs::read_to_string(folder.path.join("admin-token")).context("cannot read the admin token")?;
        let stage = Stage::set(Rest::new(&http, token.trim()), http, rtmp, self.flow, component).await?;
        let pushes = self.flow.pushes(self.seconds);
        for (number, seconds) in pushes.iter().enumerate() {
            step(&format!("encoder   pushing a moving picture with sound for {seconds} s"));
            self.publish(&stage, *seconds).await?;
            if number + 1 < pushes.len() {
                step("encoder   gone, and back within the break window: the same broadcast goes on");
            }
        }
        let limit = SETTLE + SETTLE_PER_SECOND * self.seconds;
        let mut complete = settle(&stage, self.flow, Phase::Recorded, limit).await?;
        if complete && self.flow.is_by_hand() {
            stage.transcode(self.flow).await?;
            complete = settle(&stage, self.flow, Phase::Transcoded, limit).await?;
        }
        report(&stage).await?;
        Ok(complete)
    }

    async fn publish(&self, stage: &Stage, seconds: u32) -> anyhow::Result<()> {
        let url = stage.push_url();
        let publishing = publisher::publish(&url, seconds);
        tokio::pin!(publishing);
        let mut ticker = tokio::time::interval(Duration::from_secs(5));
        ticker.tick().await;
        loop {
            tokio::select! {
                done = &mut publishing => return done,
                _ = ticker.tick() => {
                    let path = format!("/v1/tenants/{TENANT}/broadcasts?live=true");
                    let live = stage.api.call(Method::GET, &path, None).await?;
                    let mark = watermark(stage, &live).await.unwrap_or(0);
                    step(&format!("recording {:.1} s are safe on disk", mark as f64 / 1000.0));
                }
            }
        }
    }
}

async fn watermark(stage: &Stage, live: &Value) -> Option<u64> {
    let id = items(live).first()?["id"].as_str()?.to_owned();
    let path = format!("/v1/tenants/{TENANT}/broadcasts/{id}");
    stage.api.call(Method::GET, &path, None).await.ok()?["watermark_ms"].as_u64()
}

fn step(line: &str) {
    println!("• {line}");
}

/// The data folder of the demo; a temporary one is removed with it.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn new(given: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = given {
            return Ok(Self { path, temporary: false });
        }
        let path = std::env::temp_dir().join(format!("reprise-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path, temporary: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
