//! `reprise plugin check`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use crate::lab::{Lab, project};

const EXAMPLE: &str = "Example:
  reprise plugin check build/policy.wasm --settings settings.json

Each step is one line. The exit code is 0 if a server would accept the component, 1 if not; then the last lines say
what is wrong and how to mend it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(in crate::cli::plugin) struct Check {
    /// The component, as `reprise plugin build` made it
    file: PathBuf,
    /// Settings it is to be bound with: a JSON file
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

impl Check {
    pub(super) fn run(&self, json: bool) -> anyhow::Result<ExitCode> {
        if self.file.is_dir() {
            let folder = self.file.display();
            match project::component_of(&self.file) {
                Ok(built) => bail!(
                    "{folder} is a folder, and a component is checked: run `reprise plugin build {folder}`, then \
                     `reprise plugin check {}`",
                    built.display()
                ),
                Err(error) => return Err(error),
            }
        }
        let component = std::fs::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        let settings = self.settings.as_deref().map(super::settings).transpose()?;
        let admission = Lab::new()?.admit(&component, settings.as_deref());
        let rejected = admission.subject.as_ref().err();
        if json {
            let accepted = rejected.is_none();
            println!(
                "{}",
                json!({"file": self.file, "accepted": accepted, "steps": admission.steps, "rejected": rejected})
            );
        } else {
            for step in &admission.steps {
                println!("ok    {:<10} {}", step.step, step.found);
            }
            if let Some(rejected) = rejected {
                println!("MEND  {:<10} {}\n      {:<10} {}", rejected.step, rejected.wrong, "", rejected.mend);
            }
        }
        Ok(if rejected.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
