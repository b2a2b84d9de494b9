//! WASI for guests whose language cannot do without it. Everything can be imported and nothing is given: no file, no
//! network, no environment; clocks stand still, chance is the same for every call, waiting is over at once, and what is
//! written goes to the call's bounded log. So the same question still has the same answer, and no thread of ours ever
//! waits for anything. A call of what cannot even be pretended ends the guest, with the name of what it wanted.
//!
//! This is written by hand, because what others offer waits for real clocks and streams outside of our deadlines.

mod calls;
mod console;

use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

use crate::evaluate::State;
use crate::imports::{self, FUEL_PER_CALL, Log};
use console::Console;

/// The packages that can be imported.
const PACKAGES: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

/// The line of versions that compilers and runtimes are built for. Later patches add functions, none changes any.
const LINE: &str = "0.2.";

/// What a guest has of WASI during one call.
#[derive(Debug, Default)]
pub(crate) struct Wasi {
    console: Console,
    /// Steps of the generator so far.
    chance: u64,
}

impl Wasi {
    /// What is left unfinished goes to the log.
    pub(crate) fn finish(&mut self, log: &mut Log) {
        self.console.finish(log);
    }
}

/// Stands for everything that a guest can have a handle of: streams, what is waited for, errors. There is nothing
/// behind them, so they need not be told apart.
pub(crate) struct Handle;

/// A guest called what it does not get; the text says what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Denied(String);

impl Denied {
    fn function(face: &str, function: &str) -> Self {
        Self(format!("the guest called wasi:{face} ({function}), which policies do not get"))
    }
}

/// Whether an import is of WASI, and linked here.
pub(crate) fn is_linked(name: &str) -> bool {
    split(name).is_some()
}

/// Package and interface, and the version, of a name of WASI that is linked here.
fn split(name: &str) -> Option<(&str, &str)> {
    let (face, version) = name.strip_prefix("wasi:")?.split_once('@')?;
    let (package, interface) = face.split_once('/')?;
    let patch = version.strip_prefix(LINE)?;
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())
    };
    (PACKAGES.contains(&package) && plain(interface) && !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
        .then_some((face, version))
}

/// Links all that a component imports of WASI.
pub(crate) fn link(linker: &mut Linker<State>, component: &Component) -> wasmtime::Result<()> {
    let engine = component.engine().clone();
    for (name, import) in component.component_type().imports(&engine) {
        let Some((face, _)) = split(name) else { continue };
        let ComponentItem::ComponentInstance(interface) = import.ty else { continue };
        let mut instance = linker.instance(name)?;
        for (item, export) in interface.exports(&engine) {
            match export.ty {
                ComponentItem::Resource(_) => {
                    instance.resource(item, ResourceType::host::<Handle>(), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) if calls::link(&mut instance, face, item)? => {}
                ComponentItem::ComponentFunc(_) => {
                    let denied = Denied::function(face, item);
                    instance.func_new(item, move |_, _, _, _| Err(wasmtime::Error::new(denied.clone())))?;
                }
                // Types are only names; anything else is refused when the component is linked.
                _ => {}
            }
        }
    }
    Ok(())
}

/// Takes fuel from the guest for a call, and for the bytes that are handed over in it.
fn charge(store: &mut StoreContextMut<'_, State>, bytes: u64) -> wasmtime::Result<()> {
    imports::charge(store, FUEL_PER_CALL.saturating_add(bytes), 0)
}

#[cfg(test)]
mod tests;
