//! Reprise: a component of our own interface, through the evaluator that judges it in production: a fresh instance for
//! each call with all limits on, typed questions, the answer checked. The reused instance is what the host never does; it
//! is measured on the bare engine, in `raw`.

use std::path::Path;
use std::process::Command;

use reprise_lifecycle::decision::Verdict;
use reprise_lifecycle::question::{
    Answer, GroupChoice, Origin, PartSummary, Question, StreamKey, TemplateGroupAnswer, TemplateGroupQuestion,
};
use reprise_policy::{
    AdmissionLimits, Call, CallLimits, CompileLimits, CompilerCommand, Engine, EngineOptions, Evaluator, Loaded,
    NoAssets, PLUGIN_CARGO_ARGS, StateSnapshot, compile, encode_component, inspect, sample as questions,
};
use serde_json::json;

use super::{Case, sample};

/// This program is its own compile child.
pub(crate) const CHILD: &str = "compile-policy";

pub(crate) fn case() -> anyhow::Result<Case> {
    let engine = Engine::new(EngineOptions::default())?;
    let loaded = load(&engine, &component()?)?;
    let (settings, question) = (settings(), question());
    let (evaluator, limits) = (Evaluator::new(engine), CallLimits::standard());
    let (state, assets) = (StateSnapshot::default(), NoAssets::shared());
    Ok(Case {
        name: "Reprise",
        limits: "fuel, time, memory, stack, answer, log",
        fresh: Box::new(move || {
            let call =
                Call { question: &question, settings: &settings, state: &state, assets: &assets, limits: &limits };
            match evaluator.evaluate(&loaded, &call).verdict {
                Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::Group(group))) => group,
                other => format!("{other:?}"),
            }
        }),
        reused: None,
    })
}

/// The rules as the policy reads them.
pub(crate) fn settings() -> String {
    let rules: Vec<_> = sample::rules()
        .iter()
        .map(|rule| json!({"stream": format!("{}*", rule.prefix), "min_height": rule.min_height, "group": rule.group}))
        .collect();
    json!({"rules": rules}).to_string()
}

pub(crate) fn component() -> anyhow::Result<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Command::new("cargo")
        .args(PLUGIN_CARGO_ARGS)
        .args(["--quiet", "--profile", "plugin", "-p", "template-by-stream"])
        .current_dir(&root)
        .status()?;
    anyhow::ensure!(built.success(), "the plugin does not build");
    let module = std::fs::read(root.join("target/wasm32-unknown-unknown/plugin/template_by_stream.wasm"))?;
    Ok(encode_component(&module)?)
}

/// The way of every component: inspected, compiled in a child, loaded.
fn load(engine: &Engine, component: &[u8]) -> anyhow::Result<Loaded> {
    let inspection = inspect(component, &AdmissionLimits::default())?;
    let command = CompilerCommand { program: std::env::current_exe()?, args: vec![CHILD.into()] };
    let artefact = compile(component, &inspection, &command, &CompileLimits::default())?;
    Ok(engine.load(&artefact)?)
}

pub(crate) fn question() -> Question {
    let origin = questions::origin();
    Question::TemplateGroup(TemplateGroupQuestion {
        origin: Origin {
            stream: StreamKey { name: sample::STREAM.into(), ..origin.stream },
            push_args: Vec::new(),
            ..origin
        },
        part: PartSummary { audio: None, ..questions::part(2) },
        default_group: "SD".into(),
        groups: ["HD", "SD"].map(|name| GroupChoice { id: name.into(), name: name.into() }).to_vec(),
    })
}
