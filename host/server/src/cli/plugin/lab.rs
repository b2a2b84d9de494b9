//! What authors do with a component on their own machine: check, test, run, bench. Nothing here needs a server; the
//! engine, the limits and the checks are the server's.

mod bench;
mod check;
mod run;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::Value;

use crate::lab;

#[derive(Debug, Subcommand)]
pub(super) enum Author {
    /// Check a component exactly as the server does when it is pushed
    Check(check::Check),
    /// Run a plugin's tables of cases through the very engine that will judge it
    Test(test::Test),
    /// Put one question to a component
    Run(run::Run),
    /// Measure what calls cost, beside what they may cost
    Bench(bench::Bench),
}

impl Author {
    pub(super) fn run(&self, json: bool) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check(check) => check.run(json),
            Self::Test(test) => test.run(json),
            Self::Run(run) => run.run(json),
            Self::Bench(bench) => bench.run(json),
        }
    }
}

/// A component that the server would take, ready to be asked.
fn open(lab: &lab::Lab, file: &Path) -> anyhow::Result<lab::Subject> {
    let component = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    lab.admit(&component, None).subject.map_err(|rejected| {
        let file = file.display();
        anyhow::anyhow!(
            "{file} would not be accepted: {}; {} (all steps: reprise plugin check {file})",
            rejected.wrong,
            rejected.mend
        )
    })
}

/// Settings from a file, as they would be pushed.
fn settings(file: &Path) -> anyhow::Result<String> {
    let text = text(file)?;
    serde_json::from_str::<Value>(&text)
        .with_context(|| format!("{} is not JSON; settings are pushed as JSON", file.display()))?;
    Ok(text)
}

/// Settings to ask `subject` with, a component or a project's folder: those given, or else those of the project, and
/// `{}` where it has none.
fn settings_for(subject: &Path, given: Option<&Path>) -> anyhow::Result<String> {
    if let Some(given) = given {
        return settings(given);
    }
    let Some(found) = project_settings(subject) else { return Ok("{}".to_owned()) };
    eprintln!("with the settings of {}", found.display());
    settings(&found)
}

/// The `settings.json` of the project that a path is about: of a folder, or of the one that has a built component in its
/// `build` folder.
fn project_settings(subject: &Path) -> Option<PathBuf> {
    let folder = if subject.is_dir() {
        subject
    } else {
        subject.parent().filter(|folder| folder.ends_with("build"))?.parent()?
    };
    let settings = folder.join("settings.json");
    settings.is_file().then_some(settings)
}

/// JSON from a file, or from the standard input for `-`.
fn json(file: &Path) -> anyhow::Result<Value> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin().lock()).context("cannot read the standard input")?
    } else {
        text(file)?
    };
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", shown(file)))
}

/// What an author calls a file.
fn shown(file: &Path) -> String {
    if file == Path::new("-") { "the standard input".to_owned() } else { file.display().to_string() }
}

fn text(file: &Path) -> anyhow::Result<String> {
    match lab::read_text(file) {
        Ok(text) => Ok(text),
        Err(problem) => bail!("{}: {problem}", file.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projects_own_settings_are_taken_unless_others_are_given() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let (own, other) = (r#"{"rules":[]}"#, r#"{"rules":[1]}"#);
        std::fs::create_dir_all(at("build")).unwrap();
        for (path, text) in [("settings.json", own), ("other.json", other), ("wrong.json", "rules:")] {
            std::fs::write(at(path), text).unwrap();
        }
        for (subject, given, expected) in [
            ("", None, own),
            ("build/policy.wasm", None, own),
            ("policy.wasm", None, "{}"),
            ("build", None, "{}"),
            ("", Some("other.json"), other),
            ("policy.wasm", Some("other.json"), other),
        ] {
            let found = settings_for(&at(subject), given.map(at).as_deref()).unwrap();
            assert_eq!(found, expected, "{subject} {given:?}");
        }
        let wrong = settings_for(&at(""), Some(&at("wrong.json"))).unwrap_err().to_string();
        assert!(wrong.contains("wrong.json is not JSON"), "{wrong}");
    }
}
