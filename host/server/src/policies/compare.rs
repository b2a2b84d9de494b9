//! Two verdicts on one question, side by side: the recorded one, and what another call said. Pure: it asks nobody and
//! knows no clock.

use reprise_lifecycle::decision::{Decision, FailureKind, StateWrite, Verdict};
use reprise_policy::Evaluation;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Bytes of a verdict that are kept with a difference. The recorded one is whole in the decision log; a callback's body
/// has up to 64 KiB, and a hundred thousand of them would be more than the log itself.
const SHOWN_BYTES: usize = 8 << 10;

/// Of a longer one, its beginning.
const BEGINNING_CHARS: usize = 1024;

/// What one call said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in the guest's words.
    pub reason: Option<String>,
    /// What it wrote to its state.
    pub writes: Vec<StateWrite>,
    /// Fuel used.
    pub fuel: u64,
    /// Lines it logged.
    pub log: Vec<String>,
}

/// How closely two verdicts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closeness {
    /// What reaches the world: verdict, reason and writes.
    Meaning,
    /// Everything but time: fuel and log lines too. What the same component says twice.
    Exact,
}

/// Where two verdicts part. The first of these that applies names a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// One failed, or both in different ways.
    Failure,
    /// Both answered, differently.
    Answer,
    /// The same answer for another reason.
    Reason,
    /// The same answer with other writes to the state.
    Writes,
    /// The same answer with other log lines.
    Log,
    /// The same answer for more or less fuel.
    Fuel,
}

impl DifferenceKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Answer => "answer",
            Self::Reason => "reason",
            Self::Writes => "writes",
            Self::Log => "log",
            Self::Fuel => "fuel",
        }
    }
}

/// Two verdicts that are not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where they part.
    pub kind: DifferenceKind,
    /// The recorded one.
    pub was: Said,
    /// The other one.
    pub now: Said,
}

/// Why two verdicts cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomparable {
    /// Nobody was asked then.
    NobodyAsked,
    /// The recorded failure depended on the machine or on other calls.
    ThenByChance(FailureKind),
    /// The failure now depends on the machine or on other calls.
    NowByChance(FailureKind),
}

impl std::fmt::Display for Incomparable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NobodyAsked => write!(f, "nobody was asked"),
            Self::ThenByChance(kind) => write!(f, "the recorded failure was not the guest's alone: {}", kind.name()),
            Self::NowByChance(kind) => write!(f, "the failure now is not the guest's alone: {}", kind.name()),
        }
    }
}

/// What a comparison comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing differs.
    Same,
    /// Something differs.
    Different(Box<Difference>),
    /// No statement can be made.
    NotComparable(Incomparable),
}

/// Compares what was recorded with what is said now.
pub fn compare(was: &Said, now: &Said, closeness: Closeness) -> Comparison {
    if was.verdict == Verdict::NoPolicy {
        return Comparison::NotComparable(Incomparable::NobodyAsked);
    }
    let by_chance = |said: &Said| failure(said).filter(|kind| !kind.is_reproducible());
    if let Some(kind) = by_chance(was) {
        return Comparison::NotComparable(Incomparable::ThenByChance(kind));
    }
    if let Some(kind) = by_chance(now) {
        return Comparison::NotComparable(Incomparable::NowByChance(kind));
    }
    let exact = closeness == Closeness::Exact;
    let kind = match (failure(was), failure(now)) {
        (None, None) if was.verdict != now.verdict => Some(DifferenceKind::Answer),
        (then, now) if then != now => Some(DifferenceKind::Failure),
        _ if was.reason != now.reason => Some(DifferenceKind::Reason),
        _ if was.writes != now.writes => Some(DifferenceKind::Writes),
        // The words of a failure are the host's in part, and may get better; a refusal's are the guest's own, and
        // what the guest said on its way there is in its log.
        _ if exact && was.log != now.log => Some(DifferenceKind::Log),
        _ if exact && was.fuel != now.fuel => Some(DifferenceKind::Fuel),
        _ => None,
    };
    kind.map_or(Comparison::Same, |kind| {
        Comparison::Different(Box::new(Difference { kind, was: was.clone(), now: now.clone() }))
    })
}

fn failure(said: &Said) -> Option<FailureKind> {
    match &said.verdict {
        Verdict::Failed(failure) => Some(failure.kind),
        Verdict::NoPolicy | Verdict::Answered(_) => None,
    }
}

impl Said {
    /// What a recorded decision said, if anybody was asked.
    pub fn recorded(decision: &Decision) -> Option<Self> {
        let made = decision.provenance.as_ref()?;
        Some(Self {
            verdict: decision.verdict.clone(),
            reason: made.reason.clone(),
            writes: made.writes.clone(),
            fuel: made.fuel,
            log: made.log.clone(),
        })
    }

    /// What a call says now.
    pub fn evaluated(evaluation: &Evaluation) -> Self {
        Self {
            verdict: evaluation.verdict.clone(),
            reason: evaluation.reason.clone(),
            writes: evaluation.writes.clone(),
            fuel: evaluation.fuel,
            log: evaluation.log.clone(),
        }
    }

    /// How it failed, if it did.
    pub fn failure(&self) -> Option<FailureKind> {
        failure(self)
    }

    fn shown(&self, with_log: bool) -> Value {
        let mut shown = json!({"verdict": brief(serde_json::to_value(&self.verdict).unwrap_or_default()), "reason": self.reason, "fuel": self.fuel});
        if !self.writes.is_empty() {
            shown["writes"] = brief(serde_json::to_value(&self.writes).unwrap_or_default());
        }
        if with_log {
            shown["log"] = json!(self.log);
        }
        shown
    }
}

impl Difference {
    /// As it is kept and shown: large verdicts by their beginning.
    pub fn shown(&self) -> Value {
        let with_log = self.kind == DifferenceKind::Log;
        json!({"kind": self.kind.name(), "was": self.was.shown(with_log), "now": self.now.shown(with_log)})
    }

    /// Puts the whole of it into a digest.
    pub fn digest_into(&self, decision: i64, digest: &mut Sha256) {
        let whole = json!([decision, self.kind.name(), self.was, self.now]);
        digest.update(whole.to_string());
        digest.update(b"\n");
    }
}

/// A value as it is, or its beginning: many differences are kept.
fn brief(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= SHOWN_BYTES {
        return value;
    }
    let begins: String = text.chars().take(BEGINNING_CHARS).collect();
    json!({"bytes": text.len(), "sha256": hex::encode(Sha256::digest(&text)), "begins": begins})
}

#[cfg(test)]
mod tests;
