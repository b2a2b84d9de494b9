//! Adds the tenant's own fields and headers to callbacks, and drops events by type.
//!
//! Settings, each field of which may be left out:
//!
//! ```json
//! {
//!   "drop": ["SnapshotComplete"],
//!   "fields": { "Region": "eu", "Billing": { "Plan": 3 } },
//!   "headers": { "X-Team": "vod" }
//! }
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | `drop` | event types that are not sent |
//! | `fields` | fields with any JSON value, put at the end of the event's object; a field that the event already has stays as it is |
//! | `headers` | headers to add; names that the server sets itself are refused by it |

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use reprise_plugin::{CallbackAnswer, CallbackQuestion, CallbackReplacement, Error, Policy, log, reason};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// The settings, and the policy.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackFields {
    drop: BTreeSet<String>,
    fields: BTreeMap<String, Value>,
    headers: BTreeMap<String, String>,
}

impl Policy for CallbackFields {
    fn check(&self) -> Result<(), Error> {
        match self.headers.keys().find(|name| name.is_empty() || !name.chars().all(|c| c.is_ascii_graphic())) {
            Some(name) => Err(Error::new(format!("settings: headers: {name:?} is not a header's name"))),
            None => Ok(()),
        }
    }

    fn callback(&self, question: &CallbackQuestion) -> Result<CallbackAnswer, Error> {
        if self.drop.contains(&question.event_type) {
            reason(format!("events of type {} are dropped", question.event_type));
            return Ok(CallbackAnswer::Drop);
        }
        if self.fields.is_empty() && self.headers.is_empty() {
            reason("there is nothing to add");
            return Ok(CallbackAnswer::Unchanged);
        }
        reason(format!("{} fields and {} headers are to be added", self.fields.len(), self.headers.len()));
        Ok(CallbackAnswer::Replace(CallbackReplacement {
            body: with_fields(&question.body, &self.fields)?,
            headers: self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        }))
    }
}

/// The object with more fields at its end. What is there already keeps its bytes and its order: receivers
/// have been seen that care.
fn with_fields(body: &str, fields: &BTreeMap<String, Value>) -> Result<String, Error> {
    let present: BTreeMap<Cow<'_, str>, IgnoredAny> =
        serde_json::from_str(body).map_err(|error| Error::new(format!("the event is not a JSON object: {error}")))?;
    let open = body.trim_end().strip_suffix('}').ok_or("the event is not a JSON object")?;
    let mut shaped = open.trim_end().to_owned();
    let mut first = present.is_empty();
    for (name, value) in fields {
        if present.contains_key(name.as_str()) {
            log::warn(&format!("the event has a field {name:?} already"));
            continue;
        }
        if !first {
            shaped.push(',');
        }
        first = false;
        // A string and a value always have a JSON form; `Value` prints it.
        shaped.push_str(&format!("{}:{value}", Value::from(name.as_str())));
    }
    shaped.push('}');
    Ok(shaped)
}

reprise_plugin::export!(CallbackFields: callback);

#[cfg(test)]
mod tests {
    use reprise_plugin::testing::{Expect, Table, callback_question};

    use super::*;

    fn question(event_type: &str, body: &str) -> CallbackQuestion {
        CallbackQuestion { event_type: event_type.to_owned(), body: body.to_owned(), ..callback_question() }
    }

    fn replaced(body: &str, headers: &[(&str, &str)]) -> Expect<CallbackAnswer> {
        Expect::Answer(CallbackAnswer::Replace(CallbackReplacement {
            body: body.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }))
    }

    #[test]
    fn events_are_dropped_or_shaped() {
        let event = || question("FileUploadComplete", r#"{"VideoId":"v","Size":1 }"#);
        let fields = r#"{"fields":{"Region":"eu","Billing":{"Plan":3}}}"#;
        Table::<CallbackFields>::new()
            .callback("nothing asked for", event(), "", Expect::UseDefault)
            .callback("dropped", event(), r#"{"drop":["FileUploadComplete"]}"#, Expect::Answer(CallbackAnswer::Drop))
            .because("events of type FileUploadComplete are dropped")
            .callback("another is dropped", event(), r#"{"drop":["SnapshotComplete"]}"#, Expect::UseDefault)
            .callback(
                "fields",
                event(),
                fields,
                replaced(r#"{"VideoId":"v","Size":1,"Billing":{"Plan":3},"Region":"eu"}"#, &[]),
            )
            .because("2 fields and 0 headers are to be added")
            .callback(
                "a field it has already",
                event(),
                r#"{"fields":{"VideoId":"mine"}}"#,
                replaced(r#"{"VideoId":"v","Size":1}"#, &[]),
            )
            .callback(
                "an empty event",
                question("X", " {} "),
                r#"{"fields":{"a\"b":1}}"#,
                replaced(r#" {"a\"b":1}"#, &[]),
            )
            .callback(
                "headers",
                event(),
                r#"{"headers":{"X-Team":"vod"}}"#,
                replaced(r#"{"VideoId":"v","Size":1}"#, &[("X-Team", "vod")]),
            )
            .run();
    }

    #[test]
    fn mistakes_are_named() {
        let event = || question("X", "[]");
        Table::<CallbackFields>::new()
            .callback("not an object", event(), r#"{"fields":{"a":1}}"#, Expect::Error("not a JSON object"))
            .callback("misspelt", event(), r#"{"feilds":{}}"#, Expect::Error("unknown field `feilds`"))
            .callback("not a list", event(), r#"{"drop":"X"}"#, Expect::Error("settings: drop: invalid type"))
            .callback(
                "not a name",
                event(),
                r#"{"headers":{"a b":""}}"#,
                Expect::Error("\"a b\" is not a header's name"),
            )
            .run();
    }
}
