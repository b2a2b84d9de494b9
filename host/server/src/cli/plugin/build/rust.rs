//! Rust: cargo makes a core module with the SDK's description of its interface in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use reprise_policy::PLUGIN_CARGO_ARGS;
use serde_json::Value;

const TARGET: &str = "wasm32-unknown-unknown";

pub(super) fn component(folder: &Path, profile: &str) -> anyhow::Result<Vec<u8>> {
    let built = Command::new("cargo")
        .args(PLUGIN_CARGO_ARGS)
        .args(["--profile", profile, "--message-format", "json-render-diagnostics"])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo; install Rust with rustup")?;
    if !built.status.success() {
        bail!("the crate does not build; if the target is missing, run: rustup target add {TARGET}");
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let module = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| message["filenames"].as_array().cloned())
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    let module = module.context("the build left no .wasm file; a policy crate needs crate-type = [\"cdylib\"]")?;
    let core = std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    reprise_policy::encode_component(&core).context("the module does not become a component")
}
