//! What a policy keeps from one decision to the next.

use reprise::policies::{Activation, Chained, Wanted};
use reprise::store::decisions::LoggedDecision;
use reprise::store::journal::Append;
use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::StateWrite;
use reprise_lifecycle::id::{BroadcastId, TenantId};
use reprise_lifecycle::question::Question;
use reprise_lifecycle::record::{Opening, RecordRules};
use reprise_lifecycle::time::Timestamp;

use crate::guests::once;
use crate::stage::{Stage, question, sent, stream_of};

/// Records what was decided, with the opening of a broadcast.
async fn record(stage: &Stage, id: &str, chained: &Chained) {
    let opening = Opening {
        tenant: TenantId::new("acme"),
        stream: stream_of("acme", id),
        play_domain: "play.acme".to_owned(),
        push_args: Vec::new(),
        rules: RecordRules::default(),
    };
    let records = Broadcast::open(opening, "203.0.113.9:4711".to_owned(), Timestamp(0));
    let after = Broadcast::fold(BroadcastId::new(id), &records).unwrap().unwrap();
    let steps = chained.steps.iter().cloned();
    let decisions = steps.map(|(question, decision)| LoggedDecision { question, decision, video: None, at: 1 });
    let append = Append {
        after: &after,
        first_seq: 0,
        records: &records,
        events: Vec::new(),
        notices: Vec::new(),
        decisions: decisions.collect(),
        shape: false,
    };
    stage.store.append(&[append]).await.unwrap();
}

#[tokio::test]
async fn a_call_sees_what_recorded_decisions_wrote_and_nothing_else() {
    let stage = Stage::new("").await;
    stage.push("acme", "once", once(), "{}").await;
    stage.activate("acme", "once", Activation::default()).await;
    let write = StateWrite { key: "k".to_owned(), value: Some("1".to_owned()) };
    let seen = |chained: &Chained| {
        let made = chained.steps[0].1.provenance.clone().unwrap();
        (sent(chained).is_some(), made.state_revision, made.writes)
    };
    let first = stage.event("acme", "a").await;
    assert_eq!(seen(&first), (true, Some(0), vec![write.clone()]));
    // It was not recorded yet, so nothing of it is there.
    let wanted = Wanted {
        question: Question::Callback(question("acme", &stream_of("acme", "a"))),
        version: None,
        settings_revision: None,
    };
    let tried = stage.policies.try_out("acme", "once", &wanted).await.unwrap();
    assert_eq!((tried.state_revision, tried.evaluation.writes), (Some(0), vec![write.clone()]));
    let second = stage.event("acme", "a").await;
    assert_eq!(seen(&second), (true, Some(0), vec![write]));
    record(&stage, "a", &first).await;
    assert_eq!(seen(&stage.event("acme", "a").await), (false, Some(1), Vec::new()));
    assert_eq!(stage.store.clear_plugin_state("acme", "once", "admin", 2).await.unwrap(), 1);
    assert_eq!(seen(&stage.event("acme", "a").await).1, Some(2));
}
