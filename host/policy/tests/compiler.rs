//! The compile child, for real: this program runs itself again as the child, as the server does. It has a main
//! of its own for that, and so it runs its tests itself.

#![expect(clippy::unwrap_used, reason = "a test that meets one has failed")]

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use reprise_policy::{
    AdmissionLimits, Artefact, CompileError, CompileLimits, CompilerCommand, Engine, EngineOptions, Inspection,
    SealKey, compile, compile_child_main,
};

#[path = "support/bombs.rs"]
mod bombs;

/// The hidden sub-command's name.
const CHILD: &str = "compile-policy";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return compile_child_main();
    }
    let tests: [(&str, fn()); 6] = [
        ("a_component_compiles_and_loads", a_component_compiles_and_loads),
        ("what_is_not_valid_is_said", what_is_not_valid_is_said),
        ("bombs_end_the_child_and_not_us", bombs_end_the_child_and_not_us),
        ("a_child_that_never_answers_is_ended", a_child_that_never_answers_is_ended),
        ("a_child_that_talks_nonsense_is_not_believed", a_child_that_talks_nonsense_is_not_believed),
        ("a_job_is_needed", a_job_is_needed),
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
    }
}

fn run(component: &[u8], limits: &CompileLimits) -> Result<Artefact, CompileError> {
    compile(component, &inspection(component), &ourselves(), limits)
}

fn a_component_compiles_and_loads() {
    let component = wat::parse_str("(component (core module (memory 1) (func (export \"f\"))))").unwrap();
    let artefact = run(&component, &CompileLimits::default()).unwrap();
    let engine = Engine::new(EngineOptions { max_concurrent_calls: 1 }).unwrap();
    engine.load(&artefact).unwrap();

    let key = SealKey::new([1; 32]);
    let sealed = artefact.seal(&key, &engine);
    let opened = Artefact::open(&sealed, &key, artefact.digest(), &engine).unwrap();
    engine.load(&opened).unwrap();
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
    for (name, bomb) in bombs::all() {
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
