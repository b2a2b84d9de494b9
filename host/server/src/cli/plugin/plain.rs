//! Plugins, versions and bindings, for people.

use serde_json::Value;

use crate::cli::out::one_line;
use crate::client::rest::items;
use crate::lab::text;

/// The characters of a digest that tell components apart.
const DIGEST_CHARS: usize = 12;

/// A version with all there is of it.
pub(super) fn version(shown: &Value) -> Vec<String> {
    let mut lines = vec![
        format!("version:   {} of {}", shown["version"], word(&shown["plugin"])),
        format!("digest:    {}", word(&shown["digest"])),
        format!("size:      {}", text::bytes(shown["bytes"].as_u64().unwrap_or(0))),
        format!("interface: {}", word(&shown["interface"])),
        format!("hooks:     {}", list(&shown["hooks"])),
        format!("class:     {}", word(&shown["class"])),
        format!("imports:   {}", list(&shown["uses"])),
        format!("settings:  revision {}", shown["settings_revision"]),
        format!("pushed:    {} by {}", word(&shown["pushed_at"]), word(&shown["pushed_by"])),
        format!("signed by: {}", signer(shown).unwrap_or_else(|| "nobody".to_owned())),
    ];
    if let Some(settings) = shown["settings"].as_str() {
        lines.push(format!("pushed with the settings {}", one_line(settings)));
    }
    if let Some(schema) = shown.get("schema").filter(|schema| !schema.is_null()) {
        lines.push("schema of its settings:".to_owned());
        lines.push(text::indent(&text::pretty(schema)));
    }
    lines
}

/// A version that was pushed, and what is to be done with it.
pub(super) fn pushed(tenant: &str, shown: &Value) -> Vec<String> {
    let short = |line: &String| !line.starts_with("pushed with") && !line.starts_with("schema of");
    let mut lines: Vec<String> = version(shown).into_iter().take_while(short).collect();
    lines.push(format!("Next: reprise plugin activate {} --tenant {tenant}", word(&shown["plugin"])));
    lines
}

/// Plugins with their bindings and versions.
pub(super) fn plugins(listed: &Value) -> Vec<String> {
    let plugins = items(&listed["plugins"]);
    if plugins.is_empty() {
        return vec!["no plugins".to_owned()];
    }
    plugins.iter().flat_map(plugin).collect()
}

/// A plugin with its bindings and versions.
pub(super) fn plugin(shown: &Value) -> Vec<String> {
    let mut lines = vec![word(&shown["name"])];
    let bindings = items(&shown["bindings"]);
    if bindings.is_empty() {
        lines.push("  no bindings: no stream uses it".to_owned());
    }
    lines.extend(bindings.iter().map(|one| format!("  binding {}", binding(one))));
    lines.extend(items(&shown["versions"]).iter().map(|version| {
        let signed = signer(version).map(|key| format!(", signed by {key}")).unwrap_or_default();
        let digest: String = word(&version["digest"]).chars().take(DIGEST_CHARS).collect();
        format!(
            "  version {}  {digest}  {}  {}  settings {}  {} by {}{signed}",
            version["version"],
            text::bytes(version["bytes"].as_u64().unwrap_or(0)),
            list(&version["hooks"]),
            version["settings_revision"],
            word(&version["pushed_at"]),
            word(&version["pushed_by"]),
        )
    }));
    lines
}

/// Bindings in the order in which they are asked, with how their versions fare.
pub(super) fn order(listed: &Value) -> Vec<String> {
    let bindings = items(&listed["bindings"]);
    if bindings.is_empty() {
        return vec!["no bindings".to_owned()];
    }
    let mut lines = Vec::new();
    for (index, one) in bindings.iter().enumerate() {
        lines.push(format!("{}. {}/{}", index + 1, word(&one["plugin"]), binding(one)));
        let failures = one["failures"].as_u64().unwrap_or(0);
        if failures > 0 || one["breaker_open"] == true {
            let breaker = match one["tried_again_in_seconds"].as_u64() {
                Some(seconds) => format!("; it is not asked, and is tried again in {seconds} s"),
                None => String::new(),
            };
            lines.push(format!("   failures in a row: {failures}{breaker}"));
        }
    }
    lines
}

/// A binding in one line.
pub(super) fn binding(one: &Value) -> String {
    format!(
        "{}: version {}, settings {}, streams {}/{}/{}, priority {}, on failure {}",
        word(&one["name"]),
        one["version"],
        one["settings_revision"],
        word(&one["domain"]),
        word(&one["app"]),
        word(&one["stream"]),
        one["priority"],
        word(&one["failure_policy"]),
    )
}

fn signer(version: &Value) -> Option<String> {
    let key = version["signed_by"]["key"].as_str()?;
    let revoked = if version["signed_by"]["revoked"] == true { " (revoked since)" } else { "" };
    Some(format!("{key}{revoked}"))
}

/// Words with commas between them.
fn list(words: &Value) -> String {
    let words: Vec<String> = items(words).iter().map(word).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { "-".to_owned() } else { value.to_string() }, one_line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown() -> Value {
        json!({
            "plugin": "groups", "version": 3, "digest": "e3b0c44298fc1c149afb", "bytes": 2048,
            "interface": "reprise:policy@0.2.0", "hooks": ["template-group", "callback"], "class": "standard", "uses": [],
            "settings_revision": 2, "pushed_at": "2027-01-01T00:00:00.000Z", "pushed_by": "admin",
            "signed_by": {"key": "ci", "signature": "x", "revoked": true}, "settings": "{}", "schema": {"type": "object"},
        })
    }

    #[test]
    fn a_pushed_version_is_a_few_plain_lines() {
        let lines = pushed("acme", &shown());
        assert_eq!(lines.first().map(String::as_str), Some("version:   3 of groups"));
        assert_eq!(lines.last().map(String::as_str), Some("Next: reprise plugin activate groups --tenant acme"));
        for line in ["hooks:     template-group, callback", "imports:   none", "signed by: ci (revoked since)"] {
            assert!(lines.iter().any(|one| one == line), "{line} in {lines:?}");
        }
        assert!(!lines.iter().any(|line| line.contains('{')), "{lines:?}");
        let all = version(&shown());
        assert_eq!(
            all[all.len() - 3..],
            ["pushed with the settings {}", "schema of its settings:", "  {\"type\": \"object\"}"]
        );
    }

    #[test]
    fn all_bindings_of_a_plugin_are_listed() {
        let bound = |name: &str| {
            json!({"plugin": "groups", "name": name, "version": 3, "settings_revision": 2, "domain": "*", "app": "live",
                "stream": "cam-*", "priority": 0, "failure_policy": "fallback", "failures": 0, "breaker_open": false})
        };
        let line = |name: &str| {
            format!("{name}: version 3, settings 2, streams */live/cam-*, priority 0, on failure fallback")
        };
        let listed = json!({"plugins": [{"name": "groups", "bindings": [bound("cup"), bound("default")],
            "versions": [shown()]}, {"name": "shape", "bindings": [], "versions": []}]});
        assert_eq!(
            plugins(&listed),
            [
                "groups",
                &format!("  binding {}", line("cup")),
                &format!("  binding {}", line("default")),
                "  version 3  e3b0c44298fc  2.0 KiB  template-group, callback  settings 2  2027-01-01T00:00:00.000Z by admin, \
                 signed by ci (revoked since)",
                "shape",
                "  no bindings: no stream uses it",
            ]
        );
        let mut broken = bound("cup");
        (broken["failures"], broken["breaker_open"], broken["tried_again_in_seconds"]) =
            (json!(9), json!(true), json!(7));
        assert_eq!(
            order(&json!({"bindings": [broken, bound("default")]})),
            [
                format!("1. groups/{}", line("cup")),
                "   failures in a row: 9; it is not asked, and is tried again in 7 s".to_owned(),
                format!("2. groups/{}", line("default")),
            ]
        );
        assert_eq!(order(&json!({"bindings": []})), ["no bindings"]);
        assert_eq!(plugins(&json!({"plugins": []})), ["no plugins"]);
    }
}
