//! What a plugin is asked with: its settings and its own memory.

use std::path::PathBuf;

use clap::Subcommand;
use http::Method;
use serde_json::Value;

use super::versions::read_settings;
use crate::client::Rest;
use crate::client::rest::segment;

#[derive(Debug, Subcommand)]
pub(super) enum Settings {
    /// Look at a plugin's settings, or give it others
    #[command(subcommand)]
    Settings(Action),
    /// Look at what a plugin keeps from one decision to the next
    State {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// Take all of it away
        #[arg(long)]
        clear: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Show the newest settings
    Show {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// Give it other settings: a new revision, used by all its bindings from the next decision on
    Set {
        /// The plugin's name
        name: String,
        /// A JSON file
        file: PathBuf,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// List all revisions, newest first
    History {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// Revisions below this one
        #[arg(long)]
        before: Option<u32>,
    },
}

impl Settings {
    pub(super) async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        let path = |tenant: &str, name: &str, what: &str| -> anyhow::Result<String> {
            Ok(format!("/v1/tenants/{}/plugins/{}/{what}", segment(tenant)?, segment(name)?))
        };
        match self {
            Self::Settings(Action::Show { name, tenant }) => {
                api.call(Method::GET, &path(tenant, name, "settings")?, None).await
            }
            Self::Settings(Action::Set { name, file, tenant }) => {
                let settings = read_settings(file)?;
                api.call_with(Method::PUT, &path(tenant, name, "settings")?, settings).await
            }
            Self::Settings(Action::History { name, tenant, before }) => {
                let before = before.map_or_else(String::new, |before| format!("?before={before}"));
                api.call(Method::GET, &path(tenant, name, &format!("settings/history{before}"))?, None).await
            }
            Self::State { name, tenant, clear } => {
                let method = if *clear { Method::DELETE } else { Method::GET };
                api.call(method, &path(tenant, name, "state")?, None).await
            }
        }
    }
}
