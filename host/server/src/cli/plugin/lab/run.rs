//! `reprise plugin run`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use reprise_lifecycle::decision::Verdict;
use reprise_lifecycle::question::Hook;
use reprise_policy::{Evaluation, StateSnapshot, sample};
use serde_json::{Value, json};

use crate::cli::out::one_line;
use crate::lab::expected::given;
use crate::lab::{Lab, Subject, question, read_state, text, writes};

const EXAMPLE: &str = r#"The question is a whole one, as `reprise plugin decisions` has it, or a JSON merge patch over the sample.

Example:
  reprise plugin run . --hook template-group
  echo '{"part": {"video": {"height": 720}}}' | reprise plugin run . --hook template-group --question -
  reprise plugin run policy.wasm --settings settings.json --question question.json
  reprise plugin run --sample template-group

The exit code is 0 if the policy answered within bounds, 1 if it failed."#;

/// The names of all hooks, for the command line.
const HOOKS: [&str; 3] = ["template-group", "compose-rules", "callback"];

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(in crate::cli::plugin) struct Run {
    /// The component, or the folder of a project that was built
    #[arg(required_unless_present = "sample")]
    file: Option<PathBuf>,
    /// Where it is asked; needed if the component has several hooks
    #[arg(long, value_parser = HOOKS)]
    hook: Option<String>,
    /// The question: a JSON file, `-` for the standard input; the sample without it
    #[arg(long, value_name = "FILE")]
    question: Option<PathBuf>,
    /// Settings: a JSON file; without it `settings.json` of the project that FILE is of, else `{}`
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The plugin's state: a JSON file with an object of texts
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Print the sample question of a hook and do nothing else
    #[arg(long, value_name = "HOOK", value_parser = HOOKS)]
    sample: Option<String>,
}

impl Run {
    pub(super) fn run(&self, json: bool) -> anyhow::Result<ExitCode> {
        if let Some(hook) = &self.sample {
            let hook = named(hook)?;
            let fields = question::inner(hook, &sample::question(hook)).map_err(anyhow::Error::msg)?;
            println!("{}", if json { fields.to_string() } else { text::pretty(&fields) });
            return Ok(ExitCode::SUCCESS);
        }
        let file = self.file.as_deref().context("name a component")?;
        let lab = Lab::new()?;
        let subject = super::open(&lab, &crate::lab::project::component_of(file)?)?;
        let hook = self.hook(&subject)?;
        let asked = match &self.question {
            None => sample::question(hook),
            Some(file) => question::either(hook, &super::json(file)?)
                .map_err(|problem| anyhow::anyhow!("{}: {problem}", super::shown(file)))?,
        };
        let settings = super::settings_for(file, self.settings.as_deref())?;
        let state = match &self.state {
            None => StateSnapshot::default(),
            Some(file) => read_state(&super::json(file)?)
                .map_err(|problem| anyhow::anyhow!("{}: {problem}", super::shown(file)))?
                .into(),
        };
        if let Some(refusal) = lab.refusal(&subject, &settings) {
            eprintln!("warning: the server would not take these settings: {refusal}");
        }
        let evaluation = lab.ask(&subject, &asked, &settings, &state);
        let answer = given(&asked, &evaluation.verdict, None);
        let failure = match &evaluation.verdict {
            Verdict::Failed(failure) => Some(failure),
            Verdict::Answered(_) | Verdict::NoPolicy => None,
        };
        if json {
            let limits = &subject.limits;
            println!(
                "{}",
                json!({"hook": hook.name(), "answer": answer, "failure": failure, "reason": evaluation.reason,
                    "writes": writes(&evaluation.writes), "log": evaluation.log, "fuel": evaluation.fuel,
                    "elapsed_us": evaluation.elapsed_us, "memory_bytes": evaluation.memory_bytes,
                    "limits": {"fuel": limits.fuel, "cpu_us": limits.cpu.as_micros() as u64,
                        "wall_us": limits.wall.as_micros() as u64, "memory_bytes": limits.memory_bytes}})
            );
        } else {
            print(&subject, &evaluation, &answer);
        }
        Ok(if failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn hook(&self, subject: &Subject) -> anyhow::Result<Hook> {
        let has = &subject.inspection.hooks;
        let names: Vec<&str> = has.iter().map(|hook| hook.name()).collect();
        let hook = match (&self.hook, has.as_slice()) {
            (Some(name), _) => named(name)?,
            (None, [only]) => *only,
            (None, _) => bail!("say with --hook where it is asked: {}", names.join(", ")),
        };
        if !has.contains(&hook) {
            bail!("the component has no hook `{}`, only {}", hook.name(), names.join(", "));
        }
        Ok(hook)
    }
}

fn named(name: &str) -> anyhow::Result<Hook> {
    let hook = Hook::ALL.into_iter().find(|hook| hook.name() == name);
    hook.with_context(|| format!("there is no hook {name}; there are {}", HOOKS.join(", ")))
}

fn print(subject: &Subject, evaluation: &Evaluation, answer: &Value) {
    let line = |name: &str, what: &str| println!("{name:<9} {}", text::indent(what).trim_start());
    line("answer", &text::pretty(answer));
    if let Verdict::Failed(failure) = &evaluation.verdict {
        line("message", &failure.message);
    }
    if let Some(reason) = &evaluation.reason {
        line("reason", reason);
    }
    for write in &evaluation.writes {
        line("write", &written(&write.key, write.value.as_deref()));
    }
    for logged in &evaluation.log {
        line("log", logged);
    }
    let limits = &subject.limits;
    let (fuel, memory, most) = (evaluation.fuel, evaluation.memory_bytes, limits.memory_bytes as u64);
    line(
        "fuel",
        &format!("{} of {} ({})", text::count(fuel), text::count(limits.fuel), text::share(fuel, limits.fuel)),
    );
    line(
        "time",
        &format!(
            "{} (limits: {} ms of processor time, {} ms of time of day)",
            text::micros(evaluation.elapsed_us),
            limits.cpu.as_millis(),
            limits.wall.as_millis()
        ),
    );
    line("memory", &format!("{} of {} ({})", text::bytes(memory), text::bytes(most), text::share(memory, most)));
}

/// A write to the state, on one line: the host cleans answers, reasons and logs, and keeps what is written as it is.
fn written(key: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("{} = {}", one_line(key), one_line(value)),
        None => format!("{} is deleted", one_line(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_writes_moves_no_cursor() {
        assert_eq!(written("a\u{1b}[2J", Some("b\r\nfuel  0\u{9b}1A")), "a [2J = b  fuel  0 1A");
        assert_eq!(written("a\n", None), "a  is deleted");
    }
}
