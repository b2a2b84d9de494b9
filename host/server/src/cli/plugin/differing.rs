//! Reports and differences, for people.

use http::Method;
use serde_json::Value;

use crate::client::Rest;
use crate::client::rest::items;

/// Differences that are printed.
const FIRST: usize = 20;

/// Characters of one verdict on a line; all of it is in the decision log.
const VERDICT_CHARS: usize = 300;

/// The first differences of what is at `path`.
pub(super) async fn first(api: &Rest, path: &str) -> anyhow::Result<Vec<Value>> {
    Ok(items(&api.call(Method::GET, &format!("{path}/differences?limit={FIRST}"), None).await?["differences"]))
}

/// A backtest's report.
pub(super) fn print_backtest(tenant: &str, shown: &Value, differences: &[Value]) {
    let report = &shown["report"];
    println!("{} {} of {tenant}'s decisions: {}", word(&shown["kind"]), shown["id"], word(&shown["state"]));
    if let Some(version) = shown["version"].as_i64() {
        let settings = shown["settings_revision"].as_i64().map_or("as given".to_owned(), |number| number.to_string());
        println!("candidate: {} version {version}, settings {settings}", word(&shown["plugin"]));
    }
    print_counts(report);
    print_cost("then", &report["then"]);
    print_cost("now", &report["now"]);
    println!(
        "took {} ms on {} threads ({} ms of processor time): {} decisions/s",
        report["wall_ms"], report["threads"], report["cpu_ms"], report["decisions_per_second"]
    );
    println!("differences sha256: {}", word(&report["differences_sha256"]));
    print_differences(report, differences);
}

/// A rollout with its report.
pub(super) fn print_rollout(shown: &Value, differences: &[Value]) {
    let report = &shown["report"];
    print_line(shown);
    for field in ["started_at", "started_by", "ended_at", "fleet", "rules"] {
        if !shown[field].is_null() {
            println!("{field}: {}", word(&shown[field]));
        }
    }
    print_counts(report);
    print_cost("candidate", &report["candidate"]);
    print_cost("active", &report["active"]);
    print_differences(report, differences);
}

/// One line for each rollout of a list, or for one alone.
pub(super) fn print_rollouts(answer: &Value) {
    match answer["rollouts"].as_array() {
        Some(rollouts) => rollouts.iter().for_each(print_line),
        None => print_line(answer),
    }
}

fn print_line(rollout: &Value) {
    let share = match (rollout["kind"].as_str(), rollout["share_permille"].as_i64()) {
        (Some("canary"), Some(permille)) => {
            format!(" for {permille} permille of {}/{}", word(&rollout["app"]), word(&rollout["stream"]))
        }
        _ => String::new(),
    };
    let reason = rollout["reason"].as_str().map_or_else(String::new, |reason| format!(" ({reason})"));
    println!(
        "{} {} {}/{} of {}: version {} beside {}{share}: {}{reason}",
        rollout["id"],
        word(&rollout["kind"]),
        word(&rollout["plugin"]),
        word(&rollout["binding"]),
        word(&rollout["tenant"]),
        rollout["version"],
        rollout["beside_version"],
        word(&rollout["state"]),
    );
}

fn print_counts(report: &Value) {
    println!(
        "{} decisions: {} the same, {} different{}, {} not comparable{}",
        report["total"],
        report["same"],
        report["differences"],
        by(&report["different"]),
        sum(&report["not_comparable"]),
        by(&report["not_comparable"]),
    );
}

fn print_cost(who: &str, cost: &Value) {
    let (fuel, time) = (&cost["fuel"], &cost["elapsed_us"]);
    println!(
        "{who}: {} calls, {} failures{}; fuel p50 {} p99 {} max {} sum {}; µs p50 {} p99 {} max {}",
        cost["calls"],
        sum(&cost["failures"]),
        by(&cost["failures"]),
        fuel["p50"],
        fuel["p99"],
        fuel["max"],
        fuel["sum"],
        time["p50"],
        time["p99"],
        time["max"],
    );
}

fn print_differences(report: &Value, differences: &[Value]) {
    for row in differences {
        let difference = &row["difference"];
        let place = match (row["app"].as_str(), row["stream"].as_str()) {
            (Some(app), Some(stream)) if !stream.is_empty() => format!(" {app}/{stream}"),
            _ => String::new(),
        };
        let video = row["video_id"].as_str().map_or_else(String::new, |video| format!(" video {video}"));
        let (hook, kind) = (word(&row["hook"]), word(&difference["kind"]));
        let what = what(difference);
        println!("\ndecision {} at {}: {hook}{place}{video}: {what}", row["decision"], word(&row["at"]));
        println!("  - {}", said(&difference["was"], kind.as_str()));
        println!("  + {}", said(&difference["now"], kind.as_str()));
    }
    let all = report["differences"].as_u64().unwrap_or(0);
    let printed = differences.len() as u64;
    if all > printed {
        println!("\n… and {} more", all - printed);
    }
}

/// What a difference is, in a word or two: a failure may be new, gone, or another one.
fn what(difference: &Value) -> String {
    let failed = |side: &str| difference[side]["verdict"].get("failed").is_some();
    match (difference["kind"].as_str(), failed("was"), failed("now")) {
        (Some("failure"), false, true) => "failed now".to_owned(),
        (Some("failure"), true, false) => "answered now".to_owned(),
        (kind, ..) => format!("other {}", kind.unwrap_or("answer")),
    }
}

/// A verdict on one line, with what else the difference is about.
fn said(said: &Value, kind: &str) -> String {
    let mut line = verdict(&said["verdict"]);
    if let Some(reason) = said["reason"].as_str() {
        line = format!("{line} because: {reason}");
    }
    match kind {
        "writes" | "log" => line = format!("{line} {kind}: {}", said[kind]),
        "fuel" => line = format!("{line} fuel: {}", said["fuel"]),
        _ => {}
    }
    if line.chars().count() > VERDICT_CHARS {
        line = line.chars().take(VERDICT_CHARS).chain(['…']).collect();
    }
    line
}

fn verdict(verdict: &Value) -> String {
    if let Some(answered) = verdict.get("answered").and_then(Value::as_object) {
        // The hook stands above; what is said is its value.
        return answered.values().next().map_or_else(String::new, word);
    }
    if let Some(failed) = verdict.get("failed") {
        return format!("failed ({}): {}", word(&failed["kind"]), word(&failed["message"]));
    }
    verdict["begins"].as_str().map_or_else(|| verdict.to_string(), |begins| format!("{begins}…"))
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { "-".to_owned() } else { value.to_string() }, str::to_owned)
}

fn sum(counts: &Value) -> u64 {
    counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// Counts in brackets, the most first.
fn by(counts: &Value) -> String {
    let Some(counts) = counts.as_object().filter(|counts| !counts.is_empty()) else { return String::new() };
    let mut counts: Vec<(&str, u64)> =
        counts.iter().map(|(name, count)| (name.as_str(), count.as_u64().unwrap_or(0))).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let named: Vec<String> = counts.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
    format!(" ({})", named.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn verdicts_are_readable() {
        let group =
            json!({"verdict": {"answered": {"template-group": {"group": "hd"}}}, "reason": "it is big", "fuel": 7});
        let failed = json!({"verdict": {"failed": {"kind": "trap", "message": "unreachable"}}, "fuel": 7});
        for (value, kind, expected) in [
            (&group, "answer", r#"{"group":"hd"} because: it is big"#),
            (&failed, "failure", "failed (trap): unreachable"),
            (&failed, "fuel", "failed (trap): unreachable fuel: 7"),
            (&json!({"verdict": {"answered": {"callback": "drop"}}}), "answer", "drop"),
            (&json!({"verdict": {"begins": "{\"answered\"", "bytes": 9}}), "answer", "{\"answered\"…"),
        ] {
            assert_eq!(said(value, kind), expected);
        }
        for (kind, was, now, expected) in [
            ("failure", &group, &failed, "failed now"),
            ("failure", &failed, &group, "answered now"),
            ("failure", &failed, &failed, "other failure"),
            ("answer", &group, &group, "other answer"),
            ("fuel", &failed, &failed, "other fuel"),
        ] {
            assert_eq!(what(&json!({"kind": kind, "was": was, "now": now})), expected);
        }
        assert_eq!(by(&json!({"trap": 1, "fuel": 2})), " (2 fuel, 1 trap)");
        assert_eq!(by(&json!({})), "");
    }
}
