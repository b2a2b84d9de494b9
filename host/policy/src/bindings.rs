//! What the generator makes of both lines of `policy.wit`, private to this crate: the rest sees the domain's types
//! only.
//!
//! The world `policy` names all hooks; a component may lack some. So the world's own entry is never used, only
//! the interfaces' parts (`template_group::GuestIndices` and so on), each of which is looked for by itself.
//!
//! The shared words of 0.1 are those of 0.2 without the decisions, so there is one set of types for both. Should a line
//! ever mean something else by a word, the engine finds it when it compares types, and the test of both lines fails.

/// Policies that answer, and nothing else.
pub(crate) mod v0_1 {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "policy",
        imports: { default: trappable },
        with: {
            "reprise:policy/types": crate::bindings::v0_2::reprise::policy::types,
            "reprise:policy/log": crate::bindings::v0_2::reprise::policy::log,
        },
    });

    pub(crate) use exports::reprise::policy::{callback, compose_rules, settings, template_group};
}

/// Policies that say why, and may have state and assets.
pub(crate) mod v0_2 {
    wasmtime::component::bindgen!({
        path: "../../wit/0.2",
        world: "policy",
        imports: { default: trappable },
    });

    pub(crate) use exports::reprise::policy::{callback, compose_rules, settings, template_group};
}

pub(crate) use v0_2::reprise::policy::{log, types};
