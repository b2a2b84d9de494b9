//! The one path of a call: limits, instantiate, call, check, classify, drop. A guest's failure is a value.

mod classify;
mod deadline;

use std::time::Instant;

use reprise_lifecycle::decision::{Failure, FailureKind, StateWrite, Verdict};
use reprise_lifecycle::question::{Answer, Hook, Question};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::answers;
use crate::bindings::types;
use crate::call::Call;
use crate::component::Loaded;
use crate::engine::Engine;
use crate::error::{LoadError, SettingsError};
use crate::imports::Log;
use crate::inspect::INTERFACE;
use crate::limits::{CallLimits, Meter};
use classify::{classify, sentence};
use deadline::Deadline;

/// Bytes of settings: they are copied into the guest for every call.
const MAX_SETTINGS_BYTES: usize = 64 << 10;

/// What came of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The answer, checked; or why there is none.
    pub verdict: Verdict,
    /// Why, in the guest's own words for the tenant, bounded; if it said.
    pub reason: Option<String>,
    /// What it writes to the plugin's state, one entry for each key; nothing if it failed. Whoever records the verdict
    /// does this with it.
    pub writes: Vec<StateWrite>,
    /// Fuel used.
    pub fuel: u64,
    /// Time of day it took, in microseconds, from before the instance was made until after it was dropped.
    pub elapsed_us: u64,
    /// Linear memory that the instance had in the end.
    pub memory_bytes: u64,
    /// What the guest logged.
    pub log: Vec<String>,
}

/// What a call cost and left behind, whatever came of it.
struct Spent {
    fuel: u64,
    memory_bytes: u64,
    log: Vec<String>,
}

impl Evaluation {
    /// A call that never ran: no slot, no component.
    pub fn failed(kind: FailureKind, message: &str) -> Self {
        Self {
            verdict: failed(kind, message),
            reason: None,
            writes: Vec::new(),
            fuel: 0,
            elapsed_us: 0,
            memory_bytes: 0,
            log: Vec::new(),
        }
    }
}

/// Puts questions to policies, under the limits of each call. It blocks its thread for as long as the limits allow, so it belongs
/// on threads that may block, with at least 512 KiB of stack.
#[derive(Clone, Debug)]
pub struct Evaluator {
    engine: Engine,
}

/// What belongs to one call, and dies with it.
pub(crate) struct State {
    pub(crate) meter: Meter,
    pub(crate) log: Log,
    pub(crate) deadline: Deadline,
}

impl Evaluator {
    /// Evaluates what this engine loaded.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Puts a question to a policy. Nothing a guest does makes this fail, or take longer than the limits say.
    pub fn evaluate(&self, loaded: &Loaded, call: &Call<'_>) -> Evaluation {
        let started = Instant::now();
        let question = call.question;
        if !loaded.has(question.hook()) {
            let message = format!("the policy has no hook {}", question.hook().name());
            return Evaluation::failed(FailureKind::Unavailable, &message);
        }
        let (outcome, spent) = self.call(loaded, call.limits, |store, instance| {
            Ok(ask(store, instance, loaded, question, call.settings)?.map(|answer| check(question, answer)))
        });
        let verdict = match outcome {
            Ok(Ok(Ok(answer))) => Verdict::Answered(answer),
            Ok(Ok(Err(problem))) => failed(FailureKind::BadAnswer, &problem),
            Ok(Err(refusal)) => failed(FailureKind::Refused, &refusal),
            Err(failure) => Verdict::Failed(failure),
        };
        Evaluation {
            verdict,
            reason: None,
            writes: Vec::new(),
            fuel: spent.fuel,
            elapsed_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            memory_bytes: spent.memory_bytes,
            log: spent.log,
        }
    }

    /// Asks a policy whether it can work with these settings. A policy that cannot check has no objections.
    ///
    /// # Errors
    ///
    /// When it says no, or fails.
    pub fn check_settings(&self, loaded: &Loaded, settings: &str, limits: &CallLimits) -> Result<(), SettingsError> {
        if settings.len() > MAX_SETTINGS_BYTES {
            return Err(SettingsError::TooLarge { size_bytes: settings.len(), limit_bytes: MAX_SETTINGS_BYTES });
        }
        let Some(indices) = &loaded.exports.settings else { return Ok(()) };
        let (outcome, _) = self
            .call(loaded, limits, |store, instance| indices.load(&mut *store, instance)?.call_check(store, settings));
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => Err(SettingsError::Refused(sentence(&refusal))),
            Err(failure) => Err(SettingsError::Failed(failure)),
        }
    }

    /// Starts an instance and looks whether the functions of its hooks have exactly our types; asks nothing.
    /// Done at push, so that a policy that can never answer is never accepted.
    ///
    /// # Errors
    ///
    /// When it does not start within the limits, or a type differs.
    pub fn trial(&self, loaded: &Loaded, limits: &CallLimits) -> Result<(), LoadError> {
        let (outcome, _) = self.call(loaded, limits, |store, instance| Ok(check_types(store, instance, loaded)));
        outcome.map_err(LoadError::Start)?
    }

    /// A fresh instance under the limits, for one use.
    fn call<T>(
        &self,
        loaded: &Loaded,
        limits: &CallLimits,
        body: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<T>,
    ) -> (Result<T, Failure>, Spent) {
        let state = State {
            meter: Meter::new(limits),
            log: Log::new(limits),
            deadline: Deadline::start(limits.cpu, limits.wall),
        };
        let mut store = Store::new(self.engine.wasm(), state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(limits.answer_bytes);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| Ok(store.data().deadline.at_tick()));
        // Start functions run inside `instantiate`, so everything is armed before it.
        let outcome = store
            .set_fuel(limits.fuel)
            .and_then(|()| loaded.pre.instantiate(&mut store))
            .and_then(|instance| body(&mut store, &instance))
            .map_err(|error| classify(&error, &store.data().meter, limits));
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let state = store.into_data();
        (outcome, Spent { fuel, memory_bytes: state.meter.memory_bytes() as u64, log: state.log.into_lines() })
    }
}

/// An answer as the guest gave it.
enum Raw {
    TemplateGroup(types::TemplateGroupAnswer),
    Compose(types::ComposeAnswer),
    Callback(types::CallbackAnswer),
}

fn ask(
    store: &mut Store<State>,
    instance: &Instance,
    loaded: &Loaded,
    question: &Question,
    settings: &str,
) -> wasmtime::Result<Result<Raw, String>> {
    let exports = &loaded.exports;
    let absent = || wasmtime::format_err!("the policy has no hook {}", question.hook().name());
    Ok(match question {
        Question::TemplateGroup(question) => {
            let guest = exports.template_group.as_ref().ok_or_else(absent)?.load(&mut *store, instance)?;
            guest.call_decide(store, &question.into(), settings)?.map(Raw::TemplateGroup)
        }
        Question::ComposeRules(question) => {
            let guest = exports.compose_rules.as_ref().ok_or_else(absent)?.load(&mut *store, instance)?;
            guest.call_decide(store, &question.into(), settings)?.map(Raw::Compose)
        }
        Question::Callback(question) => {
            let guest = exports.callback.as_ref().ok_or_else(absent)?.load(&mut *store, instance)?;
            guest.call_decide(store, &question.into(), settings)?.map(Raw::Callback)
        }
    })
}

/// From the guest's words to an answer within bounds.
fn check(question: &Question, raw: Raw) -> Result<Answer, String> {
    match (question, raw) {
        (Question::TemplateGroup(question), Raw::TemplateGroup(answer)) => {
            answers::template_group(question, answer.into()).map(Answer::TemplateGroup)
        }
        (Question::ComposeRules(question), Raw::Compose(answer)) => {
            answers::compose(question, answer.into()).map(Answer::ComposeRules)
        }
        (Question::Callback(_), Raw::Callback(answer)) => answers::callback(answer.into()).map(Answer::Callback),
        // `ask` pairs them; there is no third way to come here.
        _ => Err("the answer belongs to another hook".to_owned()),
    }
}

fn check_types(store: &mut Store<State>, instance: &Instance, loaded: &Loaded) -> Result<(), LoadError> {
    let exports = &loaded.exports;
    let wrong = |name: &str, error: wasmtime::Error| LoadError::Types {
        interface: format!("reprise:policy/{name}@0.1.0"),
        spoken: INTERFACE,
        detail: sentence(&format!("{error:#}")),
    };
    if let Some(indices) = &exports.template_group {
        indices.load(&mut *store, instance).map_err(|error| wrong(Hook::TemplateGroup.name(), error))?;
    }
    if let Some(indices) = &exports.compose_rules {
        indices.load(&mut *store, instance).map_err(|error| wrong(Hook::ComposeRules.name(), error))?;
    }
    if let Some(indices) = &exports.callback {
        indices.load(&mut *store, instance).map_err(|error| wrong(Hook::Callback.name(), error))?;
    }
    if let Some(indices) = &exports.settings {
        indices.load(&mut *store, instance).map_err(|error| wrong("settings", error))?;
    }
    Ok(())
}

fn failed(kind: FailureKind, message: &str) -> Verdict {
    Verdict::Failed(Failure { kind, message: sentence(message) })
}

#[cfg(test)]
pub(crate) mod tests;
