//! What a policy call costs: the same policies natively, on the bare engine without any limit, and as the host
//! runs them, in one run on one machine. Times are processor time of the calling thread for one call, the
//! median of many batches.
//!
//! `cargo bench -p reprise-policy` prints the table. The plugins are built first, through cargo.

use std::ffi::OsString;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use reprise_lifecycle::decision::Verdict;
use reprise_lifecycle::question::Question;
use reprise_policy::{
    AdmissionLimits, Call, CallLimits, CompileLimits, CompilerCommand, Engine, EngineOptions, Evaluator, Loaded,
    NoAssets, PLUGIN_CARGO_ARGS, StateSnapshot, compile, compile_child_main, encode_component, inspect,
};
use wasmtime::Store;
use wasmtime::component::{Component, Linker};

#[path = "support/questions.rs"]
mod questions;
#[path = "support/raw.rs"]
mod raw;

/// The hidden sub-command's name: this program is its own compile child.
const CHILD: &str = "compile-policy";

/// Calls in a batch, and batches of which the median is taken.
const CALLS: u32 = 200;
const BATCHES: usize = 61;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return compile_child_main();
    }
    let engine = Engine::new(EngineOptions::default()).expect("the engine starts");
    let (by_stream, fields) = (component("template_by_stream"), component("callback_fields"));
    let evaluator = Evaluator::new(engine.clone());

    let store_only = raw::engine();
    let empty = Component::new(&store_only, EMPTY).expect("the empty component compiles");
    let empty = Linker::<()>::new(&store_only).instantiate_pre(&empty).expect("it needs nothing");
    let floor = measure(|| {
        let mut store = Store::new(&store_only, ());
        empty.instantiate(&mut store).expect("it starts");
    });

    println!("{:<44} {:>10} {:>9} {:>9}", "", "µs/call", "× native", "× raw");
    row("raw engine: fresh instance of nothing", floor, None, None);
    table("decide", &by_stream, questions::DECIDE_SETTINGS, &evaluator, &engine, &questions::decide());
    table("transform", &fields, questions::TRANSFORM_SETTINGS, &evaluator, &engine, &questions::transform());
    ExitCode::SUCCESS
}

/// All ways to put one question to one policy.
fn table(name: &str, component: &[u8], settings: &str, evaluator: &Evaluator, engine: &Engine, question: &Question) {
    let guest = raw::question(question);
    let native = measure(|| guest.native(settings));

    let raw = raw::Policy::new(component);
    let bare = measure(|| raw.fresh(&guest, settings));
    let start = measure(|| raw.instantiate());
    let mut kept = raw.keep();
    let reused = measure(|| raw.again(&mut kept, &guest, settings));

    let loaded = load(engine, component);
    let (state, assets, limits) = (StateSnapshot::default(), NoAssets::shared(), CallLimits::default());
    let call = Call { question, settings, state: &state, assets: &assets, limits: &limits };
    let answer = evaluator.evaluate(&loaded, &call);
    assert!(matches!(answer.verdict, Verdict::Answered(_)), "{answer:?}");
    let ours = measure(|| evaluator.evaluate(&loaded, &call));

    println!("{name}: fuel {}, component {} KiB", answer.fuel, component.len() >> 10);
    row("  native", native, None, None);
    row("  raw engine: reused instance", reused, Some(native), None);
    row("  raw engine: fresh instance, not called", start, Some(native), None);
    row("  raw engine: fresh instance, no limits set", bare, Some(native), None);
    row("  reprise: fresh instance, all limits on", ours, Some(native), Some(bare));
}

fn row(name: &str, time: Duration, native: Option<Duration>, raw: Option<Duration>) {
    let ratio = |to: Option<Duration>| {
        to.map_or_else(|| "".to_owned(), |to| format!("{:.1}", time.as_secs_f64() / to.as_secs_f64()))
    };
    println!("{name:<44} {:>10.2} {:>9} {:>9}", time.as_secs_f64() * 1e6, ratio(native), ratio(raw));
}

/// Processor time of one call.
fn measure<T>(mut call: impl FnMut() -> T) -> Duration {
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("there is such a clock"));
    let mut batches: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            let before = now();
            (0..CALLS).for_each(|_| drop(black_box(call())));
            (now() - before) / CALLS
        })
        .collect();
    batches.sort_unstable();
    batches[BATCHES / 2]
}

/// The component of a plugin, built if need be.
fn component(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let module = target.join(format!("wasm32-unknown-unknown/plugin/{name}.wasm"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let status = Command::new(cargo)
        .args(PLUGIN_CARGO_ARGS)
        .args(["--quiet", "--profile", "plugin", "-p"])
        .arg(name.replace('_', "-"))
        .current_dir(&root)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the plugin does not build");
    encode_component(&std::fs::read(module).expect("the plugin is there")).expect("it is a policy")
}

/// The way of every component: inspected, compiled in a child, loaded, tried.
fn load(engine: &Engine, component: &[u8]) -> Loaded {
    let inspection = inspect(component, &AdmissionLimits::default()).expect("it is let in");
    let command =
        CompilerCommand { program: std::env::current_exe().expect("this is a program"), args: vec![CHILD.into()] };
    let artefact = compile(component, &inspection, &command, &CompileLimits::default()).expect("it compiles");
    let loaded = engine.load(&artefact).expect("it loads");
    Evaluator::new(engine.clone()).trial(&loaded, &CallLimits::default()).expect("it passes its trial");
    loaded
}

/// The bytes of `(component)`.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
