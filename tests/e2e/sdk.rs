//! The vendor's own Python SDKs, current and classic generation, unmodified but for the endpoint: all four flows to
//! their end, and every action that the server claims.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::Stage;
use reprise_tests::{encoder, events};
use serde_json::{Value, json};
use tokio::process::Command;

/// What is installed, pinned to what was seen on the wire.
const PACKAGES: [&str; 6] = [
    "alibabacloud_live20161101==3.0.2",
    "alibabacloud_vod20170321==3.12.1",
    "alibabacloud_tea_openapi==0.4.6",
    "aliyun-python-sdk-core==2.16.1",
    "aliyun-python-sdk-live==3.9.75",
    "aliyun-python-sdk-vod==2.16.32",
];

const GENERATIONS: [&str; 2] = ["current", "classic"];

/// What scripts are run with.
struct Scripts<'a> {
    python: PathBuf,
    server: &'a Server,
    stage: &'a Stage,
    receiver: &'a Receiver,
}

#[test]
fn both_generations_of_the_python_sdk_drive_all_flows_and_call_every_action() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "sdk").await?;
        let receiver = Receiver::start().await?;
        let python = environment(server.scratch()).await?;
        let scripts = Scripts { python, server: &server, stage: &stage, receiver: &receiver };
        for generation in GENERATIONS {
            scripts.run("flows.py", &[generation, "setup"], &[]).await?;
        }
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 5).await?;
        let mut encoders = Vec::new();
        for generation in GENERATIONS {
            for flow in 1..=4 {
                encoders.push(encoder::publish(&clip, &stage.push_url(&format!("{generation}{flow}"), "cam01"))?);
            }
        }
        for encoder in encoders {
            encoder::finished(encoder).await?;
        }
        let told = stage.told(&receiver).await?;
        let composed = composed(&told);
        assert_eq!(composed.len(), 4, "two flows compose, for each generation: {composed:?}");
        for generation in GENERATIONS {
            scripts.run("flows.py", &[generation, "finish"], &[("COMPOSED", &json!(composed).to_string())]).await?;
        }
        // What was asked for by hand is told like everything else.
        stage.told(&receiver).await?;

        let videos = stage.videos().await?;
        let actions: Vec<String> = reprise::api::claimed().map(|(product, name)| format!("{product}:{name}")).collect();
        for generation in GENERATIONS {
            let app = format!("{generation}1");
            let mut mine = videos.iter().filter(|video| video["stream"]["app"] == app.as_str());
            let mut id = || mine.next().and_then(|video| video["id"].as_str()).context("flow 1 has two parts");
            let with = [("ACTIONS", actions.join(",")), ("KEEP", id()?.to_owned()), ("SPARE", id()?.to_owned())];
            let with: Vec<(&str, &str)> = with.iter().map(|(name, value)| (*name, value.as_str())).collect();
            scripts.run("actions.py", &[generation], &with).await?;
        }
        Ok(())
    })
}

/// Composed videos by application, as their events name them.
fn composed(told: &[Value]) -> BTreeMap<String, String> {
    let started = told.iter().filter(|event| event["EventType"] == "LiveRecordVideoComposeStart");
    let named = |event: &Value| Some((event["AppName"].as_str()?.to_owned(), events::subject(event).to_owned()));
    started.filter_map(named).collect()
}

async fn environment(scratch: &Path) -> anyhow::Result<PathBuf> {
    let folder = scratch.join("venv");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output().await;
    let made = made.context("cannot run python3; install it: apt-get install python3-venv")?;
    anyhow::ensure!(made.status.success(), "no virtual environment: {}", String::from_utf8_lossy(&made.stdout));
    let python = folder.join("bin/python");
    let installed = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(PACKAGES)
        .output()
        .await?;
    anyhow::ensure!(installed.status.success(), "pip: {}", String::from_utf8_lossy(&installed.stderr));
    Ok(python)
}

impl Scripts<'_> {
    async fn run(&self, file: &str, args: &[&str], with: &[(&str, &str)]) -> anyhow::Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/sdk").join(file);
        let output = Command::new(&self.python)
            .arg(&path)
            .args(args)
            .env("ENDPOINT", &self.server.http)
            .env("KEY_ID", &self.stage.access_key.0)
            .env("KEY_SECRET", &self.stage.access_key.1)
            .env("PLAY_DOMAIN", &self.stage.play_domain)
            .env("PUSH_DOMAIN", &self.stage.push_domain)
            .env("CALLBACK", self.receiver.url())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(with.iter().copied())
            .kill_on_drop(true)
            .output()
            .await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ended_well = output.status.success();
        anyhow::ensure!(ended_well, "{file} {args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        Ok(())
    }
}
