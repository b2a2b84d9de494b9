//! What `reprise plugin new` makes builds at once in each language, and the cases it comes with hold.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use reprise::lab::{Table, judge};
use reprise_policy::StateSnapshot;

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
    let (lab, root) = (lab()?, root().canonicalize()?);
    let mut problems = Vec::new();
    for (language, tools) in LANGUAGES {
        let scratch = tempfile::tempdir()?;
        let folder = scratch.path().join("my-policy");
        reprise(&["new", "my-policy", "--lang", language, "--dir"], &folder)?;
        let component = built::kept(&format!("new-{language}"), &SOURCES, |output| {
            std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
            if let Some((project, tools)) = tools.filter(|(project, tools)| root.join(project).join(tools).is_dir()) {
                std::os::unix::fs::symlink(root.join(project).join(tools), folder.join(tools))?;
            }
            std::fs::copy(reprise(&["build"], &folder)?, output)?;
            Ok(())
        })?;
        let subject = admitted(&lab, language, &component)?;
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
