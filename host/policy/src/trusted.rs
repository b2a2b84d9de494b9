//! The one place where machine code is taken into the process. It takes an [`Artefact`] or a [`Sealed`] file and nothing
//! else: an artefact is either what our own compile child wrote into a private pipe during this process's life, or a
//! copy of a file whose seal, made with the operator's secret key, was found intact; a sealed file is one whose seal was
//! found intact just now.

#![expect(unsafe_code, reason = "the engine cannot check machine code, only we can know where it comes from")]

use std::os::fd::AsRawFd;

use wasmtime::component::Component;

use crate::artefact::{Artefact, Sealed};
use crate::engine::Engine;

/// Takes a copy of the machine code in.
pub(crate) fn take_in(engine: &Engine, artefact: &Artefact) -> wasmtime::Result<Component> {
    // SAFETY: `Artefact` can only be made by `compile` and by `Artefact::open`, so these bytes are what
    // `Component::serialize` gave in our own child. Whether they fit this engine is checked by the engine.
    unsafe { Component::deserialize(engine.wasm(artefact.class()), artefact.code()) }
}

/// Maps the machine code, read only and executable, from the very file that was checked: the name is that of our own
/// open handle, so what it leads to cannot be exchanged.
pub(crate) fn map(engine: &Engine, sealed: &Sealed<'_>) -> wasmtime::Result<Component> {
    let handle = format!("/proc/self/fd/{}", sealed.file().as_raw_fd());
    // SAFETY: `Sealed` can only be made by `Sealed::check`, so the file's beginning is what `Component::serialize` gave
    // in our own child; its trailer is no part of what the engine looks at. The file stays as it is for as long as it
    // is mapped: only our own user can write to it, and our own program writes a cache file once, under a name of its
    // own, and from then on only removes it.
    unsafe { Component::deserialize_file(engine.wasm(sealed.class()), handle) }
}
