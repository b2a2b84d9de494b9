//! The decision as an Extism plug-in: JSON in, the group's name out.

use extism_pdk::{FnResult, plugin_fn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Input {
    stream: String,
    height: u32,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    prefix: String,
    #[serde(default)]
    min_height: u32,
    group: String,
}

#[plugin_fn]
pub fn decide(input: String) -> FnResult<String> {
    let input: Input = serde_json::from_str(&input)?;
    let fits = |rule: &&Rule| input.stream.starts_with(&rule.prefix) && input.height >= rule.min_height;
    Ok(input.rules.iter().find(fits).map_or_else(|| "default".to_owned(), |rule| rule.group.clone()))
}
