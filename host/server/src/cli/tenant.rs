//! `reprise tenant`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::Server;
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

/// An object as `key: value` lines, a list as one block for each member.
pub(super) fn print_plain(value: &Value) {
    match value {
        Value::Array(members) => {
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    println!();
                }
                print_plain(member);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) => println!("{name}: {text}"),
                    Value::Array(members) if members.iter().all(Value::is_object) => {
                        println!("{name}:");
                        print_plain(value);
                    }
                    other => println!("{name}: {other}"),
                }
            }
        }
        other => println!("{other}"),
    }
}
