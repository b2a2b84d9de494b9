//! What policies decided and why, and who changed what decides.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::super::query::Query;
use super::decision;
use crate::cli::out::one_line;
use crate::client::Rest;
use crate::client::rest::{items, segment};

#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Search what policies decided, newest first
    Decisions {
        #[command(flatten)]
        filter: Box<Filter>,
        /// Made at this time or later: RFC 3339
        #[arg(long)]
        from: Option<String>,
        /// Made before this time: RFC 3339
        #[arg(long)]
        to: Option<String>,
        /// Older than the decision with this number
        #[arg(long)]
        before: Option<i64>,
        /// Oldest first, newer than the decision with this number
        #[arg(long, conflicts_with = "before")]
        after: Option<i64>,
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Print the question of the decision with this number and nothing else: for `reprise plugin run --question`
        #[arg(long, value_name = "ID")]
        question: Option<i64>,
    },
    /// Tell one decision in plain words
    Decision {
        /// The decision's number, as `plugin decisions` lists it
        id: i64,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// Show decisions as they are made, until interrupted
    Tail {
        #[command(flatten)]
        filter: Box<Filter>,
        /// Begin after the decision with this number instead of with the next one
        #[arg(long)]
        after: Option<i64>,
    },
    /// Tell in plain words why a video came out as it did
    Why {
        /// The video
        video: String,
        /// The tenant; the video's owner by default
        #[arg(long)]
        tenant: Option<String>,
    },
    /// List who changed what decides
    Changes {
        /// The tenant; all of them by default, with the admin's token
        #[arg(long)]
        tenant: Option<String>,
        /// About this plugin
        #[arg(long)]
        plugin: Option<String>,
        /// Of this kind: push, activate, roll-back and the like; another word is answered with all of them
        #[arg(long)]
        action: Option<String>,
        /// Older than the change with this number
        #[arg(long)]
        before: Option<i64>,
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

/// Which decisions.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// The tenant
    #[arg(long)]
    tenant: String,
    /// About this video
    #[arg(long)]
    video: Option<String>,
    /// About this broadcast or a part of it
    #[arg(long)]
    broadcast: Option<String>,
    /// About this event
    #[arg(long)]
    event: Option<String>,
    /// By the candidate of this rollout
    #[arg(long)]
    rollout: Option<i64>,
    /// At this hook
    #[arg(long, value_parser = ["template-group", "compose-rules", "callback"])]
    hook: Option<String>,
    /// Of this ingest domain; `*` stands for any run of characters
    #[arg(long)]
    domain: Option<String>,
    /// Of this application; `*` stands for any run of characters
    #[arg(long)]
    app: Option<String>,
    /// Of this stream; `*` stands for any run of characters
    #[arg(long)]
    stream: Option<String>,
    /// By this plugin
    #[arg(long)]
    plugin: Option<String>,
    /// By this version of the plugin
    #[arg(long, requires = "plugin")]
    version: Option<u32>,
    /// By this component: its SHA-256
    #[arg(long)]
    digest: Option<String>,
    /// Only where the policy failed
    #[arg(long)]
    failed: bool,
    /// Only where it failed like this: trap, fuel, deadline and the like
    #[arg(long)]
    failure: Option<String>,
    /// Only where this was done
    #[arg(long, value_parser = ["answer", "default", "fallback", "rejected"])]
    applied: Option<String>,
}

impl Filter {
    fn query(&self, below: &str) -> Query {
        Query::new(&format!("/v1/tenants/{}/decisions{below}", self.tenant))
            .with("video_id", self.video.as_ref())
            .with("broadcast", self.broadcast.as_ref())
            .with("event_id", self.event.as_ref())
            .with("rollout", self.rollout.as_ref())
            .with("hook", self.hook.as_ref())
            .with("domain", self.domain.as_ref())
            .with("app", self.app.as_ref())
            .with("stream", self.stream.as_ref())
            .with("plugin", self.plugin.as_ref())
            .with("version", self.version.as_ref())
            .with("digest", self.digest.as_ref())
            .with("failed", self.failed.then_some(true).as_ref())
            .with("failure", self.failure.as_ref())
            .with("applied", self.applied.as_ref())
    }
}

impl Log {
    /// Asks and prints.
    pub(super) async fn run(&self, api: &Rest, json: bool) -> anyhow::Result<()> {
        match self {
            Self::Decisions { filter, question: Some(id), .. } => {
                let path = format!("/v1/tenants/{}/decisions/{id}", filter.tenant);
                let decision = api.call(Method::GET, &path, None).await?;
                let question = decision.get("question").filter(|question| !question.is_null());
                let question = question.with_context(|| format!("decision {id} has no question: nobody was asked"))?;
                println!("{}", serde_json::to_string_pretty(question)?);
            }
            Self::Decisions { filter, from, to, before, after, limit, question: None } => {
                let query = filter
                    .query("")
                    .with("from", from.as_ref())
                    .with("to", to.as_ref())
                    .with("before", before.as_ref())
                    .with("after", after.as_ref())
                    .with("limit", Some(limit));
                let found = api.call(Method::GET, query.path(), None).await?;
                if json {
                    println!("{found}");
                } else {
                    println!("{}", lines(&found).join("\n"));
                }
            }
            Self::Decision { id, tenant } => {
                let path = format!("/v1/tenants/{}/decisions/{id}", segment(tenant)?);
                let decision = api.call(Method::GET, &path, None).await?;
                if json {
                    println!("{decision}");
                } else {
                    println!("{}", decision::told(tenant, &decision).join("\n"));
                }
            }
            Self::Tail { filter, after } => {
                let after = after.map(|after| after.to_string());
                let path = filter.query("/tail");
                api.follow(path.path(), after, |event| {
                    let line = match serde_json::from_str(&event.data) {
                        Ok(decision) if !json => line(&decision),
                        _ => event.data,
                    };
                    println!("{line}");
                    Ok(())
                })
                .await?;
            }
            Self::Why { video, tenant } => {
                let path = match tenant {
                    Some(tenant) => format!("/v1/tenants/{tenant}/videos/{video}/why"),
                    None => format!("/v1/videos/{video}/why"),
                };
                let why = api.call(Method::GET, &path, None).await?;
                if json {
                    println!("{why}");
                } else {
                    for sentence in why["sentences"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                        println!("{}", one_line(sentence));
                    }
                }
            }
            Self::Changes { tenant, plugin, action, before, limit } => {
                let below = tenant.as_ref().map(|tenant| format!("/tenants/{tenant}")).unwrap_or_default();
                let query = Query::new(&format!("/v1{below}/changes"))
                    .with("plugin", plugin.as_ref())
                    .with("action", action.as_ref())
                    .with("before", before.as_ref())
                    .with("limit", Some(limit));
                let found = api.call(Method::GET, query.path(), None).await?;
                if json {
                    println!("{found}");
                } else {
                    println!("{}", change_lines(&found).join("\n"));
                }
            }
        }
        Ok(())
    }
}

/// A page of decisions as a table, and how to get the next page.
fn lines(found: &Value) -> Vec<String> {
    let mut lines: Vec<String> = found["decisions"].as_array().into_iter().flatten().map(line).collect();
    for (field, flag) in [("next_before", "--before"), ("next_after", "--after")] {
        if let Some(next) = found[field].as_i64() {
            lines.push(format!("more: {flag} {next}"));
        }
    }
    if lines.is_empty() {
        lines.push("no decisions".to_owned());
    }
    lines
}

/// A decision in one line: number, time, hook, stream, who, what was said, what was done, and why.
fn line(decision: &Value) -> String {
    let text = |field: &str| decision[field].as_str().unwrap_or_default();
    let made = &decision["provenance"];
    let who = match made["plugin"].as_str() {
        Some(plugin) => {
            let rollout = made["rollout"].as_i64().map(|id| format!(" (rollout {id})")).unwrap_or_default();
            format!("{plugin}@{}/{}{rollout}", made["version"], made["settings_revision"])
        }
        None => "-".to_owned(),
    };
    let why = made["reason"].as_str().map(|reason| format!("  {}", one_line(reason))).unwrap_or_default();
    format!(
        "{:>8}  {}  {:<14}  {}/{}  {who}  {}  {}{why}",
        decision["id"].as_i64().unwrap_or(0),
        text("at"),
        text("hook"),
        text("app"),
        text("stream"),
        decision::said(decision),
        text("applied"),
    )
}

/// A page of changes, and how to get the next page.
fn change_lines(found: &Value) -> Vec<String> {
    let mut lines: Vec<String> = items(&found["changes"]).iter().map(change_line).collect();
    lines.extend(found["next_before"].as_i64().map(|next| format!("more: --before {next}")));
    if lines.is_empty() {
        lines.push("no changes".to_owned());
    }
    lines
}

fn change_line(change: &Value) -> String {
    let text = |field: &str| change[field].as_str().unwrap_or("-");
    format!(
        "{:>6}  {}  {}  {}  {}  {}  {}",
        change["id"],
        text("at"),
        text("tenant"),
        text("actor"),
        text("action"),
        text("plugin"),
        change["detail"]
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_decision_is_one_line() {
        let decision = json!({
            "id": 12, "at": "2027-01-01T00:00:00.000Z", "hook": "template-group", "app": "studio", "stream": "cam",
            "verdict": {"answered": {"template-group": {"group": "hd"}}}, "applied": "answer",
            "question": {"template-group": {"groups": [{"id": "hd", "name": "High"}]}},
            "provenance": {"plugin": "groups", "version": 3, "settings_revision": 2, "rollout": 7,
                "reason": "tall\u{1b}[2J\npicture"},
        });
        assert_eq!(
            line(&decision),
            "      12  2027-01-01T00:00:00.000Z  template-group  studio/cam  groups@3/2 (rollout 7)  group High  answer  \
             tall [2J picture"
        );
        for (verdict, word) in [
            (json!("no_policy"), "no policy"),
            (json!({"failed": {"kind": "trap", "message": "x\ny"}}), "FAILED trap: x y"),
            (json!({"failed": {"kind": "fuel", "message": ""}}), "FAILED fuel"),
            (json!({"answered": {"template-group": {"group": "hd"}}}), "group hd"),
            (json!({"answered": {"callback": "drop"}}), "drop"),
            (json!({"answered": {"compose-rules": {"compose": {"ranges": []}}}}), "compose"),
            (json!({"answered": {"callback": {"replace": {"body": "{}"}}}}), "replace"),
        ] {
            assert_eq!(decision::said(&json!({"verdict": verdict})), word);
        }
        assert_eq!(change_lines(&json!({"changes": []})), ["no changes"]);
        assert_eq!(lines(&json!({"decisions": []})), ["no decisions"]);
        assert_eq!(lines(&json!({"decisions": [], "next_before": 5})), ["more: --before 5"]);
    }
}
