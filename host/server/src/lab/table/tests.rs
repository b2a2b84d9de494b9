use reprise_policy::sample;
use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Table, TableError> {
    Table::read(Path::new("tests/rules.json"), text.to_owned())
}

#[test]
fn a_case_says_what_differs_and_the_rest_is_the_samples() {
    let table = read(
        r#"{"hook": "template-group", "settings": {"b": 1, "a": [2]}, "cases": [
            {"name": "all defaults", "expect": "use_default"},
            {"name": "everything", "question": {"origin": {"reconnects": 3}}, "settings": {"own": true},
                "state": {"k": "v"}, "expect": {"group": "HD"}, "reason": "why", "fuel_at_most": 9,
                "writes": [{"key": "a", "value": "b"}, {"key": "c", "value": null}]},
            {"name": "broken settings", "settings": "{", "expect": {"refused": "settings"}, "reason": null}]}"#,
    )
    .unwrap();
    let [plain, full, broken] = table.cases.as_slice() else { panic!("{table:?}") };
    assert_eq!(plain.question, sample::question(Hook::TemplateGroup));
    assert_eq!((plain.settings.as_str(), &plain.reason, &plain.writes), (r#"{"a":[2],"b":1}"#, &None, &None));
    let Question::TemplateGroup(asked) = &full.question else { panic!() };
    assert_eq!(asked.origin.reconnects, 3);
    assert_eq!((full.settings.as_str(), full.fuel_at_most), (r#"{"own":true}"#, Some(9)));
    assert_eq!(full.state, BTreeMap::from([("k".to_owned(), "v".to_owned())]));
    let write = |key: &str, value: Option<&str>| StateWrite { key: key.to_owned(), value: value.map(str::to_owned) };
    assert_eq!(full.writes, Some(vec![write("a", Some("b")), write("c", None)]));
    assert_eq!((broken.settings.as_str(), &broken.reason), ("{", &Some(None)));
}

#[test]
fn a_recorded_question_becomes_a_case() {
    let folder = tempfile::tempdir().unwrap();
    let question = sample::question(Hook::ComposeRules);
    let decision = json!({"id": 7, "hook": "compose-rules", "question": question});
    std::fs::write(folder.path().join("seen.json"), decision.to_string()).unwrap();
    let table = folder.path().join("table.json");
    let text = |name: &str| {
        json!({"hook": "compose-rules", "cases": [{"name": "seen", "question_file": name, "expect": "skip"}]})
            .to_string()
    };
    std::fs::write(&table, text("seen.json")).unwrap();
    assert_eq!(Table::open(&table).unwrap().cases[0].question, question);
    std::fs::write(&table, text("other.json")).unwrap();
    let error = Table::open(&table).unwrap_err().to_string();
    assert!(error.contains("case 1 \"seen\": `question_file` other.json: it cannot be read"), "{error}");
}

#[test]
fn what_is_not_understood_is_an_error_with_file_case_and_field() {
    let case = |fields: &str| format!(r#"{{"hook": "callback", "cases": [{{"name": "n", {fields}}}]}}"#);
    let table = [
        ("[]".to_owned(), "a table is a JSON object"),
        ("{".to_owned(), "it is not JSON"),
        (r#"{"cases": []}"#.to_owned(), "`hook` is missing: one of template-group, compose-rules, callback"),
        (r#"{"hook": "x", "cases": []}"#.to_owned(), "there is no hook \"x\""),
        (r#"{"hook": "callback", "cases": []}"#.to_owned(), "nothing is tested"),
        (r#"{"hook": "callback", "case": []}"#.to_owned(), "`case` is no field here"),
        (r#"{"hook": "callback", "cases": [{"expect": "drop"}]}"#.to_owned(), "case 1: `name` is missing"),
        (case(r#""expects": "drop""#), "tests/rules.json: case 1 \"n\": `expects` is no field here; there are name"),
        (case(r#""expect": "skip""#), "case 1 \"n\": `expect`: `skip` is no answer at `callback`"),
        (case(r#""question": {"bdy": 1}"#), "case 1 \"n\": `question`: `bdy` is no field"),
        (case(r#""question": {}, "question_file": "x""#), "take one away"),
        (case(r#""state": {"k": 1}"#), "`state`: the value of \"k\" is not a text"),
        (case(r#""writes": [{"key": "k", "val": "v"}]"#), "`val` is no field here"),
        (case(r#""expect": {"failed": "trap"}, "writes": [{"key": "k"}]"#), "a failed call writes nothing"),
        (case(r#""reason": 5"#), "`reason` is a text"),
        (case(r#""fuel_at_most": -5"#), "`fuel_at_most` is a whole number"),
        (case(r#""expect": "drop", "expect": "drop""#), "the member \"expect\" is there twice"),
        (
            r#"{"hook": "callback", "cases": [{"name": "n", "expect": "drop"}, {"name": "n", "expect": "drop"}]}"#
                .to_owned(),
            "case 2 \"n\": another case of this file has the same name",
        ),
    ];
    for (text, part) in table {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.starts_with("tests/rules.json: ") && error.contains(part), "{text}: {error}");
    }
}
