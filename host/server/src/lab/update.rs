//! New expectations in a table's text. Only the values that change are rewritten; everything else, spaces and order
//! included, stays as its author wrote it.

use std::ops::Range;

use serde_json::Value;

use super::document::Node;
use super::judge::Outcome;
use super::table::Table;
use super::text;

/// Columns within which a rewritten value stays on one line.
const COLUMNS: usize = 100;

/// A table's text with what came in place of what was expected.
#[derive(Debug)]
pub struct Updated {
    /// The new text; the old one, byte for byte, if nothing changed.
    pub text: String,
    /// What changed: the case's name and the fields.
    pub changes: Vec<(String, Vec<&'static str>)>,
}

/// Brings a table up to date with the outcomes of its cases; those are by position, and `None` was not run.
pub fn update(table: &Table, outcomes: &[Option<Outcome>]) -> Updated {
    let nodes = table.node.get("cases").map(Node::elements).unwrap_or_default();
    let (mut edits, mut changes) = (Vec::new(), Vec::new());
    for ((case, node), outcome) in table.cases.iter().zip(nodes).zip(outcomes) {
        let Some(outcome) = outcome else { continue };
        let fresh = &outcome.fresh;
        let mut fields = Vec::new();
        for (name, value) in [("expect", &fresh.expect), ("reason", &fresh.reason), ("writes", &fresh.writes)] {
            if let Some(value) = value {
                edits.push(edit(&table.text, node, name, value));
                fields.push(name);
            }
        }
        if !fields.is_empty() {
            changes.push((case.name.clone(), fields));
        }
    }
    let mut text = table.text.clone();
    // From the end, so that the places before stay what they were.
    edits.sort_by_key(|(span, _): &(Range<usize>, String)| span.start);
    for (span, with) in edits.into_iter().rev() {
        text.replace_range(span, &with);
    }
    Updated { text, changes }
}

/// A member's value in another's place, or as a new last member.
fn edit(text: &str, case: &Node, name: &str, value: &Value) -> (Range<usize>, String) {
    if let Some(old) = case.get(name) {
        let margin = margin(text, old.span.start);
        return (old.span.clone(), text::laid_out(value, &margin, "  ", COLUMNS));
    }
    // A case has at least its name.
    let last = case.members().last().map_or(case.span.start + 1, |(_, node)| node.span.end);
    let key_at = case.members().last().map_or(last, |(_, node)| node.span.start);
    let margin = margin(text, key_at);
    let is_tall = text[case.span.clone()].contains('\n') && line_begins_with_member(text, key_at);
    let between = if is_tall { format!(",\n{margin}") } else { ", ".to_owned() };
    (last..last, format!("{between}\"{name}\": {}", text::laid_out(value, &margin, "  ", COLUMNS)))
}

/// The spaces at the beginning of the line that has this place.
fn margin(text: &str, at: usize) -> String {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[line..at].chars().take_while(|c| *c == ' ' || *c == '\t').collect()
}

/// Whether members have lines of their own there: the line begins with a key and not with the case's brace.
fn line_begins_with_member(text: &str, at: usize) -> bool {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[line..at].trim_start().starts_with('"')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use reprise_lifecycle::decision::{StateWrite, Verdict};
    use reprise_lifecycle::question::{Answer, ComposeAnswer, ComposePlan, GapRule, PartRange};
    use reprise_policy::Evaluation;

    use super::*;
    use crate::lab::judge::judge;

    /// Odd on purpose: order, spaces, line ends, escapes.
    const TABLE: &str = "{ \"cases\" : [\r\n  {\"expect\":\"skip\" , \"name\":\"one\"},\r\n  {\r\n    \"reason\": \"old\",\r\n    \"name\":   \"tw\\u006f\",\r\n    \"expect\": \"use_default\",\r\n    \"writes\": []\r\n  },\n\t{\"name\": \"three\"}\n], \"hook\": \"compose-rules\"\t}\n\n";

    fn read(text: &str) -> Table {
        Table::read(Path::new("t.json"), text.to_owned()).unwrap()
    }

    fn evaluation(answer: ComposeAnswer) -> Evaluation {
        Evaluation {
            verdict: Verdict::Answered(Answer::ComposeRules(answer)),
            reason: Some("new \"reason\"".to_owned()),
            writes: vec![StateWrite { key: "k".to_owned(), value: Some("v".to_owned()) }],
            fuel: 1,
            elapsed_us: 1,
            memory_bytes: 0,
            log: Vec::new(),
        }
    }

    fn plan() -> ComposeAnswer {
        let ranges = (0..3).map(|index| PartRange { index, from_ms: 1_000, to_ms: Some(200_000) }).collect();
        ComposeAnswer::Compose(ComposePlan {
            ranges,
            gaps: GapRule::Hold,
            min_duration_ms: 1,
            title: None,
            group: None,
        })
    }

    fn run(table: &Table, answers: [ComposeAnswer; 3]) -> Updated {
        let outcomes = table.cases.iter().zip(answers);
        let outcomes: Vec<_> = outcomes.map(|(case, answer)| Some(judge(case, evaluation(answer), None))).collect();
        update(table, &outcomes)
    }

    #[test]
    fn what_holds_is_left_byte_for_byte() {
        let table = read(TABLE);
        let updated = update(&table, &[None, None, None]);
        assert_eq!((updated.text.as_str(), updated.changes.len()), (TABLE, 0));
        let first = judge(&table.cases[0], evaluation(ComposeAnswer::Skip), None);
        assert!(first.holds());
        assert_eq!(update(&table, &[Some(first), None, None]).text, TABLE);
    }

    #[test]
    fn only_what_does_not_hold_is_rewritten() {
        let table = read(TABLE);
        let answers = || [ComposeAnswer::Skip, plan(), ComposeAnswer::UseDefault];
        let updated = run(&table, answers());
        let names: Vec<&str> = updated.changes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["two", "three"]);
        assert_eq!(updated.changes[0].1, ["expect", "reason", "writes"]);
        // What is not an expectation of these two is there as before.
        for kept in [
            "{ \"cases\" : [\r\n  {\"expect\":\"skip\" , \"name\":\"one\"},\r\n  {\r\n    \"reason\": ",
            ",\r\n    \"name\":   \"tw\\u006f\",\r\n    \"expect\": ",
            "\r\n  },\n\t{\"name\": \"three\", \"expect\": \"use_default\"}\n], \"hook\": \"compose-rules\"\t}\n\n",
        ] {
            assert!(updated.text.contains(kept), "{kept:?} in {:?}", updated.text);
        }
        // And now it holds, so doing it again changes nothing.
        let again = run(&read(&updated.text), answers());
        assert_eq!((again.text, again.changes.len()), (updated.text, 0));
    }

    #[test]
    fn a_new_member_gets_a_line_of_its_own_where_the_others_have() {
        let table = read("{\"hook\": \"compose-rules\", \"cases\": [\n  {\n    \"name\": \"one\"\n  }\n]}\n");
        let outcome = judge(&table.cases[0], evaluation(ComposeAnswer::Skip), None);
        let expected = "{\"hook\": \"compose-rules\", \"cases\": [\n  {\n    \"name\": \"one\",\n    \"expect\": \"skip\"\n  }\n]}\n";
        assert_eq!(update(&table, &[Some(outcome)]).text, expected);
    }
}
