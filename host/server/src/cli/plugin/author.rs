//! What authors do on their own machine: nothing here needs a server.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use reprise_policy::PLUGIN_CARGO_ARGS;
use serde_json::Value;

#[derive(Debug, Subcommand)]
pub(super) enum Author {
    /// Build a Rust policy crate into a component, ready to push
    Build {
        /// The crate's folder
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Where the component goes; next to the build by default
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// The cargo profile to build with
        #[arg(long, default_value = "release")]
        profile: String,
    },
}

impl Author {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Build { folder, output, profile } => {
                println!("{}", build(folder, output.as_deref(), profile)?.display());
                Ok(())
            }
        }
    }
}

/// Builds a policy crate and wraps its module into a component.
pub(crate) fn build(folder: &Path, output: Option<&Path>, profile: &str) -> anyhow::Result<PathBuf> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let built = std::process::Command::new("cargo")
        .args(PLUGIN_CARGO_ARGS)
        .args(["--profile", profile, "--message-format", "json-render-diagnostics"])
        .current_dir(folder)
        .stderr(std::process::Stdio::inherit())
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
    let component = reprise_policy::encode_component(&core).context("the module does not become a component")?;
    let output = output.map_or_else(|| module.with_extension("component.wasm"), Path::to_owned);
    std::fs::write(&output, component).with_context(|| format!("cannot write {}", output.display()))?;
    Ok(output)
}
