//! A policy that is ready: machine code taken in, imports linked, exports found. What is left for each call is
//! to instantiate.

use std::fmt;
use std::fs::File;

use reprise_lifecycle::question::Hook;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::artefact::{Artefact, SealKey, Sealed};
use crate::class::Class;
use crate::engine::Engine;
use crate::error::{LoadError, OpenError};
use crate::evaluate::State;
use crate::lines::{Exports, PACKAGE};
use crate::{imports, lines, trusted, wasi};

/// A policy that is ready. It is bound to its engine and shared freely between threads.
pub struct Loaded {
    digest: String,
    class: Class,
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
    /// When it needs more than a policy gets, was compiled for another engine, imports what we do not have, or lacks the
    /// function of a hook.
    pub fn load(&self, artefact: &Artefact) -> Result<Loaded, LoadError> {
        let component = trusted::take_in(self, artefact).map_err(|error| LoadError::Unfit(format!("{error:#}")))?;
        self.link(artefact.digest(), artefact.class(), &component)
    }

    /// Makes a component ready that was compiled earlier and kept in a file under a seal. The file is mapped, so it
    /// must stay as it is; it may be removed.
    ///
    /// # Errors
    ///
    /// When the file is not the very one that was sealed for the component with this digest, on this engine, with this
    /// key; or could be changed by others; or cannot be mapped to run.
    pub fn open(&self, file: &File, key: &SealKey, digest: &str) -> Result<Loaded, OpenError> {
        let sealed = Sealed::check(file, key, digest, self)?;
        let component = trusted::map(self, &sealed).map_err(|error| LoadError::Unfit(format!("{error:#}")))?;
        Ok(self.link(digest, sealed.class(), &component)?)
    }

    fn link(&self, digest: &str, class: Class, component: &Component) -> Result<Loaded, LoadError> {
        let engine = self.wasm(class);
        let mut linker = Linker::new(engine);
        imports::link(&mut linker)
            .and_then(|()| wasi::link(&mut linker, component))
            .map_err(|error| LoadError::Imports(format!("{error:#}")))?;
        let pre = linker.instantiate_pre(component).map_err(|error| LoadError::Imports(format!("{error:#}")))?;
        let faces = component.component_type();
        let (imports, exports) = (faces.imports(engine), faces.exports(engine));
        let imports: Vec<&str> = imports.map(|(name, _)| name).collect();
        let exports = exports.map(|(name, _)| name);
        let (interface, exports) = lines::find(&pre, imports.iter().copied().chain(exports))?;
        let uses = |face: &str| {
            let is_face = |name: &&str| {
                name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')).is_some_and(|(found, _)| found == face)
            };
            imports.iter().any(is_face)
        };
        let (uses_state, uses_assets) = (uses("state"), uses("assets"));
        Ok(Loaded { digest: digest.to_owned(), class, interface, uses_state, uses_assets, pre, exports })
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

    /// Which limits it is held to.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Bytes of its machine code and what belongs to it.
    pub fn code_bytes(&self) -> usize {
        let image = self.pre.component().image_range();
        image.end.addr() - image.start.addr()
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
