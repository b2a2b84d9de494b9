//! Tables of answers at the edge of what is allowed.

use reprise_lifecycle::question::GapRule;

use super::*;
use crate::evaluate::tests::{groups, part};
use crate::sample;

#[test]
fn groups_are_found_by_id_and_by_name() {
    let question = TemplateGroupQuestion { groups: groups(), ..sample::template_group() };
    for (wanted, found) in [
        ("id-hd", Ok("id-hd")),
        ("HD", Ok("id-hd")),
        ("VOD_NO_TRANSCODE", Ok("VOD_NO_TRANSCODE")),
        ("hd", Err("no template group \"hd\"")),
        ("", Err("no template group")),
        ("twin", Err("several template groups")),
        ("a\nb", Err("\"a\\nb\"")),
    ] {
        match (template_group(&question, TemplateGroupAnswer::Group(wanted.to_owned())), found) {
            (Ok(TemplateGroupAnswer::Group(id)), Ok(expected)) => assert_eq!(id, expected),
            (Err(problem), Err(part)) => assert!(problem.contains(part), "{problem}"),
            other => panic!("{wanted}: {other:?}"),
        }
    }
    assert_eq!(template_group(&question, TemplateGroupAnswer::UseDefault), Ok(TemplateGroupAnswer::UseDefault));
}

#[test]
fn ranges_lie_inside_their_parts() {
    // The part 1 is missing: it was deleted, and must not be named.
    let parts = vec![part(0), part(2)];
    let question = ComposeQuestion { parts, groups: groups(), ..sample::compose_rules() };
    let plan = |index, from_ms, to_ms| ComposePlan {
        ranges: vec![PartRange { index, from_ms, to_ms }],
        gaps: GapRule::Cut,
        min_duration_ms: 0,
        title: None,
        group: None,
    };
    for (index, from_ms, to_ms, problem) in [
        (0, 0, None, None),
        (2, 9_999, Some(10_000), None),
        (1, 0, None, Some("no part 1")),
        (0, 0, Some(10_001), Some("past the end")),
        (0, 10_000, None, Some("nothing is between")),
        (0, 5, Some(5), Some("nothing is between")),
        (0, u64::MAX, Some(1), Some("nothing is between")),
    ] {
        let result = compose(&question, ComposeAnswer::Compose(plan(index, from_ms, to_ms)));
        match problem {
            None => assert!(result.is_ok(), "{result:?}"),
            Some(part) => assert!(result.unwrap_err().contains(part)),
        }
    }

    let titled = |title: &str| ComposePlan { title: Some(title.to_owned()), ..plan(0, 0, None) };
    assert!(compose(&question, ComposeAnswer::Compose(titled(&"ü".repeat(256)))).is_ok());
    assert!(compose(&question, ComposeAnswer::Compose(titled(&"ü".repeat(257)))).is_err());
    assert!(compose(&question, ComposeAnswer::Compose(titled("a\nb"))).is_err());

    let grouped = |group: &str| ComposePlan { group: Some(group.to_owned()), ..plan(0, 0, None) };
    match compose(&question, ComposeAnswer::Compose(grouped("SD"))) {
        Ok(ComposeAnswer::Compose(plan)) => assert_eq!(plan.group.as_deref(), Some("id-sd")),
        other => panic!("{other:?}"),
    }
    assert!(compose(&question, ComposeAnswer::Compose(grouped("4K"))).is_err());
    assert_eq!(compose(&question, ComposeAnswer::Skip), Ok(ComposeAnswer::Skip));
}

#[test]
fn a_compose_is_at_most_twice_as_long_as_all_parts() {
    let (day, parts) = (86_400_000, vec![part(0), part(2)]);
    let long = vec![PartSummary { duration_ms: day, ..part(0) }];
    // Parts of ten seconds each, or one of a day.
    for (parts, ranges, problem) in [
        (&parts, vec![(0, 0, None), (2, 0, None)], None),
        (&parts, vec![(0, 0, None), (2, 0, None), (2, 0, None), (0, 0, None)], None),
        (&parts, vec![(0, 0, None); 4], None),
        (&parts, vec![(0, 1, Some(9_999)); 4], None),
        (
            &parts,
            [vec![(0, 0, None); 4], vec![(2, 9_999, None)]].concat(),
            Some("40001 ms together; there may be 40000"),
        ),
        (&parts, vec![(0, 0, None); MAX_RANGES], Some("100000000 ms together")),
        (&long, vec![(0, 0, Some(1)); MAX_RANGES], None),
        (&long, vec![(0, 0, None); MAX_RANGES], Some("864000000000 ms together; there may be 172800000, 2 times")),
    ] {
        let question = ComposeQuestion { parts: parts.clone(), groups: groups(), ..sample::compose_rules() };
        let range = |(index, from_ms, to_ms): &(u32, u64, Option<u64>)| PartRange {
            index: *index,
            from_ms: *from_ms,
            to_ms: *to_ms,
        };
        let plan = ComposePlan {
            ranges: ranges.iter().map(range).collect(),
            gaps: GapRule::Cut,
            min_duration_ms: 0,
            title: None,
            group: None,
        };
        let result = compose(&question, ComposeAnswer::Compose(plan));
        match problem {
            None => assert!(result.is_ok(), "{result:?}"),
            Some(text) => assert!(result.unwrap_err().contains(text), "{text}"),
        }
    }
}

#[test]
fn bodies_are_json_objects() {
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(MAX_BODY_BYTES));
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    for (body, good) in [
        (r#"{"a":1}"#, true),
        (" {} ", true),
        ("[]", false),
        ("null", false),
        ("\"{}\"", false),
        ("{} {}", false),
        (r#"{"a":}"#, false),
        ("", false),
        (&large, false),
    ] {
        let answer = CallbackAnswer::Replace { body: body.to_owned(), headers: Vec::new() };
        assert_eq!(callback(&sample::callback(), answer).is_ok(), good, "{body:.80}");
    }
    // Deep nesting must not cost the host its stack, whichever way it is judged.
    let _ = callback(&sample::callback(), CallbackAnswer::Replace { body: deep, headers: Vec::new() });
    assert_eq!(callback(&sample::callback(), CallbackAnswer::Drop), Ok(CallbackAnswer::Drop));
}

#[test]
fn headers_cannot_forge() {
    let long_name = "x".repeat(65);
    let long_value = "x".repeat(1_025);
    for (name, value, good) in [
        ("X-Team", "vod", true),
        ("authorization", "Bearer x", true),
        ("X-Empty", "", true),
        ("", "x", false),
        ("a b", "x", false),
        ("a:b", "x", false),
        ("ä", "x", false),
        ("x\r\nHost", "x", false),
        (&long_name, "x", false),
        ("x-a", "a\r\nHost: evil", false),
        ("x-a", "ä", false),
        ("x-a", &long_value, false),
        ("Host", "x", false),
        ("CONTENT-LENGTH", "0", false),
        ("Transfer-Encoding", "chunked", false),
        ("X-VOD-SIGNATURE", "x", false),
        ("Webhook-Id", "x", false),
        ("Proxy-Authorization", "x", false),
    ] {
        let answer =
            CallbackAnswer::Replace { body: "{}".to_owned(), headers: vec![(name.to_owned(), value.to_owned())] };
        assert_eq!(callback(&sample::callback(), answer).is_ok(), good, "{name}: {value:.20}");
    }
    let headers = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
    let replace = |headers| callback(&sample::callback(), CallbackAnswer::Replace { body: "{}".to_owned(), headers });
    assert!(replace(headers(&["X-A", "x-a"])).unwrap_err().contains("twice"));
    assert!(replace((0..17).map(|n| (format!("x-{n}"), String::new())).collect()).unwrap_err().contains("17 headers"));
    match replace(headers(&["X-A"])) {
        Ok(CallbackAnswer::Replace { headers, .. }) => assert_eq!(headers[0].0, "x-a"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn headers_are_bounded_with_those_that_were_added_before() {
    let numbered = |from: usize, count: usize, bytes: usize| -> Vec<(String, String)> {
        (from..from + count).map(|number| (format!("x-{number:02}"), "v".repeat(bytes))).collect()
    };
    // How many of how many bytes were there, and how many are added from which on.
    for (before, added, good) in [
        ((0, 0), (0, 16, 0), true),
        ((8, 0), (8, 8, 0), true),
        ((8, 0), (8, 9, 0), false),
        ((16, 0), (0, 16, 1), true),
        ((16, 0), (16, 1, 0), false),
        ((0, 0), (0, 4, 1_020), true),
        ((0, 0), (0, 4, 1_021), false),
        ((2, 1_020), (2, 2, 1_020), true),
        ((2, 1_020), (2, 2, 1_021), false),
        ((4, 1_020), (0, 4, 10), true),
    ] {
        let mut question = sample::callback();
        question.headers.extend(numbered(0, before.0, before.1));
        let (from, count, bytes) = added;
        let answer = CallbackAnswer::Replace { body: "{}".to_owned(), headers: numbered(from, count, bytes) };
        assert_eq!(callback(&question, answer).is_ok(), good, "{before:?} {added:?}");
    }
}
