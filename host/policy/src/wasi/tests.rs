//! Probes: components that call WASI, as hostile ones do and as runtimes do.

use std::time::Duration;

use reprise_lifecycle::decision::{FailureKind, Verdict};

use crate::call::{Call, NoAssets, StateSnapshot};
use crate::error::LoadError;
use crate::evaluate::Evaluator;
use crate::guests::{Core, engine, try_load, wat};
use crate::limits::CallLimits;

/// A component that calls one function of WASI while it starts. `face` is an instance type whose function is `f`;
/// `call` is what the start function does with it; the memory's first page is free for it.
fn probe(import: &str, face: &str, function: &str, core: &str, call: &str) -> Vec<u8> {
    wat(&format!(
        r#"(component
            (import "{import}" (instance $i {face}))
            (core module $libc
                (memory (export "memory") 2)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
            (core instance $libc (instantiate $libc))
            (core func $f (canon lower (func $i "{function}") (memory $libc "memory") (realloc (func $libc "realloc"))))
            (core module $m
                (import "i" "f" (func $f {core}))
                (import "libc" "memory" (memory 2))
                (func $start {call})
                (start $start))
            (core instance (instantiate $m
                (with "i" (instance (export "f" (func $f))))
                (with "libc" (instance $libc)))))"#
    ))
}

/// What comes of starting it.
fn start(component: &[u8]) -> Result<(), LoadError> {
    let engine = engine();
    // Unoptimised, the host's share of a call takes longer than its fuel says.
    let limits = CallLimits { cpu: Duration::from_secs(10), wall: Duration::from_secs(20), ..CallLimits::standard() };
    Evaluator::new(engine.clone()).trial(&try_load(&engine, component)?, &limits).map(drop)
}

/// A condition that must hold, in the guest.
fn must(condition: &str) -> String {
    format!("(if (i32.eqz {condition}) (then unreachable))")
}

#[test]
fn the_world_is_empty_and_stands_still() {
    let list = |at: u32| must(&format!("(i32.eqz (i32.load (i32.const {at})))"));
    let twice = |again: &str| format!("{again} {again}");
    let cases = [
        (
            "cli/environment",
            r#"(export "get-environment" (func (result (list (tuple string string)))))"#,
            "get-environment",
            "(param i32)",
            format!("(i32.store (i32.const 4) (i32.const 9)) (call $f (i32.const 0)) {}", list(4)),
        ),
        (
            "cli/environment",
            r#"(export "get-arguments" (func (result (list string))))"#,
            "get-arguments",
            "(param i32)",
            format!("(i32.store (i32.const 4) (i32.const 9)) (call $f (i32.const 0)) {}", list(4)),
        ),
        (
            "cli/environment",
            r#"(export "initial-cwd" (func (result (option string))))"#,
            "initial-cwd",
            "(param i32)",
            format!(
                "(i32.store (i32.const 0) (i32.const 1)) (call $f (i32.const 0)) {}",
                must("(i32.eqz (i32.load8_u (i32.const 0)))")
            ),
        ),
        (
            "filesystem/preopens",
            r#"(export "descriptor" (type $d (sub resource))) (export "get-directories" (func (result (list (tuple (own $d) string)))))"#,
            "get-directories",
            "(param i32)",
            format!("(i32.store (i32.const 4) (i32.const 9)) (call $f (i32.const 0)) {}", list(4)),
        ),
        (
            "cli/terminal-stdout",
            r#"(export "terminal-output" (type $t (sub resource))) (export "get-terminal-stdout" (func (result (option (own $t)))))"#,
            "get-terminal-stdout",
            "(param i32)",
            format!(
                "(i32.store (i32.const 0) (i32.const 1)) (call $f (i32.const 0)) {}",
                must("(i32.eqz (i32.load8_u (i32.const 0)))")
            ),
        ),
        (
            "clocks/wall-clock",
            r#"(type $datetime (record (field "seconds" u64) (field "nanoseconds" u32))) (export "datetime" (type $d (eq $datetime))) (export "now" (func (result $d)))"#,
            "now",
            "(param i32)",
            format!("(call $f (i32.const 0)) {}", must("(i64.eq (i64.load (i32.const 0)) (i64.const 946684800))")),
        ),
        (
            "clocks/monotonic-clock",
            r#"(export "now" (func (result u64)))"#,
            "now",
            "(result i64)",
            twice(&must("(i64.eq (call $f) (i64.const 1000000000))")),
        ),
        // An hour from now has come already.
        (
            "clocks/monotonic-clock",
            r#"(export "pollable" (type $p (sub resource))) (export "subscribe-duration" (func (param "when" u64) (result (own $p))))"#,
            "subscribe-duration",
            "(param i64) (result i32)",
            "(drop (call $f (i64.const 3600000000000)))".to_owned(),
        ),
        (
            "random/random",
            r#"(export "get-random-u64" (func (result u64)))"#,
            "get-random-u64",
            "(result i64)",
            format!(
                "{} {}",
                must("(i64.eq (call $f) (i64.const -572165036281249443))"),
                must("(i64.eq (call $f) (i64.const -314774720506165772))")
            ),
        ),
        (
            "random/random",
            r#"(export "get-random-bytes" (func (param "len" u64) (result (list u8))))"#,
            "get-random-bytes",
            "(param i64 i32)",
            format!(
                "(call $f (i64.const 13) (i32.const 0)) {}",
                must("(i32.eq (i32.load (i32.const 4)) (i32.const 13))")
            ),
        ),
    ];
    for (import, face, function, core, call) in cases {
        let component = probe(&format!("wasi:{import}@0.2.3"), face, function, core, &call);
        let outcome = start(&component);
        assert!(outcome.is_ok(), "{import} {function}: {outcome:?}");
    }
}

#[test]
fn what_is_not_given_ends_the_guest_by_name() {
    let descriptor = r#"(export "descriptor" (type $d (sub resource)))"#;
    let cases = [
        (
            "sockets/instance-network@0.2.0",
            r#"(export "network" (type $n (sub resource))) (export "instance-network" (func (result (own $n))))"#,
            "instance-network",
            "(result i32)",
            "(drop (call $f))",
            "wasi:sockets/instance-network (instance-network)",
        ),
        (
            "sockets/tcp-create-socket@0.2.9",
            r#"(export "s" (type $s (sub resource))) (export "create-tcp-socket" (func (param "family" u8) (result (result (own $s) (error u8)))))"#,
            "create-tcp-socket",
            "(param i32 i32)",
            "(call $f (i32.const 0) (i32.const 0))",
            "wasi:sockets/tcp-create-socket (create-tcp-socket)",
        ),
        (
            "http/outgoing-handler@0.2.10",
            r#"(export "handle" (func))"#,
            "handle",
            "",
            "(call $f)",
            "wasi:http/outgoing-handler (handle)",
        ),
        (
            "filesystem/types@0.2.3",
            &format!(r#"{descriptor} (export "[method]descriptor.sync" (func (param "self" (borrow $d))))"#),
            "[method]descriptor.sync",
            "(param i32)",
            "(call $f (i32.const 1))",
            "unknown handle index",
        ),
        (
            "filesystem/types@0.2.3",
            r#"(export "open" (func (param "path" string)))"#,
            "open",
            "(param i32 i32)",
            "(call $f (i32.const 0) (i32.const 0))",
            "wasi:filesystem/types (open)",
        ),
        (
            "cli/environment@0.2.99",
            r#"(export "get-secrets" (func))"#,
            "get-secrets",
            "",
            "(call $f)",
            "wasi:cli/environment (get-secrets)",
        ),
        (
            "cli/exit@0.2.3",
            r#"(export "exit" (func (param "status" (result))))"#,
            "exit",
            "(param i32)",
            "(call $f (i32.const 0))",
            "the guest ended itself",
        ),
        (
            "io/poll@0.2.3",
            r#"(export "pollable" (type $p (sub resource))) (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))"#,
            "poll",
            "(param i32 i32 i32)",
            "(call $f (i32.const 0) (i32.const 0) (i32.const 0))",
            "for nothing at all",
        ),
        (
            "random/random@0.2.3",
            r#"(export "get-random-bytes" (func (param "len" u64) (result (list u8))))"#,
            "get-random-bytes",
            "(param i64 i32)",
            "(call $f (i64.const -1) (i32.const 0))",
            "random bytes",
        ),
    ];
    for (import, face, function, core, call, part) in cases {
        match start(&probe(&format!("wasi:{import}"), face, function, core, call)) {
            Err(LoadError::Start(failure)) => assert!(failure.message.contains(part), "{import}: {failure:?}"),
            other => panic!("{import}: {other:?}"),
        }
    }
}

#[test]
fn calls_are_paid_for() {
    let floods = [
        (
            "clocks/monotonic-clock",
            r#"(export "now" (func (result u64)))"#,
            "now",
            "(result i64)",
            "(loop (drop (call $f)) (br 0))",
        ),
        (
            "clocks/monotonic-clock",
            r#"(export "pollable" (type $p (sub resource))) (export "subscribe-instant" (func (param "when" u64) (result (own $p))))"#,
            "subscribe-instant",
            "(param i64) (result i32)",
            "(loop (drop (call $f (i64.const 0))) (br 0))",
        ),
        (
            "random/random",
            r#"(export "get-random-bytes" (func (param "len" u64) (result (list u8))))"#,
            "get-random-bytes",
            "(param i64 i32)",
            "(loop (call $f (i64.const 4096) (i32.const 0)) (br 0))",
        ),
    ];
    for (import, face, function, core, call) in floods {
        match start(&probe(&format!("wasi:{import}@0.2.0"), face, function, core, call)) {
            Err(LoadError::Start(failure)) => assert_eq!(failure.kind, FailureKind::Fuel, "{function}: {failure:?}"),
            other => panic!("{function}: {other:?}"),
        }
    }
}

#[test]
fn another_type_under_a_known_name_does_not_load() {
    let component = probe(
        "wasi:random/random@0.2.0",
        r#"(export "get-random-u64" (func (result u32)))"#,
        "get-random-u64",
        "(result i32)",
        "",
    );
    assert!(matches!(start(&component), Err(LoadError::Imports(_))));
}

/// What runtimes are built against, as far as writing goes.
const OUTPUT: &str = r#"
package wasi:io@0.2.3 {
    interface error { resource error; }
    interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource output-stream {
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
        }
    }
}
package wasi:cli@0.2.3 {
    interface stdout { use wasi:io/streams@0.2.3.{output-stream}; get-stdout: func() -> output-stream; }
    interface stderr { use wasi:io/streams@0.2.3.{output-stream}; get-stderr: func() -> output-stream; }
}
"#;

#[test]
fn what_is_written_is_in_the_log() {
    let guest = r#"(module
        (import "wasi:cli/stdout@0.2.3" "get-stdout" (func $out (result i32)))
        (import "wasi:cli/stderr@0.2.3" "get-stderr" (func $err (result i32)))
        (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush"
            (func $write (param i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 64) "hello\nworld")
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
        (func (export "reprise:policy/template-group@0.1.0#decide") (param i32) (result i32)
            (call $write (call $err) (i32.const 64) (i32.const 5) (i32.const 32))
            (call $write (call $out) (i32.const 64) (i32.const 11) (i32.const 32))
            ;; It went well.
            (if (i32.load8_u (i32.const 32)) (then unreachable))
            (i32.const 0)))"#;
    let worlds = "import wasi:cli/stdout@0.2.3; import wasi:cli/stderr@0.2.3; export template-group;";
    let component = Core::new("template-group-policy", guest.to_owned())
        .with_wit(|wit| wit.replace("export template-group;", worlds) + OUTPUT)
        .component();
    assert!(crate::inspect(&component, &crate::AdmissionLimits::default()).unwrap().uses_wasi);
    let engine = engine();
    let loaded = try_load(&engine, &component).unwrap();
    let evaluation = Evaluator::new(engine).evaluate(
        &loaded,
        &Call {
            question: &crate::evaluate::tests::question(),
            settings: "",
            state: &StateSnapshot::default(),
            assets: &NoAssets::shared(),
            limits: &CallLimits::standard(),
        },
    );
    assert!(matches!(evaluation.verdict, Verdict::Answered(_)), "{evaluation:?}");
    assert_eq!(evaluation.log, ["info: hello", "info: world", "warn: hello"]);
}
