//! Which streams use which version.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use crate::client::Rest;

#[derive(Debug, Subcommand)]
pub(super) enum Bindings {
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
}

impl Bindings {
    pub(super) async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        match self {
            Self::Activate { name, tenant, version, app, stream, on_failure } => {
                let body = json!({"version": version, "app": app, "stream": stream, "failure_policy": on_failure});
                let path = format!("/v1/tenants/{tenant}/plugins/{name}/activate");
                api.call(Method::POST, &path, Some(&body)).await
            }
            Self::Deactivate { name, tenant } => {
                api.call(Method::POST, &format!("/v1/tenants/{tenant}/plugins/{name}/deactivate"), None).await
            }
        }
    }
}
