//! From a core module, as compilers make it, to a component.

use wasmparser::{Encoding, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::error::EncodeError;

/// Arguments for cargo that build a Rust policy's core module, beside the package and the profile. The small
/// stack matters: it puts everything a call touches into the first pages of memory, which is what a slot of the
/// pool resets by hand (a call takes about a fifth longer with the usual megabyte of stack in front).
pub const PLUGIN_CARGO_ARGS: [&str; 5] = [
    "build",
    "--target",
    "wasm32-unknown-unknown",
    "--config",
    r#"target.wasm32-unknown-unknown.rustflags=["-Clink-arg=-zstack-size=98304"]"#,
];

/// Wraps a core module, built with an SDK that left the description of its interface in it, as a component.
/// Meant for what an author has built on the own machine: it is no gate, [`inspect`](crate::inspect) is.
///
/// # Errors
///
/// When the module is malformed or carries no description.
pub fn encode_component(core_wasm: &[u8]) -> Result<Vec<u8>, EncodeError> {
    if let Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) = Parser::new(0).parse_all(core_wasm).next()
    {
        return Err(EncodeError::AlreadyComponent);
    }
    ComponentEncoder::default()
        .validate(true)
        .module(core_wasm)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| EncodeError::Module(format!("{error:#}")))
}

/// The same for a module whose compiler knows nothing of interfaces: they are described by WIT texts (each with the
/// name that errors call it by), each of which may use the packages before it; the world is one of the last.
///
/// # Errors
///
/// When a text is no WIT, the world is not there, or the module does not have what it asks for.
pub fn encode_component_for(core_wasm: &[u8], wit: &[(&str, &str)], world: &str) -> Result<Vec<u8>, EncodeError> {
    let mut resolve = Resolve::default();
    let mut packages = Vec::new();
    for (name, text) in wit {
        let package = resolve.push_str(name, text).map_err(|error| EncodeError::Interface(format!("{error:#}")))?;
        packages = vec![package];
    }
    let world =
        resolve.select_world(&packages, Some(world)).map_err(|error| EncodeError::Interface(format!("{error:#}")))?;
    let mut described = core_wasm.to_vec();
    embed_component_metadata(&mut described, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| EncodeError::Module(format!("{error:#}")))?;
    encode_component(&described)
}
