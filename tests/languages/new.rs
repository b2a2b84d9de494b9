//! What `reprise plugin new` makes builds at once in each language, and the cases it comes with hold.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use reprise::lab::{Table, judge};
use reprise_lifecycle::decision::{FailureKind, Verdict};
use reprise_lifecycle::question::{Hook, Question};
use reprise_policy::StateSnapshot;
use serde_json::json;

use super::{admitted, built, lab, root};

/// What a new project is made of.
const SOURCES: [&str; 5] =
    ["host/server/src/cli/plugin/templates", "host/server/src/cli/plugin/new", "plugin-sdk", "wit", "Cargo.lock"];

/// Each language, and a project of it here whose installed tools serve as well.
const LANGUAGES: [(&str, Option<(&str, &str)>); 4] = [
    ("rust", None),
    ("js", Some(("tests/guests-js", "node_modules"))),
    ("python", Some(("tests/guests-python", ".venv"))),
    ("c", None),
];

#[test]
fn new_projects_build_and_their_cases_hold() -> anyhow::Result<()> {
    let lab = lab()?;
    let mut problems = Vec::new();
    for (language, tools) in LANGUAGES {
        let scratch = tempfile::tempdir()?;
        let folder = scratch.path().join("my-policy");
        let subject = admitted(&lab, language, &new(language, tools, &folder)?)?;
        let table = Table::open(&folder.join("tests/cases.json"))?;
        for case in &table.cases {
            let evaluation = lab.ask(&subject, &case.question, &case.settings, &StateSnapshot::default());
            let refusal = lab.refusal(&subject, &case.settings);
            for problem in judge(case, evaluation, refusal.as_deref()).problems {
                problems.push(format!("{language}: {}: {problem}", case.name));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// The project in C reads settings with a reader of its own, in the memory that each policy has.
#[test]
fn a_new_project_in_c_reads_large_settings() -> anyhow::Result<()> {
    /// Many texts with much behind them, and all a little smaller than settings may be.
    const RULES: usize = 99;
    const LONG_CHARS: usize = 58_000;

    let lab = lab()?;
    let scratch = tempfile::tempdir()?;
    let subject = admitted(&lab, "c", &new("c", None, &scratch.path().join("my-policy"))?)?;
    let mut rules = vec![json!({"prefix": "x", "min_height": 1, "group": "SD"}); RULES - 2];
    rules.push(json!({"prefix": "caf\u{e9} \"\\", "group": "HD"}));
    rules.push(json!({"prefix": "x".repeat(LONG_CHARS), "group": "SD"}));
    let settings = json!({"rules": rules}).to_string();
    assert!((60_000..64 << 10).contains(&settings.len()), "{} bytes", settings.len());
    let mut question = reprise_policy::sample::question(Hook::TemplateGroup);
    if let Question::TemplateGroup(question) = &mut question {
        question.origin.stream.name = "caf\u{e9} \"\\ 1".to_owned();
    }
    let evaluation = lab.ask(&subject, &question, &settings, &StateSnapshot::default());
    assert_eq!(evaluation.reason.as_deref(), Some("rules[97] fits: caf\u{e9} \"\\"), "{:?}", evaluation.verdict);
    // What has no end is refused.
    for settings in [r#"{"rules"#, r#"{"rules\"#, r#"{"rules": [{"prefix": "a\""#] {
        let evaluation = lab.ask(&subject, &question, settings, &StateSnapshot::default());
        let Verdict::Failed(failure) = &evaluation.verdict else { anyhow::bail!("{settings}: {evaluation:?}") };
        assert_eq!(failure.kind, FailureKind::Refused, "{settings}: {}", failure.message);
    }
    Ok(())
}

#[test]
fn a_mistake_in_javascript_is_told_by_file_and_line() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path().join("my-policy");
    reprise(&["new", "my-policy", "--lang", "js", "--dir"], &folder)?;
    std::fs::write(folder.join("policy.js"), "export const templateGroup = {\n  decide() { return 1 +; }\n};\n")?;
    let told = reprise(&["build"], &folder).err().context("it was built")?.to_string();
    assert!(told.contains("policy.js:2\n") && told.contains("SyntaxError"), "{told}");
    assert!(!told.contains("node:internal") && !told.contains("npm"), "the place alone, before anything else: {told}");
    Ok(())
}

/// Makes a project, and the component that it builds to.
fn new(language: &str, tools: Option<(&str, &str)>, folder: &Path) -> anyhow::Result<Vec<u8>> {
    let root = root().canonicalize()?;
    reprise(&["new", "my-policy", "--lang", language, "--dir"], folder)?;
    built::kept(&format!("new-{language}"), &SOURCES, |output| {
        std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        if let Some((project, tools)) = tools.filter(|(project, tools)| root.join(project).join(tools).is_dir()) {
            std::os::unix::fs::symlink(root.join(project).join(tools), folder.join(tools))?;
        }
        std::fs::copy(reprise(&["build"], folder)?, output)?;
        Ok(())
    })
}

/// Runs `reprise plugin` about a folder; what it prints is a path.
fn reprise(args: &[&str], folder: &Path) -> anyhow::Result<String> {
    let ran = Command::new(reprise_tests::server::binary()?)
        .arg("plugin")
        .args(args)
        .arg(folder)
        // Dependencies of Rust projects are built once for all runs.
        .env("CARGO_TARGET_DIR", root().canonicalize()?.join("target/tmp/new"))
        .output()
        .context("cannot run the server; build it first: cargo build")?;
    anyhow::ensure!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
}
