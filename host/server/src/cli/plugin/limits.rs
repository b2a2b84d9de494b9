//! Limits of a tenant's policies.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use crate::client::Rest;
use crate::client::rest::segment;

#[derive(Debug, Subcommand)]
pub(super) enum Limits {
    /// Look at the limits of a tenant's policies, or set them
    #[command(subcommand)]
    Limits(Action),
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Show what is set and what applies
    Show {
        /// A plugin; the tenant's own limits by default
        name: Option<String>,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// Set limits, in place of all that were set; what is not given is as configured. For the admin only
    Set {
        /// A plugin; the tenant's own limits by default
        name: Option<String>,
        /// The tenant
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        limits: Given,
    },
}

#[derive(Debug, Args)]
pub(super) struct Given {
    /// Calls in a second, on the average
    #[arg(long)]
    calls_per_second: Option<u32>,
    /// Calls that may come at once after a pause
    #[arg(long)]
    burst: Option<u32>,
    /// Calls at the same time
    #[arg(long)]
    concurrent: Option<u32>,
    /// Fuel of one call
    #[arg(long)]
    fuel: Option<u64>,
    /// Linear memory of one call
    #[arg(long)]
    memory_bytes: Option<u64>,
    /// Processor time of one call
    #[arg(long)]
    deadline_ms: Option<u64>,
    /// Time of day of one call
    #[arg(long)]
    wall_ms: Option<u64>,
    /// Lines of the log that are kept
    #[arg(long)]
    log_lines: Option<u32>,
    /// Bytes of the log that are kept
    #[arg(long)]
    log_bytes: Option<u32>,
}

impl Limits {
    pub(super) async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        let path = |tenant: &str, name: Option<&String>| -> anyhow::Result<String> {
            let tenant = segment(tenant)?;
            Ok(match name {
                Some(name) => format!("/v1/tenants/{tenant}/plugins/{}/limits", segment(name)?),
                None => format!("/v1/tenants/{tenant}/limits"),
            })
        };
        match self {
            Self::Limits(Action::Show { name, tenant }) => {
                api.call(Method::GET, &path(tenant, name.as_ref())?, None).await
            }
            Self::Limits(Action::Set { name, tenant, limits }) => {
                let body = json!({
                    "calls_per_second": limits.calls_per_second, "burst": limits.burst, "concurrent": limits.concurrent,
                    "fuel": limits.fuel, "memory_bytes": limits.memory_bytes, "deadline_ms": limits.deadline_ms,
                    "wall_ms": limits.wall_ms, "log_lines": limits.log_lines, "log_bytes": limits.log_bytes,
                });
                api.call(Method::PUT, &path(tenant, name.as_ref())?, Some(&body)).await
            }
        }
    }
}
