//! `reprise demo --exit`, as a newcomer runs it first.

use reprise_tests::{guests, server};
use tokio::process::Command;

#[test]
fn the_demo_ends_well() -> anyhow::Result<()> {
    crate::run(async {
        let dir = tempfile::tempdir()?;
        let plugin = dir.path().join("plugin.wasm");
        std::fs::write(&plugin, guests::component("template-by-stream")?)?;
        let output = Command::new(server::binary()?)
            .args(["demo", "--seconds", "12", "--exit", "--plugin"])
            .arg(&plugin)
            .kill_on_drop(true)
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        for word in ["AddLiveRecordVideoComplete", "TranscodeComplete", "decided by template-by-stream", "player.html"]
        {
            assert!(text.contains(word), "no {word} in:\n{text}");
        }
        Ok(())
    })
}
