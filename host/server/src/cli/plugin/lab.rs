//! What authors do with a component on their own machine: check, test, run, bench. Nothing here needs a server; the
//! engine, the limits and the checks are the server's.

mod bench;
mod check;
mod run;
mod test;

use std::path::Path;
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

/// Settings from a file, as they would be pushed; `{}` without one.
fn settings(file: Option<&Path>) -> anyhow::Result<String> {
    let Some(file) = file else { return Ok("{}".to_owned()) };
    let text = text(file)?;
    serde_json::from_str::<Value>(&text)
        .with_context(|| format!("{} is not JSON; settings are pushed as JSON", file.display()))?;
    Ok(text)
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
