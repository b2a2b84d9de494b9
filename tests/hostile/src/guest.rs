//! Guests from the text of a core module: small enough to see what each does.

use reprise_lifecycle::question::Hook;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract, as authors read it.
const WIT: &str = include_str!("../../../wit/0.2/policy.wit");

/// A core module that implements a hook of the contract, in parts.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    hook: Hook,
    /// Further fields of the module.
    fields: String,
    /// What `decide` does: leaves the address of its result. The memory's first page is zeros, and at 0 that is the
    /// default as an answer.
    body: String,
    /// The pages of memory.
    memory: String,
    /// How the host gets memory for the question.
    realloc: String,
    /// Imports beside those of the contract: fields of the module.
    imports: String,
    /// What the contract is added to: packages, and imports of the world.
    packages: Vec<String>,
    world_imports: Vec<String>,
}

/// A bump allocator above the first page; what grows, grows the memory.
const REALLOC: &str = "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (local.get $at))";

/// What a policy may call, as a core module sees it.
const IMPORTS: &str = r#"
    (import "reprise:policy/log@0.2.0" "log" (func $log (param i32 i32 i32)))
    (import "reprise:policy/state@0.2.0" "get" (func $get (param i32 i32 i32)))
    (import "reprise:policy/state@0.2.0" "keys" (func $keys (param i32 i32 i32)))
    (import "reprise:policy/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))
    (import "reprise:policy/state@0.2.0" "delete" (func $delete (param i32 i32 i32)))
    (import "reprise:policy/assets@0.2.0" "read" (func $read (param i32 i32 i32)))
    (import "reprise:policy/assets@0.2.0" "paths" (func $paths (param i32)))"#;

impl Guest {
    /// Asked at `template-group`: the body leaves the address of the result.
    pub(crate) fn new(body: impl Into<String>) -> Self {
        Self {
            hook: Hook::TemplateGroup,
            fields: String::new(),
            body: body.into(),
            memory: "2".to_owned(),
            realloc: REALLOC.to_owned(),
            imports: String::new(),
            packages: Vec::new(),
            world_imports: Vec::new(),
        }
    }

    /// Does something, then answers the default.
    pub(crate) fn doing(what: impl AsRef<str>) -> Self {
        Self::new(format!("{} (i32.const 0)", what.as_ref()))
    }

    pub(crate) fn at(mut self, hook: Hook) -> Self {
        self.hook = hook;
        self
    }

    pub(crate) fn fields(mut self, fields: impl Into<String>) -> Self {
        self.fields = fields.into();
        self
    }

    pub(crate) fn memory(mut self, memory: &str) -> Self {
        self.memory = memory.to_owned();
        self
    }

    pub(crate) fn realloc(mut self, body: &str) -> Self {
        self.realloc =
            format!("(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (local i32) {body})");
        self
    }

    /// Imports a foreign interface as well: its package, its name in the world, and the module's import.
    pub(crate) fn import(mut self, package: &str, world_import: &str, field: &str) -> Self {
        self.packages.push(package.to_owned());
        self.world_imports.push(format!("import {world_import};"));
        self.imports.push_str(field);
        self
    }

    /// The text of the module.
    fn text(&self) -> String {
        let Self { fields, body, memory, realloc, imports, .. } = self;
        let hook = self.hook.name();
        // Only what is used is imported, so that a guest which calls nothing needs nothing.
        let used = |import: &&str| {
            let name = import.split("(func ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            [fields, body, realloc]
                .iter()
                .any(|text| text.contains(&format!("{name} ")) || text.contains(&format!("{name})")))
        };
        let ours: String = IMPORTS.lines().filter(|line| !line.trim().is_empty()).filter(used).collect();
        format!(
            r#"(module {ours} {imports}
                (memory (export "memory") {memory})
                (global $top (mut i32) (i32.const 65536))
                {fields}
                {realloc}
                (func (export "reprise:policy/{hook}@0.2.0#decide") (param i32) (result i32) {body}))"#
        )
    }

    /// The core module, with the description of its interface in it.
    pub(crate) fn module(&self) -> Vec<u8> {
        let text = self.text();
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut resolve = Resolve::default();
        for package in &self.packages {
            resolve.push_str("foreign.wit", package).expect("the foreign package is valid");
        }
        let world = format!("world zoo {{ include {}-policy; {} }}", self.hook.name(), self.world_imports.concat());
        let package = resolve.push_str("policy.wit", &format!("{WIT}\n{world}")).expect("the contract is valid");
        let world = resolve.select_world(&[package], Some("zoo")).expect("the world is there");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it has room");
        module
    }

    /// The component.
    pub(crate) fn component(&self) -> Vec<u8> {
        ComponentEncoder::default()
            .validate(false)
            .module(&self.module())
            .and_then(|mut encoder| encoder.encode())
            .unwrap_or_else(|error| panic!("{error:#}\n{}", self.text()))
    }
}

/// A component around a core module, and nothing else.
pub(crate) fn around(module: &[u8]) -> Vec<u8> {
    let mut component = wasm_encoder::Component::new();
    // The section of core modules.
    component.section(&wasm_encoder::RawSection { id: 1, data: module });
    component.finish()
}

/// The same for the text of a module.
pub(crate) fn around_text(module: &str) -> Vec<u8> {
    around(&wat::parse_str(module).unwrap_or_else(|error| panic!("{error}\n{module}")))
}
