//! A recorded question, put again: to another version, or to the very one that answered it. Nothing comes of the answer;
//! what it writes to its state is dropped.

use std::time::Duration;

use reprise_lifecycle::decision::{FailureKind, Granted, Provenance, Verdict};
use reprise_lifecycle::question::Question;
use reprise_policy::{Evaluation, StateSnapshot};

use crate::policies::binding::has_hook;
use crate::policies::compare::Said;

/// Who is asked, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The plugin whose limits hold.
    pub plugin: String,
    /// The component.
    pub digest: String,
    /// The hooks it has, comma separated.
    pub hooks: String,
    /// Its settings.
    pub settings: String,
}

/// What a call may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// What the plugin's limits say.
    Limits,
    /// What the recorded call had or can have had, for an audit: limits may have been others then.
    AsRecorded {
        /// The fuel it used.
        used: u64,
        /// Whether that was all. Any other call had that much at least.
        ran_dry: bool,
        /// How long it took.
        took: Duration,
        /// What else could show in its answer; absent in records older than this, which are asked with today's limits.
        granted: Option<Granted>,
    },
}

/// One question, put again.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// Who is asked.
    pub subject: &'a Subject,
    /// What is asked.
    pub question: &'a Question,
    /// The plugin's state as the recorded call saw it.
    pub state: &'a StateSnapshot,
    /// What it may use up.
    pub allowance: Allowance,
}

/// Puts questions again. It blocks its thread, and takes no slot of a live call.
pub trait Again: Send + Sync {
    /// Asks. Whatever goes wrong is a failure, as in a live call.
    fn again(&self, request: &Request<'_>) -> Evaluation;
}

impl Subject {
    /// Whether it can be asked at the hook of a question.
    pub fn has_hook_of(&self, question: &Question) -> bool {
        has_hook(&self.hooks, question.hook())
    }
}

impl Allowance {
    /// What a recorded call had.
    pub fn as_recorded(was: &Said, made: &Provenance) -> Self {
        let ran_dry = matches!(&was.verdict, Verdict::Failed(failure) if failure.kind == FailureKind::Fuel);
        let took = Duration::from_micros(made.elapsed_us);
        Self::AsRecorded { used: was.fuel, ran_dry, took, granted: made.granted }
    }
}
