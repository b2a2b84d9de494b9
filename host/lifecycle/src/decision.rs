//! A decision: what a policy was asked, what it said, and what was done about it. It is recorded once,
//! before anything acts on it, and never asked again.

use serde::{Deserialize, Serialize};

use crate::question::{Answer, Hook};

/// Why a policy gave no usable answer. Each is the guest's doing, except `Overloaded` and `Unavailable`; `RateLimited`
/// and `BreakerOpen` are what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The guest trapped: a panic, an out-of-bounds access, unreachable code.
    Trap,
    /// The fuel of one call was used up.
    Fuel,
    /// The time of one call was over: that of the processor, or that of day.
    Deadline,
    /// More memory or table space was asked for than one instance may have.
    Memory,
    /// The call stack ran over.
    Stack,
    /// The answer was larger than allowed.
    TooLarge,
    /// The answer broke a rule: an unknown group, a range outside its part, a body that is not JSON.
    BadAnswer,
    /// The guest itself reported that it cannot decide.
    Refused,
    /// No evaluation slot came free in time.
    Overloaded,
    /// The component could not be loaded.
    Unavailable,
    /// It was asked more often than its limits allow.
    RateLimited,
    /// It failed so often that it is not asked for a while.
    BreakerOpen,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Trap,
        Self::Fuel,
        Self::Deadline,
        Self::Memory,
        Self::Stack,
        Self::TooLarge,
        Self::BadAnswer,
        Self::Refused,
        Self::Overloaded,
        Self::Unavailable,
        Self::RateLimited,
        Self::BreakerOpen,
    ];

    /// Its name in the decision log, in reports and metrics: as it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Fuel => "fuel",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::TooLarge => "too_large",
            Self::BadAnswer => "bad_answer",
            Self::Refused => "refused",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::BreakerOpen => "breaker_open",
        }
    }

    /// Whether a guest was run: a call that never was says nothing about it, nor about how long one takes.
    pub fn has_run(self) -> bool {
        !matches!(self, Self::Overloaded | Self::Unavailable | Self::RateLimited | Self::BreakerOpen)
    }

    /// Whether the same question, settings, state and component fail the same way again. What depended on the machine
    /// or on other calls does not.
    pub fn is_reproducible(self) -> bool {
        match self {
            Self::Trap | Self::Fuel | Self::Memory | Self::Stack | Self::TooLarge | Self::BadAnswer | Self::Refused => {
                true
            }
            Self::Deadline | Self::Overloaded | Self::Unavailable | Self::RateLimited | Self::BreakerOpen => false,
        }
    }
}

/// A policy's failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its kind.
    pub kind: FailureKind,
    /// What happened, for the policy's author.
    pub message: String,
}

/// What the policy said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nobody is bound at this hook for this stream.
    NoPolicy,
    /// An answer within bounds.
    Answered(Answer),
    /// No usable answer.
    Failed(Failure),
}

/// What applies when a policy fails: part of the binding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailurePolicy {
    /// The static configuration, as if no policy were bound.
    #[default]
    Fallback,
    /// Nothing is done: no transcode, no compose, no callback. The recording itself always stands.
    Reject,
}

/// Who gave the verdict and at what cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The plugin's name.
    pub plugin: String,
    /// Its version number, from 1.
    pub version: u32,
    /// SHA-256 of the component, lower-case hex.
    pub digest: String,
    /// The interface the component exports, for example `reprise:policy@0.1.0`.
    pub interface: String,
    /// The revision of the settings it was given.
    pub settings_revision: u32,
    /// Fuel used by the call.
    pub fuel: u64,
    /// Wall time of the call in microseconds.
    pub elapsed_us: u64,
    /// Lines the guest logged, already bounded.
    pub log: Vec<String>,
    /// The binding through which it was asked; absent in records older than named bindings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// The rollout whose candidate it was, where it was asked in place of the active version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<i64>,
    /// Why, in the guest's own words for the tenant, already bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the code came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeSource>,
    /// The revision of the plugin's state that the call saw; absent if it cannot see any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_revision: Option<u64>,
    /// What it writes to its state: done with the record of this decision, or not at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<StateWrite>,
    /// What the call was granted; absent if it never ran, and in records older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<Granted>,
}

/// Limits of a call that can show in what it says: with less memory it takes another course, and what finds no room in the
/// log is left out. Of its fuel, what it used says enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Linear memory.
    pub memory_bytes: u64,
    /// Lines of the log that are kept.
    pub log_lines: u32,
    /// Bytes of the log that are kept.
    pub log_bytes: u32,
}

/// Where the machine code of a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeSource {
    /// It was loaded already.
    Memory,
    /// From the sealed cache on disk.
    Disk,
    /// It was compiled for this call.
    Compiled,
}

/// One change of a plugin's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateWrite {
    /// The key.
    pub key: String,
    /// Its new value; absent if the key goes.
    pub value: Option<String>,
}

/// What was done with a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// The answer.
    Answer,
    /// The static configuration: no policy, or the policy asked for it.
    Default,
    /// The static configuration, because the policy failed.
    Fallback,
    /// Nothing, because the policy failed and its binding says so.
    Rejected,
}

/// The record of one question and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Where it was asked.
    pub hook: Hook,
    /// SHA-256 of the question's JSON, lower-case hex: the same question has the same digest.
    pub question_digest: String,
    /// What was said.
    pub verdict: Verdict,
    /// What was done.
    pub applied: Applied,
    /// Who said it; absent when nobody was asked.
    pub provenance: Option<Box<Provenance>>,
}
