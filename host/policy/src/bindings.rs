//! What the generator makes of `policy.wit`, private to this crate: the rest sees the domain's types only.
//!
//! The world `policy` names all hooks; a component may lack some. So the world's own entry is never used, only
//! the interfaces' parts (`template_group::GuestIndices` and so on), each of which is looked for by itself.

wasmtime::component::bindgen!({
    path: "../../wit/0.1",
    world: "policy",
    imports: { default: trappable },
});

pub(crate) use exports::reprise::policy::{callback, compose_rules, settings, template_group};
pub(crate) use reprise::policy::{log, types};
