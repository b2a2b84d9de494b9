//! One rollout's turn: a page of decisions, counted and asked again. Blocks; knows no store.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use reprise_lifecycle::decision::{Decision, FailureKind, Provenance};
use reprise_lifecycle::question::Question;
use reprise_policy::StateSnapshot;

use crate::policies::compare::{Closeness, Comparison, Said, compare};
use crate::policies::rollout::again::{Again, Allowance, Request, Subject};
use crate::policies::rollout::report::{Report, is_own};
use crate::policies::rollout::rules::{Rules, Sample};
use crate::store::rollouts::{Rollout, Step};

/// How long a turn may take before it is another rollout's: a candidate that uses up its time in every call must not
/// keep the canaries of others from being judged.
const TURN: Duration = Duration::from_millis(250);

/// Differences that are kept of one rollout; the rest is counted.
const MOST_KEPT: u64 = 100_000;

/// What a running rollout is followed with.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    pub(super) cursor: i64,
    pub(super) candidate: Subject,
    pub(super) active: Subject,
    /// The class of who is asked again.
    pub(super) class: String,
    pub(super) rules: Rules,
    pub(super) report: Report,
}

/// A recorded decision; without itself if it cannot be read.
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) at: i64,
    pub(super) question: String,
    pub(super) decision: Option<Decision>,
    pub(super) state: StateSnapshot,
}

/// A page to be looked at.
pub(super) struct Turn {
    pub(super) rollout: Rollout,
    pub(super) followed: Followed,
    pub(super) entries: Vec<Entry>,
}

/// What came of it.
pub(super) struct Taken {
    pub(super) followed: Followed,
    pub(super) step: Step,
    /// Not all of the page was looked at.
    pub(super) cut_short: bool,
}

impl Turn {
    /// Takes the turn. It ends at the end of the page, after its time, or with the decision that breaks a rule.
    pub(super) fn take(self, again: &dyn Again) -> Taken {
        let Self { rollout, mut followed, entries } = self;
        let (started, from) = (Instant::now(), followed.cursor);
        let mut differences = Vec::new();
        let mut cut_short = false;
        for entry in entries {
            if started.elapsed() >= TURN {
                cut_short = true;
                break;
            }
            followed.cursor = entry.id;
            differences.extend(followed.look_at(&rollout, entry, again));
            if followed.report.breach.is_some() {
                break;
            }
        }
        let report = serde_json::to_string(&followed.report).unwrap_or_default();
        Taken { step: Step { from, to: followed.cursor, report, differences }, followed, cut_short }
    }
}

impl Followed {
    /// Who is asked again: the active version beside a canary, the candidate of a shadow.
    pub(super) fn asked(&self, rollout: &Rollout) -> &Subject {
        if rollout.kind == "canary" { &self.active } else { &self.candidate }
    }

    /// Counts a decision, if it is this rollout's business. Gives the difference to keep, if there is one.
    fn look_at(&mut self, rollout: &Rollout, entry: Entry, again: &dyn Again) -> Option<(i64, String)> {
        let decision = entry.decision.as_ref()?;
        let made = decision.provenance.as_deref()?;
        if made.binding.as_deref().unwrap_or("default") != rollout.binding {
            return None;
        }
        let was = Said::recorded(decision)?;
        let of_active = made.rollout.is_none() && is_of(made, rollout.base_version, rollout.base_settings_revision);
        if rollout.kind == "canary" {
            if made.rollout == Some(rollout.id) {
                return self.canary_call(rollout, &entry, made, &was, again);
            }
            if of_active {
                self.report.active.add(&was, made.elapsed_us);
                if has_run(&was) {
                    self.sample(entry.at, Sample::Active { elapsed_us: made.elapsed_us });
                }
            }
            return None;
        }
        if !of_active {
            return None;
        }
        self.report.active.add(&was, made.elapsed_us);
        let asked = self.ask(rollout, &entry, &self.candidate, again);
        let comparison = asked.map(|(now, elapsed_us)| {
            self.report.candidate.add(&now, elapsed_us);
            compare(&was, &now, Closeness::Meaning)
        });
        self.keep(entry.id, comparison)
    }

    /// A call that the candidate answered: the active version is asked what it would have said.
    fn canary_call(
        &mut self,
        rollout: &Rollout,
        entry: &Entry,
        made: &Provenance,
        candidate: &Said,
        again: &dyn Again,
    ) -> Option<(i64, String)> {
        self.report.candidate.add(candidate, made.elapsed_us);
        let failed = candidate.failure().is_some_and(is_own);
        let was_asked = failed || candidate.failure().is_none();
        let asked = self.ask(rollout, entry, &self.active, again);
        let replayed_us = asked.as_ref().ok().filter(|(active, _)| has_run(active)).map(|(_, elapsed_us)| *elapsed_us);
        let comparison = asked.map(|(active, _)| compare(&active, candidate, Closeness::Meaning));
        let differs = match &comparison {
            Ok(Comparison::Same) => Some(false),
            Ok(Comparison::Different(_)) => Some(true),
            Ok(Comparison::NotComparable(_)) | Err(_) => None,
        };
        if was_asked {
            let elapsed_us = made.elapsed_us;
            self.sample(entry.at, Sample::Candidate { failed, elapsed_us, differs, replayed_us });
        }
        self.keep(entry.id, comparison)
    }

    fn sample(&mut self, at_ms: i64, sample: Sample) {
        let window = self.report.window.get_or_insert_default();
        window.add(&self.rules, at_ms, sample);
        self.report.breach = window.judge(&self.rules);
    }

    /// Asks one of the two again, or says why it cannot be asked.
    fn ask(
        &self,
        rollout: &Rollout,
        entry: &Entry,
        subject: &Subject,
        again: &dyn Again,
    ) -> Result<(Said, u64), String> {
        let question = serde_json::from_str::<Question>(&entry.question);
        let question = question.map_err(|_| "the recorded question cannot be read".to_owned())?;
        if !subject.has_hook_of(&question) {
            return Err(format!("the version has no hook {}", question.hook().name()));
        }
        let (tenant, state) = (rollout.tenant.as_str(), &entry.state);
        let request = Request { tenant, subject, question: &question, state, allowance: Allowance::Limits };
        // It is not asked once more: the rollout would never get past it, and what it has not read is kept.
        let evaluation = catch_unwind(AssertUnwindSafe(|| again.again(&request)))
            .map_err(|_| "asking again ended by a panic".to_owned())?;
        Ok((Said::evaluated(&evaluation), evaluation.elapsed_us))
    }

    fn keep(&mut self, decision: i64, comparison: Result<Comparison, String>) -> Option<(i64, String)> {
        let difference = match comparison {
            Ok(comparison) => self.report.agreement.add(comparison)?,
            Err(why) => {
                self.report.agreement.not_comparable(why);
                return None;
            }
        };
        if self.report.kept >= MOST_KEPT {
            return None;
        }
        self.report.kept += 1;
        Some((decision, difference.shown().to_string()))
    }
}

fn is_of(made: &Provenance, version: i64, settings_revision: i64) -> bool {
    (i64::from(made.version), i64::from(made.settings_revision)) == (version, settings_revision)
}

fn has_run(said: &Said) -> bool {
    said.failure().is_none_or(FailureKind::has_run)
}

#[cfg(test)]
mod tests {
    use reprise_policy::Evaluation;

    use super::*;
    use crate::store::rollouts::testkit::{decision, digest, group, number, question};

    /// It panics at question 2, and names `hd` for all others.
    struct Panics;

    impl Again for Panics {
        fn again(&self, request: &Request<'_>) -> Evaluation {
            if number(request.question) == 2 {
                // Without the hook: printing where it was takes longer than a turn may on a busy machine.
                std::panic::resume_unwind(Box::new("as it was told"));
            }
            Evaluation { verdict: group("hd"), ..Evaluation::failed(FailureKind::Trap, "") }
        }
    }

    fn turn(kind: &str) -> Turn {
        let rollout = Rollout {
            id: 7,
            tenant: "acme".to_owned(),
            plugin: "groups".to_owned(),
            binding: "default".to_owned(),
            kind: kind.to_owned(),
            fleet: None,
            version: 2,
            settings_revision: 1,
            base_version: 1,
            base_settings_revision: 1,
            share_permille: 1000,
            app: "*".to_owned(),
            stream: "*".to_owned(),
            rules: String::new(),
            state: "running".to_owned(),
            reason: None,
            cursor: 0,
            report: String::new(),
            started_at: 0,
            started_by: "admin".to_owned(),
            ended_at: None,
        };
        let subject = |version| Subject {
            plugin: "groups".to_owned(),
            digest: digest(version),
            hooks: "template-group".to_owned(),
            settings: "{}".to_owned(),
        };
        let followed = Followed {
            cursor: 0,
            candidate: subject(2),
            active: subject(1),
            class: "standard".to_owned(),
            rules: Rules::default(),
            report: Report::default(),
        };
        let entry = |number: u32| {
            let made = if kind == "canary" { (2, Some(7)) } else { (1, None) };
            Entry {
                id: number.into(),
                at: 0,
                question: serde_json::to_string(&question(number)).unwrap(),
                decision: Some(decision(number, made.0, group("hd"), made.1)),
                state: StateSnapshot::default(),
            }
        };
        Turn { rollout, followed, entries: (1..=3).map(entry).collect() }
    }

    #[test]
    fn a_panic_is_not_comparable_and_the_turn_goes_past_it() {
        for kind in ["shadow", "canary"] {
            let taken = turn(kind).take(&Panics);
            assert_eq!((taken.step.to, taken.cut_short), (3, false), "{kind}");
            let agreement = &taken.followed.report.agreement;
            assert_eq!(agreement.same, 2, "{kind}");
            let why: Vec<_> = agreement.not_comparable.iter().map(|(why, count)| (why.as_str(), *count)).collect();
            assert_eq!(why, [("asking again ended by a panic", 1)], "{kind}");
        }
    }
}
