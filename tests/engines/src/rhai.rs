//! Rhai: an interpreter made for embedding in Rust. Counts operations.

use rhai::serde::to_dynamic;
use rhai::{Engine, Scope};

use super::{Case, sample};

const SCRIPT: &str = r#"
    for rule in input.rules {
        if input.stream.starts_with(rule.prefix) && input.height >= rule.min_height {
            return rule.group;
        }
    }
    "default"
"#;

pub(crate) fn case() -> anyhow::Result<Case> {
    let input = sample::input();
    let ast = Engine::new().compile(SCRIPT)?;
    let kept = engine();
    let (again, same) = (ast.clone(), input.clone());
    let ask = |engine: &Engine, ast: &rhai::AST, input: &sample::Input| {
        let mut scope = Scope::new();
        scope.push_dynamic("input", to_dynamic(input).expect("the input has a form in the script"));
        engine.eval_ast_with_scope::<String>(&mut scope, ast).expect("an answer")
    };
    Ok(Case {
        name: "Rhai",
        limits: "operations, sizes; no memory",
        fresh: Box::new(move || ask(&engine(), &ast, &input)),
        reused: Some(Box::new(move || ask(&kept, &again, &same))),
    })
}

fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_max_operations(1_000_000);
    engine.set_max_call_levels(32);
    engine
}
