//! Settings against the JSON Schema that a policy carries. A schema is a tenant's program of sorts: it can refer to
//! itself without end or hold a pattern that compiles to gigabytes. So a server looks at it in the compile child only,
//! whose end is the worst that comes of it.

use std::time::Duration;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::compile::{CompileLimits, CompilerCommand, DONE, Job};
use crate::error::{CompileError, SettingsError};

/// Bytes of settings: they are kept for every revision, and copied into the guest for every call.
pub const MAX_SETTINGS_BYTES: usize = 64 << 10;

/// Problems that are told at once: enough to mend a file in one go, few enough to be read.
const MAX_PROBLEMS: usize = 8;

/// Characters of one problem. It repeats what the schema wants, which may be long.
const MAX_PROBLEM_CHARS: usize = 240;

/// Bytes of a compiled pattern, and of the cache of a search with it.
const PATTERN_BYTES: usize = 1 << 20;

/// Holds settings against a schema, in a child process. Settings that are empty are looked at as `{}`. Blocks until the
/// child has ended; [`CompileLimits::settings`] are the limits that are meant for it.
///
/// # Errors
///
/// What is wrong with the settings, each with the place in them; or why nobody could tell.
pub fn check(
    schema: &str,
    settings: &str,
    command: &CompilerCommand,
    limits: &CompileLimits,
) -> Result<(), SettingsError> {
    if settings.len() > MAX_SETTINGS_BYTES {
        return Err(SettingsError::TooLarge { size_bytes: settings.len(), limit_bytes: MAX_SETTINGS_BYTES });
    }
    let settings = if settings.trim().is_empty() { "{}" } else { settings };
    let said = match Job::settings(schema, settings).run(command, limits) {
        Ok((DONE, said)) => String::from_utf8_lossy(&said).into_owned(),
        Ok((_, said)) => {
            let reason = format!("the plugin's settings schema is no JSON Schema: {}", String::from_utf8_lossy(&said));
            return Err(SettingsError::Unchecked(reason));
        }
        Err(error) => return Err(blame(error, limits.wall)),
    };
    if said.is_empty() { Ok(()) } else { Err(SettingsError::Schema(said.lines().map(str::to_owned).collect())) }
}

/// Whether this is a schema that a server takes, for its author, on whose own machine no child is needed.
///
/// # Errors
///
/// Why it is none, with the place in it.
pub fn validate(schema: &str) -> Result<(), String> {
    read(schema).map(drop)
}

fn blame(error: CompileError, wall: Duration) -> SettingsError {
    match error {
        CompileError::TooLong { limit_ms } => SettingsError::TooMuch(format!("more than {limit_ms} ms")),
        CompileError::TooMuchMemory { limit_mib, .. } => {
            SettingsError::TooMuch(format!("more than {limit_mib} MiB of memory, or too deep"))
        }
        CompileError::TooLarge { .. } => SettingsError::TooMuch(format!("in {} ms", wall.as_millis())),
        other => SettingsError::Unchecked(other.to_string()),
    }
}

/// What is wrong with settings, one line each, nothing if they are fine; or why the schema is none. This is the
/// child's part.
pub(crate) fn problems(schema: &str, settings: &str) -> Result<Vec<String>, String> {
    let validator = read(schema)?;
    let settings: Value = match serde_json::from_str(settings) {
        Ok(settings) => settings,
        Err(error) => return Ok(vec![line(&format!("they are not JSON: {error}"))]),
    };
    let told = validator.iter_errors(&settings).take(MAX_PROBLEMS).map(|error| {
        let path = error.instance_path().to_string();
        let place = if path.is_empty() { "at the top".to_owned() } else { format!("at `{path}`") };
        // Masked: the value that is wrong may be long, and it may be a secret; its place is told.
        line(&format!("{place}: {}", error.masked()))
    });
    Ok(told.collect())
}

fn read(schema: &str) -> Result<Validator, String> {
    let schema: Value = serde_json::from_str(schema).map_err(|error| line(&error.to_string()))?;
    jsonschema::options()
        // Patterns take time in proportion to the text, whatever they say; look-around is not to be had for that.
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES))
        .offline()
        .build(&schema)
        .map_err(|error| {
            let path = error.instance_path().to_string();
            line(&if path.is_empty() { error.to_string() } else { format!("at `{path}`: {error}") })
        })
}

/// One line, of bounded length.
fn line(text: &str) -> String {
    text.chars().take(MAX_PROBLEM_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r##"{
        "type": "object",
        "properties": {
            "rules": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["prefix", "group"],
                    "properties": { "prefix": { "type": "string", "pattern": "^[a-z]+$" }, "group": { "type": "string" } }
                }
            }
        },
        "additionalProperties": false
    }"##;

    #[test]
    fn each_problem_names_its_place() {
        let cases: [(&str, &[&str]); 7] = [
            ("{}", &[]),
            (r#"{"rules": [{"prefix": "vip", "group": "hd"}]}"#, &[]),
            (r#"{"rules": [{"prefix": "vip"}]}"#, &["at `/rules/0`", "\"group\""]),
            (r#"{"rules": [{"prefix": "VIP", "group": 1}]}"#, &["at `/rules/0/prefix`", "at `/rules/0/group`"]),
            (r#"{"rule": []}"#, &["at the top", "rule"]),
            ("[]", &["at the top", "object"]),
            ("{", &["not JSON", "line 1"]),
        ];
        for (settings, parts) in cases {
            let problems = problems(SCHEMA, settings).unwrap();
            assert_eq!(problems.is_empty(), parts.is_empty(), "{settings}: {problems:?}");
            for part in parts {
                assert!(problems.iter().any(|problem| problem.contains(part)), "{settings}: {problems:?}");
            }
        }
    }

    #[test]
    fn few_problems_are_told_and_each_is_short() {
        let settings = format!(r#"{{"rules": [{}]}}"#, vec!["1"; 100].join(","));
        assert_eq!(problems(SCHEMA, &settings).unwrap().len(), MAX_PROBLEMS);
        let settings = format!(r#"{{"rules": "{}\n"}}"#, "x".repeat(10_000));
        let problems = problems(SCHEMA, &settings).unwrap();
        assert!(problems.iter().all(|problem| problem.len() <= 4 * MAX_PROBLEM_CHARS && !problem.contains('\n')));
    }

    #[test]
    fn what_is_no_schema_is_said() {
        for (schema, part) in [
            ("", "EOF"),
            ("3", "3"),
            (r#"{"type": "text"}"#, "at `/type`"),
            (r#"{"$ref": "https://schemas.example/one.json"}"#, "schemas.example"),
            (r#"{"$ref": "file:///etc/passwd"}"#, "file:///etc/passwd"),
            (r##"{"$ref": "#/nowhere"}"##, "nowhere"),
            (r#"{"pattern": "(?=x)"}"#, "(?=x)"),
            (r#"{"pattern": "(((a{100}){100}){100}){100}"}"#, "{100}"),
        ] {
            let reason = problems(schema, "{}").expect_err(schema);
            assert!(reason.contains(part), "{schema}: {reason}");
            assert_eq!(validate(schema), Err(reason));
        }
    }
}
