//! Callbacks: every binding that covers the stream is asked, in order, and each gets what the one before it made of the
//! event. Each step is a decision of its own. A step that fails follows its own binding's failure policy: the event goes
//! on as it was, or it is dropped.

use std::sync::Arc;

use reprise_lifecycle::decision::{Applied, Decision, Verdict};
use reprise_lifecycle::question::{Answer, CallbackAnswer, CallbackQuestion, Hook, Question, StreamKey};

use super::Policies;
use super::ask::Asked;
use crate::store::bindings::Bound;
use crate::store::deliveries::Shaped;

/// Steps of one event: each is a call and a record, and receivers wait for all of them.
const MAX_STEPS: usize = 8;

/// What became of an event, and every decision on the way, in order.
#[derive(Clone, Debug)]
pub struct Chained {
    /// Questions, as JSON, with their decisions.
    pub steps: Vec<(String, Decision)>,
    /// What it comes to.
    pub outcome: Shaped,
}

impl Policies {
    /// What an event looks like when it is sent. All steps see the bindings as they are now, and the state as it was
    /// before the event.
    pub async fn callback(self: &Arc<Self>, question: CallbackQuestion, stream: Option<&StreamKey>) -> Chained {
        let tenant = question.tenant.clone();
        let policies = self.of(&tenant);
        let mut bound: Vec<Arc<Bound>> = policies.covering(Hook::Callback, stream).map(Arc::clone).collect();
        if bound.len() > MAX_STEPS {
            tracing::warn!(
                tenant.id = tenant,
                bindings = bound.len(),
                "an event is covered by more bindings than are asked about one; the last ones are left out"
            );
            bound.truncate(MAX_STEPS);
        }
        let mut chain = Chain::new(question);
        if bound.is_empty() {
            let question = Question::Callback(chain.event.clone());
            chain.take(&question, Asked::nobody(&question));
        }
        for bound in bound {
            let question = Question::Callback(chain.event.clone());
            let asked = self.ask_bound(&tenant, &policies, bound, stream, &question).await;
            chain.take(&question, asked);
            if chain.dropped {
                break;
            }
        }
        chain.into_outcome()
    }
}

/// An event on its way.
struct Chain {
    /// As the next step sees it.
    event: CallbackQuestion,
    added: Vec<(String, String)>,
    dropped: bool,
    steps: Vec<(String, Decision)>,
}

impl Chain {
    fn new(event: CallbackQuestion) -> Self {
        Self { event, added: Vec::new(), dropped: false, steps: Vec::new() }
    }

    fn take(&mut self, question: &Question, asked: Asked) {
        let applied = match &asked.verdict {
            Verdict::Answered(Answer::Callback(CallbackAnswer::Drop)) => {
                self.dropped = true;
                Applied::Answer
            }
            Verdict::Answered(Answer::Callback(CallbackAnswer::Replace { body, headers })) => {
                self.event.body.clone_from(body);
                add(&mut self.added, headers);
                add(&mut self.event.headers, headers);
                Applied::Answer
            }
            Verdict::Answered(_) | Verdict::NoPolicy => Applied::Default,
            Verdict::Failed(_) => {
                let applied = asked.applied_on_failure();
                self.dropped = applied == Applied::Rejected;
                applied
            }
        };
        let decision = asked.decision(question, applied);
        self.steps.push((asked.question, decision));
    }

    fn into_outcome(self) -> Chained {
        let outcome = if self.dropped {
            Shaped::Drop
        } else {
            let headers = serde_json::to_string(&self.added).unwrap_or_else(|_| "[]".to_owned());
            Shaped::Send { body: self.event.body, headers }
        };
        Chained { steps: self.steps, outcome }
    }
}

/// Adds headers; a later one of the same name takes the place of an earlier.
fn add(headers: &mut Vec<(String, String)>, more: &[(String, String)]) {
    for (name, value) in more {
        headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        headers.push((name.clone(), value.clone()));
    }
}

#[cfg(test)]
mod tests {
    use reprise_lifecycle::decision::{Failure, FailureKind, FailurePolicy};

    use super::*;

    fn event() -> CallbackQuestion {
        CallbackQuestion {
            tenant: "acme".to_owned(),
            stream: None,
            play_domain: None,
            event_id: "evt_1".to_owned(),
            event_type: "FileUploadComplete".to_owned(),
            url: "https://hooks.example".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: "{}".to_owned(),
        }
    }

    fn replace(body: &str, headers: &[(&str, &str)]) -> Verdict {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Verdict::Answered(Answer::Callback(CallbackAnswer::Replace { body: body.to_owned(), headers }))
    }

    #[test]
    fn steps_build_on_each_other_and_a_drop_ends_them() {
        use FailurePolicy::{Fallback, Reject};
        let unchanged = || Verdict::Answered(Answer::Callback(CallbackAnswer::Unchanged));
        let drop = || Verdict::Answered(Answer::Callback(CallbackAnswer::Drop));
        let trap = || Verdict::Failed(Failure { kind: FailureKind::Trap, message: String::new() });
        let sent = |body: &str, headers: &str| Some((body.to_owned(), headers.to_owned()));
        let table = [
            ("nothing is done", vec![(unchanged(), Fallback)], sent("{}", "[]")),
            ("a drop", vec![(drop(), Fallback)], None),
            ("a failure falls back", vec![(replace("1", &[]), Fallback), (trap(), Fallback)], sent("1", "[]")),
            ("a failure rejects", vec![(replace("1", &[]), Fallback), (trap(), Reject)], None),
            (
                "the last body and all headers",
                vec![
                    (replace("1", &[("x-a", "1"), ("x-b", "1")]), Fallback),
                    (replace("2", &[("X-A", "2")]), Fallback),
                ],
                sent("2", "[[\"x-b\",\"1\"],[\"X-A\",\"2\"]]"),
            ),
        ];
        for (name, steps, expected) in table {
            let mut chain = Chain::new(event());
            let count = steps.len();
            for (verdict, failure_policy) in steps {
                let question = Question::Callback(chain.event.clone());
                let asked = Asked { verdict, failure_policy, ..Asked::nobody(&question) };
                chain.take(&question, asked);
            }
            let chained = chain.into_outcome();
            let outcome = match chained.outcome {
                Shaped::Send { body, headers } => Some((body, headers)),
                Shaped::Drop => None,
            };
            assert_eq!((outcome, chained.steps.len()), (expected, count), "{name}");
        }
    }

    #[test]
    fn a_step_sees_the_headers_of_those_before_it() {
        let mut chain = Chain::new(event());
        let question = Question::Callback(chain.event.clone());
        let verdict = replace("{\"a\":1}", &[("x-a", "1"), ("Content-Type", "application/cloudevents+json")]);
        chain.take(&question, Asked { verdict, ..Asked::nobody(&question) });
        let names: Vec<&str> = chain.event.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, chain.event.body.as_str()), (vec!["x-a", "Content-Type"], "{\"a\":1}"));
    }
}
