//! One decision in plain words, at whatever hook it was made.

use serde_json::Value;

use crate::cli::out::one_line;
use crate::client::rest::items;
use crate::lab::text;

/// What was asked, what was said, what was done, and what it cost.
pub(super) fn told(tenant: &str, decision: &Value) -> Vec<String> {
    let hook = decision["hook"].as_str().unwrap_or_default();
    let asked = question(decision);
    let mut lines = Vec::new();
    let mut line = |name: &str, what: &str| {
        lines.push(format!("{:<9} {}", format!("{name}:"), text::indent(what).trim_start()));
    };
    line("decision", &format!("{} at {}, at the hook {hook}", decision["id"], word(&decision["at"])));
    line("stream", &stream(decision, asked));
    for (name, field) in [("broadcast", "broadcast"), ("video", "video_id"), ("event", "event_id")] {
        if let Some(about) = decision[field].as_str() {
            let kind = if field == "event_id" { asked["event_type"].as_str() } else { None };
            line(name, &format!("{}{}", one_line(about), kind.map(|kind| format!(" ({kind})")).unwrap_or_default()));
        }
    }
    let made = &decision["provenance"];
    let Some(plugin) = made["plugin"].as_str() else {
        line("asked", "nobody: no policy is bound at this hook for this stream");
        line("applied", applied(decision));
        return lines;
    };
    let binding = made["binding"].as_str().map(|name| format!(" through the binding {name}")).unwrap_or_default();
    let rollout = made["rollout"].as_i64().map(|id| format!(", the candidate of rollout {id}")).unwrap_or_default();
    line("asked", &format!("{plugin} version {}{binding}{rollout}", made["version"]));
    line("component", &format!("{}, {}", word(&made["digest"]), word(&made["interface"])));
    line("settings", &format!("revision {}", made["settings_revision"]));
    line("answer", &answer(decision));
    line("applied", applied(decision));
    if let Some(reason) = made["reason"].as_str() {
        line("reason", &one_line(reason));
    }
    if let Some(revision) = made["state_revision"].as_u64() {
        line("state", &format!("it saw revision {revision}"));
    }
    for write in items(&made["writes"]) {
        let key = word(&write["key"]);
        match write["value"].as_str() {
            Some(value) => line("write", &format!("{key} = {}", one_line(value))),
            None => line("write", &format!("{key} is deleted")),
        }
    }
    for logged in items(&made["log"]) {
        line("log", &word(&logged));
    }
    line("fuel", &text::count(made["fuel"].as_u64().unwrap_or(0)));
    line("time", &text::micros(made["elapsed_us"].as_u64().unwrap_or(0)));
    match made["code"].as_str() {
        Some("memory") => line("code", "was in memory"),
        Some("disk") => line("code", "came from the cache on disk"),
        Some("compiled") => line("code", "was compiled for this call"),
        _ => {}
    }
    let id = &decision["id"];
    lines.push(format!("Its question: reprise plugin decisions --tenant {tenant} --question {id}"));
    lines
}

/// A verdict in a word or two; groups by their names, which are in the question.
pub(super) fn said(decision: &Value) -> String {
    /// Characters of a failure's message on a line; all of it is with the decision itself.
    const MESSAGE_CHARS: usize = 200;

    let verdict = &decision["verdict"];
    if let Some(failed) = verdict.get("failed") {
        let kind = failed["kind"].as_str().unwrap_or("?");
        let message = one_line(failed["message"].as_str().unwrap_or_default());
        let cut = if message.chars().count() > MESSAGE_CHARS { "…" } else { "" };
        let message: String = message.chars().take(MESSAGE_CHARS).collect();
        return if message.is_empty() { format!("FAILED {kind}") } else { format!("FAILED {kind}: {message}{cut}") };
    }
    let Some(answered) = verdict.get("answered") else { return "no policy".to_owned() };
    let answer = answered.as_object().and_then(|hooks| hooks.values().next()).unwrap_or(answered);
    match answer {
        Value::String(word) => word.clone(),
        Value::Object(fields) => match fields.iter().next() {
            Some((name, Value::String(text))) if name == "group" => format!("group {}", group(decision, text)),
            Some((name, Value::String(text))) => format!("{name} {}", one_line(text)),
            Some((name, _)) => name.clone(),
            None => "?".to_owned(),
        },
        _ => "?".to_owned(),
    }
}

/// All of an answer.
fn answer(decision: &Value) -> String {
    let verdict = &decision["verdict"];
    if let Some(failed) = verdict.get("failed") {
        return format!("none: it failed ({}): {}", word(&failed["kind"]), word(&failed["message"]));
    }
    let answer = &verdict["answered"][decision["hook"].as_str().unwrap_or_default()];
    if let Some(body) = answer.pointer("/replace/body").and_then(Value::as_str) {
        // The body is a JSON text within JSON; read, it can be read.
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
        return format!("replace {}", text::pretty(&body));
    }
    match answer.get("compose") {
        Some(plan) => format!("compose {}", text::pretty(plan)),
        None => said(decision),
    }
}

/// What was done about it.
fn applied(decision: &Value) -> &'static str {
    match decision["applied"].as_str() {
        Some("answer") => "the answer",
        Some("default") => "the default, as without a policy",
        Some("fallback") => "the default, because the policy failed and its binding says fallback",
        Some("rejected") => "nothing, because the policy failed and its binding says reject",
        _ => "unknown",
    }
}

/// The question's own fields; none where nobody was asked.
fn question(decision: &Value) -> &Value {
    let hook = decision["hook"].as_str().unwrap_or_default();
    decision["question"].get(hook).unwrap_or(&decision["question"])
}

fn stream(decision: &Value, asked: &Value) -> String {
    let key = asked.pointer("/origin/stream").or_else(|| asked.get("stream")).filter(|key| key.is_object());
    match (key, decision["app"].as_str(), decision["stream"].as_str()) {
        (Some(key), ..) => format!("rtmp://{}/{}/{}", word(&key["domain"]), word(&key["app"]), word(&key["name"])),
        (None, Some(app), Some(name)) if !name.is_empty() => format!("{}/{}", one_line(app), one_line(name)),
        _ => "none".to_owned(),
    }
}

/// A group as the tenant calls it.
fn group(decision: &Value, id: &str) -> String {
    let groups = items(&question(decision)["groups"]);
    let named = groups.iter().find(|group| group["id"] == id).and_then(|group| group["name"].as_str());
    one_line(named.unwrap_or(id))
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { "-".to_owned() } else { value.to_string() }, one_line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made() -> Value {
        json!({"plugin": "p", "version": 3, "digest": "abc", "interface": "reprise:policy@0.2.0", "binding": "cup",
            "settings_revision": 2, "rollout": 7, "reason": "tall\npicture", "fuel": 12_345, "elapsed_us": 900,
            "code": "disk", "state_revision": 4, "writes": [{"key": "seen", "value": "1"}, {"key": "old", "value": null}],
            "log": ["one", "two"]})
    }

    #[test]
    fn a_decision_is_told_whole() {
        let body = r#"{"title":"Final"}"#;
        let callback = json!({
            "id": 12, "at": "2027-01-01T00:00:00.000Z", "hook": "callback", "app": "live", "stream": "cam",
            "broadcast": "b1", "video_id": "v1", "event_id": "e1", "applied": "answer",
            "question": {"callback": {"event_type": "NewFileUpload", "stream":
                {"domain": "push.acme.example", "app": "live", "name": "cam"}}},
            "verdict": {"answered": {"callback": {"replace": {"body": body, "headers": []}}}}, "provenance": made(),
        });
        assert_eq!(
            told("acme", &callback),
            [
                "decision: 12 at 2027-01-01T00:00:00.000Z, at the hook callback",
                "stream:   rtmp://push.acme.example/live/cam",
                "broadcast: b1",
                "video:    v1",
                "event:    e1 (NewFileUpload)",
                "asked:    p version 3 through the binding cup, the candidate of rollout 7",
                "component: abc, reprise:policy@0.2.0",
                "settings: revision 2",
                r#"answer:   replace {"title": "Final"}"#,
                "applied:  the answer",
                "reason:   tall picture",
                "state:    it saw revision 4",
                "write:    seen = 1",
                "write:    old is deleted",
                "log:      one",
                "log:      two",
                "fuel:     12,345",
                "time:     900 µs",
                "code:     came from the cache on disk",
                "Its question: reprise plugin decisions --tenant acme --question 12",
            ]
        );
    }

    #[test]
    fn every_verdict_is_told() {
        let question = json!({"template-group": {"groups": [{"id": "g-1", "name": "HD"}]}});
        for (hook, verdict, applied, expected) in [
            ("template-group", json!({"answered": {"template-group": {"group": "g-1"}}}), "answer", "group HD"),
            (
                "compose-rules",
                json!({"answered": {"compose-rules": {"compose": {"ranges": []}}}}),
                "answer",
                "compose {",
            ),
            (
                "callback",
                json!({"failed": {"kind": "refused", "message": "no"}}),
                "rejected",
                "it failed (refused): no",
            ),
            ("callback", json!("no_policy"), "default", "nobody: no policy is bound"),
        ] {
            let provenance = if verdict == "no_policy" { Value::Null } else { made() };
            let decision = json!({"id": 1, "hook": hook, "question": question, "verdict": verdict, "applied": applied,
                "provenance": provenance});
            let lines = told("acme", &decision).join("\n");
            assert!(lines.contains(expected), "{expected} in: {lines}");
        }
    }
}
