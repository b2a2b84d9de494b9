//! Answers as authors write them in a table, and as they come out of a call, in one form: groups by name where that is
//! unambiguous, header names in lower case, nothing that is absent.

use reprise_lifecycle::decision::{FailureKind, Verdict};
use reprise_lifecycle::id::NO_TRANSCODE;
use reprise_lifecycle::question::{
    Answer, CallbackAnswer, ComposeAnswer, ComposePlan, GapRule, GroupChoice, Hook, PartRange, Question,
    TemplateGroupAnswer,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What a case expects.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// This answer, in the common form.
    Answer(Value),
    /// This failure.
    Failed(FailureKind),
    /// That the policy itself says it cannot decide, with this text in its message.
    Refused(String),
}

/// A compose as authors write it: what is left out is the mildest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    ranges: Vec<Range>,
    #[serde(default)]
    gaps: GapRule,
    #[serde(default)]
    min_duration_ms: u64,
    title: Option<String>,
    group: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    index: u32,
    #[serde(default)]
    from_ms: u64,
    to_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replacement {
    /// A text, or an object that the body must be equal to as JSON.
    body: Value,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

impl Expected {
    /// Reads what a case expects at the hook of its question.
    ///
    /// # Errors
    /// In words: no answer of this hook, or one that can never come.
    pub fn read(question: &Question, value: &Value) -> Result<Self, String> {
        let hook = question.hook();
        let (name, inside) = match value {
            Value::String(name) => (name.as_str(), &Value::Null),
            Value::Object(members) if members.len() == 1 => {
                members.iter().next().map_or(("", &Value::Null), |(name, inside)| (name.as_str(), inside))
            }
            _ => return Err(format!("{value} is no expectation; {}", choices(hook))),
        };
        let as_text = || inside.as_str().ok_or_else(|| format!("`{name}` takes a text; {}", choices(hook)));
        match (hook, name) {
            (_, "refused") => as_text().map(|part| Self::Refused(part.to_owned())),
            (_, "failed") => failure(as_text()?).map(Self::Failed),
            (Hook::TemplateGroup | Hook::ComposeRules, "use_default") => Ok(Self::Answer(value.clone())),
            (Hook::ComposeRules, "skip") | (Hook::Callback, "unchanged" | "drop") => Ok(Self::Answer(value.clone())),
            (Hook::TemplateGroup, "group") => {
                let group = known_group(groups(question), as_text()?)?;
                Ok(Self::Answer(json!({"group": group})))
            }
            (Hook::ComposeRules, "compose") => {
                let plan: Plan = fields(inside)?;
                let ranges = plan.ranges.into_iter();
                let ranges =
                    ranges.map(|one| PartRange { index: one.index, from_ms: one.from_ms, to_ms: one.to_ms }).collect();
                let group = plan.group.as_deref().map(|group| known_group(groups(question), group)).transpose()?;
                let Plan { gaps, min_duration_ms, title, .. } = plan;
                let plan = ComposePlan { ranges, gaps, min_duration_ms, title, group };
                Ok(Self::Answer(compose(question, &plan)))
            }
            (Hook::Callback, "replace") => {
                let Replacement { body, headers } = fields(inside)?;
                if !body.is_string() && !body.is_object() {
                    return Err("`replace.body` is an object, or the exact text of one".to_owned());
                }
                Ok(Self::Answer(replace(body, &headers)))
            }
            _ => Err(format!("`{name}` is no answer at `{}`; {}", hook.name(), choices(hook))),
        }
    }

    /// The form in which a table has it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Answer(answer) => answer.clone(),
            Self::Failed(kind) => json!({"failed": kind}),
            Self::Refused(part) => json!({"refused": part}),
        }
    }

    /// Whether a verdict is what is expected.
    pub fn is_met(&self, question: &Question, verdict: &Verdict) -> bool {
        match (self, verdict) {
            (Self::Answer(answer), Verdict::Answered(_)) => *answer == given(question, verdict, Some(self)),
            (Self::Failed(kind), Verdict::Failed(failure)) => failure.kind == *kind,
            (Self::Refused(part), Verdict::Failed(failure)) => {
                failure.kind == FailureKind::Refused && failure.message.contains(part.as_str())
            }
            _ => false,
        }
    }

    fn wants_text(&self) -> bool {
        matches!(self, Self::Answer(answer) if answer["replace"]["body"].is_string())
    }
}

/// A verdict in the form in which a table has it. A callback's body is an object, unless a text is what was expected.
pub fn given(question: &Question, verdict: &Verdict, expected: Option<&Expected>) -> Value {
    let answer = match verdict {
        Verdict::NoPolicy => return Value::Null,
        Verdict::Failed(failure) if failure.kind == FailureKind::Refused => return json!({"refused": failure.message}),
        Verdict::Failed(failure) => return json!({"failed": failure.kind}),
        Verdict::Answered(answer) => answer,
    };
    match answer {
        Answer::TemplateGroup(TemplateGroupAnswer::Group(group)) => {
            json!({"group": group_name(groups(question), group)})
        }
        Answer::ComposeRules(ComposeAnswer::Compose(plan)) => compose(question, plan),
        Answer::Callback(CallbackAnswer::Replace { body, headers }) => {
            let parsed =
                if expected.is_some_and(Expected::wants_text) { None } else { serde_json::from_str(body).ok() };
            replace(parsed.unwrap_or_else(|| Value::String(body.clone())), headers)
        }
        Answer::TemplateGroup(TemplateGroupAnswer::UseDefault) | Answer::ComposeRules(ComposeAnswer::UseDefault) => {
            json!("use_default")
        }
        Answer::ComposeRules(ComposeAnswer::Skip) => json!("skip"),
        Answer::Callback(CallbackAnswer::Unchanged) => json!("unchanged"),
        Answer::Callback(CallbackAnswer::Drop) => json!("drop"),
    }
}

fn compose(question: &Question, plan: &ComposePlan) -> Value {
    let ranges: Vec<Value> = plan
        .ranges
        .iter()
        .map(|range| {
            let mut shown = json!({"index": range.index, "from_ms": range.from_ms});
            if let Some(to_ms) = range.to_ms {
                shown["to_ms"] = json!(to_ms);
            }
            shown
        })
        .collect();
    let mut shown = json!({"ranges": ranges, "gaps": plan.gaps, "min_duration_ms": plan.min_duration_ms});
    if let Some(title) = &plan.title {
        shown["title"] = json!(title);
    }
    if let Some(group) = &plan.group {
        shown["group"] = json!(group_name(groups(question), group));
    }
    json!({"compose": shown})
}

fn replace(body: Value, headers: &[(String, String)]) -> Value {
    let headers: Vec<_> = headers.iter().map(|(name, value)| json!([name.to_ascii_lowercase(), value])).collect();
    let mut shown = Map::new();
    shown.insert("body".to_owned(), body);
    if !headers.is_empty() {
        shown.insert("headers".to_owned(), Value::Array(headers));
    }
    json!({"replace": shown})
}

fn groups(question: &Question) -> &[GroupChoice] {
    match question {
        Question::TemplateGroup(question) => &question.groups,
        Question::ComposeRules(question) => &question.groups,
        Question::Callback(_) => &[],
    }
}

/// A group by its name; by its id if the name is another's as well.
fn group_name(groups: &[GroupChoice], id: &str) -> String {
    let Some(group) = groups.iter().find(|group| group.id == id) else { return id.to_owned() };
    let is_other = |other: &&GroupChoice| other.id != id && (other.name == group.name || other.id == group.name);
    if groups.iter().any(|other| is_other(&other)) { id.to_owned() } else { group.name.clone() }
}

/// What an author calls a group, in the common form.
fn known_group(groups: &[GroupChoice], wanted: &str) -> Result<String, String> {
    if wanted == NO_TRANSCODE {
        return Ok(wanted.to_owned());
    }
    let meant = groups.iter().find(|group| group.id == wanted);
    let meant = meant.or_else(|| groups.iter().find(|group| group.name == wanted));
    meant.map(|group| group_name(groups, &group.id)).ok_or_else(|| {
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        format!(
            "the question has no template group {wanted:?}, so no answer can name it; it has {}; say others in `groups`",
            names.join(", ")
        )
    })
}

fn failure(name: &str) -> Result<FailureKind, String> {
    let known = "trap, fuel, memory, stack, too_large, bad_answer";
    let kind: FailureKind = serde_json::from_value(json!(name))
        .map_err(|_| format!("there is no failure `{name}`; one of {known} can be expected"))?;
    match kind {
        FailureKind::Refused => Err("write {\"refused\": \"PART OF THE MESSAGE\"} for what the policy says".to_owned()),
        kind if kind.is_reproducible() => Ok(kind),
        _ => Err(format!("`{name}` depends on the machine and cannot be expected; one of {known} can")),
    }
}

fn fields<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("`{path}`: {}", error.inner()),
    })
}

/// What can be expected at a hook.
fn choices(hook: Hook) -> String {
    let answers = match hook {
        Hook::TemplateGroup => r#""use_default", {"group": "NAME"}"#,
        Hook::ComposeRules => r#""use_default", "skip", {"compose": {"ranges": [{"index": 0}]}}"#,
        Hook::Callback => r#""unchanged", "drop", {"replace": {"body": {…}}}"#,
    };
    format!(r#"expect one of {answers}, {{"failed": "trap"}}, {{"refused": "PART OF THE MESSAGE"}}"#)
}

#[cfg(test)]
mod tests;
