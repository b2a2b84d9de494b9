//! A policy from the text of a core module, small enough to see what it does. It is asked at `template-group`, logs one
//! line, and does what its settings' first letter says:
//!
//! - `{` nothing, `!` a trap, `@` no end, `?` a refusal with the settings as the message;
//! - `$` keeps the settings in its state under `seen` and gives the default, with what was there as the reason;
//! - `#` answers with the group that its asset `group.txt` names;
//! - any other settings are the group it answers, and the reason.
//!
//! Made for interface 0.1 it has neither reason nor state nor assets.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::{Function, Resolve, SizeAlign, WorldId, WorldItem};

/// The component for interface 0.2.
pub(crate) fn component() -> Vec<u8> {
    let beyond = r#"
        (if (i32.eq (local.get $first) (i32.const 36)) (then
            (call $get (i32.const 1040) (i32.const 4) (i32.const 64))
            (call $set (i32.const 1040) (i32.const 4) (local.get $text) (local.get $length) (i32.const 96))
            (i32.store (i32.const 16) (i32.load8_u (i32.const 64)))
            (i32.store (i32.const 20) (i32.load (i32.const 68)))
            (i32.store (i32.const 24) (i32.load (i32.const 72)))
            (return (i32.const 0))))
        (if (i32.eq (local.get $first) (i32.const 35)) (then
            (call $read (i32.const 1048) (i32.const 9) (i32.const 64))
            (i32.store (i32.const 4) (i32.load8_u (i32.const 64)))
            (i32.store (i32.const 8) (i32.load (i32.const 68)))
            (i32.store (i32.const 12) (i32.load (i32.const 72)))
            (return (i32.const 0))))
        (if (i32.ne (local.get $first) (i32.const 123)) (then
            (i32.store (i32.const 16) (i32.const 1))
            (i32.store (i32.const 20) (local.get $text))
            (i32.store (i32.const 24) (local.get $length))))"#;
    let imports = r#"
        (import "reprise:policy/state@0.2.0" "get" (func $get (param i32 i32 i32)))
        (import "reprise:policy/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
        (import "reprise:policy/assets@0.2.0" "read" (func $read (param i32 i32 i32)))"#;
    encode("0.2.0", include_str!("../../../../wit/0.2/policy.wit"), imports, beyond)
}

/// The component for interface 0.1.
pub(crate) fn old_component() -> Vec<u8> {
    encode("0.1.0", include_str!("../../../../wit/0.1/policy.wit"), "", "")
}

/// A component with a file among its assets, as `reprise plugin build` puts it in.
pub(crate) fn with_section(mut component: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    let mut section = leb128(name.len());
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(data);
    component.push(0);
    component.extend(leb128(section.len()));
    component.extend(section);
    component
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn encode(version: &str, wit: &str, imports: &str, beyond: &str) -> Vec<u8> {
    reprise_policy::encode_component(&core(version, wit, imports, beyond)).unwrap()
}

/// The core module that the old component is made of.
pub(crate) fn old_core() -> Vec<u8> {
    core("0.1.0", include_str!("../../../../wit/0.1/policy.wit"), "", "")
}

fn core(version: &str, wit: &str, imports: &str, beyond: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("policy.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("template-group-policy")).unwrap();
    let settings = settings_offset(&resolve, world);
    let text = format!(
        r#"(module
            (import "reprise:policy/log@{version}" "log" (func $log (param i32 i32 i32)))
            {imports}
            (memory (export "memory") 1)
            (data (i32.const 1024) "asked")
            (data (i32.const 1040) "seen")
            (data (i32.const 1048) "group.txt")
            (global $top (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
                (global.set $top (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export "reprise:policy/template-group@{version}#decide") (param $question i32) (result i32)
                (local $text i32) (local $length i32) (local $first i32)
                (call $log (i32.const 1) (i32.const 1024) (i32.const 5))
                (local.set $text (i32.load offset={settings} (local.get $question)))
                (local.set $length (i32.load offset={length} (local.get $question)))
                (local.set $first (i32.load8_u (local.get $text)))
                (if (i32.eq (local.get $first) (i32.const 33)) (then unreachable))
                (if (i32.eq (local.get $first) (i32.const 64)) (then (loop $on (br $on))))
                (if (i32.eq (local.get $first) (i32.const 63)) (then
                    (i32.store (i32.const 0) (i32.const 1))
                    (i32.store (i32.const 4) (local.get $text))
                    (i32.store (i32.const 8) (local.get $length))
                    (return (i32.const 0))))
                {beyond}
                (if (i32.ne (local.get $first) (i32.const 123)) (then
                    (i32.store (i32.const 4) (i32.const 1))
                    (i32.store (i32.const 8) (local.get $text))
                    (i32.store (i32.const 12) (local.get $length))))
                (i32.const 0)))"#,
        length = settings + 4,
    );
    let mut module = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

/// Where the settings are in the arguments of `decide`, which are too many to be passed one by one.
fn settings_offset(resolve: &Resolve, world: WorldId) -> usize {
    let mut sizes = SizeAlign::default();
    sizes.fill(resolve);
    let exported = resolve.worlds[world].exports.values();
    let functions: Vec<&Function> = exported
        .filter_map(|item| match item {
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.get("decide"),
            _ => None,
        })
        .collect();
    let offsets = sizes.field_offsets(functions[0].params.iter().map(|param| &param.ty));
    offsets[1].0.size_wasm32()
}
