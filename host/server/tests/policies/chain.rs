//! Several callback policies at one stream.

use reprise::policies::Activation;
use reprise_lifecycle::decision::{Applied, FailureKind};

use crate::guests::{drops, echo, trap};
use crate::stage::{Stage, failures, sent};

fn covering(stream: &str, priority: i64, failure_policy: &str) -> Activation {
    Activation {
        stream: Some(stream.to_owned()),
        priority: Some(priority),
        failure_policy: Some(failure_policy.to_owned()),
        ..Activation::default()
    }
}

#[tokio::test]
async fn all_that_cover_the_stream_are_asked_in_order_and_a_drop_or_a_rejection_ends_it() {
    let stage = Stage::new("").await;
    stage.push("acme", "first", echo("a"), "{\"by\":1}").await;
    stage.push("acme", "second", echo("b"), "{\"by\":2}").await;
    stage.push("acme", "broken", trap(), "{}").await;
    stage.push("acme", "dropping", drops(), "{}").await;
    stage.activate("acme", "first", covering("*", 30, "fallback")).await;
    stage.activate("acme", "second", covering("*", 10, "fallback")).await;
    stage.activate("acme", "broken", covering("falls-back", 20, "fallback")).await;
    let rejecting = Activation { name: Some("strict".to_owned()), ..covering("rejects", 20, "reject") };
    stage.activate("acme", "broken", rejecting).await;
    stage.activate("acme", "dropping", covering("drops", 20, "fallback")).await;

    let trapped = Some(FailureKind::Trap);
    let table = [
        ("plain", Some("{\"by\":2}"), vec![("first", None), ("second", None)]),
        ("falls-back", Some("{\"by\":2}"), vec![("first", None), ("broken", trapped), ("second", None)]),
        ("rejects", None, vec![("first", None), ("broken", trapped)]),
        ("drops", None, vec![("first", None), ("dropping", None)]),
    ];
    for (stream, body, steps) in table {
        let chained = stage.event("acme", stream).await;
        let asked = chained.steps.iter().map(|(_, decision)| decision.provenance.as_ref().unwrap().plugin.as_str());
        let asked: Vec<_> = asked.zip(failures(&chained)).collect();
        assert_eq!((sent(&chained), asked), (body, steps), "{stream}");
    }
    let chained = stage.event("acme", "rejects").await;
    assert_eq!(chained.steps[1].1.applied, Applied::Rejected);
    assert_eq!(chained.steps[1].1.provenance.as_ref().unwrap().binding.as_deref(), Some("strict"));
    // The second is asked about what the first made of it.
    assert!(chained.steps[1].0.contains(r#""body":"{\"by\":1}""#), "{}", chained.steps[1].0);
    assert!(chained.steps[1].0.contains(r#"["x-by","a"]"#), "{}", chained.steps[1].0);
    let nobody = stage.event("umbrella", "plain").await;
    assert_eq!((sent(&nobody), nobody.steps.len()), (Some("{}"), 1));
}
