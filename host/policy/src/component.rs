//! A policy that is ready: machine code taken in, imports linked, exports found. What is left for each call is
//! to instantiate.

use std::fmt;

use reprise_lifecycle::question::Hook;
use wasmtime::component::{InstancePre, Linker};

use crate::artefact::Artefact;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::evaluate::State;
use crate::lines::{Exports, PACKAGE};
use crate::{imports, lines, trusted};

/// A policy that is ready. It is bound to its engine and shared freely between threads.
pub struct Loaded {
    digest: String,
    interface: &'static str,
    uses_state: bool,
    uses_assets: bool,
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Box<dyn Exports>,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("digest", &self.digest).field("hooks", &self.hooks()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Makes a compiled component ready.
    ///
    /// # Errors
    ///
    /// When it needs more than a policy gets, was compiled for another engine, imports what we do not have, or lacks the function of a hook.
    pub fn load(&self, artefact: &Artefact) -> Result<Loaded, LoadError> {
        let component =
            trusted::take_in(self.wasm(), artefact).map_err(|error| LoadError::Unfit(format!("{error:#}")))?;
        let mut linker = Linker::new(self.wasm());
        imports::link(&mut linker).map_err(|error| LoadError::Imports(format!("{error:#}")))?;
        let pre = linker.instantiate_pre(&component).map_err(|error| LoadError::Imports(format!("{error:#}")))?;
        let faces = component.component_type();
        let (imports, exports) = (faces.imports(self.wasm()), faces.exports(self.wasm()));
        let imports: Vec<&str> = imports.map(|(name, _)| name).collect();
        let exports = exports.map(|(name, _)| name);
        let (line, exports) = lines::find(&pre, imports.iter().copied().chain(exports))?;
        let uses = |face: &str| {
            let is_face = |name: &&str| {
                name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')).is_some_and(|(found, _)| found == face)
            };
            imports.iter().any(is_face)
        };
        let (uses_state, uses_assets) = (uses("state"), uses("assets"));
        Ok(Loaded { digest: artefact.digest().to_owned(), interface: line, uses_state, uses_assets, pre, exports })
    }
}

impl Loaded {
    /// SHA-256 of the component, lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The line of the interface that it speaks: [`INTERFACE`](crate::INTERFACE) or
    /// [`OLDER_INTERFACE`](crate::OLDER_INTERFACE), whatever patch it was made for.
    pub fn interface(&self) -> &'static str {
        self.interface
    }

    /// Whether it can see and write the plugin's state.
    pub fn uses_state(&self) -> bool {
        self.uses_state
    }

    /// Whether it can read its assets.
    pub fn uses_assets(&self) -> bool {
        self.uses_assets
    }

    /// The hooks it can be asked at, in the order of [`Hook::ALL`].
    pub fn hooks(&self) -> Vec<Hook> {
        Hook::ALL.into_iter().filter(|hook| self.has(*hook)).collect()
    }

    /// Whether it can be asked at this hook.
    pub fn has(&self, hook: Hook) -> bool {
        self.exports.has(hook)
    }

    /// Whether it can check settings.
    pub fn checks_settings(&self) -> bool {
        self.exports.checks_settings()
    }
}
