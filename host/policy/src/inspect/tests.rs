//! What is let in, and what each refusal says.

use super::*;
use crate::guests::{Core, wat};

fn judge(bytes: &[u8]) -> Result<Inspection, Refused> {
    inspect(bytes, &AdmissionLimits::standard())
}

/// A component around a core module; it has no hook, but counts come first.
fn around(module: &str) -> Vec<u8> {
    let module = wat(module);
    let mut component = wasm_encoder::Component::new();
    // The section of core modules.
    component.section(&wasm_encoder::RawSection { id: 1, data: &module });
    component.finish()
}

#[test]
fn a_policy_says_what_it_is() {
    let component =
        Core::template_group("(call $log (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 0)").component();
    let inspection = judge(&component).unwrap();
    assert_eq!(inspection.hooks, [Hook::TemplateGroup]);
    assert_eq!(inspection.interface, "reprise:policy@0.1.0");
    assert!(inspection.logs && !inspection.checks_settings);
    assert_eq!(inspection.digest, digest(&component));
    assert_eq!(inspection.size_bytes, component.len());
}

#[test]
fn what_is_no_policy_is_told_why() {
    let core = Core::template_group("(i32.const 0)");
    let component = core.component();
    let elsewhere = |from: &'static str, to: &'static str| {
        let text = r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (func (export "reprise:policy/template-group@0.1.0#decide") (param i32) (result i32) (i32.const 0)))"#;
        Core::new("template-group-policy", text.replace(from, to)).with_wit(|wit| wit.replace(from, to)).component()
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a core module", core.module(), "run `reprise plugin build`"),
        ("machine code", b"\x7fELF\x02\x01\x01\xc8".to_vec(), "machine code"),
        ("text", b"(component)".to_vec(), "not a WebAssembly component"),
        ("nothing", Vec::new(), "not a WebAssembly component"),
        ("a broken header", b"\0asm\x0d\0".to_vec(), "malformed"),
        ("an empty component", wat("(component)"), "it exports nothing"),
        ("half a component", component[..component.len() / 2].to_vec(), "malformed"),
        (
            "another version",
            elsewhere("@0.1.0", "@0.3.0"),
            "`reprise:policy/types@0.3.0`, but this server speaks reprise:policy@0.1.0 and reprise:policy@0.2.0",
        ),
        ("another package", elsewhere("reprise:policy", "other:policy"), "imports `other:policy/types@0.1.0`"),
        (
            "no hook",
            wat(r#"(component (instance $i) (export "reprise:policy/other@0.1.0" (instance $i)))"#),
            "it exports reprise:policy/other@0.1.0",
        ),
        (
            "WASI's keys",
            wat(r#"(component (import "wasi:keyvalue/store@0.2.0" (instance)))"#),
            "`wasi:keyvalue/store@0.2.0`",
        ),
        (
            "WASI of old",
            wat(r#"(component (import "wasi:cli/environment@0.1.0" (instance)))"#),
            "`wasi:cli/environment@0.1.0`",
        ),
        (
            "WASI to come",
            wat(r#"(component (import "wasi:cli/environment@0.3.0" (instance)))"#),
            "`wasi:cli/environment@0.3.0`",
        ),
        (
            "WASI of no version",
            wat(r#"(component (import "wasi:cli/environment" (instance)))"#),
            "`wasi:cli/environment`",
        ),
        (
            "WASI linked, but no hook",
            wat(r#"(component (import "wasi:cli/environment@0.2.3" (instance)))"#),
            "it exports nothing",
        ),
        (
            "an unknown import",
            wat(r#"(component (import "reprise:policy/files@0.1.0" (instance)))"#),
            "`reprise:policy/files@0.1.0`, which the contract does not have: policies can import `log`, `state` and `assets`",
        ),
        (
            "an import of the future",
            wat(r#"(component (import "reprise:policy/log@1.0.0" (instance)))"#),
            "but this server speaks",
        ),
        (
            "a function of the hook's name",
            wat(
                r#"(component (import "reprise:policy/types@0.1.0" (instance)) (component $c) (export "callback" (component $c)))"#,
            ),
            "it exports callback",
        ),
    ];
    for (name, bytes, part) in cases {
        let message = judge(&bytes).expect_err(name).to_string();
        assert!(message.contains(part), "{name}: {message}");
    }
    let of_size = |size_bytes| AdmissionLimits { size_bytes, ..AdmissionLimits::standard() };
    assert!(inspect(&component, &of_size(component.len())).is_ok());
    assert!(matches!(inspect(&component, &of_size(component.len() - 1)), Err(Refused::TooLarge { .. })));
}

#[test]
fn bombs_are_counted_before_they_are_compiled() {
    let repeat = |text: &str, times: usize| text.repeat(times);
    let nested = |depth: usize| format!("(func {}{})", repeat("(block ", depth), repeat(")", depth));
    let cases: Vec<(&str, String, &str)> = vec![
        (
            "functions",
            format!("(module {})", repeat("(func)", 10_001)),
            "the number of functions is 10001, of which 10000",
        ),
        ("locals", format!("(module (func (local {})))", repeat("i32 ", 1_001)), "the number of locals"),
        ("nesting", format!("(module {})", nested(257)), "the depth of nested blocks is 257, of which 256"),
        (
            "locals times branches",
            format!("(module (func (local {}) {}))", repeat("i32 ", 1_000), repeat("(block)", 2_001)),
            "the product of locals and branches of a function is 2001000",
        ),
        ("a large function", format!("(module (func {}))", repeat("(nop)", 70_000)), "the size of a function"),
        (
            "branch tables",
            format!("(module (func (br_table {} (i32.const 0))))", repeat("0 ", 2_000)),
            "the number of branch targets",
        ),
        ("wide types", format!("(module (func (param {})))", repeat("i32 ", 65)), "values in a function's type"),
        ("data", format!("(module (memory 1) (data (i32.const 0) \"{}\"))", repeat("x", (1 << 20) + 1)), "bytes"),
        (
            "declarations",
            format!("(module {})", repeat("(global i32 (i32.const 0))", 20_001)),
            "the number of declarations",
        ),
        ("memory", "(module (memory 257))".to_owned(), "the size that the memory begins with is 16842752"),
        ("memories", "(module (memory 1) (memory 1))".to_owned(), "the number of memories is 2"),
        ("a table", "(module (table 10001 funcref))".to_owned(), "the size that a table begins with is 10001"),
        ("tables", format!("(module {})", repeat("(table 1 funcref)", 5)), "the number of tables is 5"),
        ("exceptions", "(module (tag))".to_owned(), "uses exceptions"),
    ];
    for (name, module, part) in cases {
        let message = judge(&around(&module)).expect_err(name).to_string();
        assert!(message.contains(part), "{name}: {message}");
    }
    for (name, text, part) in [
        ("modules", format!("(component {})", repeat("(core module)", 17)), "the number of modules is 17"),
        ("components", format!("(component {})", repeat("(component)", 65)), "the number of nested components is 65"),
    ] {
        let message = judge(&wat(&text)).expect_err(name).to_string();
        assert!(message.contains(part), "{name}: {message}");
    }
    // At the limit it goes on to the next question, which is about hooks.
    for module in [format!("(module {})", nested(256)), format!("(module {})", repeat("(func)", 10_000))] {
        assert!(matches!(judge(&around(&module)), Err(Refused::NoHook { .. })));
    }
}

#[test]
fn a_count_that_is_a_lie_is_only_a_number() {
    // A function that declares four billion locals in eleven bytes.
    let module: &[u8] =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b";
    let mut component = wasm_encoder::Component::new();
    component.section(&wasm_encoder::RawSection { id: 1, data: module });
    let lie = component.finish();
    assert!(matches!(judge(&lie), Err(Refused::Count { what: "the number of locals of a function", .. })));
}

#[test]
fn no_change_of_a_byte_makes_it_panic() {
    let component = Core::template_group("(i32.const 0)").component();
    for place in 0..component.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut changed = component.clone();
            changed[place] ^= bits;
            let _ = judge(&changed);
        }
        let _ = judge(&component[..place]);
    }
}

#[test]
fn size_makes_the_class() {
    let component = Core::template_group("(i32.const 0)").component();
    let size = component.len();
    assert_eq!(inspect(&component, &AdmissionLimits::default()).unwrap().class, Class::Standard);
    let tight = AdmissionLimits { size_bytes: size - 1, ..AdmissionLimits::default() };
    assert_eq!(inspect(&component, &tight).unwrap().class, Class::Scripted);

    // What is too much for one class is fine for the other, but only for a component of its size.
    let functions = around(&format!("(module {})", "(func)".repeat(10_001)));
    let judge = |limits: &AdmissionLimits| inspect(&functions, limits).expect_err("it has no hook");
    assert!(matches!(judge(&AdmissionLimits::default()), Refused::Count { .. }));
    assert!(matches!(judge(&AdmissionLimits { size_bytes: 1, ..AdmissionLimits::default() }), Refused::NoHook { .. }));

    // An operator who refuses scripts refuses what is larger.
    let refused = inspect(&vec_of_code(2 << 20), &AdmissionLimits::standard());
    assert!(matches!(refused, Err(Refused::TooLarge { limit_bytes: 1_048_576, .. })), "{refused:?}");
    let refused = inspect(&vec_of_code(33 << 20), &AdmissionLimits::default());
    assert!(matches!(refused, Err(Refused::TooLarge { limit_bytes: 33_554_432, .. })), "{refused:?}");
}

/// A component of about so many bytes.
fn vec_of_code(bytes: usize) -> Vec<u8> {
    let mut component = wasm_encoder::Component::new();
    component.section(&wasm_encoder::CustomSection { name: "padding".into(), data: vec![0; bytes].into() });
    component.finish()
}
