//! What takes memory, or reaches beyond its own.

use reprise_lifecycle::decision::FailureKind::{BadAnswer, Deadline, Fuel, Memory, Trap};

use crate::guest::{Guest, around_text};
use crate::{Fate, Specimen, specimen};

pub(crate) fn all() -> Vec<Specimen> {
    let trap = Fate::Fails(&[Trap]);
    // The host cannot put the question where it is told to.
    let unreadable = Fate::Fails(&[BadAnswer, Trap]);
    let grow = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)";
    let guests = [
        ("memory, page by page", Guest::new(grow), Fate::Fails(&[Memory])),
        (
            "memory, all at once",
            Guest::new("(if (i32.eq (memory.grow (i32.const 65000)) (i32.const -1)) (then (unreachable))) (i32.const 0)"),
            Fate::Fails(&[Memory]),
        ),
        ("growing for ever, refused or not", Guest::new("(loop (drop (memory.grow (i32.const 1))) (br 0)) (unreachable)"),
            Fate::Fails(&[Fuel, Memory, Deadline])),
        (
            "table, element by element",
            Guest::new("(loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1)))) (unreachable)")
                .fields("(table $t 1 funcref)"),
            Fate::Fails(&[Memory]),
        ),
        (
            "table, all at once",
            Guest::new(
                "(if (i32.eq (table.grow $t (ref.null func) (i32.const 100000000)) (i32.const -1)) (then (unreachable))) (i32.const 0)",
            )
            .fields("(table $t 1 funcref)"),
            Fate::Fails(&[Memory, Fuel]),
        ),
        ("a gigabyte to begin with", Guest::doing("").memory("16384"), Fate::Refused),
        ("all of memory to begin with", Guest::doing("").memory("65536"), Fate::Refused),
        ("a table of ten million to begin with", Guest::doing("").fields("(table 10000000 funcref)"), Fate::Refused),
        ("a load out of bounds", Guest::new("(i32.load (i32.const 0x7ffffff0))"), trap),
        ("a store out of bounds", Guest::doing("(i32.store offset=0xfffffff0 (i32.const -1) (i32.const 1))"), trap),
        ("a fill out of bounds", Guest::doing("(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))"), Fate::Fails(&[Trap, Fuel])),
        ("an unreachable", Guest::new("(unreachable)"), trap),
        ("a division by zero", Guest::new("(i32.div_s (i32.const 1) (i32.const 0))"), trap),
        ("an overflow of a division", Guest::new("(i32.div_s (i32.const 0x80000000) (i32.const -1))"), trap),
        ("a float that is no integer", Guest::new("(i32.trunc_f64_s (f64.const nan))"), trap),
        (
            "a call of nothing",
            Guest::new("(call_indirect (result i32) (i32.const 0))").fields("(table 1 funcref)"),
            trap,
        ),
        (
            "a call beyond the table",
            Guest::new("(call_indirect (result i32) (i32.const 99))").fields("(table 1 funcref)"),
            trap,
        ),
        (
            "a call of another type",
            Guest::new("(call_indirect (result i32) (i32.const 0))").fields(
                "(table 1 funcref) (elem (i32.const 0) $g) (func $g (param i64))",
            ),
            trap,
        ),
        ("the question put out of bounds", Guest::doing("").realloc("(i32.const 0x7fffff00)"), unreadable),
        ("the question put at an odd address", Guest::doing("").realloc("(i32.const 65537)"), unreadable),
        ("the question put at the end of memory", Guest::doing("").realloc("(i32.const -8)"), unreadable),
        ("a segment out of bounds", Guest::doing("").fields("(data (i32.const 0x7fffffff) \"x\")"), Fate::Refused),
        ("an element out of bounds", Guest::doing("").fields("(table 1 funcref) (elem (i32.const 5) $g) (func $g)"), Fate::Refused),
    ];
    let texts = [
        ("two memories", "(module (memory 1) (memory 1))"),
        ("a memory of 64 bits", "(module (memory i64 1))"),
        ("a shared memory", "(module (memory 1 2 shared))"),
        ("a table of 64 bits", "(module (table i64 1 funcref))"),
        (
            "nine tables",
            "(module (table 1 funcref)(table 1 funcref)(table 1 funcref)(table 1 funcref)(table 1 funcref)\
            (table 1 funcref)(table 1 funcref)(table 1 funcref)(table 1 funcref))",
        ),
    ];
    let guests = guests.map(|(name, guest, fate)| specimen(name, guest.component(), fate));
    let texts = texts.map(|(name, text)| specimen(name, around_text(text), Fate::Refused));
    guests.into_iter().chain(texts).collect()
}
