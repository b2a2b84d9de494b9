//! A JSON object as XML: members are elements, a list is its element repeated, `null` is left out.

use quick_xml::escape::escape;
use serde_json::{Map, Value};

/// The document whose root element holds `fields`.
pub(super) fn document(root: &str, fields: &Map<String, Value>) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    element(&mut text, root, |text| members(text, fields));
    text
}

fn members(text: &mut String, fields: &Map<String, Value>) {
    for (name, value) in fields {
        member(text, name, value);
    }
}

fn member(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| member(text, name, item)),
        Value::Object(fields) => element(text, name, |text| members(text, fields)),
        Value::String(value) => element(text, name, |text| text.push_str(&escape(legal(value)))),
        Value::Bool(_) | Value::Number(_) => element(text, name, |text| text.push_str(&value.to_string())),
    }
}

fn element(text: &mut String, name: &str, inner: impl FnOnce(&mut String)) {
    text.push('<');
    text.push_str(name);
    text.push('>');
    inner(text);
    text.push_str("</");
    text.push_str(name);
    text.push('>');
}

/// XML 1.0 has no place for most control characters, not even escaped.
fn legal(value: &str) -> String {
    value
        .chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => c,
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            _ => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_escaped_and_null_left_out() {
        let fields = json!({"A": "<b>\u{1}&\"'", "B": null, "C": true, "D": 1.5, "E": {}, "F": []});
        assert_eq!(
            document("R", fields.as_object().unwrap()),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><R><A>&lt;b&gt;\u{fffd}&amp;&quot;&apos;</A><C>true</C>\
             <D>1.5</D><E></E></R>"
        );
    }
}
