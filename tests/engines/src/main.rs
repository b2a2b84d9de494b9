//! One decision, the first of 20 rules that fits a stream's name and height, in other engines and in ours, in one run.
//!
//! Two ways for each: *fresh*, where nothing of one call can be seen by the next (what a host of strangers' code needs),
//! and *reused*, where the interpreter or instance is kept. The program is parsed or compiled before; question and rules
//! are handed over at each call, in the form the engine likes best. What is below ours, the bare engine and the native
//! policy, is in the same table. Times are processor time of the calling thread, the median of many batches. Which limits
//! each engine can enforce is said in the last column.

mod cel;
mod extism;
mod lua;
mod ours;
mod quickjs;
mod raw;
mod rego;
mod rhai;
mod sample;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Batches of which the median is taken, and how long one takes about.
const BATCHES: usize = 21;
const BATCH: Duration = Duration::from_millis(20);

/// One way to decide.
struct Case {
    name: &'static str,
    /// What it can be held to.
    limits: &'static str,
    fresh: Box<dyn FnMut() -> String>,
    reused: Option<Box<dyn FnMut() -> String>>,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(ours::CHILD) {
        return reprise_policy::compile_child_main();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let [bare, native] = raw::cases()?;
    let cases = [
        ours::case()?,
        bare,
        native,
        extism::case()?,
        rhai::case()?,
        lua::case()?,
        quickjs::case()?,
        cel::case()?,
        rego::case()?,
    ];
    println!("| engine | fresh, µs | × ours | reused, µs | limits |");
    println!("|---|---|---|---|---|");
    let mut base = None;
    for mut case in cases {
        anyhow::ensure!((case.fresh)() == sample::ANSWER, "{} answers {:?}", case.name, (case.fresh)());
        let fresh = measure(&mut *case.fresh);
        let base = *base.get_or_insert(fresh);
        let reused = case.reused.as_mut().map(|reused| {
            assert_eq!(reused(), sample::ANSWER, "{}", case.name);
            format!("{:.1}", micros(measure(&mut **reused)))
        });
        println!(
            "| {} | {:.1} | {:.2} | {} | {} |",
            case.name,
            micros(fresh),
            fresh.as_secs_f64() / base.as_secs_f64(),
            reused.as_deref().unwrap_or("–"),
            case.limits
        );
        // QuickJS insists that a kept function goes before its runtime, which the order of captures does not promise.
        std::mem::forget(case);
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Processor time of one call.
fn measure(call: &mut dyn FnMut() -> String) -> Duration {
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("there is such a clock"));
    let once = Instant::now();
    std::hint::black_box(call());
    let calls = u32::try_from(BATCH.as_nanos() / once.elapsed().as_nanos().max(1)).unwrap_or(1).clamp(1, 100_000);
    let mut batches: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            let before = now();
            (0..calls).for_each(|_| drop(std::hint::black_box(call())));
            (now() - before) / calls
        })
        .collect();
    batches.sort_unstable();
    batches[BATCHES / 2]
}
