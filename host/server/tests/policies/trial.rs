//! Dry runs.

use reprise::policies::{ActivateError, Wanted};
use reprise::store::decisions::DecisionFilter;
use reprise_lifecycle::decision::{CodeSource, FailureKind, Verdict};
use reprise_lifecycle::question::Question;

use crate::guests::{echo, trap};
use crate::stage::{Stage, question, stream_of};

#[tokio::test]
async fn any_version_can_be_asked_and_nothing_is_recorded_or_held_against_it() {
    let stage = Stage::new("[policies]\nbreaker_failures = 1\n").await;
    stage.push("acme", "p", echo("a"), "{\"n\":1}").await;
    stage.push("acme", "p", trap(), "{\"n\":2}").await;
    let question = Question::Callback(question("acme", &stream_of("acme", "cam1")));
    let wanted = |version, settings_revision| Wanted { question: question.clone(), version, settings_revision };
    let tried = stage.policies.try_out("acme", "p", &wanted(Some(1), Some(1))).await.unwrap();
    assert!(matches!(&tried.evaluation.verdict, Verdict::Answered(_)), "{tried:?}");
    assert_eq!((tried.version, tried.settings_revision, tried.code), (1, 1, Some(CodeSource::Memory)));
    assert!(tried.evaluation.fuel > 0);
    for _ in 0..3 {
        let tried = stage.policies.try_out("acme", "p", &wanted(None, None)).await.unwrap();
        let Verdict::Failed(failure) = tried.evaluation.verdict else { panic!("{tried:?}") };
        assert_eq!((tried.version, failure.kind), (2, FailureKind::Trap));
    }
    let missing = stage.policies.try_out("acme", "p", &wanted(Some(3), None)).await;
    assert!(matches!(missing, Err(ActivateError::NotFound(what)) if what == "version 3 of plugin `p`"));
    assert!(stage.store.decisions("acme", &DecisionFilter::default(), 1).await.unwrap().is_empty());
}
