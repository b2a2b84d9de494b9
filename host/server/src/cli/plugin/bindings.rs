//! Which streams use which version.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use super::plain;
use crate::cli::tenant::plain_lines;
use crate::client::Rest;
use crate::client::rest::segment;

#[derive(Debug, Subcommand)]
pub(super) enum Bindings {
    /// Use a version from the next decision on; of a binding that is there, what is not given stays as it is
    Activate {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// The binding's name: a plugin may have several; `default` by default
        #[arg(long)]
        binding: Option<String>,
        /// Which version; the newest by default
        #[arg(long)]
        version: Option<u32>,
        /// Which revision of the settings; what it has, or what came with the version if that is newer
        #[arg(long)]
        settings_revision: Option<u32>,
        /// Ingest domains it is asked for; `*` stands for any run of characters
        #[arg(long)]
        domain: Option<String>,
        /// Applications it is asked for; `*` stands for any run of characters
        #[arg(long)]
        app: Option<String>,
        /// Streams it is asked for; `*` stands for any run of characters
        #[arg(long)]
        stream: Option<String>,
        /// Of several bindings the one with the larger priority is asked first
        #[arg(long, allow_negative_numbers = true)]
        priority: Option<i64>,
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
        /// Only this binding; all of them by default
        #[arg(long)]
        binding: Option<String>,
    },
    /// Put a binding back to the version and settings it had before
    Rollback {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// The binding's name; `default` by default
        #[arg(long)]
        binding: Option<String>,
        /// A version that it had, with the settings it had then
        #[arg(long)]
        to: Option<u32>,
    },
    /// List bindings in the order in which they are asked, with failures and breakers
    #[command(name = "bindings")]
    Order {
        /// The plugin's name; all of the tenant's by default
        name: Option<String>,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
}

impl Bindings {
    pub(super) async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        let path = |tenant: &str, name: &str, what: &str| -> anyhow::Result<String> {
            Ok(format!("/v1/tenants/{}/plugins/{}/{what}", segment(tenant)?, segment(name)?))
        };
        match self {
            Self::Activate {
                name,
                tenant,
                binding,
                version,
                settings_revision,
                domain,
                app,
                stream,
                priority,
                on_failure,
            } => {
                let body = json!({
                    "name": binding, "version": version, "settings_revision": settings_revision, "domain": domain,
                    "app": app, "stream": stream, "priority": priority, "failure_policy": on_failure,
                });
                api.call(Method::POST, &path(tenant, name, "activate")?, Some(&body)).await
            }
            Self::Deactivate { name, tenant, binding } => {
                let body = json!({"name": binding});
                api.call(Method::POST, &path(tenant, name, "deactivate")?, Some(&body)).await
            }
            Self::Rollback { name, tenant, binding, to } => {
                let body = json!({"name": binding, "to": to});
                api.call(Method::POST, &path(tenant, name, "rollback")?, Some(&body)).await
            }
            Self::Order { name: Some(name), tenant } => {
                api.call(Method::GET, &path(tenant, name, "bindings")?, None).await
            }
            Self::Order { name: None, tenant } => {
                api.call(Method::GET, &format!("/v1/tenants/{}/bindings", segment(tenant)?), None).await
            }
        }
    }

    /// The answer for people.
    pub(super) fn lines(&self, answer: &Value) -> Vec<String> {
        match self {
            Self::Activate { name, .. } | Self::Rollback { name, .. } => {
                vec![format!("{name}/{}", plain::binding(answer))]
            }
            Self::Deactivate { .. } => plain_lines(answer),
            Self::Order { .. } => plain::order(answer),
        }
    }
}
