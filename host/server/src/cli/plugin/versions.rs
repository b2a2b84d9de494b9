//! Uploaded versions.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{ArgGroup, Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::{plain, signing};
use crate::cli::tenant::plain_lines;
use crate::client::Rest;
use crate::client::components::{self, Progress};
use crate::client::rest::segment;

/// Below this an upload is over before its progress is of interest.
const TELL_ABOVE_BYTES: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Versions {
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
        /// Settings: a JSON file; without it those of the default binding, or else the newest
        #[arg(long)]
        settings: Option<PathBuf>,
        #[command(flatten)]
        signed: Signed,
    },
    /// List a tenant's plugins, versions and bindings
    List {
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// Show a plugin with its versions, or one version
    Show {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// Only this version
        #[arg(long)]
        version: Option<i64>,
    },
    /// Write a version's component to a file
    Download {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// Which version; the newest by default
        #[arg(long)]
        version: Option<i64>,
        /// Where to; a file that is there is left alone. NAME-vVERSION.wasm by default
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Remove a version, or a whole plugin, that nothing uses
    #[command(group(ArgGroup::new("what").args(["version", "all"]).required(true)))]
    Delete {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// This version
        #[arg(long)]
        version: Option<i64>,
        /// The plugin with all its versions, settings and state
        #[arg(long)]
        all: bool,
    },
}

/// How a component that is pushed is signed.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("signed").args(["signature", "key"])))]
pub(super) struct Signed {
    /// A signature of the component, as `plugin sign` writes it
    #[arg(long, value_name = "FILE", requires = "file")]
    signature: Option<PathBuf>,
    /// Sign the component with this private key
    #[arg(long, value_name = "FILE", requires = "file")]
    key: Option<PathBuf>,
    /// The name of the signing key at the server; any of the tenant's by default
    #[arg(long, value_name = "NAME", requires = "signed")]
    pub(super) key_name: Option<String>,
}

impl Signed {
    /// The component's signature, if it has one.
    pub(super) fn signature(&self, component: &[u8]) -> anyhow::Result<Option<String>> {
        match (&self.signature, &self.key) {
            (Some(file), _) => read_text(file).map(Some),
            (None, Some(key)) => signing::sign(key, component).map(Some),
            (None, None) => Ok(None),
        }
    }
}

impl Versions {
    pub(super) async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        match self {
            Self::Push { file, tenant, name, settings, signed } => {
                let component = read(file)?;
                let settings = settings.as_deref().map(read_settings).transpose()?;
                let signature = signed.signature(&component)?;
                let push = components::Push {
                    tenant,
                    plugin: name,
                    component: &component,
                    settings: settings.as_deref(),
                    signature: signature.as_deref(),
                    key: signed.key_name.as_deref(),
                };
                components::push(api, push, tell).await
            }
            Self::List { tenant } => {
                api.call(Method::GET, &format!("/v1/tenants/{}/plugins", segment(tenant)?), None).await
            }
            Self::Show { name, tenant, version } => api.call(Method::GET, &path(tenant, name, *version)?, None).await,
            Self::Download { name, tenant, version, output } => {
                let version = match version {
                    Some(version) => *version,
                    None => newest(api, tenant, name).await?,
                };
                let output = output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}-v{version}.wasm")));
                download(api, tenant, name, version, &output).await
            }
            // Without a version it is all of it: one of the two is asked for.
            Self::Delete { name, tenant, version, all: _ } => {
                api.call(Method::DELETE, &path(tenant, name, *version)?, None).await?;
                Ok(json!({"deleted": name, "version": version}))
            }
        }
    }
}

impl Versions {
    /// The answer for people.
    pub(super) fn lines(&self, answer: &Value) -> Vec<String> {
        match self {
            Self::Push { tenant, .. } => plain::pushed(tenant, answer),
            Self::List { .. } => plain::plugins(answer),
            Self::Show { version: None, .. } => plain::plugin(answer),
            Self::Show { version: Some(_), .. } => plain::version(answer),
            Self::Download { .. } | Self::Delete { .. } => plain_lines(answer),
        }
    }
}

fn path(tenant: &str, plugin: &str, version: Option<i64>) -> anyhow::Result<String> {
    let plugin = format!("/v1/tenants/{}/plugins/{}", segment(tenant)?, segment(plugin)?);
    Ok(version.map_or_else(|| plugin.clone(), |version| format!("{plugin}/versions/{version}")))
}

async fn newest(api: &Rest, tenant: &str, plugin: &str) -> anyhow::Result<i64> {
    let shown = api.call(Method::GET, &format!("{}/versions", path(tenant, plugin, None)?), None).await?;
    shown.pointer("/versions/0/version").and_then(Value::as_i64).context("the plugin has no version any more")
}

async fn download(api: &Rest, tenant: &str, name: &str, version: i64, output: &Path) -> anyhow::Result<Value> {
    // Taken before anything is asked for, so that no file that is there is ever touched.
    let mut file = std::fs::File::create_new(output)
        .with_context(|| format!("cannot make {}; name another file with --output", output.display()))?;
    let written = async {
        let component = components::download(api, tenant, name, version).await?;
        file.write_all(&component).and_then(|()| file.sync_all())?;
        Ok::<_, anyhow::Error>(component.len())
    };
    match written.await {
        Ok(bytes) => {
            Ok(json!({"plugin": name, "version": version, "file": output.display().to_string(), "bytes": bytes}))
        }
        Err(error) => {
            let _ = std::fs::remove_file(output);
            Err(error)
        }
    }
}

/// Progress for people, on standard error: a line that is written over where it is looked at, else only what matters.
fn tell(progress: Progress) {
    match progress {
        Progress::Known => eprintln!("the server has this component already; it is not sent again"),
        Progress::Sent(sent, all) if all > TELL_ABOVE_BYTES && std::io::stderr().is_terminal() => {
            let end = if sent == all { "\n" } else { "" };
            eprint!("\r{:>3} % of {:.1} MiB{end}", sent * 100 / all, all as f64 / f64::from(1 << 20));
        }
        Progress::Sent(sent, all) if all > TELL_ABOVE_BYTES && sent == all => eprintln!("{all} bytes sent"),
        Progress::Sent(..) => {}
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

pub(super) fn read_settings(path: &Path) -> anyhow::Result<String> {
    let text = read_text(path)?;
    let _: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    Ok(text)
}
