//! A policy as they were written for interface 0.1, by hand on the contract and without an SDK. It stays as it is: tests
//! keep it building and running beside policies of later interfaces.
//!
//! Its settings are a part of those of `template-by-stream`: rules with a `stream` (a name, or a prefix with `*` after it)
//! and a `group`. At `callback` it adds a header that says which interface was spoken.

#![cfg(target_arch = "wasm32")]
#![expect(unsafe_code, reason = "the generated ends of the exported functions")]

use serde::Deserialize;

use exports::reprise::policy::{callback, settings, template_group};
use reprise::policy::log::{Level, log};
use reprise::policy::types::{
    CallbackAnswer, CallbackQuestion, CallbackReplacement, TemplateGroupAnswer, TemplateGroupQuestion,
};

wit_bindgen::generate!({
    path: "../../wit/0.1",
    inline: "
        package reprise:old-guest;
        world old-guest {
            include reprise:policy/template-group-policy@0.1.0;
            include reprise:policy/callback-policy@0.1.0;
            include reprise:policy/checked-settings@0.1.0;
        }
    ",
    generate_all,
});

#[derive(Deserialize)]
struct Rules {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    stream: String,
    group: String,
}

struct Guest;

fn read(settings: &str) -> Result<Rules, String> {
    serde_json::from_str(settings).map_err(|error| format!("settings: {error}"))
}

impl settings::Guest for Guest {
    fn check(settings: String) -> Result<(), String> {
        read(&settings).map(drop)
    }
}

impl template_group::Guest for Guest {
    fn decide(question: TemplateGroupQuestion, settings: String) -> Result<TemplateGroupAnswer, String> {
        let name = question.origin.stream.name;
        let fits = |rule: &&Rule| match rule.stream.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == rule.stream,
        };
        let rules = read(&settings)?.rules;
        let Some(rule) = rules.iter().find(fits) else { return Ok(TemplateGroupAnswer::UseDefault) };
        log(Level::Info, &format!("{name} goes to {}", rule.group));
        Ok(TemplateGroupAnswer::Group(rule.group.clone()))
    }
}

impl callback::Guest for Guest {
    fn decide(question: CallbackQuestion, _settings: String) -> Result<CallbackAnswer, String> {
        Ok(CallbackAnswer::Replace(CallbackReplacement {
            body: question.body,
            headers: vec![("x-policy-interface".to_owned(), "0.1".to_owned())],
        }))
    }
}

export!(Guest);
