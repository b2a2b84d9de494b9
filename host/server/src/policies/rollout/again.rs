//! A recorded question, put again: to another version, or to the very one that answered it. Nothing comes of the answer;
//! what it writes to its state is dropped.

use reprise_lifecycle::decision::{FailureKind, Verdict};
use reprise_lifecycle::question::Question;
use reprise_policy::{Evaluation, StateSnapshot};

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

/// How much fuel a call has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuel {
    /// What the plugin's limits say.
    Limit,
    /// What the recorded call can have had, for an audit: limits may have been others then. One that ran dry had what it
    /// used; any other had that much at least.
    AsRecorded {
        /// What it used.
        used: u64,
        /// Whether that was all.
        ran_dry: bool,
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
    /// How much fuel it has.
    pub fuel: Fuel,
}

/// Puts questions again. It blocks its thread, and takes no slot of a live call.
pub trait Again: Send + Sync {
    /// Asks. Whatever goes wrong is a failure, as in a live call.
    fn again(&self, request: &Request<'_>) -> Evaluation;
}

impl Subject {
    /// Whether it can be asked at the hook of a question.
    pub fn has_hook_of(&self, question: &Question) -> bool {
        self.hooks.split(',').any(|name| name == question.hook().name())
    }
}

impl Fuel {
    /// What a recorded call can have had.
    pub fn as_recorded(was: &Said) -> Self {
        let ran_dry = matches!(&was.verdict, Verdict::Failed(failure) if failure.kind == FailureKind::Fuel);
        Self::AsRecorded { used: was.fuel, ran_dry }
    }

    /// The fuel of a call, where the plugin's limits say `limit`.
    pub fn of(self, limit: u64) -> u64 {
        match self {
            Self::Limit => limit,
            Self::AsRecorded { used, ran_dry: true } => used,
            Self::AsRecorded { used, ran_dry: false } => limit.max(used),
        }
    }
}
