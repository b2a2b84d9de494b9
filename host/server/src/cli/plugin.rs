//! `reprise plugin`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use http::Method;
use reprise_policy::PLUGIN_CARGO_ARGS;
use serde_json::{Value, json};

use super::Server;
use super::tenant::print_plain;
use crate::client::Rest;
use crate::client::rest::push_plugin;

#[derive(Debug, Args)]
pub(super) struct Plugin {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: Server,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
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
    /// Upload a component as a new version; it is checked, not yet used
    Push {
        /// The component
        file: PathBuf,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// The plugin's name
        #[arg(long)]
        name: String,
        /// Settings: a JSON file
        #[arg(long)]
        settings: Option<PathBuf>,
    },
    /// Use a version from the next decision on
    Activate {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// Which version; the newest by default
        #[arg(long)]
        version: Option<u32>,
        /// Applications it is asked for; `*` stands for any run of characters
        #[arg(long)]
        app: Option<String>,
        /// Streams it is asked for; `*` stands for any run of characters
        #[arg(long)]
        stream: Option<String>,
        /// What applies when it fails: `fallback` (the static configuration) or `reject` (nothing is done)
        #[arg(long, value_parser = ["fallback", "reject"])]
        on_failure: Option<String>,
    },
    /// Stop using a plugin; the static configuration applies again
    Deactivate {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// List a tenant's plugins, versions and bindings
    List {
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Command::Build { folder, output, profile } = &self.command {
            let component = build(folder, output.as_deref(), profile)?;
            println!("{}", component.display());
            return Ok(ExitCode::SUCCESS);
        }
        super::runtime()?.block_on(async {
            let api = self.server.client()?;
            let answer = self.ask(&api).await?;
            if self.json {
                println!("{answer}");
            } else {
                print_plain(&answer);
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        match &self.command {
            Command::Build { .. } => Ok(Value::Null),
            Command::Push { file, tenant, name, settings } => {
                let component = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                let settings = match settings {
                    Some(path) => read_settings(path)?,
                    None => "{}".to_owned(),
                };
                push_plugin(api, tenant, name, &component, &settings).await
            }
            Command::Activate { name, tenant, version, app, stream, on_failure } => {
                let body = json!({"version": version, "app": app, "stream": stream, "failure_policy": on_failure});
                let path = format!("/v1/tenants/{tenant}/plugins/{name}/activate");
                api.call(Method::POST, &path, Some(&body)).await
            }
            Command::Deactivate { name, tenant } => {
                api.call(Method::POST, &format!("/v1/tenants/{tenant}/plugins/{name}/deactivate"), None).await
            }
            Command::List { tenant } => api.call(Method::GET, &format!("/v1/tenants/{tenant}/plugins"), None).await,
        }
    }
}

fn read_settings(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let _: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    Ok(text)
}

/// Builds a policy crate and wraps its module into a component.
pub(super) fn build(folder: &Path, output: Option<&Path>, profile: &str) -> anyhow::Result<PathBuf> {
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
