//! What a tenant may have of plugins.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use crate::client::Rest;
use crate::client::rest::segment;

#[derive(Debug, Subcommand)]
pub(super) enum Quotas {
    /// Look at what a tenant may have of plugins and how much of it is used, or set it
    #[command(subcommand)]
    Quotas(Action),
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Show what is set, what applies and what is used
    Show {
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// Set quotas, in place of all that were set; what is not given is as configured. For the admin only
    Set {
        /// The tenant
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        quotas: Given,
    },
}

#[derive(Debug, Args)]
pub(super) struct Given {
    /// Plugins
    #[arg(long)]
    plugins: Option<u32>,
    /// Versions of one plugin
    #[arg(long)]
    versions_per_plugin: Option<u32>,
    /// Distinct components together, in MiB
    #[arg(long)]
    component_mib: Option<u32>,
    /// Uploads and pushes in an hour
    #[arg(long)]
    uploads_per_hour: Option<u32>,
    /// Signing keys that are not revoked
    #[arg(long)]
    signing_keys: Option<u32>,
}

impl Quotas {
    pub(super) async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        let path = |tenant: &str| anyhow::Ok(format!("/v1/tenants/{}/quotas", segment(tenant)?));
        match self {
            Self::Quotas(Action::Show { tenant }) => api.call(Method::GET, &path(tenant)?, None).await,
            Self::Quotas(Action::Set { tenant, quotas }) => {
                let body = json!({
                    "plugins": quotas.plugins, "versions_per_plugin": quotas.versions_per_plugin,
                    "component_mib": quotas.component_mib, "uploads_per_hour": quotas.uploads_per_hour,
                    "signing_keys": quotas.signing_keys,
                });
                api.call(Method::PUT, &path(tenant)?, Some(&body)).await
            }
        }
    }
}
