//! Tools for policy authors: a component is admitted, asked and measured on the author's own machine exactly as on a
//! server, by the same engine under the same limits, without one running. Nothing is kept: no store, no cache.

mod admission;
#[cfg(test)]
mod contract;
mod document;
pub mod expected;
mod judge;
mod measure;
mod patch;
pub mod project;
pub mod question;
mod table;
pub mod text;
mod update;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use reprise_lifecycle::question::Question;
use reprise_policy::{
    Assets, Call, CallLimits, CompileLimits, CompilerCommand, Engine, EngineError, EngineOptions, Evaluation,
    Evaluator, Inspection, Loaded, SettingsError, StateSnapshot, schema,
};

pub use self::admission::{Admission, Rejected, Step};
pub use self::judge::{Outcome, judge, writes};
pub use self::measure::{Figures, Quantity, measure};
pub use self::table::{Case, Table, TableError, read_state, read_text};
pub use self::update::{Updated, update};

/// One call at a time.
const CALLS: u32 = 1;

/// The engine on an author's machine.
#[derive(Debug)]
pub struct Lab {
    engine: Engine,
    evaluator: Evaluator,
    compiler: CompilerCommand,
}

/// A component that was admitted and can be asked.
#[derive(Debug)]
pub struct Subject {
    loaded: Loaded,
    /// What it says about itself.
    pub inspection: Inspection,
    /// What one call may use up.
    pub limits: CallLimits,
    assets: Arc<dyn Assets>,
}

impl Lab {
    /// An engine for one call at a time.
    ///
    /// # Errors
    /// When the machine does not grant what the engine needs.
    pub fn new() -> Result<Self, EngineError> {
        let options = EngineOptions { max_concurrent_calls: CALLS, scripted_concurrent_calls: CALLS };
        let engine = Engine::new(options)?;
        Ok(Self {
            evaluator: Evaluator::new(engine.clone()),
            engine,
            compiler: CompilerCommand { program: PathBuf::from("/proc/self/exe"), args: vec!["compile-policy".into()] },
        })
    }

    /// Compiles with another program: tests run in one that has no `compile-policy` command.
    #[must_use]
    pub fn with_compiler(mut self, program: PathBuf) -> Self {
        self.compiler.program = program;
        self
    }

    /// Puts a question to a component, in a fresh instance.
    pub fn ask(&self, subject: &Subject, question: &Question, settings: &str, state: &StateSnapshot) -> Evaluation {
        let call = Call { question, settings, state, assets: &subject.assets, limits: &subject.limits };
        self.evaluator.evaluate(&subject.loaded, &call)
    }

    /// Makes an instance and drops it: what every call costs before it begins.
    pub fn start(&self, subject: &Subject) {
        // It was tried when it was admitted; here only the time counts.
        let _ = self.evaluator.trial(&subject.loaded, &subject.limits);
    }

    /// Why a server would not take these settings, if so.
    pub fn refusal(&self, subject: &Subject, settings: &str) -> Option<String> {
        self.check_settings(subject, settings).err().map(|error| error.to_string())
    }

    /// First by the schema that the component carries, then by the component itself.
    fn check_settings(&self, subject: &Subject, settings: &str) -> Result<(), SettingsError> {
        let Subject { loaded, assets, limits, inspection } = subject;
        if let Some(text) = &inspection.schema {
            schema::check(text, settings, &self.compiler, &CompileLimits::settings())?;
        }
        self.evaluator.check_settings(loaded, settings, assets, limits)
    }
}

/// The files that a component carries.
fn assets(inspection: &Inspection, component: &[u8]) -> Arc<dyn Assets> {
    let file = |(path, place): &(String, std::ops::Range<usize>)| {
        // The places were read from these very bytes.
        (path.clone(), component.get(place.clone()).unwrap_or_default().to_vec())
    };
    Arc::new(inspection.assets.iter().map(file).collect::<BTreeMap<String, Vec<u8>>>())
}
