//! The lines of the interface that are spoken side by side. A component has one of them; what it exports is looked for
//! once, when it is loaded, and everybody else sees one shape ([`Exports`]).

use reprise_lifecycle::question::{Answer, Hook, Question};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::error::LoadError;
use crate::evaluate::{State, sentence};

/// The package of our interfaces, in names.
pub(crate) const PACKAGE: &str = "reprise:policy/";

/// The newest line, which new policies are made for. Components made for any patch of it fit.
pub const INTERFACE: &str = "reprise:policy@0.2.0";

/// The line before it, whose components run unchanged.
pub const OLDER_INTERFACE: &str = "reprise:policy@0.1.0";

/// What is spoken, for people.
pub(crate) const SPOKEN: &str = "reprise:policy@0.1.0 and reprise:policy@0.2.0";

/// What a guest said, in the domain's words and not yet within bounds.
pub(crate) struct Said {
    pub(crate) answer: Answer,
    pub(crate) reason: Option<String>,
}

/// Where the functions of one component are, whatever its line.
pub(crate) trait Exports: Send + Sync {
    /// Whether it can be asked at this hook.
    fn has(&self, hook: Hook) -> bool;

    /// Whether it can check settings.
    fn checks_settings(&self) -> bool;

    /// Looks whether all of its functions have exactly our types.
    fn check_types(&self, store: &mut Store<State>, instance: &Instance) -> Result<(), LoadError>;

    /// Puts a question; the inner error is the guest's refusal.
    fn ask(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
        question: &Question,
        settings: &str,
    ) -> wasmtime::Result<Result<Said, String>>;

    /// Shows settings to a policy that can check them; the inner error is what it says against them.
    fn check_settings(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
        settings: &str,
    ) -> wasmtime::Result<Result<(), String>>;
}

/// The newest line if the component's names are of it, else the older one; mixed ones are an error. `names` are those
/// of all it imports and exports.
pub(crate) fn find<'a>(
    pre: &InstancePre<State>,
    names: impl Iterator<Item = &'a str>,
) -> Result<(&'static str, Box<dyn Exports>), LoadError> {
    let (mut older, mut newer) = (None, None);
    for name in names {
        match version(name) {
            Some(version) if version.starts_with("0.1.") => older = Some(name),
            Some(_) => newer = Some(name),
            None => {}
        }
    }
    match (older, newer) {
        (Some(older), Some(newer)) => Err(LoadError::Mixed { older: older.to_owned(), newer: newer.to_owned() }),
        (Some(_), None) => Ok((OLDER_INTERFACE, Box::new(v0_1::Functions::find(pre)?))),
        (None, _) => Ok((INTERFACE, Box::new(v0_2::Functions::find(pre)?))),
    }
}

/// The version in one of our own names.
pub(crate) fn version(name: &str) -> Option<&str> {
    name.strip_prefix(PACKAGE)?.split_once('@').map(|(_, version)| version)
}

fn types_differ(face: &str, version: &str, spoken: &'static str, error: &wasmtime::Error) -> LoadError {
    let detail = sentence(&format!("{error:#}"));
    LoadError::Types { interface: format!("{PACKAGE}{face}@{version}"), spoken, detail }
}

/// The generator's types of two lines have nothing in common but their shape, so the code is written once here.
macro_rules! line {
    ($line:ident, $version:literal, $interface:expr) => {
        mod $line {
            use super::*;
            use crate::bindings::$line::{callback, compose_rules, settings, template_group};

            /// Looked for one by one, because hooks are optional.
            pub(super) struct Functions {
                template_group: Option<template_group::GuestIndices>,
                compose_rules: Option<compose_rules::GuestIndices>,
                callback: Option<callback::GuestIndices>,
                settings: Option<settings::GuestIndices>,
            }

            impl Functions {
                pub(super) fn find(pre: &InstancePre<State>) -> Result<Self, LoadError> {
                    Ok(Self {
                        template_group: part(pre, "template-group", template_group::GuestIndices::new)?,
                        compose_rules: part(pre, "compose-rules", compose_rules::GuestIndices::new)?,
                        callback: part(pre, "callback", callback::GuestIndices::new)?,
                        settings: part(pre, "settings", settings::GuestIndices::new)?,
                    })
                }
            }

            /// An interface of the component: absent is fine, there but without its function is not.
            fn part<T>(
                pre: &InstancePre<State>,
                face: &str,
                indices: impl FnOnce(&InstancePre<State>) -> wasmtime::Result<T>,
            ) -> Result<Option<T>, LoadError> {
                let interface = format!("{PACKAGE}{face}@{}", $version);
                if pre.component().get_export_index(None, &interface).is_none() {
                    return Ok(None);
                }
                indices(pre).map(Some).map_err(|error| types_differ(face, $version, $interface, &error))
            }

            impl Exports for Functions {
                fn has(&self, hook: Hook) -> bool {
                    match hook {
                        Hook::TemplateGroup => self.template_group.is_some(),
                        Hook::ComposeRules => self.compose_rules.is_some(),
                        Hook::Callback => self.callback.is_some(),
                    }
                }

                fn checks_settings(&self) -> bool {
                    self.settings.is_some()
                }

                fn check_types(&self, store: &mut Store<State>, instance: &Instance) -> Result<(), LoadError> {
                    let wrong = |face: &str, error| types_differ(face, $version, $interface, &error);
                    if let Some(indices) = &self.template_group {
                        indices.load(&mut *store, instance).map_err(|error| wrong("template-group", error))?;
                    }
                    if let Some(indices) = &self.compose_rules {
                        indices.load(&mut *store, instance).map_err(|error| wrong("compose-rules", error))?;
                    }
                    if let Some(indices) = &self.callback {
                        indices.load(&mut *store, instance).map_err(|error| wrong("callback", error))?;
                    }
                    if let Some(indices) = &self.settings {
                        indices.load(&mut *store, instance).map_err(|error| wrong("settings", error))?;
                    }
                    Ok(())
                }

                fn ask(
                    &self,
                    store: &mut Store<State>,
                    instance: &Instance,
                    question: &Question,
                    settings: &str,
                ) -> wasmtime::Result<Result<Said, String>> {
                    let absent = || wasmtime::format_err!("the policy has no hook {}", question.hook().name());
                    Ok(match question {
                        Question::TemplateGroup(question) => {
                            let indices = self.template_group.as_ref().ok_or_else(absent)?;
                            let guest = indices.load(&mut *store, instance)?;
                            guest.call_decide(store, &question.into(), settings)?.map(Said::from)
                        }
                        Question::ComposeRules(question) => {
                            let indices = self.compose_rules.as_ref().ok_or_else(absent)?;
                            let guest = indices.load(&mut *store, instance)?;
                            guest.call_decide(store, &question.into(), settings)?.map(Said::from)
                        }
                        Question::Callback(question) => {
                            let indices = self.callback.as_ref().ok_or_else(absent)?;
                            let guest = indices.load(&mut *store, instance)?;
                            guest.call_decide(store, &question.into(), settings)?.map(Said::from)
                        }
                    })
                }

                fn check_settings(
                    &self,
                    store: &mut Store<State>,
                    instance: &Instance,
                    settings: &str,
                ) -> wasmtime::Result<Result<(), String>> {
                    let Some(indices) = &self.settings else { return Ok(Ok(())) };
                    indices.load(&mut *store, instance)?.call_check(store, settings)
                }
            }
        }
    };
}

line!(v0_1, "0.1.0", OLDER_INTERFACE);
line!(v0_2, "0.2.0", INTERFACE);
