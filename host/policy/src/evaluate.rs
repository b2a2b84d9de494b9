//! The one path of a call: limits, instantiate, call, check, classify, drop. A guest's failure is a value.

mod classify;
mod deadline;

use std::sync::Arc;
use std::time::Instant;

use reprise_lifecycle::decision::{Failure, FailureKind, StateWrite, Verdict};
use reprise_lifecycle::question::{Answer, Question};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::answers;
use crate::call::{Assets, Call, NoAssets, StateSnapshot};
use crate::component::Loaded;
use crate::engine::Engine;
use crate::error::{LoadError, SettingsError};
use crate::imports::Log;
use crate::imports::state::StateView;
use crate::limits::{CallLimits, Meter};
use crate::lines::Said;
use crate::schema::MAX_SETTINGS_BYTES;
use crate::wasi::Wasi;
use classify::classify;
pub(crate) use classify::sentence;
use deadline::Deadline;

/// Bytes of a reason: a sentence for the tenant, shown beside the video.
const MAX_REASON_BYTES: usize = 1_024;

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

/// What an instance took before anything was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Fuel used.
    pub fuel: u64,
    /// Linear memory that it had.
    pub memory_bytes: u64,
}

/// What a call cost and left behind, whatever came of it.
struct Spent {
    fuel: u64,
    memory_bytes: u64,
    writes: Vec<StateWrite>,
    log: Vec<String>,
}

impl Spent {
    fn into_evaluation(self, started: Instant, verdict: Verdict, reason: Option<String>) -> Evaluation {
        let Self { fuel, memory_bytes, writes, log } = self;
        let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Evaluation { verdict, reason, writes, fuel, elapsed_us, memory_bytes, log }
    }
}

/// What a guest may see beside the question and the settings.
struct Beside {
    state: StateSnapshot,
    assets: Arc<dyn Assets>,
}

impl Beside {
    fn nothing() -> Self {
        Self { state: StateSnapshot::default(), assets: NoAssets::shared() }
    }
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

/// Puts questions to policies, under the limits of each call. It blocks its thread for as long as the limits allow, so
/// it belongs on threads that may block, with at least 512 KiB of stack.
#[derive(Clone, Debug)]
pub struct Evaluator {
    engine: Engine,
}

/// What belongs to one call, and dies with it.
pub(crate) struct State {
    pub(crate) meter: Meter,
    pub(crate) log: Log,
    pub(crate) state: StateView,
    pub(crate) assets: Arc<dyn Assets>,
    pub(crate) deadline: Deadline,
    pub(crate) wasi: Wasi,
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
        let beside = Beside { state: call.state.clone(), assets: Arc::clone(call.assets) };
        let (outcome, spent) = self.call(loaded, call.limits, beside, |store, instance| {
            let said = loaded.exports.ask(store, instance, question, call.settings)?;
            Ok(said.map(|Said { answer, reason }| check(question, answer).map(|answer| (answer, reason))))
        });
        let failure = match outcome {
            Ok(Ok(Ok((answer, reason)))) => {
                let reason = reason.as_deref().and_then(bounded);
                return spent.into_evaluation(started, Verdict::Answered(answer), reason);
            }
            Ok(Ok(Err(problem))) => failed(FailureKind::BadAnswer, &problem),
            Ok(Err(refusal)) => failed(FailureKind::Refused, &refusal),
            Err(failure) => Verdict::Failed(failure),
        };
        // A failed call writes nothing.
        Spent { writes: Vec::new(), ..spent }.into_evaluation(started, failure, None)
    }

    /// Asks a policy whether it can work with these settings, which may name one of its assets. A policy that cannot check
    /// has no objections.
    ///
    /// # Errors
    ///
    /// When it says no, or fails.
    pub fn check_settings(
        &self,
        loaded: &Loaded,
        settings: &str,
        assets: &Arc<dyn Assets>,
        limits: &CallLimits,
    ) -> Result<(), SettingsError> {
        if settings.len() > MAX_SETTINGS_BYTES {
            return Err(SettingsError::TooLarge { size_bytes: settings.len(), limit_bytes: MAX_SETTINGS_BYTES });
        }
        if !loaded.checks_settings() {
            return Ok(());
        }
        // Settings hold for whatever the state will be, so none is seen, and nothing is written.
        let beside = Beside { state: StateSnapshot::default(), assets: Arc::clone(assets) };
        let (outcome, _) = self
            .call(loaded, limits, beside, |store, instance| loaded.exports.check_settings(store, instance, settings));
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
    pub fn trial(&self, loaded: &Loaded, limits: &CallLimits) -> Result<Started, LoadError> {
        let (outcome, spent) = self
            .call(loaded, limits, Beside::nothing(), |store, instance| Ok(loaded.exports.check_types(store, instance)));
        outcome.map_err(LoadError::Start)??;
        Ok(Started { fuel: spent.fuel, memory_bytes: spent.memory_bytes })
    }

    /// A fresh instance under the limits, for one use.
    fn call<T>(
        &self,
        loaded: &Loaded,
        limits: &CallLimits,
        beside: Beside,
        body: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<T>,
    ) -> (Result<T, Failure>, Spent) {
        let _guest = self.engine.guest();
        let state = State {
            meter: Meter::new(limits),
            log: Log::new(limits),
            state: StateView::new(beside.state),
            assets: beside.assets,
            deadline: Deadline::start(limits.cpu, limits.wall),
            wasi: Wasi::default(),
        };
        let mut store = Store::new(self.engine.wasm(loaded.class()), state);
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
        let mut state = store.into_data();
        state.wasi.finish(&mut state.log);
        let memory_bytes = state.meter.memory_bytes() as u64;
        let (writes, log) = (state.state.into_writes(), state.log.into_lines());
        (outcome, Spent { fuel, memory_bytes, writes, log })
    }
}

/// From what the guest said to an answer within bounds.
fn check(question: &Question, answer: Answer) -> Result<Answer, String> {
    match (question, answer) {
        (Question::TemplateGroup(question), Answer::TemplateGroup(answer)) => {
            answers::template_group(question, answer).map(Answer::TemplateGroup)
        }
        (Question::ComposeRules(question), Answer::ComposeRules(answer)) => {
            answers::compose(question, answer).map(Answer::ComposeRules)
        }
        (Question::Callback(q), Answer::Callback(answer)) => answers::callback(q, answer).map(Answer::Callback),
        // Each hook's function has its own type of answer; there is no way to come here.
        _ => Err("the answer belongs to another hook".to_owned()),
    }
}

/// A reason, fit to be shown in one line; nothing if there is nothing in it.
fn bounded(reason: &str) -> Option<String> {
    let mut kept = String::with_capacity(reason.len().min(MAX_REASON_BYTES));
    for c in reason.trim().chars() {
        let c = if c.is_control() { ' ' } else { c };
        if kept.len() + c.len_utf8() > MAX_REASON_BYTES {
            break;
        }
        kept.push(c);
    }
    (!kept.is_empty()).then_some(kept)
}

fn failed(kind: FailureKind, message: &str) -> Verdict {
    Verdict::Failed(Failure { kind, message: sentence(message) })
}

#[cfg(test)]
pub(crate) mod tests;
