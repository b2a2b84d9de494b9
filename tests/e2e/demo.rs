//! `reprise demo --exit`, as a newcomer runs it first, and its other flows.

use std::path::Path;

use reprise_tests::{guests, server};
use tokio::process::Command;

/// Plays a flow to its end, and gives what it printed.
async fn demo(flow: &str, seconds: &str, plugin: &Path) -> anyhow::Result<String> {
    let output = Command::new(server::binary()?)
        .args(["demo", "--flow", flow, "--seconds", seconds, "--exit", "--plugin"])
        .arg(plugin)
        .kill_on_drop(true)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(output.status.success(), "flow {flow}:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word} in:\n{text}");
    }
}

#[test]
fn the_demo_ends_well() -> anyhow::Result<()> {
    crate::run(async {
        let dir = tempfile::tempdir()?;
        let plugin = dir.path().join("plugin.wasm");
        std::fs::write(&plugin, guests::component("template-by-stream")?)?;
        let text = demo("1", "12", &plugin).await?;
        let words = ["AddLiveRecordVideoComplete", "TranscodeComplete", "decided by template-by-stream", "player.html"];
        says(&text, &words);
        Ok(())
    })
}

#[test]
fn the_other_flows_of_the_demo_end_well() -> anyhow::Result<()> {
    crate::run(async {
        let dir = tempfile::tempdir()?;
        let plugin = dir.path().join("plugin.wasm");
        std::fs::write(&plugin, guests::component("template-by-stream")?)?;
        let (stored, composed, only) =
            tokio::try_join!(demo("2", "6", &plugin), demo("3", "6", &plugin), demo("4", "6", &plugin))?;
        says(&stored, &["decided by the record config", "by hand", "asked for by hand", "player.html"]);
        says(&composed, &["LiveRecordVideoComposeStart", "decided by template-by-stream", "composed", "player.html"]);
        says(&only, &["LiveRecordVideoComposeStart", "by hand", "asked for by hand", "composed", "player.html"]);
        Ok(())
    })
}
