//! Hostile guests: each must be stopped by its own limit, with its own reason, and leave nothing behind.

mod lines;
mod surroundings;

use std::time::Duration;

use reprise_lifecycle::decision::FailureKind;
use reprise_lifecycle::question::{
    ComposeQuestion, GroupChoice, Hook, PartSummary, TemplateGroupAnswer, TemplateGroupQuestion,
};

use super::*;
use crate::call::{NoAssets, StateSnapshot};
use crate::guests::{Core, engine, load, shared, try_load};
use crate::sample;

/// A part of ten seconds.
pub(crate) fn part(index: u32) -> PartSummary {
    PartSummary { first_ms: u64::from(index) * 10_000, duration_ms: 10_000, ..sample::part(index) }
}

pub(crate) fn groups() -> Vec<GroupChoice> {
    [("id-hd", "HD"), ("id-sd", "SD"), ("id-1", "twin"), ("id-2", "twin")]
        .map(|(id, name)| GroupChoice { id: id.to_owned(), name: name.to_owned() })
        .to_vec()
}

pub(crate) fn question() -> Question {
    Question::TemplateGroup(TemplateGroupQuestion { groups: groups(), ..sample::template_group() })
}

fn compose_question() -> Question {
    Question::ComposeRules(ComposeQuestion {
        parts: (0..3).map(part).collect(),
        groups: groups(),
        ..sample::compose_rules()
    })
}

fn callback_question() -> Question {
    sample::question(Hook::Callback)
}

/// Asks with nothing beside the question.
fn ask(evaluator: &Evaluator, loaded: &Loaded, question: &Question, limits: &CallLimits) -> Evaluation {
    let (state, assets) = (StateSnapshot::default(), NoAssets::shared());
    evaluator.evaluate(loaded, &Call { question, settings: "", state: &state, assets: &assets, limits })
}

/// Asks a guest with this core module, after it has passed its trial.
fn run(core: &Core, question: &Question, limits: CallLimits) -> Evaluation {
    let engine = engine();
    let loaded = load(&engine, &core.component());
    ask(&Evaluator::new(engine), &loaded, question, &limits)
}

#[track_caller]
fn expect_failure(evaluation: &Evaluation, kind: FailureKind, part: &str) {
    match &evaluation.verdict {
        Verdict::Failed(failure) => {
            assert_eq!(failure.kind, kind, "{evaluation:?}");
            assert!(failure.message.contains(part), "{evaluation:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_misdeed_has_its_own_reason() {
    let recursion = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))";
    let table = "(table $t 1 funcref)";
    let text = |bytes: &str| format!(r#"(data (i32.const 1024) "{bytes}")"#);
    // The answer `group` with a text at 1024, or the error.
    let group = |length: u32| {
        format!(
            "(i32.store8 (i32.const 4) (i32.const 1)) (i32.store (i32.const 8) (i32.const 1024))
             (i32.store (i32.const 12) (i32.const {length})) (i32.const 0)"
        )
    };
    let refusal = "(i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 1024))
        (i32.store (i32.const 8) (i32.const 7)) (i32.const 0)";
    let cases: &[(&str, &str, String, FailureKind, &str)] = &[
        ("loop", "", "(loop $l (br $l)) unreachable".into(), FailureKind::Fuel, "25000000 units"),
        ("recursion", recursion, "(call $deep (i32.const 0))".into(), FailureKind::Stack, "256 KiB"),
        ("trap", "", "unreachable".into(), FailureKind::Trap, "unreachable"),
        (
            "division",
            "",
            "(i32.div_u (i32.const 1) (local.get 0)) drop (i32.div_u (i32.const 1) (i32.const 0))".into(),
            FailureKind::Trap,
            "divide by zero",
        ),
        (
            "memory",
            "",
            "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable".into(),
            FailureKind::Memory,
            "16 MiB",
        ),
        (
            "table",
            table,
            "(drop (table.grow $t (ref.null func) (i32.const 20000))) unreachable".into(),
            FailureKind::Memory,
            "10000 table elements",
        ),
        (
            "fill",
            "",
            "(drop (memory.grow (i32.const 200)))
             (loop $l (memory.fill (i32.const 65536) (i32.const 1) (i32.const 13107200)) (br $l)) unreachable"
                .into(),
            // The engine charges for every byte, so this is no way around the fuel.
            FailureKind::Fuel,
            "",
        ),
        (
            "huge text",
            "",
            format!("(drop (memory.grow (i32.const 20))) {}", group(1_000_000)),
            FailureKind::TooLarge,
            "524288 bytes",
        ),
        ("text past the memory", "", group(1_000_000), FailureKind::BadAnswer, "out of bounds"),
        ("text that is none", &text("\\ff\\fe"), group(2), FailureKind::BadAnswer, "utf-8"),
        ("unknown group", &text("nope"), group(4), FailureKind::BadAnswer, "no template group \"nope\""),
        (
            "unknown variant",
            "",
            "(i32.store8 (i32.const 4) (i32.const 9)) (i32.const 0)".into(),
            FailureKind::BadAnswer,
            "",
        ),
        ("answer past the memory", "", "(i32.const 70000)".into(), FailureKind::BadAnswer, ""),
        ("refusal", &text("no\\0aidea"), refusal.into(), FailureKind::Refused, "no idea"),
    ];
    for (name, fields, body, kind, part) in cases {
        let core = Core::hook("template-group-policy", "template-group", body, fields);
        let evaluation = run(&core, &question(), CallLimits::default());
        println!("{name}: {evaluation:?}");
        expect_failure(&evaluation, *kind, part);
        assert!(evaluation.elapsed_us < 2_000_000, "{name} took too long");
    }
}

#[test]
fn a_good_guest_answers_and_every_run_costs_the_same() {
    let engine = engine();
    let text = r#"(data (i32.const 1024) "HD")"#;
    let body = "(i32.store8 (i32.const 4) (i32.const 1)) (i32.store (i32.const 8) (i32.const 1024))
        (i32.store (i32.const 12) (i32.const 2)) (call $log (i32.const 1) (i32.const 1024) (i32.const 2)) (i32.const 0)";
    let core = Core::hook("template-group-policy", "template-group", body, text);
    let loaded = load(&engine, &core.component());
    let evaluator = Evaluator::new(engine);
    evaluator.trial(&loaded, &CallLimits::default()).unwrap();
    assert_eq!(loaded.hooks(), [Hook::TemplateGroup]);
    let first = ask(&evaluator, &loaded, &question(), &CallLimits::default());
    let expected = Answer::TemplateGroup(TemplateGroupAnswer::Group("id-hd".to_owned()));
    assert_eq!(first.verdict, Verdict::Answered(expected), "the name becomes the id");
    assert_eq!(first.log, ["info: HD"]);
    assert!(first.fuel > 0);
    for _ in 0..2 {
        let again = ask(&evaluator, &loaded, &question(), &CallLimits::default());
        assert_eq!((again.verdict, again.fuel, again.log), (first.verdict.clone(), first.fuel, first.log.clone()));
    }
}

#[test]
fn nothing_is_left_in_a_slot() {
    // Answers with a group whose name is what the call before left at 2048, and leaves a name there.
    let body = "(i32.store8 (i32.const 4) (i32.load8_u (i32.const 2048)))
        (i32.store8 (i32.const 2048) (i32.const 1)) (i32.const 0)";
    let engine = engine();
    let loaded = load(&engine, &Core::template_group(body).component());
    let evaluator = Evaluator::new(engine);
    for _ in 0..100 {
        let verdict = ask(&evaluator, &loaded, &question(), &CallLimits::default()).verdict;
        assert_eq!(verdict, Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::UseDefault)));
    }
}

#[test]
fn start_functions_are_under_the_same_limits() {
    let core = Core::hook(
        "template-group-policy",
        "template-group",
        "(i32.const 0)",
        "(func $start (loop $l (br $l))) (start $start)",
    );
    expect_failure(&run(&core, &question(), CallLimits::default()), FailureKind::Fuel, "");
    let engine = engine();
    let loaded = load(&engine, &core.component());
    let trial = Evaluator::new(engine).trial(&loaded, &CallLimits::default());
    assert!(matches!(trial, Err(LoadError::Start(failure)) if failure.kind == FailureKind::Fuel));
}

#[test]
fn both_clocks_are_ticked() {
    let endless = Core::template_group("(loop $l (br $l)) unreachable");
    let patient = CallLimits { fuel: u64::MAX >> 1, ..CallLimits::default() };
    let long = Duration::from_secs(600);
    for limits in [
        CallLimits { cpu: Duration::from_millis(20), wall: long, ..patient.clone() },
        CallLimits { cpu: long, wall: Duration::from_millis(20), ..patient.clone() },
    ] {
        let evaluation = run(&endless, &question(), limits);
        expect_failure(&evaluation, FailureKind::Deadline, "20 ms");
        assert!(evaluation.elapsed_us >= 20_000, "{evaluation:?}");
    }
}

#[test]
fn a_flood_of_lines_is_cut_and_paid_for() {
    let log = "(call $log (i32.const 2) (i32.const 1024) (i32.const 10))";
    let text = r#"(data (i32.const 1024) "0123456789")"#;
    let times = |count: u32| {
        format!(
            "(local $n i32) (loop $l {log} (local.set $n (i32.add (local.get $n) (i32.const 1)))
             (br_if $l (i32.lt_u (local.get $n) (i32.const {count})))) (i32.const 0)"
        )
    };
    let core = |body: &str| Core::hook("template-group-policy", "template-group", body, text);

    let evaluation = run(&core(&times(1_000)), &question(), CallLimits::default());
    assert!(matches!(evaluation.verdict, Verdict::Answered(_)), "{evaluation:?}");
    assert_eq!(evaluation.log.len(), 65);
    assert_eq!(evaluation.log[63], "warn: 0123456789");
    assert_eq!(evaluation.log[64], "(936 more lines left out)");
    assert!(evaluation.fuel > 1_000_000);

    let endless = format!("(loop $l {log} (br $l)) unreachable");
    expect_failure(&run(&core(&endless), &question(), CallLimits::default()), FailureKind::Fuel, "");

    let huge =
        "(drop (memory.grow (i32.const 20))) (call $log (i32.const 0) (i32.const 0) (i32.const 1000000)) unreachable";
    expect_failure(&run(&core(huge), &question(), CallLimits::default()), FailureKind::TooLarge, "");
    let past = "(call $log (i32.const 0) (i32.const -1) (i32.const 10)) unreachable";
    expect_failure(&run(&core(past), &question(), CallLimits::default()), FailureKind::BadAnswer, "");
    let level = "(call $log (i32.const 77) (i32.const 0) (i32.const 1)) unreachable";
    expect_failure(&run(&core(level), &question(), CallLimits::default()), FailureKind::BadAnswer, "");
}

#[test]
fn compose_answers_are_bounded() {
    // `compose` with ranges at 65536: as many as the guest likes, all zeros, which is the range 0 to 0 or,
    // since `to-ms` is absent, all of the part 0.
    let plan = |count: u32| {
        Core::compose_rules(&format!(
            "(drop (memory.grow (i32.const 100)))
             (i32.store8 (i32.const 8) (i32.const 2)) (i32.store (i32.const 16) (i32.const 65536))
             (i32.store (i32.const 20) (i32.const {count})) (i32.const 0)"
        ))
    };
    let limits = CallLimits::default;
    // Three parts, twice.
    let evaluation = run(&plan(6), &compose_question(), limits());
    assert!(matches!(evaluation.verdict, Verdict::Answered(Answer::ComposeRules(_))), "{:.200?}", evaluation.verdict);
    expect_failure(&run(&plan(7), &compose_question(), limits()), FailureKind::BadAnswer, "2 times the length");
    expect_failure(&run(&plan(10_000), &compose_question(), limits()), FailureKind::BadAnswer, "2 times the length");
    expect_failure(&run(&plan(10_001), &compose_question(), limits()), FailureKind::BadAnswer, "10001 ranges");
    expect_failure(&run(&plan(100_000), &compose_question(), limits()), FailureKind::TooLarge, "");
    expect_failure(&run(&plan(100_000_000), &compose_question(), limits()), FailureKind::BadAnswer, "out of bounds");
    expect_failure(&run(&plan(0), &compose_question(), limits()), FailureKind::BadAnswer, "0 ranges");
}

#[test]
fn large_questions_reach_the_guest_or_fail_in_it() {
    let mut question = compose_question();
    let Question::ComposeRules(inner) = &mut question else { unreachable!() };
    inner.parts = (0..10_000).map(part).collect();
    // This guest hands out memory without growing it, so the question does not fit.
    let evaluation = run(&Core::compose_rules("(i32.const 0)"), &question, CallLimits::default());
    assert!(matches!(evaluation.verdict, Verdict::Failed(_)), "{evaluation:?}");
}

#[test]
fn a_hook_that_is_not_there_is_a_failure() {
    let core = Core::template_group("(i32.const 0)");
    expect_failure(
        &run(&core, &callback_question(), CallLimits::default()),
        FailureKind::Unavailable,
        "no hook callback",
    );
    let callback = Core::callback("(i32.const 0)");
    assert!(matches!(run(&callback, &callback_question(), CallLimits::default()).verdict, Verdict::Answered(_)));
}

#[test]
fn other_types_are_found_at_the_trial() {
    let core = Core::template_group("(i32.const 0)").with_wit(|wit| wit.replace("reconnects: u32", "reconnects: u64"));
    let engine = engine();
    let loaded = load(&engine, &core.component());
    let evaluator = Evaluator::new(engine);
    match evaluator.trial(&loaded, &CallLimits::default()) {
        Err(LoadError::Types { interface, detail, .. }) => {
            assert_eq!(interface, "reprise:policy/template-group@0.1.0");
            println!("{detail}");
        }
        other => panic!("{other:?}"),
    }
    // And should one come past the trial, a call does not confuse types.
    assert!(matches!(ask(&evaluator, &loaded, &question(), &CallLimits::default()).verdict, Verdict::Failed(_)));
}

#[test]
fn other_versions_of_the_line_fit() {
    let text = r#"(module
        (import "reprise:policy/log@0.1.7" "log" (func $log (param i32 i32 i32)))
        (memory (export "memory") 2)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
        (func (export "reprise:policy/template-group@0.1.7#decide") (param i32) (result i32)
            (call $log (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 0)))"#;
    let core = Core::new("template-group-policy", text.to_owned()).with_wit(|wit| wit.replace("@0.1.0", "@0.1.7"));
    let evaluation = run(&core, &question(), CallLimits::default());
    assert!(matches!(evaluation.verdict, Verdict::Answered(_)), "{evaluation:?}");
}

#[test]
fn what_does_not_fit_a_slot_does_not_load() {
    let large = Core::new(
        "template-group-policy",
        r#"(module (memory (export "memory") 257)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
            (func (export "reprise:policy/template-group@0.1.0#decide") (param i32) (result i32) (i32.const 0)))"#
            .to_owned(),
    );
    let problem = try_load(&engine(), &large.component()).unwrap_err();
    assert!(matches!(&problem, LoadError::Unfit(text) if text.contains("memory")), "{problem:?}");
    // One module, instantiated more often than a slot has room for.
    let many = crate::guests::wat(&format!(
        "(component (core module $m (func)) {})",
        "(core instance (instantiate $m))".repeat(9)
    ));
    let problem = try_load(&engine(), &many).unwrap_err();
    assert!(matches!(&problem, LoadError::Unfit(text) if text.contains("instances")), "{problem:?}");
}

#[test]
fn settings_are_checked_by_the_policy() {
    let text = |body: &str| {
        format!(
            r#"(module (memory (export "memory") 1) (data (i32.const 1024) "rules[0]: no")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (func (export "reprise:policy/settings@0.1.0#check") (param i32 i32) (result i32) {body}))"#
        )
    };
    let refusal = "(i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 1024))
        (i32.store (i32.const 8) (i32.const 12)) (i32.const 0)";
    let engine = engine();
    let check = |body: &str, settings: &str| {
        let loaded = load(&engine, &Core::new("checked-settings", text(body)).component());
        Evaluator::new(engine.clone()).check_settings(&loaded, settings, &NoAssets::shared(), &CallLimits::default())
    };
    assert_eq!(check("(i32.const 0)", "{}"), Ok(()));
    assert_eq!(check(refusal, "{}"), Err(SettingsError::Refused("rules[0]: no".to_owned())));
    assert!(
        matches!(check("unreachable", "{}"), Err(SettingsError::Failed(failure)) if failure.kind == FailureKind::Trap)
    );
    assert!(matches!(check("(i32.const 0)", &" ".repeat(100_000)), Err(SettingsError::TooLarge { .. })));

    let silent = load(&engine, &Core::template_group("(i32.const 0)").component());
    assert_eq!(
        Evaluator::new(engine.clone()).check_settings(&silent, "anything", &NoAssets::shared(), &CallLimits::default()),
        Ok(())
    );
}

#[test]
fn slots_that_are_taken_are_overload_and_come_back() {
    let engine = Engine::new(crate::EngineOptions { max_concurrent_calls: 1, scripted_concurrent_calls: 1 }).unwrap();
    let loaded = load(&engine, &Core::template_group("(i32.const 0)").component());
    let evaluator = Evaluator::new(engine);
    let (inner, _) = evaluator.call(&loaded, &CallLimits::default(), Beside::nothing(), |_, _| {
        Ok(ask(&evaluator, &loaded, &question(), &CallLimits::default()))
    });
    expect_failure(&inner.unwrap(), FailureKind::Overloaded, "");
    assert!(matches!(ask(&evaluator, &loaded, &question(), &CallLimits::default()).verdict, Verdict::Answered(_)));
}

#[test]
fn threads_share_a_policy_and_a_neighbour_that_loops_is_not_felt() {
    let engine = engine();
    let good = shared(&engine, &Core::template_group("(i32.const 0)"));
    let bad = shared(&engine, &Core::template_group("(loop $l (br $l)) unreachable"));
    let evaluator = Evaluator::new(engine);
    std::thread::scope(|scope| {
        let hostile = scope
            .spawn(|| (0..5).map(|_| ask(&evaluator, &bad, &question(), &CallLimits::default())).collect::<Vec<_>>());
        for _ in 0..200 {
            let verdict = ask(&evaluator, &good, &question(), &CallLimits::default()).verdict;
            assert!(matches!(verdict, Verdict::Answered(_)), "{verdict:?}");
        }
        for evaluation in hostile.join().unwrap() {
            expect_failure(&evaluation, FailureKind::Fuel, "");
        }
    });
}
