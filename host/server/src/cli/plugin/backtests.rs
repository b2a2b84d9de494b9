//! Recorded questions put again: to another version, or to the very ones that answered them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::differing;
use super::versions::read_settings;
use crate::cli::NOT_IN_ORDER;
use crate::client::Rest;
use crate::client::components;
use crate::client::rest::segment;

/// How often a running one is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Which recorded decisions.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only decisions made at or after this time, as in 2027-01-01T00:00:00Z
    #[arg(long)]
    from: Option<String>,
    /// Only decisions made at or before this time
    #[arg(long)]
    to: Option<String>,
    /// Only decisions at this hook
    #[arg(long, value_parser = ["template-group", "compose-rules", "callback"])]
    hook: Option<String>,
    /// Only decisions about this stream
    #[arg(long)]
    stream: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Backtests {
    /// Put the recorded questions of a period to a version and show what would have come out differently; exit code 3 if
    /// anything would
    Backtest {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// The candidate; the newest by default
        #[arg(long, conflicts_with = "file")]
        version: Option<u32>,
        /// A component to try: it is pushed as a new version that nothing uses
        #[arg(long)]
        file: Option<PathBuf>,
        /// Settings to try: a JSON file; the newest revision by default
        #[arg(long)]
        settings: Option<PathBuf>,
        #[command(flatten)]
        which: Which,
    },
    /// Ask every recorded question of the version that answered it; exit code 3 if one does not say exactly the same again
    Audit {
        /// The plugin's name; all of the tenant's by default
        name: Option<String>,
        /// The tenant
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        which: Which,
    },
}

impl Backtests {
    /// Begins, waits for the end and prints the report.
    pub(super) async fn run(&self, api: &Rest, json: bool) -> anyhow::Result<ExitCode> {
        let (tenant, body) = match self {
            Self::Backtest { name, tenant, version, file, settings, which } => {
                let mut body = which.body("backtest");
                let settings = settings.as_deref().map(read_settings).transpose()?;
                let version = match file {
                    None => version.map_or(Value::Null, Value::from),
                    Some(file) => {
                        let component =
                            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                        let push = components::Push {
                            tenant,
                            plugin: name,
                            component: &component,
                            settings: settings.as_deref(),
                            signature: None,
                            key: None,
                        };
                        let pushed = components::push(api, push, |_| {}).await?;
                        eprintln!("{} is version {} of {name}; nothing uses it", file.display(), pushed["version"]);
                        pushed["version"].clone()
                    }
                };
                (body["plugin"], body["version"], body["settings"]) = (json!(name), version, json!(settings));
                (tenant, body)
            }
            Self::Audit { name, tenant, which } => {
                let mut body = which.body("audit");
                body["plugin"] = json!(name);
                (tenant, body)
            }
        };
        let base = format!("/v1/tenants/{}/backtests", segment(tenant)?);
        let begun = api.call(Method::POST, &base, Some(&body)).await?;
        let path = format!("{base}/{}", begun["id"]);
        let mut ended = wait(api, &path).await?;
        let differences = differing::first(api, &path).await?;
        let differs = ended["report"]["differences"].as_u64().unwrap_or(0) > 0;
        if json {
            ended["first_differences"] = Value::from(differences);
            println!("{ended}");
        } else {
            differing::print_backtest(&ended, &differences);
        }
        if ended["state"] != "done" {
            bail!("it is {}: {}", text(&ended["state"]), text(&ended["reason"]));
        }
        Ok(if differs { ExitCode::from(NOT_IN_ORDER) } else { ExitCode::SUCCESS })
    }
}

impl Which {
    fn body(&self, kind: &str) -> Value {
        json!({"kind": kind, "from": self.from, "to": self.to, "hook": self.hook, "stream": self.stream})
    }
}

/// Shows progress until it ends. Ctrl-C stops the backtest, not only the waiting for it.
async fn wait(api: &Rest, path: &str) -> anyhow::Result<Value> {
    let mut shown = u64::MAX;
    loop {
        let now = api.call(Method::GET, path, None).await?;
        let (done, total) = (now["report"]["done"].as_u64().unwrap_or(0), now["report"]["total"].as_u64().unwrap_or(0));
        // There is nothing to show before they are counted.
        if done != shown && total > 0 {
            eprintln!("{done} of {total} decisions, {} differ", now["report"]["differences"]);
            shown = done;
        }
        if now["state"] != "running" {
            return Ok(now);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            _ = tokio::signal::ctrl_c() => {
                api.call(Method::POST, &format!("{path}/stop"), None).await?;
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
