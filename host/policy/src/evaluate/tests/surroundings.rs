//! What guests may call: state and assets are seen, written, bounded and paid for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::call::Assets;
use crate::guests::Newer;

/// Answers with the group whose name is the `option` at 512: what `get` and `read` leave there.
const ANSWER_WITH_FOUND: &str = "(if (i32.load8_u (i32.const 512)) (then
        (i32.store8 (i32.const 4) (i32.const 1))
        (i32.store (i32.const 8) (i32.load (i32.const 516)))
        (i32.store (i32.const 12) (i32.load (i32.const 520)))))
    (i32.const 0)";

/// Answers with the refusal at 512 if there is one: what `set` and `delete` leave there.
const REFUSE_AS_TOLD: &str = "(if (i32.load8_u (i32.const 512)) (then
        (i32.store8 (i32.const 0) (i32.const 1))
        (i32.store (i32.const 4) (i32.load (i32.const 516)))
        (i32.store (i32.const 8) (i32.load (i32.const 520)))))
    (i32.const 0)";

/// Text at 1024: the key `room`, the value `HD`, the paths `rules/cup` and `none`.
const TEXTS: &str = r#"(data (i32.const 1024) "roomHDrules/cupnone")"#;
const ROOM: &str = "(i32.const 1024) (i32.const 4)";
const HD: &str = "(i32.const 1028) (i32.const 2)";
const CUP: &str = "(i32.const 1030) (i32.const 9)";
const NONE: &str = "(i32.const 1039) (i32.const 4)";
const FOUND: &str = "(i32.const 512)";

fn state(entries: &[(&str, &str)]) -> StateSnapshot {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn assets(files: &[(&str, &[u8])]) -> Arc<dyn Assets> {
    let files: BTreeMap<_, _> = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
    Arc::new(files)
}

fn evaluate(body: &str, state: &StateSnapshot, assets: &Arc<dyn Assets>) -> Evaluation {
    let engine = engine();
    let loaded = load(&engine, &Newer::template_group(body, TEXTS).component());
    // This host's own code is not optimised, so its clocks say little; it is the fuel that is looked at.
    let patient = Duration::from_secs(5);
    let (question, limits) = (question(), CallLimits { cpu: patient, wall: patient, ..CallLimits::default() });
    let evaluator = Evaluator::new(engine);
    let call = Call { question: &question, settings: "", state, assets, limits: &limits };
    let [mut first, again] = [(); 2].map(|()| evaluator.evaluate(&loaded, &call));
    // The same call has the same outcome, down to the fuel; only its time is the machine's.
    first.elapsed_us = again.elapsed_us;
    assert_eq!(first, again);
    first
}

#[track_caller]
fn expect_group(evaluation: &Evaluation, id: Option<&str>) {
    let answer = id.map_or(TemplateGroupAnswer::UseDefault, |id| TemplateGroupAnswer::Group(id.to_owned()));
    assert_eq!(evaluation.verdict, Verdict::Answered(Answer::TemplateGroup(answer)), "{evaluation:?}");
}

fn write(key: &str, value: Option<&str>) -> StateWrite {
    StateWrite { key: key.to_owned(), value: value.map(str::to_owned) }
}

#[test]
fn a_guest_sees_the_snapshot_and_its_own_writes() {
    let get = format!("(call $get {ROOM} {FOUND})");
    let set = format!("(call $set {ROOM} {HD} (i32.const 600))");
    let delete = format!("(call $delete {ROOM} (i32.const 600))");
    let sd = state(&[("room", "SD")]);
    let cases = [
        ("nothing", get.clone(), StateSnapshot::default(), None, vec![]),
        ("the snapshot", get.clone(), sd.clone(), Some("id-sd"), vec![]),
        ("its own", format!("{set} {get}"), sd.clone(), Some("id-hd"), vec![write("room", Some("HD"))]),
        ("its own deletion", format!("{delete} {get}"), sd.clone(), None, vec![write("room", None)]),
        ("the last word", format!("{delete} {set} {get}"), sd, Some("id-hd"), vec![write("room", Some("HD"))]),
    ];
    for (name, body, before, group, writes) in cases {
        println!("{name}");
        let evaluation = evaluate(&format!("{body} {ANSWER_WITH_FOUND}"), &before, &NoAssets::shared());
        expect_group(&evaluation, group);
        assert_eq!(evaluation.writes, writes);
    }
}

#[test]
fn keys_come_in_order_under_their_prefix() {
    // Refuses with the second key that is found: the list is at 512, its entries are pairs of address and length.
    let second = format!(
        "(call $set {ROOM} {HD} (i32.const 600)) (call $keys (i32.const 1024) (i32.const 2) {FOUND})
         (if (i32.ne (i32.load (i32.const 516)) (i32.const 3)) (then unreachable))
         (i32.store8 (i32.const 0) (i32.const 1))
         (i32.store (i32.const 4) (i32.load (i32.add (i32.load (i32.const 512)) (i32.const 8))))
         (i32.store (i32.const 8) (i32.load (i32.add (i32.load (i32.const 512)) (i32.const 12)))) (i32.const 0)"
    );
    let before = state(&[("rz", ""), ("roz", ""), ("ro", ""), ("a", "")]);
    expect_failure(&evaluate(&second, &before, &NoAssets::shared()), FailureKind::Refused, "room");
}

#[test]
fn a_bound_is_told_to_the_guest_and_its_call_goes_on() {
    let set = "(drop (memory.grow (i32.const 1))) (call $set (i32.const 1024) (i32.const 4) (i32.const 65536) (i32.const 4097) (i32.const 512))";
    let told = evaluate(&format!("{set} {REFUSE_AS_TOLD}"), &StateSnapshot::default(), &NoAssets::shared());
    expect_failure(&told, FailureKind::Refused, "a value has 4097 bytes; there may be 4096");

    let times = |count: u32| {
        format!(
            "(local $n i32) (loop $l (call $set {ROOM} {HD} {FOUND}) (local.set $n (i32.add (local.get $n) (i32.const 1)))
             (br_if $l (i32.lt_u (local.get $n) (i32.const {count})))) {REFUSE_AS_TOLD}"
        )
    };
    let within = evaluate(&times(32), &StateSnapshot::default(), &NoAssets::shared());
    expect_group(&within, None);
    assert_eq!(within.writes, [write("room", Some("HD"))]);
    let beyond = evaluate(&times(33), &StateSnapshot::default(), &NoAssets::shared());
    expect_failure(&beyond, FailureKind::Refused, "written 32 times already");
    // Who goes on after being told keeps what was written before.
    let ignored =
        evaluate(&times(33).replace(REFUSE_AS_TOLD, "(i32.const 0)"), &StateSnapshot::default(), &NoAssets::shared());
    assert_eq!(ignored.writes, [write("room", Some("HD"))]);
}

#[test]
fn a_failed_call_writes_nothing() {
    let set = format!("(call $set {ROOM} {HD} (i32.const 600))");
    let refusal = "(i32.store8 (i32.const 0) (i32.const 1)) (i32.const 0)";
    let bad = "(i32.store8 (i32.const 4) (i32.const 1)) (i32.const 0)";
    for (body, kind) in [
        ("unreachable", FailureKind::Trap),
        ("(loop $l (br $l)) unreachable", FailureKind::Fuel),
        (refusal, FailureKind::Refused),
        (bad, FailureKind::BadAnswer),
    ] {
        let evaluation = evaluate(&format!("{set} {body}"), &StateSnapshot::default(), &NoAssets::shared());
        expect_failure(&evaluation, kind, "");
        assert_eq!(evaluation.writes, []);
    }
}

#[test]
fn assets_are_read_by_their_path() {
    let files = assets(&[("rules/cup", b"SD"), ("b", b""), ("a", b"")]);
    let read = |path: &str| format!("(call $read {path} {FOUND}) {ANSWER_WITH_FOUND}");
    expect_group(&evaluate(&read(CUP), &StateSnapshot::default(), &files), Some("id-sd"));
    expect_group(&evaluate(&read(NONE), &StateSnapshot::default(), &files), None);
    // A path longer than any that is packed is not even looked for.
    expect_group(&evaluate(&read("(i32.const 0) (i32.const 4000)"), &StateSnapshot::default(), &files), None);
    let paths = "(call $paths (i32.const 512)) (i32.store8 (i32.const 0) (i32.const 1))
        (i32.store (i32.const 4) (i32.load (i32.add (i32.load (i32.const 512)) (i32.const 16))))
        (i32.store (i32.const 8) (i32.load (i32.const 516))) (i32.const 0)";
    // The third path, cut to as many bytes as there are paths.
    expect_failure(&evaluate(paths, &StateSnapshot::default(), &files), FailureKind::Refused, "rul");
}

#[test]
fn settings_are_checked_beside_the_assets() {
    // Accepts if there is such a file.
    let text = r#"(module (memory (export "memory") 1) (data (i32.const 1024) "rules/cup")
        (import "reprise:policy/assets@0.2.0" "read" (func $read (param i32 i32 i32)))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
        (func (export "reprise:policy/settings@0.2.0#check") (param i32 i32) (result i32)
            (call $read (i32.const 1024) (i32.const 9) (i32.const 512))
            (i32.store8 (i32.const 0) (i32.eqz (i32.load8_u (i32.const 512)))) (i32.const 0)))"#;
    // Imports come before all else in a module.
    let (memory, import) = (
        r#"(memory (export "memory") 1) (data (i32.const 1024) "rules/cup")"#,
        "(import \"reprise:policy/assets@0.2.0\" \"read\" (func $read (param i32 i32 i32)))",
    );
    let text = text.replace(memory, "").replace(import, &format!("{import} {memory}"));
    let world = "world checked-settings {\n  include host;";
    let core = Newer::module("checked-settings", text).with_wit(|wit| wit.replace("world checked-settings {", world));
    let engine = engine();
    let loaded = load(&engine, &core.component());
    assert!(loaded.uses_assets() && !loaded.uses_state());
    let evaluator = Evaluator::new(engine);
    let limits = CallLimits::default();
    let check = |files| evaluator.check_settings(&loaded, "{}", &files, &limits);
    assert_eq!(check(assets(&[("rules/cup", b"")])), Ok(()));
    assert!(matches!(check(NoAssets::shared()), Err(SettingsError::Refused(_))));
    assert!(matches!(
        evaluator.check_settings(&loaded, "{}", &NoAssets::shared(), &limits),
        Err(SettingsError::Refused(_))
    ));
}

#[test]
fn floods_of_calls_end_by_their_fuel() {
    let full: StateSnapshot = (0..256).map(|number| (format!("k{number:03}"), "v".repeat(200))).collect();
    let large = assets(&[("rules/cup", &[0; 1 << 20])]);
    // What is handed over is written to the same place again and again: this guest does not run out of memory first.
    let again = "(global.set $top (i32.const 65536))";
    let calls = [
        format!("(call $log (i32.const 1) {ROOM})"),
        format!("(call $get {ROOM} {FOUND})"),
        format!("(call $keys (i32.const 0) (i32.const 0) {FOUND})"),
        format!("(call $set {ROOM} {HD} {FOUND})"),
        format!("(call $delete {ROOM} {FOUND})"),
        format!("(call $read {CUP} {FOUND})"),
        format!("(call $read {NONE} {FOUND})"),
        format!("(call $paths {FOUND})"),
    ];
    for call in &calls {
        let body = format!("(drop (memory.grow (i32.const 32))) (loop $l {again} {call} (br $l)) unreachable");
        let evaluation = evaluate(&body, &full, &large);
        println!("{call}: {} ms", evaluation.elapsed_us / 1000);
        expect_failure(&evaluation, FailureKind::Fuel, "25000000 units");
        assert!(evaluation.elapsed_us < 2_000_000, "{call}: {evaluation:?}");
        assert!(evaluation.log.len() <= 65 && evaluation.writes.is_empty(), "{call}");
    }
    // Without a loop as well: the engine looks at fuel only where code goes back or in.
    let straight = format!(
        "(drop (memory.grow (i32.const 32))) {} (i32.const 0)",
        format!("{again} (call $read {CUP} {FOUND})").repeat(100)
    );
    expect_failure(&evaluate(&straight, &full, &large), FailureKind::Fuel, "");
}

#[test]
fn memory_is_held_to_what_the_call_may_have() {
    let grow = |pages: u32| {
        format!("(drop (memory.grow (i32.const {pages}))) (i32.store (i32.const 131072) (i32.const 1)) (i32.const 0)")
    };
    let limits = CallLimits { memory_bytes: 4 << 16, ..CallLimits::default() };
    let core = |pages| Newer::template_group(&grow(pages), "");
    let evaluation = run(&core(3), &question(), limits.clone());
    expect_group(&evaluation, None);
    assert_eq!(evaluation.memory_bytes, 4 << 16);
    expect_failure(&run(&core(4), &question(), limits.clone()), FailureKind::Memory, "256 KiB of memory");
    // What it begins with counts as well.
    let none = CallLimits { memory_bytes: 1000, ..limits };
    expect_failure(&run(&core(0), &question(), none), FailureKind::Memory, "1000 bytes of memory");
}

#[test]
fn what_a_policy_uses_is_known() {
    let engine = engine();
    let uses = |core: &Core| {
        let loaded = load(&engine, &core.component());
        (loaded.uses_state(), loaded.uses_assets())
    };
    assert_eq!(uses(&Core::template_group("(i32.const 0)")), (false, false));
    assert_eq!(uses(&Newer::template_group("(i32.const 0)", "")), (true, true));
    // The older line has neither, and cannot get them.
    let core = Core::template_group("(i32.const 0)").with_wit(|wit| {
        wit.replace(
            "world template-group-policy {",
            "interface state { f: func(); }\nworld template-group-policy {\n  import state;",
        )
    });
    let problem = try_load(&engine, &core.with_import("state@0.1.0", "f").component()).unwrap_err();
    assert!(matches!(problem, LoadError::Imports(_)), "{problem}");
}
