//! Both lines of the interface, side by side.

use super::*;
use crate::guests::Newer;

/// A result of 0.2: the answer `use-default` with a reason of so many bytes at 1024.
fn with_reason(bytes: usize) -> String {
    format!(
        "(i32.store8 (i32.const 16) (i32.const 1)) (i32.store (i32.const 20) (i32.const 1024))
         (i32.store (i32.const 24) (i32.const {bytes})) (i32.const 0)"
    )
}

fn reason(data: &str, bytes: usize) -> Option<String> {
    let fields = format!(r#"(data (i32.const 1024) "{data}")"#);
    let evaluation = run(&Newer::template_group(&with_reason(bytes), &fields), &question(), CallLimits::default());
    assert!(matches!(evaluation.verdict, Verdict::Answered(_)), "{evaluation:?}");
    evaluation.reason
}

#[test]
fn both_lines_answer_at_every_hook() {
    let engine = engine();
    let evaluator = Evaluator::new(engine.clone());
    let hooks =
        [("template-group", question()), ("compose-rules", compose_question()), ("callback", callback_question())];
    for (hook, question) in hooks {
        let world: &'static str = format!("{hook}-policy").leak();
        let older = Core::hook(world, hook, "(i32.const 0)", "");
        let newer = Newer::hook(world, hook, "(i32.const 0)", "");
        for (core, interface) in [(older, crate::OLDER_INTERFACE), (newer, crate::INTERFACE)] {
            let loaded = load(&engine, &core.component());
            assert_eq!(loaded.interface(), interface);
            assert_eq!(loaded.hooks(), [question.hook()]);
            evaluator.trial(&loaded, &CallLimits::default()).unwrap();
            let evaluation = ask(&evaluator, &loaded, &question, &CallLimits::default());
            assert!(matches!(evaluation.verdict, Verdict::Answered(_)), "{interface}: {evaluation:?}");
            assert_eq!((evaluation.reason, evaluation.writes), (None, Vec::new()));
        }
    }
}

#[test]
fn one_component_has_one_line() {
    let face = |version: &str| {
        format!(
            r#"(instance $i{0} (export "decide" (func $decide))) (export "{1}" (instance $i{0}))"#,
            version.replace('.', "-"),
            format_args!("reprise:policy/template-group@{version}")
        )
    };
    let component = |faces: &str| {
        crate::guests::wat(&format!(
            r#"(component (core module $m (func (export "f"))) (core instance $c (instantiate $m))
                (func $decide (canon lift (core func $c "f"))) {faces})"#
        ))
    };
    let problem = try_load(&engine(), &component(&format!("{}{}", face("0.1.0"), face("0.2.3")))).unwrap_err();
    let text = problem.to_string();
    assert!(matches!(problem, LoadError::Mixed { .. }), "{text}");
    for name in ["template-group@0.1.0", "template-group@0.2.3"] {
        assert!(text.contains(name), "{text}");
    }
    // Alone it loads, and is found out by its types: each error names the line that was expected.
    for (version, spoken) in [("0.1.0", crate::OLDER_INTERFACE), ("0.2.0", crate::INTERFACE)] {
        let engine = engine();
        let loaded = load(&engine, &component(&face(version)));
        let problem = Evaluator::new(engine).trial(&loaded, &CallLimits::default()).unwrap_err();
        assert!(problem.to_string().contains(&format!("is not that of {spoken}")), "{problem}");
    }
}

#[test]
fn an_answer_of_the_older_line_is_none_of_the_newer() {
    let wrong = Newer::template_group("(i32.const 0)", "").with_wit(|wit| {
        wit.replace("result<template-group-decision, string>", "result<template-group-answer, string>").replace(
            "template-group-question, template-group-decision}",
            "template-group-question, template-group-answer}",
        )
    });
    let engine = engine();
    let loaded = load(&engine, &wrong.component());
    let problem = Evaluator::new(engine).trial(&loaded, &CallLimits::default()).unwrap_err();
    assert!(
        matches!(&problem, LoadError::Types { interface, .. } if interface == "reprise:policy/template-group@0.2.0"),
        "{problem}"
    );
}

#[test]
fn other_patches_of_the_newer_line_fit() {
    let core = Newer::template_group("(i32.const 0)", "").with_version("0.2.9");
    let evaluation = run(&core, &question(), CallLimits::default());
    assert!(matches!(evaluation.verdict, Verdict::Answered(_)), "{evaluation:?}");
}

#[test]
fn reasons_are_bounded_and_fit_to_be_shown() {
    assert_eq!(reason("final match", 11).as_deref(), Some("final match"));
    assert_eq!(reason("a\\0ab\\1b[0m", 7).as_deref(), Some("a b [0m"));
    assert_eq!(reason("  \\0a ", 4), None);
    assert_eq!(reason("", 0), None);
    assert_eq!(reason(&"x".repeat(2000), 2000).map(|kept| kept.len()), Some(1024));
    // 1,023 bytes and then a letter of two: it is left out whole.
    let kept = reason(&format!("{}ä", "x".repeat(1023)), 1025).unwrap();
    assert_eq!((kept.len(), kept.ends_with('x')), (1023, true));
}

#[test]
fn an_answer_out_of_bounds_has_no_reason() {
    let body = format!(
        "(i32.store8 (i32.const 4) (i32.const 1)) (i32.store (i32.const 8) (i32.const 1024))
         (i32.store (i32.const 12) (i32.const 4)) {}",
        with_reason(4)
    );
    let evaluation =
        run(&Newer::template_group(&body, r#"(data (i32.const 1024) "nope")"#), &question(), CallLimits::default());
    expect_failure(&evaluation, FailureKind::BadAnswer, "no template group \"nope\"");
    assert_eq!(evaluation.reason, None);
}

#[test]
fn settings_of_the_newer_line_are_checked() {
    let text = |body: &str| {
        format!(
            r#"(module (memory (export "memory") 1) (data (i32.const 1024) "rules[0]: no")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (func (export "reprise:policy/settings@0.2.0#check") (param i32 i32) (result i32) {body}))"#
        )
    };
    let refusal = "(i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 1024))
        (i32.store (i32.const 8) (i32.const 12)) (i32.const 0)";
    let engine = engine();
    for (body, expected) in
        [("(i32.const 0)", Ok(())), (refusal, Err(SettingsError::Refused("rules[0]: no".to_owned())))]
    {
        let loaded = load(&engine, &Newer::module("checked-settings", text(body)).component());
        assert!(loaded.checks_settings());
        let found =
            Evaluator::new(engine.clone()).check_settings(&loaded, "{}", &NoAssets::shared(), &CallLimits::default());
        assert_eq!(found, expected);
    }
}
