//! Rego, by regorus. Time is limited by a check between steps.

use regorus::{Engine, Value};

use super::{Case, sample};

const POLICY: &str = r#"
    package reprise

    fits contains index if {
        some index, rule in input.rules
        startswith(input.stream, rule.prefix)
        input.height >= rule.min_height
    }

    group := input.rules[min(fits)].group
"#;

pub(crate) fn case() -> anyhow::Result<Case> {
    let mut engine = Engine::new();
    engine.add_policy("reprise.rego".to_owned(), POLICY.to_owned())?;
    let text = serde_json::to_string(&sample::input())?;
    let (mut kept, same) = (engine.clone(), text.clone());
    Ok(Case {
        name: "Rego (regorus)",
        limits: "time; no memory",
        fresh: Box::new(move || ask(&mut engine.clone(), &text)),
        reused: Some(Box::new(move || ask(&mut kept, &same))),
    })
}

fn ask(engine: &mut Engine, text: &str) -> String {
    engine.set_input(Value::from_json_str(text).expect("the input is JSON"));
    let group = engine.eval_rule("data.reprise.group".to_owned()).expect("an answer");
    group.as_string().map(|group| group.to_string()).expect("it is a text")
}
