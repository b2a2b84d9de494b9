//! What is no policy, or one of another world: wrong forms, types and versions, and parts of the standard that policies
//! do not get.

use wasm_encoder::{Component, RawSection};

use crate::guest::{Guest, around, around_text};
use crate::{Fate, Specimen, specimen};

pub(crate) fn all() -> Vec<Specimen> {
    let good = Guest::doing("").component();
    let cut = |per_mille: usize| good[..good.len() * per_mille / 1000].to_vec();
    // The machine code's form: an ELF file of a private type, as compilers of this engine write it.
    let mut elf = b"\x7fELF\x02\x01\x01\xc8\0\0\0\0\0\0\0\0\x01\0\x3e\0\x01\0\0\0".to_vec();
    elf.extend_from_slice(&good);
    let mut lie = b"\0asm\x0d\0\x01\0".to_vec();
    // A section that says it has four gigabytes.
    lie.extend_from_slice(b"\x01\xff\xff\xff\xff\x0f");
    let liar: &[u8] =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b";
    let mut twice = good.clone();
    twice.extend_from_slice(&good);
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 8].fill(0xff);
    let other = |from: &str, to: &str| renamed(from, to);
    let bytes = [
        ("nothing at all", Vec::new()),
        ("text", b"#!/bin/sh\nrm -rf /\n".to_vec()),
        ("a header alone", b"\0asm".to_vec()),
        ("an empty module", b"\0asm\x01\0\0\0".to_vec()),
        ("an empty component", b"\0asm\x0d\0\x01\0".to_vec()),
        ("a form of the future", b"\0asm\x0e\0\x01\0".to_vec()),
        ("machine code", elf),
        ("an archive", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec()),
        ("a tenth of a policy", cut(100)),
        ("half a policy", cut(500)),
        ("all of a policy but the end", cut(999)),
        ("a policy with noise in the middle", flipped),
        ("two policies in one file", twice),
        ("a section of four gigabytes", lie),
        ("a function of four billion locals", around(liar)),
        ("a core module of a policy", Guest::doing("").module()),
        ("a policy for version 9", other("@0.2.0", "@9.0.0")),
        ("a policy for version 0.20", other("@0.2.0", "@0.20.0")),
        ("a policy for a version that is none", other("@0.2.0", "@0.2.0-evil")),
        ("a policy of another package", other("reprise:policy", "reprice:policy")),
        ("more than any policy may be", vec![0; 40 << 20]),
    ];
    let texts = [
        ("no hook", r#"(component (instance $i) (export "reprise:policy/other@0.2.0" (instance $i)))"#),
        (
            "a hook without its function",
            r#"(component (instance $i) (export "reprise:policy/template-group@0.2.0" (instance $i)))"#,
        ),
        (
            "a hook that is a component",
            r#"(component (component $c) (export "reprise:policy/template-group@0.2.0" (component $c)))"#,
        ),
        (
            "a hook whose function has no question",
            r#"(component (core module $m (func (export "f"))) (core instance $c (instantiate $m))
               (func $f (canon lift (core func $c "f"))) (instance $i (export "decide" (func $f)))
               (export "reprise:policy/template-group@0.2.0" (instance $i)))"#,
        ),
        (
            "a hook whose function takes a number",
            r#"(component (core module $m (func (export "f") (param i32))) (core instance $c (instantiate $m))
               (func $f (param "question" u32) (canon lift (core func $c "f"))) (instance $i (export "decide" (func $f)))
               (export "reprise:policy/callback@0.2.0" (instance $i)))"#,
        ),
        ("an import that is a function", r#"(component (import "run" (func)))"#),
        ("an import that is a module", r#"(component (import "m" (core module)))"#),
        ("an import of ours that is not there", r#"(component (import "reprise:policy/files@0.2.0" (instance)))"#),
    ];
    let modules = [
        ("vectors", "(module (func (drop (v128.const i32x4 0 0 0 0))))"),
        ("tail calls", "(module (func $f (return_call $f)))"),
        ("exceptions", "(module (tag $t) (func (throw $t)))"),
        ("garbage collection", "(module (type $s (struct (field i32))) (func (drop (struct.new_default $s))))"),
        ("atomics", "(module (memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0)))))"),
        (
            "wide arithmetic",
            "(module (func (param i64 i64 i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))",
        ),
    ];
    let bytes = bytes.map(|(name, bytes)| specimen(name, bytes, Fate::Refused));
    let texts = texts.map(|(name, text)| {
        specimen(name, wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}")), Fate::Refused)
    });
    let modules = modules
        .map(|(name, text)| specimen(&format!("what policies do not get: {name}"), around_text(text), Fate::Refused));
    bytes.into_iter().chain(texts).chain(modules).chain([start_of_component()]).collect()
}

/// A good policy in which a name is another, of the same length or not: the names are patched in the finished bytes when
/// the length allows, else the component is made around a renamed export.
fn renamed(from: &str, to: &str) -> Vec<u8> {
    let good = Guest::doing("").component();
    if from.len() == to.len() {
        let mut bytes = good;
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from.as_bytes()) {
            bytes[at + found..at + found + from.len()].copy_from_slice(to.as_bytes());
            at += found + from.len();
        }
        return bytes;
    }
    let name = "reprise:policy/template-group@0.2.0".replace(from, to);
    let text = format!(r#"(component (instance $i) (export "{name}" (instance $i)))"#);
    wat::parse_str(&text).unwrap_or_else(|_| {
        // The name is none that the text form lets through; the bytes say it all the same.
        let mut component = Component::new();
        let mut export = vec![1, 0];
        export.push(u8::try_from(name.len()).expect("names are short"));
        export.extend_from_slice(name.as_bytes());
        export.extend_from_slice(&[5, 0, 0]);
        component.section(&RawSection { id: 11, data: &export });
        component.finish()
    })
}

/// A component that wants to run when it is made.
fn start_of_component() -> Specimen {
    let mut component = Component::new();
    component.section(&RawSection { id: 9, data: &[0, 0, 0] });
    specimen("a component with a start of its own", component.finish(), Fate::Refused)
}
