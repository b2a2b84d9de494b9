//! Tables of cases in plain JSON files: question, settings and state in, answer out. Whatever a table says that is not
//! understood is an error with file, case and field, because a misspelt field would test nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use reprise_lifecycle::decision::StateWrite;
use reprise_lifecycle::question::{Hook, Question};
use serde_json::{Map, Value};

use super::document::{self, Node};
use super::expected::Expected;
use super::question;

/// Bytes of one file. A table is read by people; one that is larger is a dump of something.
const FILE_BYTES: u64 = 16 << 20;

/// Cases of one file, for the same reason.
const MAX_CASES: usize = 10_000;

const TABLE_FIELDS: [&str; 4] = ["hook", "description", "settings", "cases"];
const CASE_FIELDS: [&str; 10] = [
    "name",
    "description",
    "question",
    "question_file",
    "settings",
    "state",
    "expect",
    "reason",
    "writes",
    "fuel_at_most",
];

/// One file of cases.
#[derive(Debug)]
pub struct Table {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Its text.
    pub(super) text: String,
    /// Where everything is in the text.
    pub(super) node: Node,
    /// The cases, in their order.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub struct Case {
    /// Its name, unlike any other in the file.
    pub name: String,
    /// What is asked.
    pub question: Question,
    /// The settings' text.
    pub settings: String,
    /// What the plugin's state holds.
    pub state: BTreeMap<String, String>,
    /// The answer; a case that has none yet can be filled in.
    pub expect: Option<Expected>,
    /// The reason, if the case is about it; then none is expected where it is `null`.
    pub reason: Option<Option<String>>,
    /// The writes, if the case is about them.
    pub writes: Option<Vec<StateWrite>>,
    /// What the call may cost.
    pub fuel_at_most: Option<u64>,
}

/// What is wrong with a table; its author must mend it.
#[derive(Debug, thiserror::Error)]
pub struct TableError {
    file: PathBuf,
    case: Option<String>,
    problem: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(case) = &self.case {
            write!(f, "case {case}: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl Table {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn open(file: &Path) -> Result<Self, TableError> {
        let text = read_text(file).map_err(|problem| TableError { file: file.to_owned(), case: None, problem })?;
        Self::read(file, text)
    }

    /// Reads the text of a file. The questions it refers to are looked for beside it.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(super) fn read(file: &Path, text: String) -> Result<Self, TableError> {
        let fail = |case: Option<String>, problem: String| TableError { file: file.to_owned(), case, problem };
        let (value, node) = document::read(&text).map_err(|problem| fail(None, problem))?;
        let head = Head::read(&value).map_err(|problem| fail(None, problem))?;
        let mut names = BTreeSet::new();
        let mut cases = Vec::with_capacity(head.cases.len());
        for (index, value) in head.cases.iter().enumerate() {
            let name = value.get("name").and_then(Value::as_str);
            let shown = name.map_or_else(|| (index + 1).to_string(), |name| format!("{} {name:?}", index + 1));
            let case = read_case(&head, file, value).and_then(|case| {
                if names.insert(case.name.clone()) {
                    Ok(case)
                } else {
                    Err("another case of this file has the same name; give it one of its own".to_owned())
                }
            });
            cases.push(case.map_err(|problem| fail(Some(shown), problem))?);
        }
        Ok(Self { file: file.to_owned(), text, node, cases })
    }
}

/// What is said for all cases of a file.
struct Head<'a> {
    hook: Hook,
    settings: Option<&'a Value>,
    cases: &'a [Value],
}

impl<'a> Head<'a> {
    fn read(value: &'a Value) -> Result<Self, String> {
        let fields = object(value, "a table")?;
        only(fields, &TABLE_FIELDS)?;
        let names = Hook::ALL.map(Hook::name).join(", ");
        let hook = fields.get("hook").and_then(Value::as_str).ok_or(format!("`hook` is missing: one of {names}"))?;
        let hook = Hook::ALL
            .into_iter()
            .find(|known| known.name() == hook)
            .ok_or_else(|| format!("`hook`: there is no hook {hook:?}, but {names}"))?;
        let cases = fields.get("cases").and_then(Value::as_array).ok_or("`cases` is missing: an array of cases")?;
        if cases.is_empty() {
            return Err("`cases` is empty, so nothing is tested; write one".to_owned());
        }
        if cases.len() > MAX_CASES {
            return Err(format!("there are {} cases in one file, where {MAX_CASES} may be; split it", cases.len()));
        }
        Ok(Self { hook, settings: fields.get("settings"), cases })
    }
}

fn read_case(head: &Head<'_>, file: &Path, value: &Value) -> Result<Case, String> {
    let fields = object(value, "a case")?;
    only(fields, &CASE_FIELDS)?;
    let name = fields.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    let name = name.ok_or("`name` is missing: a few words that say what the case is about")?.to_owned();
    let question = read_question(head.hook, file, fields)?;
    let expect = fields.get("expect").map(|value| Expected::read(&question, value)).transpose();
    let expect = expect.map_err(|problem| format!("`expect`: {problem}"))?;
    let reason = match fields.get("reason") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(reason)) => Some(Some(reason.clone())),
        Some(_) => return Err("`reason` is a text, or null for none".to_owned()),
    };
    let writes = fields.get("writes").map(read_writes).transpose()?;
    if let (Some(Expected::Failed(_) | Expected::Refused(_)), Some(writes)) = (&expect, &writes)
        && !writes.is_empty()
    {
        return Err("`writes`: a failed call writes nothing; take them away".to_owned());
    }
    Ok(Case {
        name,
        question,
        settings: settings_text(fields.get("settings").or(head.settings)),
        state: fields.get("state").map(read_state).transpose()?.unwrap_or_default(),
        expect,
        reason,
        writes,
        fuel_at_most: match fields.get("fuel_at_most") {
            None => None,
            Some(fuel) => Some(fuel.as_u64().ok_or("`fuel_at_most` is a whole number")?),
        },
    })
}

fn read_question(hook: Hook, file: &Path, fields: &Map<String, Value>) -> Result<Question, String> {
    let over = fields.get("question");
    match fields.get("question_file") {
        None => match over {
            None => question::patched(hook, &Value::Object(Map::new())),
            Some(over) => question::patched(hook, over).map_err(|problem| format!("`question`: {problem}")),
        },
        Some(_) if over.is_some() => Err("there is both `question` and `question_file`; take one away".to_owned()),
        Some(Value::String(name)) => {
            let path = file.parent().unwrap_or(Path::new(".")).join(name);
            let whole = read_text(&path)
                .and_then(|text| serde_json::from_str(&text).map_err(|error| format!("it is not JSON: {error}")))
                .and_then(|value| question::whole(hook, &value));
            whole.map_err(|problem| format!("`question_file` {name}: {problem}"))
        }
        Some(_) => Err("`question_file` is a path, from the table's own folder".to_owned()),
    }
}

/// What the policy gets: a text as it is, so that broken settings can be a case; anything else as compact JSON.
fn settings_text(settings: Option<&Value>) -> String {
    match settings {
        None => "{}".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// State as authors write it: an object of texts.
///
/// # Errors
/// In words, naming the key.
pub fn read_state(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let members = value.as_object().ok_or("`state` is an object of texts: {\"KEY\": \"VALUE\"}")?;
    members
        .iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            _ => Err(format!("`state`: the value of {key:?} is not a text; state holds texts only")),
        })
        .collect()
}

fn read_writes(value: &Value) -> Result<Vec<StateWrite>, String> {
    let form = "`writes` is an array of {\"key\": \"KEY\", \"value\": \"VALUE\"}, the value null where the key goes";
    let read = |one: &Value| -> Result<StateWrite, String> {
        let fields = one.as_object().ok_or(form)?;
        only(fields, &["key", "value"])?;
        let key = fields.get("key").and_then(Value::as_str).ok_or(form)?.to_owned();
        match fields.get("value") {
            None | Some(Value::Null) => Ok(StateWrite { key, value: None }),
            Some(Value::String(value)) => Ok(StateWrite { key, value: Some(value.clone()) }),
            Some(_) => Err(form.to_owned()),
        }
    };
    value.as_array().ok_or(form)?.iter().map(read).collect()
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{what} is a JSON object"))
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("`{name}` is no field here; there are {}", known.join(", "))),
        None => Ok(()),
    }
}

/// A text file of at most so many bytes.
///
/// # Errors
/// In words.
pub fn read_text(file: &Path) -> Result<String, String> {
    use std::io::Read as _;

    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(|error| format!("it cannot be read: {error}"))?;
    opened.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("it has more than {} MiB; split it", FILE_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

#[cfg(test)]
mod tests;
