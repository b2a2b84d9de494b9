//! CEL: expressions that always end. There are no loops but over lists, and no functions of one's own.

use cel::{Context, Program, Value};

use super::{Case, sample};

const EXPRESSION: &str = "rules.filter(rule, stream.startsWith(rule.prefix) && height >= rule.min_height)[0].group";

pub(crate) fn case() -> anyhow::Result<Case> {
    let program = Program::compile(EXPRESSION).map_err(|error| anyhow::anyhow!("{error}"))?;
    let input = sample::input();
    Ok(Case {
        name: "CEL",
        limits: "ends by construction; no cost or memory",
        fresh: Box::new(move || {
            let mut context = Context::default();
            context.add_variable("stream", input.stream.as_str()).expect("a text is a value");
            context.add_variable("height", i64::from(input.height)).expect("a number is a value");
            context.add_variable("rules", &input.rules).expect("rules are values");
            match program.execute(&context).expect("an answer") {
                Value::String(group) => group.to_string(),
                other => format!("{other:?}"),
            }
        }),
        reused: None,
    })
}
