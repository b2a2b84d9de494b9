//! The one place where machine code is taken into the process. It takes an [`Artefact`] and nothing else, and
//! an artefact is either what our own compile child wrote into a private pipe during this process's life, or a
//! file whose seal, made with the operator's secret key, was found intact.

#![expect(unsafe_code, reason = "the engine cannot check machine code, only we can know where it comes from")]

use wasmtime::component::Component;

use crate::artefact::Artefact;

/// Takes the machine code in.
pub(crate) fn take_in(engine: &wasmtime::Engine, artefact: &Artefact) -> wasmtime::Result<Component> {
    // SAFETY: `Artefact` can only be made by `compile` and by `Artefact::open`, so these bytes are what
    // `Component::serialize` gave in our own child. Whether they fit this engine is checked by the engine.
    unsafe { Component::deserialize(engine, artefact.code()) }
}
