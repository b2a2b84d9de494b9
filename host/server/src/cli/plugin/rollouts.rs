//! Candidates beside the active version: shadows and canaries.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use super::differing;
use crate::client::Rest;
use crate::client::rest::{items, segment};

#[derive(Debug, Subcommand)]
pub(super) enum Candidates {
    /// Ask a version every question beside the active one, and only compare its answers
    Shadow {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// The candidate
        #[arg(long)]
        version: u32,
        /// Its settings' revision; that of the binding by default
        #[arg(long)]
        settings_revision: Option<u32>,
        /// Which binding
        #[arg(long, default_value = "default")]
        binding: String,
    },
    /// Ask a version in place of the active one for a share of the streams; it rolls itself back when it breaks a rule
    Canary {
        /// The plugin's name
        name: String,
        /// The tenant; several times starts one in each, and a roll-back in one is one in all (admin only)
        #[arg(long, required = true)]
        tenant: Vec<String>,
        /// The candidate
        #[arg(long)]
        version: u32,
        /// Its settings' revision; that of the binding by default
        #[arg(long)]
        settings_revision: Option<u32>,
        /// Which binding
        #[arg(long, default_value = "default")]
        binding: String,
        /// How many of a thousand streams; all that --app and --stream name, if one of these is given and this is not
        #[arg(
            long,
            value_name = "PERMILLE",
            required_unless_present_any = ["app", "stream"],
            value_parser = clap::value_parser!(u16).range(0..=1000)
        )]
        share: Option<u16>,
        /// Only these applications; `*` stands for any run of characters
        #[arg(long)]
        app: Option<String>,
        /// Only these streams; `*` stands for any run of characters
        #[arg(long)]
        stream: Option<String>,
        /// When it ends by itself: a JSON file, as in {"max_failure_permille": 10, "promote_after_seconds": 3600}
        #[arg(long)]
        rules: Option<PathBuf>,
    },
    /// Give a running canary another share; a larger one only adds streams
    Share {
        /// The rollout's number
        rollout: i64,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// How many of a thousand streams
        #[arg(long, value_name = "PERMILLE", value_parser = clap::value_parser!(u16).range(0..=1000))]
        share: u16,
    },
    /// Make a candidate the active version, and end its rollout
    Promote {
        /// The rollout's number
        rollout: i64,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// End a rollout; all streams have the active version again
    Stop {
        /// The rollout's number
        rollout: i64,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// List rollouts, or show one with its report and its first differences
    Rollouts {
        /// One rollout's number
        rollout: Option<i64>,
        /// The tenant; without one all tenants' (admin only)
        #[arg(long)]
        tenant: Option<String>,
        /// Only of this plugin
        #[arg(long)]
        name: Option<String>,
        /// Only running ones
        #[arg(long)]
        running: bool,
    },
}

impl Candidates {
    /// Asks the server, and gives the answer unless it was printed already.
    pub(super) async fn ask(&self, api: &Rest, json: bool) -> anyhow::Result<Option<Value>> {
        let answer = match self {
            Self::Shadow { name, tenant, version, settings_revision, binding } => {
                let body = json!({"version": version, "settings_revision": settings_revision, "binding": binding});
                let path = format!("/v1/tenants/{}/plugins/{}/shadow", segment(tenant)?, segment(name)?);
                api.call(Method::POST, &path, Some(&body)).await?
            }
            Self::Canary { .. } => self.canary(api).await?,
            Self::Share { rollout, tenant, share } => {
                let body = json!({"share_permille": share});
                api.call(Method::PATCH, &path(tenant, *rollout)?, Some(&body)).await?
            }
            Self::Promote { rollout, tenant } => {
                api.call(Method::POST, &format!("{}/promote", path(tenant, *rollout)?), None).await?
            }
            Self::Stop { rollout, tenant } => {
                api.call(Method::POST, &format!("{}/stop", path(tenant, *rollout)?), None).await?
            }
            Self::Rollouts { rollout: Some(rollout), tenant, .. } => {
                let tenant = tenant.as_deref().context("a rollout is shown by --tenant and its number")?;
                let path = path(tenant, *rollout)?;
                let mut shown = api.call(Method::GET, &path, None).await?;
                let differences = differing::first(api, &path).await?;
                if !json {
                    differing::print_rollout(&shown, &differences);
                    return Ok(None);
                }
                shown["first_differences"] = Value::from(differences);
                shown
            }
            Self::Rollouts { rollout: None, tenant, name, running } => {
                let base = match tenant {
                    Some(tenant) => format!("/v1/tenants/{}", segment(tenant)?),
                    None => "/v1".to_owned(),
                };
                let mut query = form_urlencoded::Serializer::new(format!("{base}/rollouts?running={running}"));
                if let Some(name) = name {
                    query.append_pair("plugin", name);
                }
                let listed = api.call(Method::GET, &query.finish(), None).await?;
                if !json && items(&listed["rollouts"]).is_empty() {
                    println!("no {}rollouts", if *running { "running " } else { "" });
                    return Ok(None);
                }
                listed
            }
        };
        if !json {
            differing::print_rollouts(&answer);
            return Ok(None);
        }
        Ok(Some(answer))
    }

    async fn canary(&self, api: &Rest) -> anyhow::Result<Value> {
        let Self::Canary { name, tenant, version, settings_revision, binding, share, app, stream, rules } = self else {
            return Ok(Value::Null);
        };
        let rules: Value = match rules {
            None => json!({}),
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?
            }
        };
        let mut body = json!({
            "version": version, "settings_revision": settings_revision, "binding": binding, "share_permille": share,
            "app": app, "stream": stream, "rules": rules,
        });
        match tenant.as_slice() {
            [tenant] => {
                let path = format!("/v1/tenants/{}/plugins/{}/canary", segment(tenant)?, segment(name)?);
                api.call(Method::POST, &path, Some(&body)).await
            }
            tenants => {
                (body["plugin"], body["tenants"], body["kind"]) = (json!(name), json!(tenants), json!("canary"));
                api.call(Method::POST, "/v1/rollouts", Some(&body)).await
            }
        }
    }
}

fn path(tenant: &str, rollout: i64) -> anyhow::Result<String> {
    Ok(format!("/v1/tenants/{}/rollouts/{rollout}", segment(tenant)?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: Candidates,
    }

    #[test]
    fn a_canary_names_its_share_or_its_streams() {
        let canary = "x canary p --tenant acme --version 2";
        for (given, expected) in [
            ("", Err(ErrorKind::MissingRequiredArgument)),
            ("--tenant umbrella", Err(ErrorKind::MissingRequiredArgument)),
            ("--share 1001", Err(ErrorKind::ValueValidation)),
            ("--change 7 --share 10", Err(ErrorKind::UnknownArgument)),
            ("--share 10", Ok(Some(10))),
            ("--app studio", Ok(None)),
            ("--stream cam-*", Ok(None)),
            ("--stream cam-* --share 10", Ok(Some(10))),
        ] {
            let parsed = Line::try_parse_from(canary.split(' ').chain(given.split_whitespace()));
            let share = parsed.map(|line| match line.command {
                Candidates::Canary { share, .. } => share,
                other => panic!("{other:?}"),
            });
            assert_eq!(share.map_err(|error| error.kind()), expected, "{given}");
        }
    }

    #[test]
    fn a_share_is_of_one_rollout_of_one_tenant() {
        for (given, fits) in [
            ("x share 7 --tenant acme --share 10", true),
            ("x share 7 --tenant acme", false),
            ("x share 7 --share 10", false),
            ("x share 7 --tenant acme --tenant umbrella --share 10", false),
        ] {
            assert_eq!(Line::try_parse_from(given.split(' ')).is_ok(), fits, "{given}");
        }
    }
}
