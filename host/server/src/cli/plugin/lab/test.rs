//! `reprise plugin test`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::lab::{Lab, Outcome, Subject, Table, judge, project, text, update, writes};

const EXAMPLE: &str = r#"A table is a JSON file, by default each `tests/*.json` of the project:

  {"hook": "template-group", "settings": {"rules": []}, "cases": [
    {"name": "tall pictures go to HD", "question": {"part": {"video": {"height": 1080}}}, "expect": {"group": "HD"}},
    {"name": "the rest stays as it is", "question": {"part": {"video": null}}, "expect": "use_default"}]}

`question` names what differs from the sample question (JSON merge patch; `reprise plugin run --sample HOOK` shows the
sample; in `parts` each element is a patch over the sample part of its position). `question_file` is a whole question
instead, as a decision was recorded with. Further fields of a case: `settings` (a text is given as it is), `state`,
`reason`, `writes`, `fuel_at_most`, `description`.

`expect` is "use_default", {"group": NAME}                          at template-group,
            "use_default", "skip", {"compose": {"ranges": […]}}     at compose-rules,
            "unchanged", "drop", {"replace": {"body": {…}}}         at callback,
            {"failed": "trap"} or {"refused": PART OF THE MESSAGE}  anywhere.

Example:
  reprise plugin build && reprise plugin test
  reprise plugin test --filter HD --update"#;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(in crate::cli::plugin) struct Test {
    /// The project's folder, or a component (then the cases are those of this folder)
    #[arg(default_value = ".", value_name = "FOLDER|FILE.wasm")]
    what: PathBuf,
    /// The component; the one last built in the folder by default
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Files of cases; `*` stands for any run of characters, `**` for any folders
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    cases: Vec<String>,
    /// Write what came in place of what was expected, and leave everything else in the files as it is
    #[arg(long)]
    update: bool,
    /// Only cases with this text in their name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// What is counted.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    /// Failed, and `--update` made it right.
    updated: usize,
}

impl Test {
    pub(super) fn run(&self, json: bool) -> anyhow::Result<ExitCode> {
        let folder = if self.what.is_dir() { self.what.as_path() } else { Path::new(".") };
        let component = match &self.component {
            Some(component) => component.clone(),
            None => project::component_of(&self.what)?,
        };
        let tables = self.tables(folder)?;
        if let Some(source) = project::newer_source(folder, &component) {
            eprintln!(
                "warning: {} is newer than {}; run `reprise plugin build` so that the cases test what is written",
                source.display(),
                component.display()
            );
        }
        let lab = Lab::new()?;
        let subject = super::open(&lab, &component)?;
        for table in &tables {
            check_hook(&subject, table)?;
        }
        let (mut tally, mut shown) = (Tally::default(), Vec::new());
        for table in &tables {
            self.run_table(&lab, &subject, table, json.then_some(&mut shown), &mut tally)?;
        }
        let ran = tally.passed + tally.failed;
        if ran == 0 {
            bail!("--filter {:?} names no case", self.filter.as_deref().unwrap_or_default());
        }
        if json {
            println!(
                "{}",
                json!({"component": component, "digest": subject.inspection.digest, "cases": shown,
                    "passed": tally.passed, "failed": tally.failed, "updated": tally.updated})
            );
        } else {
            let updated = if tally.updated > 0 { format!(" ({} updated)", tally.updated) } else { String::new() };
            println!("{ran} cases: {} passed, {} failed{updated}", tally.passed, tally.failed);
        }
        Ok(if tally.failed > tally.updated { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// All tables; what is wrong with any of them is said at once.
    fn tables(&self, folder: &Path) -> anyhow::Result<Vec<Table>> {
        let (mut tables, mut problems) = (Vec::new(), Vec::new());
        for file in project::tables(folder, &self.cases)? {
            match Table::open(&file) {
                Ok(table) => tables.push(table),
                Err(error) => problems.push(error.to_string()),
            }
        }
        if !problems.is_empty() {
            bail!("{}", problems.join("\n       "));
        }
        Ok(tables)
    }

    fn run_table(
        &self,
        lab: &Lab,
        subject: &Subject,
        table: &Table,
        mut shown: Option<&mut Vec<Value>>,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let mut refusals: BTreeMap<&str, Option<String>> = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(table.cases.len());
        for case in &table.cases {
            if self.filter.as_ref().is_some_and(|filter| !case.name.contains(filter.as_str())) {
                outcomes.push(None);
                continue;
            }
            let refusal =
                refusals.entry(&case.settings).or_insert_with(|| lab.refusal(subject, &case.settings)).clone();
            let evaluation = lab.ask(subject, &case.question, &case.settings, &case.state.clone().into());
            let outcome = judge(case, evaluation, refusal.as_deref());
            match &mut shown {
                Some(shown) => shown.push(as_json(&table.file, &case.name, &outcome)),
                None => print(&table.file, &case.name, &outcome),
            }
            if outcome.holds() {
                tally.passed += 1;
            } else {
                tally.failed += 1;
                tally.updated += usize::from(self.update && !outcome.lasts);
            }
            outcomes.push(Some(outcome));
        }
        if self.update {
            let updated = update(table, &outcomes);
            if !updated.changes.is_empty() {
                std::fs::write(&table.file, updated.text)
                    .with_context(|| format!("cannot write {}", table.file.display()))?;
            }
            for (name, fields) in updated.changes {
                eprintln!("updated {}: {name}: {}", table.file.display(), fields.join(", "));
            }
        }
        Ok(())
    }
}

fn check_hook(subject: &Subject, table: &Table) -> anyhow::Result<()> {
    let hooks = &subject.inspection.hooks;
    let asked = table.cases.iter().map(|case| case.question.hook()).find(|hook| !hooks.contains(hook));
    let Some(hook) = asked else { return Ok(()) };
    let has: Vec<&str> = hooks.iter().map(|hook| hook.name()).collect();
    bail!(
        "{}: the component has no hook `{}`, only {}; export it, or take the table away",
        table.file.display(),
        hook.name(),
        has.join(", ")
    )
}

fn print(file: &Path, name: &str, outcome: &Outcome) {
    let evaluation = &outcome.evaluation;
    let (fuel, time) = (text::count(evaluation.fuel), text::micros(evaluation.elapsed_us));
    let state = if outcome.holds() { "ok   " } else { "FAIL " };
    println!("{state} {}: {name} ({fuel} fuel, {time})", file.display());
    if outcome.holds() {
        return;
    }
    let mut lines = outcome.problems.clone();
    lines.extend(outcome.failure.iter().map(|message| format!("message: {message}")));
    lines.extend(evaluation.reason.iter().map(|reason| format!("reason: {reason}")));
    lines.extend(evaluation.log.iter().map(|line| format!("log: {line}")));
    for line in lines {
        println!("{}", text::indent(&text::indent(&text::indent(&line))));
    }
}

fn as_json(file: &Path, name: &str, outcome: &Outcome) -> Value {
    let evaluation = &outcome.evaluation;
    json!({"file": file, "case": name, "passed": outcome.holds(), "problems": outcome.problems,
        "answer": outcome.answer, "failure": outcome.failure, "reason": evaluation.reason,
        "writes": writes(&evaluation.writes), "log": evaluation.log, "fuel": evaluation.fuel,
        "elapsed_us": evaluation.elapsed_us, "memory_bytes": evaluation.memory_bytes})
}
