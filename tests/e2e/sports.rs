//! The compose policy for sports as the host runs it: inspected, compiled, within the limits of a call.

use std::time::Duration;

use anyhow::Context as _;
use reprise_lifecycle::decision::Verdict;
use reprise_lifecycle::media::{MediaFacts, Stretch};
use reprise_lifecycle::question::{Answer, ComposeAnswer, ComposeQuestion, PartSummary, Question};
use reprise_policy::{
    AdmissionLimits, Call, CallLimits, CompileLimits, CompilerCommand, Engine, EngineOptions, Evaluation, Evaluator,
    NoAssets, StateSnapshot, compile, inspect, sample,
};
use reprise_tests::{guests, server};

/// Parts of a broadcast, each with `stretches` of a second without play.
fn question(parts: u32, stretches: u64) -> Question {
    let part_ms = sample::part(0).duration_ms;
    let empty: Vec<Stretch> = (0..stretches)
        .map(|index| Stretch { from_ms: index * part_ms / stretches, to_ms: index * part_ms / stretches + 1000 })
        .collect();
    let facts = MediaFacts {
        silences: empty.clone(),
        blacks: empty.clone(),
        freezes: empty,
        scenes_ms: (0..500).map(|index| index * part_ms / 500).collect(),
        ..MediaFacts::default()
    };
    let part = |index: u32| PartSummary { facts: Some(facts.clone()), ..sample::part(index) };
    let parts: Vec<PartSummary> = (0..parts).map(part).collect();
    Question::ComposeRules(ComposeQuestion { parts, ..sample::compose_rules() })
}

fn ask(question: &Question, settings: &str) -> anyhow::Result<Evaluation> {
    let component = guests::component("sports-highlights")?;
    let engine = Engine::new(EngineOptions::default())?;
    let inspection = inspect(&component, &AdmissionLimits::default())?;
    let compiler = CompilerCommand { program: server::binary()?, args: vec!["compile-policy".into()] };
    let artefact = compile(&component, &inspection, &compiler, &CompileLimits::default())?;
    let loaded = engine.load(&artefact)?;
    // This host's own code is not optimised, so its clocks say nothing; fuel and memory are the same everywhere.
    let patient = Duration::from_secs(30);
    let limits = CallLimits { cpu: patient, wall: patient, ..CallLimits::default() };
    let evaluator = Evaluator::new(engine);
    evaluator.trial(&loaded, &limits)?;
    let (state, assets) = (StateSnapshot::default(), NoAssets::shared());
    Ok(evaluator.evaluate(&loaded, &Call { question, settings, state: &state, assets: &assets, limits: &limits }))
}

fn ranges(evaluation: &Evaluation) -> anyhow::Result<usize> {
    match &evaluation.verdict {
        Verdict::Answered(Answer::ComposeRules(ComposeAnswer::Compose(plan))) => Ok(plan.ranges.len()),
        other => anyhow::bail!("{other:?}"),
    }
}

#[test]
fn facts_decide_what_is_composed() -> anyhow::Result<()> {
    // Three seconds of play between each two of a second without: all of it stays, or none, as the settings say.
    let question = question(2, 75);
    assert_eq!(ranges(&ask(&question, "{}")?)?, 2, "short stretches stay");
    let strict = r#"{"min_drop_seconds":1,"margin_seconds":0,"min_stretch_seconds":2,"groups":[{"from_minutes":1,"group":"HD"}]}"#;
    let evaluation = ask(&question, strict)?;
    assert_eq!(ranges(&evaluation)?, 150, "{evaluation:?}");
    let refused = ask(&question, r#"{"groups":[{"from_minutes":0,"group":"4K"}]}"#)?;
    let Verdict::Failed(failure) = &refused.verdict else { anyhow::bail!("{refused:?}") };
    assert!(failure.message.contains("no template group"), "{failure:?}");
    Ok(())
}

#[test]
fn the_largest_questions_there_are_fit() -> anyhow::Result<()> {
    let strict = r#"{"min_drop_seconds":1,"margin_seconds":0,"min_stretch_seconds":0}"#;
    for (parts, stretches, kept) in [(50, 200, 10_000), (10_000, 200, 10_000)] {
        let question = question(parts, stretches);
        let evaluation = ask(&question, strict)?;
        let ranges = ranges(&evaluation).with_context(|| format!("{parts} parts, fuel {}", evaluation.fuel))?;
        println!("{parts} parts of {stretches} stretches: fuel {}", evaluation.fuel);
        assert_eq!(ranges, kept, "{parts} parts");
    }
    Ok(())
}
