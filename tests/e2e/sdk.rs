//! The vendor's own Python SDKs, current and classic generation, unmodified but for the endpoint.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use reprise_tests::encoder;
use reprise_tests::server::Server;
use reprise_tests::stage::Stage;
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

#[test]
fn both_generations_of_the_python_sdk_work_with_only_the_endpoint_changed() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "sdk").await?;
        let python = environment(server.scratch()).await?;
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/sdk");
        for generation in ["current", "classic"] {
            script(&python, &scripts.join(format!("{generation}.py")), &server, &stage, &["setup", generation]).await?;
        }
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 3).await?;
        for generation in ["current", "classic"] {
            encoder::finished(encoder::publish(&clip, &stage.push_url(generation, "cam01"))?).await?;
        }
        for video in stage.settled().await? {
            let id = video["id"].as_str().context("no id")?;
            for generation in ["current", "classic"] {
                script(&python, &scripts.join(format!("{generation}.py")), &server, &stage, &["play", id]).await?;
            }
        }
        Ok(())
    })
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

async fn script(python: &Path, file: &Path, server: &Server, stage: &Stage, args: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(python)
        .arg(file)
        .args(args)
        .env("ENDPOINT", &server.http)
        .env("KEY_ID", &stage.access_key.0)
        .env("KEY_SECRET", &stage.access_key.1)
        .env("PLAY_DOMAIN", &stage.play_domain)
        .kill_on_drop(true)
        .output()
        .await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    anyhow::ensure!(output.status.success(), "{}: {}{}", file.display(), text(&output.stdout), text(&output.stderr));
    Ok(())
}
