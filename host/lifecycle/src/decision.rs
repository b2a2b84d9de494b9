//! A decision: what a policy was asked, what it said, and what was done about it. It is recorded once,
//! before anything acts on it, and never asked again.

use serde::{Deserialize, Serialize};

use crate::question::{Answer, Hook};

/// Why a policy gave no usable answer. Each is the guest's doing, except `Overloaded` and `Unavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The guest trapped: a panic, an out-of-bounds access, unreachable code.
    Trap,
    /// The fuel of one call was used up.
    Fuel,
    /// The wall-clock deadline of one call passed.
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
    pub provenance: Option<Provenance>,
}
