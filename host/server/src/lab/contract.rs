//! The examples in the contract are cases like any others: what they say can be asked and answered.

use std::collections::BTreeSet;
use std::path::Path;

use reprise_lifecycle::question::Hook;

use super::table::Table;

const WIT: &str = include_str!("../../../../wit/0.2/policy.wit");

/// Copies for tools that look for the contract in their own project.
const COPIES: [&str; 2] = [
    include_str!("../../../../tests/guests-js/wit/deps/reprise-policy/policy.wit"),
    include_str!("../../../../tests/guests-python/wit/deps/reprise-policy/policy.wit"),
];

/// The JSON between fences in doc comments.
fn examples() -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), None);
    for line in WIT.lines().filter_map(|line| line.trim_start().strip_prefix("///")) {
        match (line.trim(), &mut open) {
            ("```json", None) => open = Some(String::new()),
            ("```", Some(_)) => found.extend(open.take()),
            (_, Some(text)) => text.extend([line, "\n"]),
            (_, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    found
}

#[test]
fn every_example_is_a_table_and_every_hook_has_one() {
    let mut hooks = BTreeSet::new();
    let (mut answers, mut refusals, mut writes) = (0, 0, 0);
    for text in examples() {
        let table =
            Table::read(Path::new("policy.wit"), text.clone()).unwrap_or_else(|error| panic!("{error}: {text}"));
        for case in table.cases {
            hooks.insert(case.question.hook().name());
            match case.expect.unwrap_or_else(|| panic!("{} has no answer", case.name)) {
                super::expected::Expected::Answer(_) => answers += 1,
                _ => refusals += 1,
            }
            writes += case.writes.map_or(0, |writes| writes.len());
        }
    }
    assert_eq!(hooks, Hook::ALL.map(Hook::name).into(), "each hook has an example");
    assert!(answers >= 7 && refusals >= 1 && writes >= 1, "{answers} answers, {refusals} refusals, {writes} writes");
}

#[test]
fn the_copies_are_the_contract() {
    for copy in COPIES {
        assert!(copy == WIT, "copy wit/0.2/policy.wit over it");
    }
}
