//! Guests from the text of core modules: small enough to see what each does.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = include_str!("../../../../wit/0.1/policy.wit");
const NEWER_WIT: &str = include_str!("../../../../wit/0.2/policy.wit");

/// A guest at the hook `callback`. `body` is given the address of the question, behind which the settings lie, and leaves
/// the address of its answer; what is below 4096 is its own.
pub(crate) fn callback(body: &str, fields: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "reprise:policy/log@0.1.0" "log" (func $log (param i32 i32 i32)))
            (memory (export "memory") 2)
            (global $top (mut i32) (i32.const 4096))
            {fields}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
                (global.set $top (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export "reprise:policy/callback@0.1.0#decide") (param $question i32) (result i32) {body}))"#
    );
    component(&text, WIT)
}

fn component(text: &str, wit: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("policy.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("callback-policy")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    reprise_policy::encode_component(&module).unwrap()
}

/// Answers with its settings as the body, and with the header `x-by: <mark>`.
pub(crate) fn echo(mark: &str) -> Vec<u8> {
    assert_eq!(mark.len(), 1);
    let body = "(i32.store8 (i32.const 1028) (i32.const 2))
        (i32.store (i32.const 1032) (i32.load offset=88 (local.get $question)))
        (i32.store (i32.const 1036) (i32.load offset=92 (local.get $question)))
        (i32.store (i32.const 1040) (i32.const 1100))
        (i32.store (i32.const 1044) (i32.const 1))
        (i32.const 1024)";
    let header = format!(
        r#"(data (i32.const 1100) "\b0\04\00\00\04\00\00\00\ba\04\00\00\01\00\00\00")
        (data (i32.const 1200) "x-by") (data (i32.const 1210) "{mark}")"#
    );
    callback(body, &header)
}

/// Drops every event.
pub(crate) fn drops() -> Vec<u8> {
    callback("(i32.store8 (i32.const 1028) (i32.const 1)) (i32.const 1024)", "")
}

/// Traps.
pub(crate) fn trap() -> Vec<u8> {
    callback("(unreachable)", "")
}

/// Never ends by itself.
pub(crate) fn endless() -> Vec<u8> {
    callback("(loop $again (br $again)) (unreachable)", "")
}

/// Lets the first event of all pass and drops those that come after it: its state says which is which.
pub(crate) fn once() -> Vec<u8> {
    let text = r#"(module
        (import "reprise:policy/state@0.2.0" "get" (func $get (param i32 i32 i32)))
        (import "reprise:policy/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
        (memory (export "memory") 2)
        (global $top (mut i32) (i32.const 4096))
        (data (i32.const 1300) "k") (data (i32.const 1310) "1")
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
            (global.set $top (i32.add (local.get $at) (local.get 3)))
            (local.get $at))
        (func (export "reprise:policy/callback@0.2.0#decide") (param i32) (result i32)
            (call $get (i32.const 1300) (i32.const 1) (i32.const 2000))
            (if (i32.load8_u (i32.const 2000))
                (then (i32.store8 (i32.const 1028) (i32.const 1)))
                (else (call $set (i32.const 1300) (i32.const 1) (i32.const 1310) (i32.const 1) (i32.const 2020))))
            (i32.const 1024)))"#;
    component(text, NEWER_WIT)
}
