use reprise_lifecycle::decision::Failure;
use reprise_policy::sample;

use super::*;

fn read(hook: Hook, value: &Value) -> Result<Expected, String> {
    Expected::read(&sample::question(hook), value)
}

fn group(id: &str) -> Verdict {
    Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::Group(id.to_owned())))
}

fn failed(kind: FailureKind, message: &str) -> Verdict {
    Verdict::Failed(Failure { kind, message: message.to_owned() })
}

#[test]
fn what_comes_out_of_a_call_is_what_can_be_expected() {
    let plan = ComposePlan {
        ranges: vec![
            PartRange { index: 0, from_ms: 0, to_ms: None },
            PartRange { index: 2, from_ms: 1, to_ms: Some(2) },
        ],
        gaps: GapRule::Slate,
        min_duration_ms: 5,
        title: Some("t".to_owned()),
        group: Some("a1".repeat(16)),
    };
    let replaced =
        CallbackAnswer::Replace { body: r#"{"a":1}"#.to_owned(), headers: vec![("x-a".to_owned(), "b".to_owned())] };
    let verdicts = [
        Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::UseDefault)),
        group(&"a1".repeat(16)),
        group(NO_TRANSCODE),
        Verdict::Answered(Answer::ComposeRules(ComposeAnswer::UseDefault)),
        Verdict::Answered(Answer::ComposeRules(ComposeAnswer::Skip)),
        Verdict::Answered(Answer::ComposeRules(ComposeAnswer::Compose(plan))),
        Verdict::Answered(Answer::Callback(CallbackAnswer::Unchanged)),
        Verdict::Answered(Answer::Callback(CallbackAnswer::Drop)),
        Verdict::Answered(Answer::Callback(replaced)),
        failed(FailureKind::Trap, "unreachable"),
        failed(FailureKind::Refused, "no group for this"),
    ];
    let hooks = |verdict: &Verdict| match verdict {
        Verdict::Answered(Answer::ComposeRules(_)) => Hook::ComposeRules,
        Verdict::Answered(Answer::Callback(_)) => Hook::Callback,
        _ => Hook::TemplateGroup,
    };
    for verdict in &verdicts {
        let question = sample::question(hooks(verdict));
        let written = given(&question, verdict, None);
        let expected = Expected::read(&question, &written).unwrap();
        assert_eq!(expected.to_json(), written);
        for other in verdicts.iter().filter(|other| hooks(other) == hooks(verdict)) {
            assert_eq!(expected.is_met(&question, other), other == verdict, "{written} against {other:?}");
        }
    }
}

#[test]
fn an_author_writes_names_ids_texts_and_objects() {
    let question = sample::question(Hook::TemplateGroup);
    for name in ["HD".to_owned(), "a1".repeat(16)] {
        let expected = Expected::read(&question, &json!({"group": name})).unwrap();
        assert!(expected.is_met(&question, &group(&"a1".repeat(16))));
        assert!(!expected.is_met(&question, &group(&"b2".repeat(16))));
    }
    let question = sample::question(Hook::Callback);
    let answer = |body: &str| {
        Verdict::Answered(Answer::Callback(CallbackAnswer::Replace {
            body: body.to_owned(),
            headers: vec![("x-a".to_owned(), "1".to_owned())],
        }))
    };
    let object = json!({"replace": {"body": {"a": 1, "b": 2}, "headers": [["X-A", "1"]]}});
    let expected = Expected::read(&question, &object).unwrap();
    assert!(expected.is_met(&question, &answer(r#"{"b": 2, "a": 1}"#)));
    let text = json!({"replace": {"body": r#"{"a":1}"#, "headers": [["x-a", "1"]]}});
    let expected = Expected::read(&question, &text).unwrap();
    assert!(expected.is_met(&question, &answer(r#"{"a":1}"#)));
    assert!(!expected.is_met(&question, &answer(r#"{"a": 1}"#)));
    // What is left out of a compose is the mildest.
    let question = sample::question(Hook::ComposeRules);
    let expected = Expected::read(&question, &json!({"compose": {"ranges": [{"index": 1}]}})).unwrap();
    let plan = ComposePlan {
        ranges: vec![PartRange { index: 1, from_ms: 0, to_ms: None }],
        gaps: GapRule::Cut,
        min_duration_ms: 0,
        title: None,
        group: None,
    };
    assert!(expected.is_met(&question, &Verdict::Answered(Answer::ComposeRules(ComposeAnswer::Compose(plan)))));
}

#[test]
fn a_part_of_the_message_is_enough_for_a_refusal() {
    let question = sample::question(Hook::TemplateGroup);
    let expected = Expected::Refused("field `x`".to_owned());
    assert!(expected.is_met(&question, &failed(FailureKind::Refused, "settings: field `x` is missing")));
    assert!(!expected.is_met(&question, &failed(FailureKind::Refused, "settings: field `y` is missing")));
    assert!(!expected.is_met(&question, &failed(FailureKind::Trap, "field `x`")));
}

#[test]
fn what_can_never_come_is_said_at_once() {
    let table = [
        (Hook::TemplateGroup, json!("skip"), "`skip` is no answer at `template-group`"),
        (Hook::TemplateGroup, json!({"group": "4K"}), "no template group \"4K\""),
        (Hook::TemplateGroup, json!({"group": 4}), "`group` takes a text"),
        (Hook::TemplateGroup, json!({"failed": "overloaded"}), "depends on the machine"),
        (Hook::TemplateGroup, json!({"failed": "boom"}), "there is no failure `boom`"),
        (Hook::TemplateGroup, json!({"failed": "refused"}), "PART OF THE MESSAGE"),
        (Hook::TemplateGroup, json!({"group": "HD", "failed": "trap"}), "is no expectation"),
        (Hook::ComposeRules, json!({"compose": {"ranges": [], "gap": "cut"}}), "unknown field `gap`"),
        (Hook::ComposeRules, json!({"compose": {"ranges": [{"index": "0"}]}}), "`ranges[0].index`"),
        (Hook::Callback, json!({"replace": {"body": 5}}), "`replace.body` is an object"),
        (Hook::Callback, json!("use_default"), "\"unchanged\", \"drop\""),
    ];
    for (hook, value, part) in table {
        let error = read(hook, &value).unwrap_err();
        assert!(error.contains(part), "{value}: {error}");
    }
}
