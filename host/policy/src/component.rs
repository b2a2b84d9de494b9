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

/// A policy that is ready. It is bound to its engine and shared freely between threads.
pub struct Loaded {
    digest: String,
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
        Ok(Loaded { digest: artefact.digest().to_owned(), pre, exports })
    }
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
