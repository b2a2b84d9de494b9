//! Uploaded versions.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use http::Method;
use serde_json::Value;

use crate::client::Rest;
use crate::client::rest::push_plugin;

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
        /// Settings: a JSON file
        #[arg(long)]
        settings: Option<PathBuf>,
    },
    /// List a tenant's plugins, versions and bindings
    List {
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
}

impl Versions {
    pub(super) async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        match self {
            Self::Push { file, tenant, name, settings } => {
                let component = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                let settings = match settings {
                    Some(path) => read_settings(path)?,
                    None => "{}".to_owned(),
                };
                push_plugin(api, tenant, name, &component, &settings).await
            }
            Self::List { tenant } => api.call(Method::GET, &format!("/v1/tenants/{tenant}/plugins"), None).await,
        }
    }
}

pub(super) fn read_settings(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let _: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    Ok(text)
}
