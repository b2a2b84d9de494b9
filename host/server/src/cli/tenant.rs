//! `reprise tenant`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::Server;
use super::out::one_line;
use crate::client::rest::segment;

#[derive(Debug, Args)]
pub(super) struct Tenant {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: Server,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a tenant; its secrets are shown once
    Create {
        /// Lower-case letters, digits, hyphens
        name: String,
        /// Ingest domain
        #[arg(long)]
        push_domain: String,
        /// Play domain
        #[arg(long)]
        play_domain: String,
        /// Take push URLs without a signature
        #[arg(long)]
        no_push_auth: bool,
    },
    /// List all tenants
    List,
    /// Show one tenant
    Show {
        /// Its name
        name: String,
    },
    /// Change what a tenant asks for
    Change {
        /// Its name
        name: String,
        /// Whether plugins must be signed; only the admin may switch it off
        #[arg(long, value_name = "BOOL")]
        require_signature: Option<bool>,
        /// Whether push URLs must be signed
        #[arg(long, value_name = "BOOL")]
        push_auth: Option<bool>,
        /// Whether playback URLs must be signed
        #[arg(long, value_name = "BOOL")]
        url_auth: Option<bool>,
    },
    /// Remove a tenant that owns nothing any more
    Delete {
        /// Its name
        name: String,
    },
}

impl Tenant {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::runtime()?.block_on(async {
            let api = self.server.client()?;
            match &self.command {
                Command::Create { name, push_domain, play_domain, no_push_auth } => {
                    let body = json!({"name": name, "push_domain": push_domain, "play_domain": play_domain});
                    let made = api.call(Method::POST, "/v1/tenants", Some(&body)).await?;
                    if *no_push_auth {
                        let path = format!("/v1/tenants/{}", segment(name)?);
                        api.call(Method::PATCH, &path, Some(&json!({"push_auth": false}))).await?;
                    }
                    self.print(&made);
                }
                Command::List => self.print(&api.call(Method::GET, "/v1/tenants", None).await?),
                Command::Show { name } => {
                    self.print(&api.call(Method::GET, &format!("/v1/tenants/{}", segment(name)?), None).await?);
                }
                Command::Change { name, require_signature, push_auth, url_auth } => {
                    let body =
                        json!({"require_signature": require_signature, "push_auth": push_auth, "url_auth": url_auth});
                    let path = format!("/v1/tenants/{}", segment(name)?);
                    self.print(&api.call(Method::PATCH, &path, Some(&body)).await?);
                }
                Command::Delete { name } => {
                    api.call(Method::DELETE, &format!("/v1/tenants/{}", segment(name)?), None).await?;
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    fn print(&self, answer: &Value) {
        if self.json {
            println!("{answer}");
        } else {
            print_plain(answer);
        }
    }
}

/// Prints [`plain_lines`].
pub(super) fn print_plain(value: &Value) {
    for line in plain_lines(value) {
        println!("{line}");
    }
}

/// An object as `key: value` lines, a list as one block for each member; what is within another stands further in.
pub(super) fn plain_lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    match value {
        Value::Array(members) => {
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    lines.push(String::new());
                }
                lines.extend(plain_lines(member));
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = one_line(name);
                match on_one_line(value) {
                    Some(text) => lines.push(format!("{name}: {text}")),
                    None => {
                        lines.push(format!("{name}:"));
                        let inner = plain_lines(value).into_iter();
                        lines.extend(inner.map(|line| if line.is_empty() { line } else { format!("  {line}") }));
                    }
                }
            }
        }
        scalar => lines.extend(on_one_line(scalar)),
    }
    lines
}

/// What needs no lines of its own: one word, or a list of such words.
fn on_one_line(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("-".to_owned()),
        Value::String(text) => Some(one_line(text)),
        Value::Array(members) if members.is_empty() => Some("none".to_owned()),
        Value::Array(members) if members.iter().all(|member| !member.is_object() && !member.is_array()) => {
            let words: Vec<String> = members.iter().filter_map(on_one_line).collect();
            Some(words.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => Some("none".to_owned()),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_are_plain_too() {
        let answer = json!({
            "a": "x", "b": null, "c": [1, "two"], "d": [], "e": {}, "f": {"g": 5, "h": {"i": true}},
            "j": [{"k": 1}, {"k": 2}],
        });
        let expected = [
            "a: x",
            "b: -",
            "c: 1, two",
            "d: none",
            "e: none",
            "f:",
            "  g: 5",
            "  h:",
            "    i: true",
            "j:",
            "  k: 1",
            "",
            "  k: 2",
        ];
        assert_eq!(plain_lines(&answer), expected);
    }

    #[test]
    fn what_a_guest_wrote_stays_on_its_line() {
        let state = json!({"entries": [{"key\u{1b}[2J": "a\r\nrevision: 9\u{9b}1A", "list": ["b\tc"]}], "revision": 1});
        let expected = ["entries:", "  key [2J: a  revision: 9 1A", "  list: b c", "revision: 1"];
        assert_eq!(plain_lines(&state), expected);
    }
}
