//! Probes of WASI: what a runtime may import, and must not get.

use reprise_lifecycle::decision::FailureKind::{self, Deadline, Fuel, TooLarge, Trap};

use crate::guest::Guest;
use crate::{Fate, Specimen, specimen};

/// What a probe imports: package, interface, and the function as a core module sees it.
struct Probe {
    name: &'static str,
    package: &'static str,
    interface: &'static str,
    import: &'static str,
    body: &'static str,
    fate: Fate,
}

const DENIED: Fate = Fate::Fails(&[Trap, FailureKind::Unavailable]);

pub(crate) fn all() -> Vec<Specimen> {
    let environment = "package wasi:cli@0.2.0; interface environment {
        get-environment: func() -> list<tuple<string, string>>; get-arguments: func() -> list<string>;
        initial-cwd: func() -> option<string>; } interface exit { exit: func(status: result); }";
    let clocks = "package wasi:clocks@0.2.0; interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 }
        now: func() -> datetime; } interface monotonic-clock { now: func() -> u64; resolution: func() -> u64; }";
    let random = "package wasi:random@0.2.0; interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }";
    let sockets = "package wasi:sockets@0.2.0; interface network { resource network; }
        interface instance-network { use network.{network}; instance-network: func() -> network; }";
    let files = "package wasi:filesystem@0.2.0; interface types { resource descriptor; }
        interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<own<descriptor>, string>>; }";
    let probes = [
        Probe {
            name: "the environment",
            package: environment,
            interface: "wasi:cli/environment@0.2.0",
            import: r#"(import "wasi:cli/environment@0.2.0" "get-environment" (func $wasi (param i32)))"#,
            body: "(call $wasi (i32.const 1024)) (if (i32.load (i32.const 1028)) (then (unreachable))) (i32.const 0)",
            fate: Fate::FindsNothing,
        },
        Probe {
            name: "the arguments",
            package: environment,
            interface: "wasi:cli/environment@0.2.0",
            import: r#"(import "wasi:cli/environment@0.2.0" "get-arguments" (func $wasi (param i32)))"#,
            body: "(call $wasi (i32.const 1024)) (if (i32.load (i32.const 1028)) (then (unreachable))) (i32.const 0)",
            fate: Fate::FindsNothing,
        },
        Probe {
            name: "the working directory",
            package: environment,
            interface: "wasi:cli/environment@0.2.0",
            import: r#"(import "wasi:cli/environment@0.2.0" "initial-cwd" (func $wasi (param i32)))"#,
            body: "(call $wasi (i32.const 1024)) (if (i32.load8_u (i32.const 1024)) (then (unreachable))) (i32.const 0)",
            fate: Fate::FindsNothing,
        },
        Probe {
            name: "the end of the process",
            package: environment,
            interface: "wasi:cli/exit@0.2.0",
            import: r#"(import "wasi:cli/exit@0.2.0" "exit" (func $wasi (param i32)))"#,
            body: "(call $wasi (i32.const 0)) (i32.const 0)",
            fate: DENIED,
        },
        Probe {
            name: "the time of day that goes on",
            package: clocks,
            interface: "wasi:clocks/wall-clock@0.2.0",
            import: r#"(import "wasi:clocks/wall-clock@0.2.0" "now" (func $wasi (param i32)))"#,
            // Two looks far apart: a clock that goes on shows.
            body: "(local i32 i64) (call $wasi (i32.const 1024)) (local.set 2 (i64.load (i32.const 1024)))
                   (loop (local.set 1 (i32.add (local.get 1) (i32.const 1))) (br_if 0 (i32.lt_u (local.get 1) (i32.const 500000))))
                   (call $wasi (i32.const 1024))
                   (if (i64.ne (local.get 2) (i64.load (i32.const 1024))) (then (unreachable))) (i32.const 0)",
            fate: Fate::FindsNothing,
        },
        Probe {
            name: "the time of day of today",
            package: clocks,
            interface: "wasi:clocks/wall-clock@0.2.0",
            import: r#"(import "wasi:clocks/wall-clock@0.2.0" "now" (func $wasi (param i32)))"#,
            // Anything after 2026 is no fixed time.
            body: "(call $wasi (i32.const 1024)) (if (i64.gt_u (i64.load (i32.const 1024)) (i64.const 1767225600)) (then (unreachable))) (i32.const 0)",
            fate: Fate::FindsNothing,
        },
        Probe {
            name: "the clock, without end",
            package: clocks,
            interface: "wasi:clocks/monotonic-clock@0.2.0",
            import: r#"(import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $wasi (result i64)))"#,
            body: "(loop (drop (call $wasi)) (br 0)) (unreachable)",
            fate: Fate::Fails(&[Fuel, Deadline]),
        },
        Probe {
            name: "chance, all of it",
            package: random,
            interface: "wasi:random/random@0.2.0",
            import: r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $wasi (param i64 i32)))"#,
            body: "(call $wasi (i64.const -1) (i32.const 1024)) (i32.const 0)",
            fate: Fate::Fails(&[Trap, Fuel, TooLarge, FailureKind::Memory]),
        },
        Probe {
            name: "chance, without end",
            package: random,
            interface: "wasi:random/random@0.2.0",
            import: r#"(import "wasi:random/random@0.2.0" "get-random-u64" (func $wasi (result i64)))"#,
            body: "(loop (drop (call $wasi)) (br 0)) (unreachable)",
            fate: Fate::Fails(&[Fuel, Deadline]),
        },
        Probe {
            name: "the network",
            package: sockets,
            interface: "wasi:sockets/instance-network@0.2.0",
            import: r#"(import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $wasi (result i32)))"#,
            body: "(drop (call $wasi)) (i32.const 0)",
            fate: DENIED,
        },
        Probe {
            name: "files",
            package: files,
            interface: "wasi:filesystem/preopens@0.2.0",
            import: r#"(import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $wasi (param i32)))"#,
            body: "(call $wasi (i32.const 1024)) (if (i32.load (i32.const 1028)) (then (unreachable))) (i32.const 0)",
            fate: Fate::FindsNothing,
        },
        Probe {
            name: "threads of WASI",
            package: "package wasi:threads@0.2.0; interface spawn { spawn: func() -> u32; }",
            interface: "wasi:threads/spawn@0.2.0",
            import: r#"(import "wasi:threads/spawn@0.2.0" "spawn" (func $wasi (result i32)))"#,
            body: "(drop (call $wasi)) (i32.const 0)",
            fate: Fate::Refused,
        },
        Probe {
            name: "a stranger's interface",
            package: "package evil:host@1.0.0; interface run { run: func() -> u32; }",
            interface: "evil:host/run@1.0.0",
            import: r#"(import "evil:host/run@1.0.0" "run" (func $wasi (result i32)))"#,
            body: "(drop (call $wasi)) (i32.const 0)",
            fate: Fate::Refused,
        },
    ];
    let build = |probe: Probe| {
        let guest = Guest::new(probe.body).import(probe.package, probe.interface, probe.import);
        specimen(&format!("looks for {}", probe.name), guest.component(), probe.fate)
    };
    probes.into_iter().map(build).collect()
}
