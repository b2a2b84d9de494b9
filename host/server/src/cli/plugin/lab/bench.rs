//! `reprise plugin bench`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reprise_lifecycle::question::{Hook, Question};
use reprise_policy::{StateSnapshot, sample};
use serde_json::{Value, json};

use crate::lab::{Figures, Lab, Subject, Table, measure, project, text};

const EXAMPLE: &str =
    "Measured are the cases of --cases, or those of the folder (tests/*.json), each with its own settings; or the sample
questions, if there are no cases or --settings is given. The limits are those of the component's class; an operator may
have set others.

Example:
  reprise plugin bench build/policy.wasm --seconds 5";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(in crate::cli::plugin) struct Bench {
    /// The component, or the folder of a project that was built
    #[arg(default_value = ".")]
    file: PathBuf,
    /// Files of cases; `*` stands for any run of characters, `**` for any folders
    #[arg(long, value_name = "GLOB", num_args = 1.., conflicts_with = "settings")]
    cases: Vec<String>,
    /// How long to measure, all cases together
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Measure the sample questions with these settings: a JSON file; without it `settings.json` of the project that
    /// FILE is of, else `{}`
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

/// One thing to measure.
struct Subjected {
    name: String,
    question: Question,
    settings: String,
    state: StateSnapshot,
}

impl Bench {
    pub(super) fn run(&self, json: bool) -> anyhow::Result<ExitCode> {
        let lab = Lab::new()?;
        let subject = super::open(&lab, &project::component_of(&self.file)?)?;
        let asked = self.asked(&subject)?;
        let each = Duration::from_secs(self.seconds) / u32::try_from(asked.len().max(1)).unwrap_or(u32::MAX);
        let mut rows = Vec::with_capacity(asked.len());
        for one in &asked {
            eprintln!("measuring {}", one.name);
            let figures = measure(&lab, &subject, &one.question, &one.settings, &one.state, each);
            rows.push((one, figures));
        }
        let verdict = verdict(&rows);
        if json {
            let rows: Vec<Value> = rows
                .iter()
                .map(|(one, figures)| json!({"case": one.name, "hook": one.question.hook().name(), "figures": figures}))
                .collect();
            println!("{}", json!({"digest": subject.inspection.digest, "cases": rows, "verdict": verdict}));
        } else {
            print(&subject, &rows);
            println!("{verdict}");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn asked(&self, subject: &Subject) -> anyhow::Result<Vec<Subjected>> {
        if self.settings.is_some() {
            return self.samples(subject);
        }
        let folder = if self.file.is_dir() { self.file.as_path() } else { Path::new(".") };
        let files = match project::tables(folder, &self.cases) {
            Ok(files) => files,
            Err(error) if !self.cases.is_empty() => return Err(error),
            Err(_) => Vec::new(),
        };
        let mut asked = Vec::new();
        for file in files {
            for case in Table::open(&file)?.cases {
                let state = case.state.into();
                asked.push(Subjected { name: case.name, question: case.question, settings: case.settings, state });
            }
        }
        let has = |hook: Hook| subject.inspection.hooks.contains(&hook);
        asked.retain(|one| has(one.question.hook()));
        if asked.is_empty() { self.samples(subject) } else { Ok(asked) }
    }

    /// The sample question of each hook.
    fn samples(&self, subject: &Subject) -> anyhow::Result<Vec<Subjected>> {
        let settings = super::settings_for(&self.file, self.settings.as_deref())?;
        let samples = subject.inspection.hooks.iter().map(|hook| Subjected {
            name: format!("sample {}", hook.name()),
            question: sample::question(*hook),
            settings: settings.clone(),
            state: StateSnapshot::default(),
        });
        Ok(samples.collect())
    }
}

fn print(subject: &Subject, rows: &[(&Subjected, Figures)]) {
    /// Columns for a case's name; longer ones are cut.
    const NAME: usize = 36;

    println!(
        "{:<NAME$} {:>7} {:>19} {:>9} {:>17} {:>9} {:>19} {:>7}",
        "case", "calls", "fuel", "cpu p50", "cpu p99", "wall p99", "memory", "start"
    );
    let limits = &subject.limits;
    println!(
        "{:<NAME$} {:>7} {:>19} {:>9} {:>17} {:>9} {:>19} {:>7}",
        "(limit)",
        "",
        text::count(limits.fuel),
        "",
        format!("{} ms", limits.cpu.as_millis()),
        format!("{} ms", limits.wall.as_millis()),
        text::bytes(limits.memory_bytes as u64),
        ""
    );
    for (one, figures) in rows {
        let name: String = one.name.chars().take(NAME).collect();
        let of = |shown: String, quantity: crate::lab::Quantity| {
            format!("{shown} ({})", text::share(quantity.used, quantity.limit))
        };
        println!(
            "{name:<NAME$} {:>7} {:>19} {:>9} {:>17} {:>9} {:>19} {:>7}{}",
            figures.calls,
            of(text::count(figures.fuel.used), figures.fuel),
            text::micros(figures.cpu_p50_us.used),
            of(text::micros(figures.cpu_p99_us.used), figures.cpu_p99_us),
            text::micros(figures.wall_p99_us.used),
            of(text::bytes(figures.memory_bytes.used), figures.memory_bytes),
            format!("{} %", figures.instantiate_percent),
            if figures.failed { "  (failed)" } else { "" }
        );
    }
    println!("start: the share of a call that goes into making a fresh instance and dropping it");
}

/// What is close to a limit; if nothing is, what comes closest.
fn verdict(rows: &[(&Subjected, Figures)]) -> String {
    let all = rows
        .iter()
        .flat_map(|(one, figures)| figures.limited().map(|(what, quantity)| (one.name.as_str(), what, quantity)));
    let say = |(name, what, quantity): (&str, &str, crate::lab::Quantity)| {
        format!("{what} at {} of the limit ({name})", text::share(quantity.used, quantity.limit))
    };
    let close: Vec<String> = all.clone().filter(|(_, _, quantity)| quantity.is_close()).map(say).collect();
    if !close.is_empty() {
        return format!("more than half of a limit is used: {}", close.join("; "));
    }
    let part =
        |quantity: crate::lab::Quantity| u128::from(quantity.used) * 1_000_000 / u128::from(quantity.limit.max(1));
    match all.max_by_key(|(_, _, quantity)| part(*quantity)) {
        Some(most) => format!("nothing uses more than half of a limit; closest is {}", say(most)),
        None => "nothing was measured".to_owned(),
    }
}
