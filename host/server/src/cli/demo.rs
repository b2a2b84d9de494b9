//! `reprise demo`: everything in one go, on free ports, with a real encoder and a real receiver. What it does, it
//! does through the same faces that tenants use.

mod publisher;
mod receiver;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::receiver::Receiver;
use crate::app::App;
use crate::client::rest::{items, push_plugin};
use crate::client::{Rest, Vendor};
use crate::config::Config;
use crate::{telemetry, url_auth};

const TENANT: &str = "demo";
const PUSH_DOMAIN: &str = "push.demo.example";
const PLAY_DOMAIN: &str = "play.demo.example";
const APP: &str = "live";
const STREAM: &str = "stage-1";
const PLUGIN: &str = "template-by-stream";

/// The recording cycle of the demo: short, so that something happens soon.
const CYCLE_SECONDS: u32 = 10;

/// The break window of the demo.
const BREAK_SECONDS: u32 = 3;

/// How long the work after the broadcast may take on a slow machine: a fixed part, and one for each second.
const SETTLE: Duration = Duration::from_secs(120);
const SETTLE_PER_SECOND: Duration = Duration::from_secs(4);

#[derive(Debug, Args)]
pub(super) struct Demo {
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

/// A running demo.
struct Stage {
    api: Rest,
    vendor: Vendor,
    receiver: Receiver,
    http: String,
    rtmp: String,
    push_key: String,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::runtime()?.block_on(self.play())
    }

    async fn play(&self) -> anyhow::Result<ExitCode> {
        let component = self.component()?;
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
        step(&format!("server    {http}  rtmp://{rtmp}  data {}", folder.path.display()));

        let shown = tokio::select! {
            shown = self.show(&folder, http, rtmp, &component) => shown,
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
    async fn show(&self, folder: &Folder, http: String, rtmp: String, component: &[u8]) -> anyhow::Result<bool> {
        let token = std::fs::read_to_string(folder.path.join("admin-token")).context("cannot read the admin token")?;
        let stage = set_stage(Rest::new(&http, token.trim()), http, rtmp, component).await?;
        step(&format!("encoder   pushing a moving picture with sound for {} s", self.seconds));
        self.publish(&stage).await?;
        let limit = SETTLE + SETTLE_PER_SECOND * self.seconds;
        let settled = settle(&stage, limit).await?;
        report(&stage).await?;
        Ok(settled)
    }

    async fn publish(&self, stage: &Stage) -> anyhow::Result<()> {
        let now = crate::clock::now().0 / 1000;
        let key = url_auth::sign(&format!("/{APP}/{STREAM}"), url_auth::Terms::at(now), &stage.push_key);
        let url = format!("rtmp://{}/{APP}/{STREAM}?vhost={PUSH_DOMAIN}&auth_key={key}", stage.rtmp);
        let publishing = publisher::publish(&url, self.seconds);
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

/// Tenant, template groups, record config, callbacks, policy.
async fn set_stage(api: Rest, http: String, rtmp: String, component: &[u8]) -> anyhow::Result<Stage> {
    let tenant = json!({"name": TENANT, "push_domain": PUSH_DOMAIN, "play_domain": PLAY_DOMAIN});
    let made = api.call(Method::POST, "/v1/tenants", Some(&tenant)).await?;
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    step(&format!("tenant    {TENANT} pushes to {PUSH_DOMAIN}, plays from {PLAY_DOMAIN}"));
    let vendor = Vendor::new(&http, &text("access_key_id"), &text("access_key_secret"));
    let small = template_group(&vendor, "small", &[("SD", 640, 500)]).await?;
    let large = template_group(&vendor, "large", &[("SD", 640, 500), ("HD", 854, 900)]).await?;
    step(&format!("templates small {small}, large {large}"));
    vendor
        .call(
            "2016-11-01",
            "AddLiveRecordVodConfig",
            &[
                ("DomainName", PLAY_DOMAIN),
                ("AppName", APP),
                ("VodTranscodeGroupId", &small),
                ("CycleDuration", &CYCLE_SECONDS.to_string()),
                ("DelayTime", &BREAK_SECONDS.to_string()),
            ],
        )
        .await?;
    step(&format!("recording {APP}/*: parts of {CYCLE_SECONDS} s, group small unless the policy says otherwise"));
    let settings = json!({"rules": [{"stream": "stage-*", "min_height": 360, "group": "large"}]}).to_string();
    let version = push_plugin(&api, TENANT, PLUGIN, component, &settings).await?;
    api.call(Method::POST, &format!("/v1/tenants/{TENANT}/plugins/{PLUGIN}/activate"), Some(&json!({}))).await?;
    step(&format!("policy    {PLUGIN} version {} is active: streams stage-* get group large", version["version"]));
    let receiver =
        Receiver::start(Rest::new(&http, &format!("{}.{}", text("access_key_id"), text("access_key_secret")))).await?;
    vendor
        .call(
            "2017-03-21",
            "SetMessageCallback",
            &[("CallbackType", "HTTP"), ("CallbackURL", receiver.url()), ("EventTypeList", "ALL")],
        )
        .await?;
    step(&format!("callbacks go to {}", receiver.url()));
    Ok(Stage { api, vendor, receiver, http, rtmp, push_key: text("push_key") })
}

/// Makes a template group with one HLS template for each (definition, width, kbit/s).
async fn template_group(vendor: &Vendor, name: &str, templates: &[(&str, u32, u32)]) -> anyhow::Result<String> {
    let template = |(definition, width, kbps): &(&str, u32, u32)| {
        json!({
            "TemplateName": format!("hls-{}", definition.to_lowercase()),
            "Definition": definition,
            "Container": {"Format": "m3u8"},
            "Video": {"Codec": "H.264", "Width": width.to_string(), "Bitrate": kbps.to_string(), "Preset": "veryfast"},
            "Audio": {"Codec": "AAC", "Bitrate": "64", "Samplerate": "44100"},
            "MuxConfig": {"Segment": {"Duration": "4"}},
        })
    };
    let list = Value::Array(templates.iter().map(template).collect()).to_string();
    let parameters = [("Name", name), ("TranscodeTemplateList", list.as_str())];
    let made = vendor.call("2017-03-21", "AddTranscodeTemplateGroup", &parameters).await?;
    Ok(made["TranscodeTemplateGroupId"].as_str().context("no template group id in the answer")?.to_owned())
}

/// Waits until the broadcast is over, every video has its end state, and every event has been received.
async fn settle(stage: &Stage, limit: Duration) -> anyhow::Result<bool> {
    let until = Instant::now() + limit;
    let mut said = String::new();
    loop {
        let all = format!("/v1/tenants/{TENANT}");
        let broadcasts = stage.api.call(Method::GET, &format!("{all}/broadcasts"), None).await?;
        let videos = stage.api.call(Method::GET, &format!("{all}/videos?limit=1000"), None).await?;
        let events = stage.api.call(Method::GET, &format!("{all}/events?limit=1000"), None).await?;
        let (videos, events) = (items(&videos), items(&events));
        let settled = items(&broadcasts).iter().all(|broadcast| broadcast["settled"] == true);
        let ready = videos.iter().filter(|video| video["status"] == "ready").count();
        let received =
            events.iter().filter_map(|event| event["id"].as_str()).filter(|id| stage.receiver.has(id)).count();
        let line =
            format!("{ready} of {} videos ready, {received} of {} callbacks received", videos.len(), events.len());
        if settled && !videos.is_empty() && ready == videos.len() && received == events.len() {
            step(&format!("complete  {line}"));
            return Ok(true);
        }
        if Instant::now() >= until {
            step(&format!("gave up   {line}"));
            return Ok(false);
        }
        if line != said {
            step(&format!("waiting   {line}"));
            said = line;
        }
        tokio::select! {
            () = stage.receiver.something() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// The videos with their URLs, as the vendor's API tells them.
async fn report(stage: &Stage) -> anyhow::Result<()> {
    let videos = stage.api.call(Method::GET, &format!("/v1/tenants/{TENANT}/videos?limit=1000"), None).await?;
    println!();
    for video in items(&videos).iter().rev() {
        let id = video["id"].as_str().unwrap_or_default();
        println!("video {id}  {:.2} s", video["duration_ms"].as_f64().unwrap_or(0.0) / 1000.0);
        println!("  source    {}/media/{id}/source.m3u8", stage.http);
        let played = stage.vendor.call("2017-03-21", "GetPlayInfo", &[("VideoId", id)]).await;
        if let Ok(info) = played {
            for stream in info.pointer("/PlayInfoList/PlayInfo").and_then(Value::as_array).into_iter().flatten() {
                let word = |name: &str| stream[name].as_str().unwrap_or_default().to_owned();
                println!("  {:<9} {} ({}x{})", word("Definition"), word("PlayURL"), stream["Width"], stream["Height"]);
            }
        }
        println!("  open this in a browser: {}/media/{id}/player.html", stage.http);
    }
    Ok(())
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
