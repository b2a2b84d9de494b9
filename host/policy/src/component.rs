//! A policy that is ready: machine code taken in, imports linked, exports found. What is left for each call is
//! to instantiate.

use std::fmt;

use reprise_lifecycle::question::Hook;
use wasmtime::component::{InstancePre, Linker};

use crate::artefact::Artefact;
use crate::bindings::{callback, compose_rules, settings, template_group};
use crate::engine::Engine;
use crate::error::LoadError;
use crate::evaluate::State;
use crate::inspect::INTERFACE;
use crate::{imports, trusted};

/// The package of our interfaces, in names.
const PACKAGE: &str = "reprise:policy/";

/// A policy that is ready. It is bound to its engine and shared freely between threads.
pub struct Loaded {
    digest: String,
    interface: String,
    uses_state: bool,
    uses_assets: bool,
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Exports,
}

/// Where each interface is in the component, if it is there. Looked for one by one, because hooks are optional.
pub(crate) struct Exports {
    pub(crate) template_group: Option<template_group::GuestIndices>,
    pub(crate) compose_rules: Option<compose_rules::GuestIndices>,
    pub(crate) callback: Option<callback::GuestIndices>,
    pub(crate) settings: Option<settings::GuestIndices>,
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
        let exports = Exports {
            template_group: find(&pre, "template-group", template_group::GuestIndices::new)?,
            compose_rules: find(&pre, "compose-rules", compose_rules::GuestIndices::new)?,
            callback: find(&pre, "callback", callback::GuestIndices::new)?,
            settings: find(&pre, "settings", settings::GuestIndices::new)?,
        };
        let faces = component.component_type();
        let interface =
            faces.exports(self.wasm()).find_map(|(name, _)| interface_of(name)).unwrap_or_else(|| INTERFACE.to_owned());
        let imports = |face: &str| faces.imports(self.wasm()).any(|(name, _)| is_face(name, face));
        let (uses_state, uses_assets) = (imports("state"), imports("assets"));
        Ok(Loaded { digest: artefact.digest().to_owned(), interface, uses_state, uses_assets, pre, exports })
    }
}

/// Package and version of one of our own names: `reprise:policy@0.1.0`.
fn interface_of(name: &str) -> Option<String> {
    let (_, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
    Some(format!("{}@{version}", PACKAGE.trim_end_matches('/')))
}

/// Whether a name is that of one of our interfaces, of whatever version.
fn is_face(name: &str, face: &str) -> bool {
    name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')).is_some_and(|(found, _)| found == face)
}

/// An interface of the component: absent is fine, there but without its function is not.
fn find<T>(
    pre: &InstancePre<State>,
    name: &str,
    indices: impl FnOnce(&InstancePre<State>) -> wasmtime::Result<T>,
) -> Result<Option<T>, LoadError> {
    let interface = format!("reprise:policy/{name}@0.1.0");
    if pre.component().get_export_index(None, &interface).is_none() {
        return Ok(None);
    }
    let wrong = |error| LoadError::Types { interface, spoken: INTERFACE, detail: format!("{error:#}") };
    indices(pre).map(Some).map_err(wrong)
}

impl Loaded {
    /// SHA-256 of the component, lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The package and version it was made for, as it says itself: `reprise:policy@0.1.0`.
    pub fn interface(&self) -> &str {
        &self.interface
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
        match hook {
            Hook::TemplateGroup => self.exports.template_group.is_some(),
            Hook::ComposeRules => self.exports.compose_rules.is_some(),
            Hook::Callback => self.exports.callback.is_some(),
        }
    }

    /// Whether it can check settings.
    pub fn checks_settings(&self) -> bool {
        self.exports.settings.is_some()
    }
}
