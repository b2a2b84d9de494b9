//! The tools for policy authors, as authors call them: the built program, real components, real files.

#![expect(clippy::unwrap_used, reason = "a test that meets one has failed")]

mod guest;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A project's folder with a built component.
struct Project {
    folder: TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.write("guest.wasm", guest::component());
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn plugin(&self, args: &[&str]) -> Done {
        self.plugin_fed(args, "")
    }

    /// Runs `reprise plugin`, in the project's folder, with something on its standard input.
    fn plugin_fed(&self, args: &[&str], input: &str) -> Done {
        let mut child = Command::new(env!("CARGO_BIN_EXE_reprise"))
            .arg("plugin")
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Done(child.wait_with_output().unwrap())
    }
}

/// A command that has ended.
struct Done(Output);

impl Done {
    fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out()).unwrap_or_else(|error| panic!("{error}: {} {}", self.out(), self.err()))
    }

    /// Fails unless it ended with this code and printed all of this.
    #[track_caller]
    fn gives(&self, code: i32, parts: &[&str]) -> &Self {
        let both = format!("{}{}", self.out(), self.err());
        assert_eq!(self.0.status.code(), Some(code), "{both}");
        for part in parts {
            assert!(both.contains(part), "{part:?} is not in:\n{both}");
        }
        self
    }
}

/// As with `reprise plugin … | head -1`, and on a full disk.
#[test]
fn a_command_ends_where_its_output_is_not_taken() {
    let to = |args: &[&str], output: Stdio| {
        let ran = Command::new(env!("CARGO_BIN_EXE_reprise")).args(args).stdout(output).stdin(Stdio::null()).output();
        Done(ran.unwrap())
    };
    for args in [&["plugin", "run", "--sample", "compose-rules"][..], &["serve", "--print-config"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = to(args, writer.into());
        assert_eq!((done.0.status.code(), done.err().as_str()), (Some(141), ""), "{args:?}");

        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        to(args, full.into()).gives(1, &["error: cannot write to the standard output: No space left"]);
    }
}

/// Every outcome that a policy can have, and a case without an expectation.
const TABLE: &str = r#"{
  "hook":   "template-group",
  "settings": "HD",
  "cases": [
    {"name": "a group by name", "expect": {"group": "HD"}},
    {"name": "a group by id", "settings": "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2", "expect": {"group": "SD"}},
    {"name": "the default", "settings": {}, "expect": "use_default", "reason": null, "writes": [],
      "fuel_at_most": 100000},
    {"name": "what was seen", "settings": "$2", "state": {"seen": "$1"}, "expect": "use_default", "reason": "$1",
      "writes": [{"key": "seen", "value": "$2"}]},
    {"name": "a trap", "settings": "!", "expect": {"failed": "trap"}},
    {"name": "no end", "settings": "@", "expect": {"failed": "fuel"}},
    {"name": "an unknown group", "settings": "4K", "expect": {"failed": "bad_answer"}},
    {"name": "a refusal", "settings": "? not today", "expect": {"refused": "not today"}}
  ]
}
"#;

#[test]
fn a_table_runs_through_the_engine_and_is_brought_up_to_date() {
    let project = Project::new();
    project.write("tests/all.json", TABLE);
    project.plugin(&["test", "guest.wasm"]).gives(0, &["ok    tests/all.json: a trap", "8 cases: 8 passed, 0 failed"]);
    let report = project.plugin(&["test", "--component", "guest.wasm", "--filter", "group by", "--json"]);
    let report = report.gives(0, &[]).json();
    assert_eq!((&report["passed"], report["cases"].as_array().unwrap().len()), (&json!(2), 2));
    assert_eq!(report["cases"][0]["answer"], json!({"group": "HD"}));
    assert_eq!(report["cases"][0]["log"], json!(["info: asked"]));
    assert!(report["cases"][0]["fuel"].as_u64().unwrap() > 0);

    // Nothing to update: the file stays byte for byte.
    project.plugin(&["test", "guest.wasm", "--update"]).gives(0, &["8 passed"]);
    assert_eq!(project.read("tests/all.json"), TABLE);

    // A wrong expectation, and none at all.
    let wrong = TABLE
        .replace(r#"{"group": "SD"}"#, r#""use_default""#)
        .replace(r#", "expect": {"failed": "trap"}"#, "")
        .replace(r#""reason": "$1""#, r#""reason": "none""#)
        .replace(r#""value": "$2""#, r#""value": null"#);
    project.write("tests/all.json", &wrong);
    let failed = project.plugin(&["test", "guest.wasm"]);
    failed.gives(
        1,
        &["-\"use_default\"", "+{\"group\": \"SD\"}", "log: info: asked", "has no `expect` yet", "5 passed, 3 failed"],
    );
    assert_eq!(project.read("tests/all.json"), wrong);
    let updated = project.plugin(&["test", "guest.wasm", "--update"]);
    updated.gives(
        0,
        &[
            "updated tests/all.json: a group by id: expect",
            "what was seen: reason, writes",
            "5 passed, 3 failed (3 updated)",
        ],
    );
    assert_eq!(project.read("tests/all.json"), TABLE);

    // One made for the older interface runs unchanged: it only has no reason and no state.
    project.write("old.wasm", guest::old_component());
    let old = project.plugin(&["test", "old.wasm"]);
    old.gives(1, &["FAIL  tests/all.json: what was seen", "+{\"failed\": \"bad_answer\"}", "8 cases: 7 passed"]);

    // A budget is for people to raise.
    project.write("tests/all.json", TABLE.replace("100000", "1"));
    project.plugin(&["test", "guest.wasm", "--update"]).gives(1, &["of which `fuel_at_most` allows 1", "7 passed"]);
    assert_eq!(project.read("tests/all.json"), TABLE.replace("100000", "1"));
}

#[test]
fn tables_that_test_nothing_are_errors() {
    let project = Project::new();
    project.plugin(&["test", "guest.wasm"]).gives(1, &["there are no cases in ./tests/*.json"]);
    project.write("tests/all.json", TABLE);
    project.plugin(&["test", "guest.wasm", "--filter", "nothing"]).gives(1, &["--filter \"nothing\" names no case"]);
    project.plugin(&["test"]).gives(1, &["run `reprise plugin build ."]);
    project.write("tests/other.json", TABLE.replace("\"expect\": \"use", "\"expects\": \"use"));
    project.write("tests/third.json", r#"{"hook": "callback", "cases": [{"name": "c", "expect": "drop"}]}"#);
    project
        .plugin(&["test", "guest.wasm", "--cases", "tests/o*.json"])
        .gives(1, &["tests/other.json: case 3 \"the default\": `expects` is no field here"]);
    project
        .plugin(&["test", "guest.wasm", "--cases", "tests/third.json"])
        .gives(1, &["tests/third.json: the component has no hook `callback`, only template-group"]);
}

#[test]
fn a_component_older_than_its_sources_is_said_to_be() {
    let project = Project::new();
    project.write("tests/all.json", TABLE);
    let age = |name: &str, seconds| {
        let file = std::fs::File::options().append(true).open(project.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    };
    project.write("src/lib.rs", "");
    age("guest.wasm", 20);
    age("src/lib.rs", 10);
    let fresh = project.plugin(&["test", "guest.wasm"]);
    assert_eq!(fresh.gives(0, &[]).err(), "");
    age("src/lib.rs", 30);
    project
        .plugin(&["test", "guest.wasm"])
        .gives(0, &["src/lib.rs is newer than guest.wasm; run `reprise plugin build`"]);
}

#[test]
fn a_component_is_admitted_step_by_step() {
    let project = Project::new();
    project.write("settings.json", "{}");
    let checked = project.plugin(&["check", "guest.wasm", "--settings", "settings.json"]);
    checked.gives(
        0,
        &["ok    interface  reprise:policy@0.2.0", "template-group", "log, state, assets", "trial", "settings"],
    );
    let report = project.plugin(&["check", "guest.wasm", "--json"]).gives(0, &[]).json();
    assert_eq!((&report["accepted"], &report["rejected"]), (&json!(true), &Value::Null));
    let steps: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert!(steps.ends_with(&["load", "trial"]), "{steps:?}");

    project.write("old.wasm", guest::old_component());
    project.plugin(&["check", "old.wasm"]).gives(0, &["ok    interface  reprise:policy@0.1.0", "imports    log\n"]);

    // What it carries beside its code.
    let carrying = guest::with_section(guest::component(), "reprise:asset:group.txt", b"SD");
    let schema = br#"{"type": "object", "properties": {"rules": {"type": "array"}}}"#;
    project.write("full.wasm", guest::with_section(carrying, "reprise:settings-schema", schema));
    let checked = project.plugin(&["check", "full.wasm", "--settings", "settings.json"]);
    checked.gives(0, &["class      standard", "assets     2 bytes together: group.txt", "they fit the schema"]);
    project.write("wrong.json", r#"{"rules": 5}"#);
    project.plugin(&["check", "full.wasm", "--settings", "wrong.json"]).gives(1, &["MEND  settings", "`/rules`"]);
    let case = |name: &str, settings: &str, expect: &str| {
        format!(
            r#"{{"hook": "template-group", "cases": [{{"name": "{name}", "settings": {settings}, "expect": {expect}}}]}}"#
        )
    };
    project.write("tests/schema.json", case("refused", r#"{"rules": 5}"#, r#"{"refused": "/rules"}"#));
    project.plugin(&["test", "full.wasm"]).gives(0, &["1 passed"]);
    project.write("tests/schema.json", case("taken", r#"{"rules": 5}"#, "\"use_default\""));
    project.plugin(&["test", "full.wasm"]).gives(1, &["the server would not take these settings", "1 failed"]);
    let carrying = guest::with_section(guest::component(), "reprise:asset:group.txt", b"SD");
    project.write("assets.wasm", carrying);
    project.write("tests/schema.json", case("asset", "\"#\"", r#"{"group": "SD"}"#));
    project.plugin(&["test", "assets.wasm"]).gives(0, &["1 passed"]);

    project.write("core.wasm", guest::old_core());
    project.write("empty.wasm", "");
    project.write("cut.wasm", &guest::component()[..2000]);
    project.write("none.wasm", wat::parse_str("(component)").unwrap());
    let misspelt = r#"(component (import "reprise:policy/lig@0.2.0" (instance)))"#;
    project.write("misspelt.wasm", wat::parse_str(misspelt).unwrap());
    let schema = br#"{"type": "objekt"}"#;
    project.write("schema.wasm", guest::with_section(guest::component(), "reprise:settings-schema", schema));
    for (file, step, part) in [
        ("core.wasm", "inspect", "this is a core module"),
        ("empty.wasm", "inspect", "this is not a WebAssembly component"),
        ("cut.wasm", "inspect", "malformed"),
        ("none.wasm", "inspect", "exports none of the hooks"),
        ("misspelt.wasm", "inspect", "policies can import `log`, `state` and `assets`"),
        ("schema.wasm", "schema", "at `/type`"),
    ] {
        project.plugin(&["check", file]).gives(1, &[&format!("MEND  {step}"), part]);
        let report = project.plugin(&["check", file, "--json"]).gives(1, &[]).json();
        let said = |what: &str| report["rejected"][what].as_str().unwrap().to_owned();
        assert!(!said("mend").is_empty() && !said("wrong").contains(&said("mend")), "{report}");
        assert!(!said("mend").contains("without WASI"), "none of these is about WASI: {report}");
        let passed = report["steps"].as_array().unwrap().iter().any(|passed| passed["step"] == step);
        assert!(!passed, "a step fails or is passed: {report}");
        project.plugin(&["run", file]).gives(1, &["would not be accepted", part]);
    }
    project.plugin(&["check", "."]).gives(1, &["run `reprise plugin build .` first", "./build/policy.wasm"]);
}

#[test]
fn one_question_is_put() {
    let project = Project::new();
    let sample = project.plugin(&["run", "--sample", "template-group"]).gives(0, &[]).json();
    assert_eq!(sample["origin"]["stream"]["name"], "room-1");
    project.write("settings.json", r#"{"any": "thing"}"#);
    project.write("state.json", r#"{"seen": "1"}"#);
    let args = ["run", "guest.wasm", "--settings", "settings.json", "--state", "state.json", "--question", "-"];
    let patch = r#"{"part": {"video": {"height": 720}}}"#;
    let shown = project.plugin_fed(&args, patch);
    shown.gives(0, &["answer    \"use_default\"", "log       info: asked", "of 25,000,000", "of 16.0 MiB"]);
    let whole = json!({"template-group": sample}).to_string();
    let report = project.plugin_fed(&[&args[..], &["--json"]].concat(), &whole).gives(0, &[]).json();
    assert_eq!((&report["answer"], &report["failure"]), (&json!("use_default"), &Value::Null));
    assert_eq!(report["limits"]["fuel"], json!(25_000_000));

    project
        .plugin_fed(&args, r#"{"prt": 1}"#)
        .gives(1, &["the standard input: `prt` is no field of a question at `template-group`"]);
    project.plugin(&["run", "guest.wasm", "--hook", "callback"]).gives(1, &["the component has no hook `callback`"]);
    project.write("state.json", r#"{"seen": 1}"#);
    project.plugin_fed(&args, patch).gives(1, &["state.json: `state`: the value of \"seen\" is not a text"]);
}

#[test]
fn calls_are_measured_beside_their_limits() {
    let project = Project::new();
    project.write("tests/all.json", TABLE);
    let report = project.plugin(&["bench", "guest.wasm", "--seconds", "1", "--json"]).gives(0, &[]).json();
    let cases = report["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    let (group, endless) = (&cases[0]["figures"], &cases[5]["figures"]);
    assert_eq!((&group["fuel"]["limit"], &group["failed"]), (&json!(25_000_000), &json!(false)));
    assert!(group["calls"].as_u64().unwrap() >= 5 && group["cpu_p50_us"]["used"].as_u64().unwrap() > 0);
    assert_eq!(group["memory_bytes"]["used"], json!(65_536));
    assert_eq!((&endless["fuel"]["used"], &endless["failed"]), (&json!(25_000_000), &json!(true)));
    assert!(report["verdict"].as_str().unwrap().contains("fuel at 100 % of the limit (no end)"), "{report}");

    let idle = tempfile::tempdir().unwrap();
    std::fs::copy(project.path("guest.wasm"), idle.path().join("guest.wasm")).unwrap();
    let idle = Project { folder: idle };
    idle.plugin(&["bench", "guest.wasm", "--seconds", "1"])
        .gives(0, &["sample template-group", "(limit)", "nothing uses more than half of a limit; closest is"]);
    assert!(Path::new(&idle.path("guest.wasm")).exists());
}
