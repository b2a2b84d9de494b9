//! What a plugin is asked with: its settings and its own memory.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

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
    /// Show settings: the newest, or those of a revision
    Show {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// Those of this revision; the newest by default
        #[arg(long)]
        revision: Option<u32>,
        /// Write the settings alone, as they were given, to this file; one that is there is left alone
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
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

/// The one revision of a history that was asked for.
fn of_revision(history: &Value, revision: u32, name: &str) -> anyhow::Result<Value> {
    let found = history["revisions"].get(0).filter(|found| found["revision"] == revision);
    found.cloned().with_context(|| {
        format!(
            "there is no revision {revision} of the settings of `{name}`; `reprise plugin settings history` lists them"
        )
    })
}

/// Puts settings into a new file, so that `push`, `set` and `run` can take them as they were.
fn write(file: &Path, shown: &Value) -> anyhow::Result<Value> {
    let settings = shown["settings"].as_str().context("the server told no settings")?;
    let written = std::fs::File::create_new(file).and_then(|mut file| file.write_all(settings.as_bytes()));
    written.with_context(|| format!("cannot write {}; name another file with --output", file.display()))?;
    Ok(json!({"revision": shown["revision"], "file": file.display().to_string(), "bytes": settings.len()}))
}

impl Settings {
    pub(super) async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        let path = |tenant: &str, name: &str, what: &str| -> anyhow::Result<String> {
            Ok(format!("/v1/tenants/{}/plugins/{}/{what}", segment(tenant)?, segment(name)?))
        };
        match self {
            Self::Settings(Action::Show { name, tenant, revision, output }) => {
                let what = match revision {
                    // The newest of those before the next one: that one, if it is kept.
                    Some(revision) => format!("settings/history?before={}&limit=1", revision.saturating_add(1)),
                    None => "settings".to_owned(),
                };
                let shown = api.call(Method::GET, &path(tenant, name, &what)?, None).await?;
                let shown = match revision {
                    Some(revision) => of_revision(&shown, *revision, name)?,
                    None => shown,
                };
                match output {
                    Some(file) => write(file, &shown),
                    None => Ok(shown),
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_revision_is_shown_or_said_to_be_missing() {
        let history = json!({"revisions": [{"revision": 4, "settings": "{ \"a\": 1 }"}]});
        assert_eq!(of_revision(&history, 4, "p").unwrap()["settings"], "{ \"a\": 1 }");
        // Revision 5 is not kept any more, so the newest before the next one is another.
        for (history, revision) in [(&history, 5), (&json!({"revisions": []}), 4)] {
            let error = of_revision(history, revision, "p").unwrap_err().to_string();
            assert!(error.contains(&format!("no revision {revision} of the settings of `p`")), "{error}");
        }
    }

    #[test]
    fn settings_are_written_as_they_were_given_and_over_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        let shown = json!({"revision": 4, "settings": "{ \"a\": 1 }\n"});
        assert_eq!(write(&file, &shown).unwrap()["revision"], 4);
        let error = write(&file, &json!({"revision": 5, "settings": "{}"})).unwrap_err().to_string();
        assert!(error.contains("--output"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{ \"a\": 1 }\n");
    }
}
