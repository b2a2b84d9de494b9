//! Whether a call came out as its case expects, and if not, where it differs, for people.

use reprise_lifecycle::decision::{StateWrite, Verdict};
use reprise_policy::Evaluation;
use serde_json::{Value, json};

use super::expected::{Expected, given};
use super::table::Case;
use super::text;

/// What came of one case.
#[derive(Debug)]
pub struct Outcome {
    /// What does not hold, as blocks of text; none if the case holds.
    pub problems: Vec<String>,
    /// The answer, in the form in which a table has it.
    pub answer: Value,
    /// What happened when the call failed, in words.
    pub failure: Option<String>,
    /// The call.
    pub evaluation: Evaluation,
    /// Whether something does not hold that new expectations would not mend.
    pub lasts: bool,
    /// What the table would have to say for the case to hold.
    pub(super) fresh: Fresh,
}

/// Expectations that would hold; absent where the ones in the table do, or are not asked for.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    pub(super) expect: Option<Value>,
    pub(super) reason: Option<Value>,
    pub(super) writes: Option<Value>,
}

impl Outcome {
    /// Whether the case holds.
    pub fn holds(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Compares. `refusal` is why the server would not have accepted the case's settings.
pub fn judge(case: &Case, evaluation: Evaluation, refusal: Option<&str>) -> Outcome {
    let verdict = &evaluation.verdict;
    let answer = given(&case.question, verdict, case.expect.as_ref());
    let failure = match verdict {
        Verdict::Failed(failure) => Some(failure.message.clone()),
        Verdict::Answered(_) | Verdict::NoPolicy => None,
    };
    let (mut problems, mut fresh, mut lasts) = (Vec::new(), Fresh::default(), false);
    // What depends on the machine cannot be expected, and so not be written down either.
    let can_be_expected = Expected::read(&case.question, &answer).is_ok();
    match &case.expect {
        None => {
            problems.push(format!(
                "the case has no `expect` yet; `--update` writes what came:\n{}",
                text::indent(&text::pretty(&answer))
            ));
            fresh.expect = can_be_expected.then(|| answer.clone());
            lasts |= !can_be_expected;
        }
        // Whether the policy says no when it is bound or when it is asked is the same to its author.
        Some(Expected::Refused(part)) if refusal.is_some_and(|refusal| refusal.contains(part.as_str())) => {}
        Some(expected) => {
            if let Some(refusal) = refusal.filter(|_| !matches!(expected, Expected::Refused(_))) {
                problems.push(format!("the server would not take these settings: {refusal}"));
                lasts = true;
            }
            if !expected.is_met(&case.question, verdict) {
                problems.push(text::difference(&text::pretty(&expected.to_json()), &text::pretty(&answer)));
                fresh.expect = can_be_expected.then(|| answer.clone());
                lasts |= !can_be_expected;
            }
        }
    }
    if let Some(expected) = case.reason.as_ref().filter(|expected| **expected != evaluation.reason) {
        let (expected, actual) = (json!(expected), json!(evaluation.reason));
        problems.push(format!("reason:\n{}", text::difference(&text::pretty(&expected), &text::pretty(&actual))));
        fresh.reason = Some(actual);
    }
    if let Some(expected) = case.writes.as_ref().filter(|expected| **expected != evaluation.writes) {
        let (expected, actual) = (writes(expected), writes(&evaluation.writes));
        problems.push(format!("writes:\n{}", text::difference(&text::pretty(&expected), &text::pretty(&actual))));
        fresh.writes = Some(actual);
    }
    if let Some(most) = case.fuel_at_most.filter(|most| evaluation.fuel > *most) {
        // A budget and no expectation: raising it is a decision that `--update` must not take.
        problems.push(format!("the call took {} fuel, of which `fuel_at_most` allows {most}", evaluation.fuel));
        lasts = true;
    }
    Outcome { problems, answer, failure, evaluation, lasts, fresh }
}

/// Writes in the form in which a table has them.
pub fn writes(writes: &[StateWrite]) -> Value {
    writes.iter().map(|write| json!({"key": write.key, "value": write.value})).collect()
}
