//! The compile child, for real: this program runs itself again as the child, as the server does. It has a main
//! of its own for that, and so it runs its tests itself.

#![expect(clippy::unwrap_used, reason = "a test that meets one has failed")]

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use reprise_hostile::{Specimen, too_much_to_compile};
use reprise_policy::{
    AdmissionLimits, Artefact, Class, CompileError, CompileLimits, CompilerCommand, Engine, EngineOptions, Inspection,
    SealKey, SettingsError, compile, compile_child_main, schema,
};

/// The hidden sub-command's name.
const CHILD: &str = "compile-policy";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return compile_child_main();
    }
    let tests: [(&str, fn()); 10] = [
        ("a_component_compiles_and_loads", a_component_compiles_and_loads),
        ("what_is_not_valid_is_said", what_is_not_valid_is_said),
        ("bombs_end_the_child_and_not_us", bombs_end_the_child_and_not_us),
        ("a_child_that_never_answers_is_ended", a_child_that_never_answers_is_ended),
        ("a_child_that_talks_nonsense_is_not_believed", a_child_that_talks_nonsense_is_not_believed),
        ("a_job_is_needed", a_job_is_needed),
        ("a_schema_that_is_none_is_found_at_the_push", a_schema_that_is_none_is_found_at_the_push),
        ("settings_are_held_against_the_schema", settings_are_held_against_the_schema),
        ("schemas_that_are_too_much_end_the_child_and_not_us", schemas_that_are_too_much_end_the_child_and_not_us),
        ("the_child_steps_back", the_child_steps_back),
    ];
    // A name on the command line chooses, as with any test.
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    for (name, test) in tests {
        if wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str())) {
            let started = Instant::now();
            test();
            println!("test {name} ... ok ({} ms)", started.elapsed().as_millis());
        }
    }
    ExitCode::SUCCESS
}

fn ourselves() -> CompilerCommand {
    CompilerCommand { program: std::env::current_exe().unwrap(), args: vec![OsString::from(CHILD)] }
}

fn shell(script: &str) -> CompilerCommand {
    CompilerCommand { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()] }
}

/// As if it had been inspected: bombs would not pass.
fn inspection(component: &[u8]) -> Inspection {
    Inspection {
        digest: "0".repeat(64),
        size_bytes: component.len(),
        hooks: Vec::new(),
        interface: String::new(),
        checks_settings: false,
        logs: false,
        class: Class::Standard,
        schema: None,
        assets: Vec::new(),
        uses_state: false,
        uses_assets: false,
        uses_wasi: false,
    }
}

fn run(component: &[u8], limits: &CompileLimits) -> Result<Artefact, CompileError> {
    compile(component, &inspection(component), &ourselves(), limits)
}

fn a_component_compiles_and_loads() {
    let component = wat::parse_str("(component (core module (memory 1) (func (export \"f\"))))").unwrap();
    let artefact = run(&component, &CompileLimits::default()).unwrap();
    let engine = Engine::new(EngineOptions { max_concurrent_calls: 1, scripted_concurrent_calls: 1 }).unwrap();
    engine.load(&artefact).unwrap();

    let key = SealKey::new([1; 32]);
    let mut file = tempfile::tempfile().unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    file.write_all(&artefact.seal(&key, &engine)).unwrap();
    engine.load(&Artefact::open(&file, &key, artefact.digest(), &engine).unwrap()).unwrap();
    let mapped = engine.open(&file, &key, artefact.digest()).unwrap();
    assert!(mapped.code_bytes() >= artefact.code_bytes());
}

fn what_is_not_valid_is_said() {
    for (text, part) in [
        ("(component (core module (func (result i32))))", "type mismatch"),
        ("(component (core module (func (drop (i32x4.splat (i32.const 0))))))", "SIMD"),
        ("(component (core module (memory i64 1)))", "memory64"),
        ("(component (core module (func $f (return_call $f))))", "tail calls"),
        ("(component (core module (memory 1) (memory 1)))", "memories"),
        ("(component (core module (memory 1 1 shared)))", "threads"),
    ] {
        let component = wat::parse_str(text).unwrap();
        match run(&component, &CompileLimits::default()) {
            Err(CompileError::Invalid(message)) => assert!(message.contains(part), "{text}: {message}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

fn bombs_end_the_child_and_not_us() {
    let limits =
        CompileLimits { cpu: Duration::from_secs(1), wall: Duration::from_secs(20), ..CompileLimits::default() };
    for Specimen { name, bytes: bomb, .. } in too_much_to_compile() {
        let refused = reprise_policy::inspect(&bomb, &AdmissionLimits::default()).unwrap_err();
        let started = Instant::now();
        let outcome = run(&bomb, &limits);
        println!("  {name}, {} KiB: {refused}; {:?} ms: {outcome:?}", bomb.len() >> 10, started.elapsed().as_millis());
        assert!(
            matches!(outcome, Err(CompileError::TooMuchMemory { .. } | CompileError::TooLong { .. })),
            "{name}: {outcome:?}"
        );
        assert!(started.elapsed() < limits.wall + Duration::from_secs(1), "{name} was not stopped in time");
    }
}

fn a_child_that_never_answers_is_ended() {
    let limits = CompileLimits { wall: Duration::from_millis(300), ..CompileLimits::default() };
    let started = Instant::now();
    let outcome = compile(b"", &inspection(b""), &shell("exec sleep 600"), &limits);
    assert!(matches!(outcome, Err(CompileError::TooLong { limit_ms: 300 })), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

fn a_child_that_talks_nonsense_is_not_believed() {
    let limits = CompileLimits { artefact_bytes: 1 << 20, ..CompileLimits::default() };
    let run = |script: &str| compile(b"x", &inspection(b"x"), &shell(script), &limits);
    let crashed = run("echo boom >&2; exit 3");
    assert!(matches!(&crashed, Err(CompileError::Crashed(text)) if text.contains("boom")), "{crashed:?}");
    // Magic, "compiled", a length of 100, and nothing.
    let short = run(r"printf 'rpscmp\000\001\000\144\000\000\000\000\000\000\000'");
    assert!(matches!(short, Err(CompileError::Crashed(_))), "{short:?}");
    let endless = run("exec cat /dev/zero");
    assert!(matches!(endless, Err(CompileError::TooLarge { .. })), "{endless:?}");
    let absent = CompilerCommand { program: "/nonexistent".into(), args: Vec::new() };
    assert!(matches!(compile(b"", &inspection(b""), &absent, &limits), Err(CompileError::Start(_))));
}

fn a_job_is_needed() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .arg(CHILD)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
}

fn a_schema_that_is_none_is_found_at_the_push() {
    let component = wat::parse_str("(component (core module))").unwrap();
    let push = |schema: &str| {
        let inspection = Inspection { schema: Some(schema.to_owned()), ..inspection(&component) };
        compile(&component, &inspection, &ourselves(), &CompileLimits::standard())
    };
    push(r#"{"type": "object"}"#).unwrap();
    let refused = push(r#"{"type": "text"}"#);
    assert!(matches!(&refused, Err(CompileError::Schema(reason)) if reason.contains("/type")), "{refused:?}");
}

fn settings_are_held_against_the_schema() {
    let check = |schema: &str, settings: &str| {
        schema::check(schema, settings, &ourselves(), &CompileLimits::settings()).map_err(|error| error.to_string())
    };
    let schema = r#"{"type": "object", "properties": {"group": {"type": "string"}}, "additionalProperties": false}"#;
    assert_eq!(check(schema, r#"{"group": "hd"}"#), Ok(()));
    assert_eq!(check(schema, ""), Ok(()));
    let wrong = check(schema, r#"{"group": 1, "other": 2}"#).unwrap_err();
    assert!(wrong.contains("at `/group`") && wrong.contains("other"), "{wrong}");
    assert!(check(schema, "{").unwrap_err().contains("not JSON"));
    assert!(check("nonsense", "{}").unwrap_err().contains("no JSON Schema"));
    assert!(check(schema, &" ".repeat(schema::MAX_SETTINGS_BYTES + 1)).unwrap_err().contains("allowed"));
    let absent = CompilerCommand { program: "/nonexistent".into(), args: Vec::new() };
    let unchecked = schema::check(schema, "{}", &absent, &CompileLimits::settings());
    assert!(matches!(unchecked, Err(SettingsError::Unchecked(_))), "{unchecked:?}");
}

/// Schemas that cost far more than they weigh. Whatever comes of one, it comes in time and we are still here.
fn schemas_that_are_too_much_end_the_child_and_not_us() {
    let deep = format!(r#"{{"a": {}1{}}}"#, "[".repeat(120), "]".repeat(120));
    let doubled: String = (0..30)
        .map(|n| {
            let next = n + 1;
            format!(r##""l{n}": {{"allOf": [{{"$ref": "#/$defs/l{next}"}}, {{"$ref": "#/$defs/l{next}"}}]}},"##)
        })
        .collect();
    let long = format!("[{}]", vec!["0"; 30_000].join(","));
    let cases = [
        ("itself", r##"{"$ref": "#"}"##.to_owned(), "{}".to_owned()),
        ("itself, by all of", r##"{"allOf": [{"$ref": "#"}, {"$ref": "#"}]}"##.to_owned(), "{}".to_owned()),
        ("doubled", format!(r##"{{"$ref": "#/$defs/l0", "$defs": {{{doubled} "l30": {{}}}}}}"##), deep.clone()),
        ("patterns", r#"{"patternProperties": {"^(a|b|c){1,900}$": {}}}"#.to_owned(), "{}".to_owned()),
        ("unique", r#"{"uniqueItems": true}"#.to_owned(), long),
        ("deep settings", r##"{"properties": {"a": {"$ref": "#"}}, "items": {"$ref": "#"}}"##.to_owned(), deep),
    ];
    for (name, schema, settings) in cases {
        let limits = CompileLimits::settings();
        let started = Instant::now();
        let outcome = schema::check(&schema, &settings, &ourselves(), &limits);
        println!("  {name}: {outcome:?} in {} ms", started.elapsed().as_millis());
        assert!(started.elapsed() < limits.wall + Duration::from_secs(1), "{name} was not stopped in time");
        assert!(!matches!(outcome, Err(SettingsError::Failed(_))), "{name}: {outcome:?}");
    }
}

fn the_child_steps_back() {
    // Its own niceness is the 19th field; the child waits for its job while we look.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .arg(CHILD)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut job = b"rpscmp\x00\x01".to_vec();
    for word in [0_u64, 512 << 20, 5, 1, 0] {
        job.extend_from_slice(&word.to_le_bytes());
    }
    child.stdin.as_mut().unwrap().write_all(&job).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let nice = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let after_name = stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().to_owned();
        after_name.parse::<i32>().unwrap()
    };
    let before = nice();
    while nice() < 10 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(nice() >= 10, "{before} and then {}", nice());
    child.kill().unwrap();
    child.wait().unwrap();
}
