//! What never ends: loops of every kind, recursion, and work hidden where the host calls in.

use reprise_lifecycle::decision::FailureKind::{Deadline, Fuel, Stack, Trap};

use crate::guest::Guest;
use crate::{Fate, Specimen, specimen};

const FUEL: Fate = Fate::Fails(&[Fuel]);
/// Single instructions that do much for little fuel may meet the clock first.
const SPENT: Fate = Fate::Fails(&[Fuel, Deadline]);
const STACK: Fate = Fate::Fails(&[Stack]);

pub(crate) fn all() -> Vec<Specimen> {
    let endless = |body: &str| format!("(loop {body} (br 0)) (unreachable)");
    let table = "(table 2 funcref) (elem (i32.const 0) $f $f) (type $t (func (result i32)))";
    let cases = [
        ("loop", Guest::new(endless("")), FUEL),
        ("loop with calls", Guest::new(endless("(drop (call $f))")).fields("(func $f (result i32) (i32.const 1))"), FUEL),
        (
            "loop with indirect calls",
            Guest::new(endless("(drop (call_indirect (type $t) (i32.const 1)))"))
                .fields(format!("{table} (func $f (result i32) (i32.const 1))")),
            FUEL,
        ),
        ("loop by a branch table", Guest::new("(loop (br_table 0 0 0 (i32.const 7))) (unreachable)"), FUEL),
        ("loop of loops", Guest::new(endless(&format!("{}{}", "(loop ".repeat(100), ")".repeat(100)))), SPENT),
        (
            "loop of divisions",
            Guest::new("(local f64) (loop (local.set 1 (f64.sqrt (f64.div (f64.const 1) (local.get 1)))) (br 0)) (unreachable)"),
            FUEL,
        ),
        (
            "loop of stores over all the memory",
            Guest::new(
                "(local i32) (loop (i64.store offset=65536 (i32.and (local.get 1) (i32.const 0xfff8)) (i64.const -1))
                 (local.set 1 (i32.add (local.get 1) (i32.const 8))) (br 0)) (unreachable)",
            ),
            FUEL,
        ),
        ("loop where memory for the question is asked", Guest::doing("").realloc("(loop (br 0)) (unreachable)"), FUEL),
        ("trap where memory for the question is asked", Guest::doing("").realloc("(unreachable)"), Fate::Fails(&[Trap])),
        (
            "recursion where memory for the question is asked",
            Guest::doing("").fields("(func $r (result i32) (i32.add (call $r) (i32.const 1)))").realloc("(call $r)"),
            STACK,
        ),
        (
            "loop after the answer",
            Guest::doing("").fields(
                r#"(func (export "cabi_post_reprise:policy/template-group@0.2.0#decide") (param i32) (loop (br 0)))"#,
            ),
            FUEL,
        ),
        ("start that loops", Guest::doing("").fields("(start $s) (func $s (loop (br 0)))"), Fate::Refused),
        ("start that traps", Guest::doing("").fields("(start $s) (func $s (unreachable))"), Fate::Refused),
        ("start that recurses", Guest::doing("").fields("(start $s) (func $s (call $s) (call $s))"), Fate::Refused),
        (
            "start that grows its memory",
            Guest::doing("").fields(
                "(start $s) (func $s (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable))",
            ),
            Fate::Refused,
        ),
        ("recursion", Guest::new("(call $r)").fields("(func $r (result i32) (i32.add (call $r) (i32.const 1)))"), STACK),
        (
            "recursion of two",
            Guest::new("(call $a)").fields(
                "(func $a (result i32) (i32.add (call $b) (i32.const 1))) (func $b (result i32) (i32.add (call $a) (i32.const 1)))",
            ),
            STACK,
        ),
        (
            "recursion with large frames",
            Guest::new("(call $r (i64.const 1))").fields(format!(
                "(func $r (param i64) (result i32) (local {}) {} (i32.add (call $r (local.get 40)) (i32.const 1)))",
                "i64 ".repeat(500),
                (1..500).map(|n| format!("(local.set {n} (i64.mul (local.get {}) (i64.const 3)))", n - 1)).collect::<String>()
            )),
            STACK,
        ),
        (
            "recursion through a table",
            Guest::new("(call $f)")
                .fields(format!("{table} (func $f (result i32) (i32.add (call_indirect (type $t) (i32.const 0)) (i32.const 1)))")),
            STACK,
        ),
        ("fill of the memory, again and again", Guest::new(endless(
            "(memory.fill (i32.const 65536) (i32.const 1) (i32.const 8388608))")).memory("200"), SPENT),
        ("copy of the memory, again and again", Guest::new(endless(
            "(memory.copy (i32.const 65536) (i32.const 131072) (i32.const 8388608))")).memory("200"), SPENT),
        (
            "data into the memory, again and again",
            Guest::new(endless("(memory.init $d (i32.const 65536) (i32.const 0) (i32.const 65536))"))
                .fields(format!("(data $d \"{}\")", "x".repeat(65_536)))
                .memory("4"),
            SPENT,
        ),
        (
            "fill of a table, again and again",
            Guest::new(endless("(table.fill $t (i32.const 0) (ref.null func) (i32.const 10000))")).fields("(table $t 10000 funcref)"),
            SPENT,
        ),
        (
            "copy of a table, again and again",
            Guest::new(endless("(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 9999))")).fields("(table $t 10000 funcref)"),
            SPENT,
        ),
    ];
    cases.map(|(name, guest, fate)| specimen(name, guest.component(), fate)).to_vec()
}
