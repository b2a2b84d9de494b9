//! Reprise: a component of our own interface, through the evaluator that judges it in production: a fresh instance for
//! each call with all limits on, typed questions, the answer checked. The reused instance is what the host never does; it
//! is measured on the bare engine, in `raw`.

use std::path::Path;
use std::process::Command;

use reprise_lifecycle::decision::Verdict;
use reprise_lifecycle::id::{BroadcastId, VideoId};
use reprise_lifecycle::media::VideoTrack;
use reprise_lifecycle::question::{
    Answer, GroupChoice, Origin, PartSummary, Question, StreamKey, TemplateGroupAnswer, TemplateGroupQuestion,
};
use reprise_lifecycle::time::Timestamp;
use reprise_policy::{
    AdmissionLimits, Call, CallLimits, CompileLimits, CompilerCommand, Engine, EngineOptions, Evaluator, Loaded,
    NoAssets, PLUGIN_CARGO_ARGS, StateSnapshot, compile, encode_component, inspect,
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
    Question::TemplateGroup(TemplateGroupQuestion {
        origin: Origin {
            tenant: "acme".into(),
            stream: StreamKey { domain: "push.example.com".into(), app: "live".into(), name: sample::STREAM.into() },
            play_domain: "play.example.com".into(),
            push_args: Vec::new(),
            broadcast: BroadcastId::new("5f0c9d1e2b3a47568899aabbccddeeff"),
            broadcast_started_at: Timestamp(1_780_000_000_000),
            reconnects: 0,
        },
        part: PartSummary {
            index: 2,
            video_id: VideoId::new("00112233445566778899aabbccddeeff"),
            started_at: Timestamp(1_780_000_600_000),
            ended_at: Timestamp(1_780_000_900_000),
            first_ms: 600_000,
            duration_ms: 300_000,
            bytes: 150_000_000,
            bitrate_kbps: 4_000,
            gap_ms: 0,
            video: Some(VideoTrack {
                codec: "H.264".into(),
                width: 1920,
                height: sample::HEIGHT,
                fps: 25.0,
                profile: "High".into(),
            }),
            audio: None,
            facts: None,
        },
        default_group: "SD".into(),
        groups: ["HD", "SD"].map(|name| GroupChoice { id: name.into(), name: name.into() }).to_vec(),
    })
}
