//! Guests for this crate's tests, from the text of a core module: small enough to see what each does.

use std::sync::Arc;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::artefact::{Artefact, digest};
use crate::class::Class;
use crate::component::Loaded;
use crate::encode::encode_component;
use crate::engine::{Engine, EngineOptions, compiler_engine};

/// The contracts, as authors read them.
const WIT: &str = include_str!("../../../wit/0.1/policy.wit");
const NEWER_WIT: &str = include_str!("../../../wit/0.2/policy.wit");

/// A core module that implements a world.
pub(crate) struct Core {
    wat: String,
    world: &'static str,
    wit: String,
}

impl Core {
    /// A module as it is.
    pub(crate) fn new(world: &'static str, wat: String) -> Self {
        Self { wat, world, wit: WIT.to_owned() }
    }

    /// Asked at `template-group`: the body leaves the address of the result.
    pub(crate) fn template_group(body: &str) -> Self {
        Self::hook("template-group-policy", "template-group", body, "")
    }

    /// Asked at `compose-rules`.
    pub(crate) fn compose_rules(body: &str) -> Self {
        Self::hook("compose-rules-policy", "compose-rules", body, "")
    }

    /// Asked at `callback`.
    pub(crate) fn callback(body: &str) -> Self {
        Self::hook("callback-policy", "callback", body, "")
    }

    /// One hook with a body and with more fields of the module. There is one page of zeros, of which the
    /// question takes what is above 4096; so the address 0 holds the answer `use-default`.
    pub(crate) fn hook(world: &'static str, hook: &str, body: &str, fields: &str) -> Self {
        let wat = format!(
            r#"(module
                (import "reprise:policy/log@0.1.0" "log" (func $log (param i32 i32 i32)))
                (memory (export "memory") 1)
                (global $top (mut i32) (i32.const 4096))
                {fields}
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
                    (global.set $top (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                (func (export "reprise:policy/{hook}@0.1.0#decide") (param i32) (result i32) {body}))"#
        );
        Self::new(world, wat)
    }

    /// With one more import, of a function without parameters.
    pub(crate) fn with_import(mut self, face: &str, name: &str) -> Self {
        let import = format!(r#"(module (import "reprise:policy/{face}" "{name}" (func))"#);
        self.wat = self.wat.replacen("(module", &import, 1);
        self
    }

    /// Made for another patch of its line.
    pub(crate) fn with_version(mut self, version: &str) -> Self {
        let other = format!("@{version}");
        self.wat = self.wat.replace("@0.2.0", &other);
        self.wit = self.wit.replace("@0.2.0", &other);
        self
    }

    /// Implements another contract.
    pub(crate) fn with_wit(mut self, wit: impl FnOnce(&str) -> String) -> Self {
        self.wit = wit(&self.wit);
        self
    }

    /// The core module.
    pub(crate) fn module(&self) -> Vec<u8> {
        let mut module = wat::parse_str(&self.wat).unwrap();
        let mut resolve = Resolve::default();
        let package = resolve.push_str("policy.wit", &self.wit).unwrap();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    /// The component.
    pub(crate) fn component(&self) -> Vec<u8> {
        encode_component(&self.module()).unwrap()
    }
}

/// Core modules for the newer line.
pub(crate) struct Newer;

impl Newer {
    /// A module as it is.
    pub(crate) fn module(world: &'static str, wat: String) -> Core {
        Core { wat, world, wit: NEWER_WIT.to_owned() }
    }

    /// Asked at `template-group`, with more fields of the module.
    pub(crate) fn template_group(body: &str, fields: &str) -> Core {
        Self::hook("template-group-policy", "template-group", body, fields)
    }

    /// As [`Core::hook`], with all that the newer line has to call. The zeros at the address 0 hold the answer
    /// `use-default` without a reason.
    pub(crate) fn hook(world: &'static str, hook: &str, body: &str, fields: &str) -> Core {
        let core = Core::hook(world, hook, body, fields);
        let imports = r#"(module
            (import "reprise:policy/state@0.2.0" "get" (func $get (param i32 i32 i32)))
            (import "reprise:policy/state@0.2.0" "keys" (func $keys (param i32 i32 i32)))
            (import "reprise:policy/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
            (import "reprise:policy/state@0.2.0" "delete" (func $delete (param i32 i32 i32)))
            (import "reprise:policy/assets@0.2.0" "read" (func $read (param i32 i32 i32)))
            (import "reprise:policy/assets@0.2.0" "paths" (func $paths (param i32)))"#;
        Self::module(world, core.wat.replace("@0.1.0", "@0.2.0").replacen("(module", imports, 1))
    }
}

/// An engine with room for a few calls.
pub(crate) fn engine() -> Engine {
    Engine::new(EngineOptions { max_concurrent_calls: 4, scripted_concurrent_calls: 1 }).unwrap()
}

/// Compiles in this process, as nothing but a test does.
pub(crate) fn load(engine: &Engine, component: &[u8]) -> Loaded {
    try_load(engine, component).unwrap()
}

/// The same, in a class that its size would not give it.
pub(crate) fn load_as(engine: &Engine, component: &[u8], class: Class) -> Loaded {
    let code = compiler_engine().unwrap().precompile_component(component).unwrap();
    engine.load(&Artefact::from_child(digest(component), class, code)).unwrap()
}

pub(crate) fn try_load(engine: &Engine, component: &[u8]) -> Result<Loaded, crate::error::LoadError> {
    let code = compiler_engine().unwrap().precompile_component(component).unwrap();
    engine.load(&Artefact::from_child(digest(component), Class::Standard, code))
}

/// The same for the text of a component.
pub(crate) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A loaded guest, for tests that share it between threads.
pub(crate) fn shared(engine: &Engine, core: &Core) -> Arc<Loaded> {
    Arc::new(load(engine, &core.component()))
}
