//! A policy from the text of a core module, small enough to see what it does. It is asked at `template-group` and does
//! what its settings' first letter says: `{` nothing, `!` a trap, `?` a refusal with the settings as the message, `@`
//! a loop; any other settings are the group it answers. It logs one line.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::{Function, Resolve, SizeAlign, WorldItem};

const WIT: &str = include_str!("../../../../wit/0.1/policy.wit");

/// The component.
pub(crate) fn component() -> Vec<u8> {
    reprise_policy::encode_component(&core()).unwrap()
}

/// The core module that the component is made of.
pub(crate) fn core() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("policy.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], Some("template-group-policy")).unwrap();
    let settings = settings_offset(&resolve, world);
    let text = format!(
        r#"(module
            (import "reprise:policy/log@0.1.0" "log" (func $log (param i32 i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 1024) "asked")
            (global $top (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
                (global.set $top (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export "reprise:policy/template-group@0.1.0#decide") (param $question i32) (result i32)
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
fn settings_offset(resolve: &Resolve, world: wit_parser::WorldId) -> usize {
    let mut sizes = SizeAlign::default();
    sizes.fill(resolve);
    let exported = resolve.worlds[world].exports.values();
    let functions: Vec<&Function> = exported
        .filter_map(|item| match item {
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.get("decide"),
            _ => None,
        })
        .collect();
    let types = functions[0].params.iter().map(|param| &param.ty);
    let offsets = sizes.field_offsets(types);
    offsets[1].0.size_wasm32()
}
