//! Guests for this crate's tests, from the text of a core module: small enough to see what each does.

use std::sync::Arc;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::artefact::{Artefact, digest};
use crate::class::Class;
use crate::component::Loaded;
use crate::encode::encode_component;
use crate::engine::{Engine, EngineOptions, compiler_engine};

/// The contract, as authors read it.
const WIT: &str = include_str!("../../../wit/0.1/policy.wit");

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

/// An engine with room for a few calls.
pub(crate) fn engine() -> Engine {
    Engine::new(EngineOptions { max_concurrent_calls: 4, scripted_concurrent_calls: 1 }).unwrap()
}

/// Compiles in this process, as nothing but a test does.
pub(crate) fn load(engine: &Engine, component: &[u8]) -> Loaded {
    try_load(engine, component).unwrap()
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
