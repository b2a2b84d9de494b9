//! JSON, differences and quantities as people read them.

use std::fmt::Write as _;

use serde_json::Value;
use similar::TextDiff;

/// Columns within which a JSON value stays on one line.
const COLUMNS: usize = 100;

/// JSON on one line where it fits, indented where not.
pub fn pretty(value: &Value) -> String {
    laid_out(value, "", "  ", COLUMNS)
}

/// JSON whose further lines begin with `margin` and one `step` for each level.
pub(super) fn laid_out(value: &Value, margin: &str, step: &str, columns: usize) -> String {
    let line = one_line(value);
    if line.chars().count() + margin.len() <= columns {
        return line;
    }
    let inner = format!("{margin}{step}");
    let (open, close, entries): (char, char, Vec<String>) = match value {
        Value::Array(elements) if !elements.is_empty() => {
            let lines = elements.iter().map(|element| laid_out(element, &inner, step, columns));
            ('[', ']', lines.collect())
        }
        Value::Object(members) if !members.is_empty() => {
            let lines = members.iter().map(|(name, value)| {
                let name = Value::from(name.as_str()).to_string();
                // The name stands before the value's first line.
                let left = columns.saturating_sub(name.chars().count() + ": ".len());
                format!("{name}: {}", laid_out(value, &inner, step, left))
            });
            ('{', '}', lines.collect())
        }
        _ => return line,
    };
    let entries: Vec<String> = entries.iter().map(|entry| format!("{inner}{entry}")).collect();
    format!("{open}\n{}\n{margin}{close}", entries.join(",\n"))
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(one_line).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), one_line(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

/// What was expected and what came, line against line.
pub(super) fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual) = (format!("{expected}\n"), format!("{actual}\n"));
    let diff = TextDiff::from_lines(expected.as_str(), actual.as_str());
    diff.unified_diff().context_radius(3).header("expected", "actual").to_string().trim_end().to_owned()
}

/// Each line two columns further in.
pub fn indent(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

/// A number with its thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Bytes in the largest unit of which there is at least one.
pub fn bytes(number: u64) -> String {
    match number {
        0..1024 => format!("{number} bytes"),
        1024..0x10_0000 => format!("{:.1} KiB", number as f64 / 1024.0),
        _ => format!("{:.1} MiB", number as f64 / f64::from(1 << 20)),
    }
}

/// Microseconds, as milliseconds from one on.
pub fn micros(number: u64) -> String {
    if number < 1_000 { format!("{number} µs") } else { format!("{:.1} ms", number as f64 / 1_000.0) }
}

/// How much of a limit is used.
pub fn share(used: u64, limit: u64) -> String {
    let share = if limit == 0 { 100.0 } else { used as f64 * 100.0 / limit as f64 };
    let mut shown = String::new();
    let digits = if share < 1.0 { 2 } else { 0 };
    // Writing to a string cannot fail.
    let _ = write!(shown, "{share:.digits$} %");
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1, 2048, 3 << 20].map(bytes), ["1 bytes", "2.0 KiB", "3.0 MiB"]);
        assert_eq!([999, 1_500].map(micros), ["999 µs", "1.5 ms"]);
        assert_eq!([(1, 1_000), (1, 2)].map(|(used, limit)| share(used, limit)), ["0.10 %", "50 %"]);
    }

    #[test]
    fn json_stays_on_one_line_where_it_fits() {
        assert_eq!(pretty(&json!({"group": "HD", "n": [1, {}, []]})), r#"{"group": "HD", "n": [1, {}, []]}"#);
        let long = json!({"a": "x".repeat(60), "b": ["y".repeat(60), 1]});
        let shown = laid_out(&long, "  ", "  ", 75);
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), long);
        assert_eq!(shown.lines().last(), Some("  }"));
        assert!(shown.lines().all(|line| line.chars().count() <= 75), "{shown}");
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let shown = difference("{\n  \"a\": 1\n}", "{\n  \"a\": 2\n}");
        assert!(shown.contains("-  \"a\": 1\n") && shown.contains("+  \"a\": 2\n"), "{shown}");
    }
}
