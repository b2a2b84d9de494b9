//! Questions as authors write them: a merge patch over the sample question of a hook, or a whole question, as a
//! decision was recorded with.

use reprise_lifecycle::question::{Hook, Question};
use reprise_policy::sample;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::patch;

/// The sample question with a patch laid over it.
///
/// Beside RFC 7386, in which an array always replaces an array: an element of `parts` that is an object is itself a
/// patch, over the sample part of its position, and `facts` is one over sample facts. A part has fourteen fields, of
/// which a case is about one or two.
///
/// # Errors
/// In words: a field that questions do not have, or one with a value of the wrong kind.
pub fn patched(hook: Hook, over: &Value) -> Result<Question, String> {
    if !over.is_object() {
        return Err("a question is a JSON object of the fields that differ from the sample's".to_owned());
    }
    let mut whole = inner(hook, &sample::question(hook))?;
    let mut over = over.clone();
    if let Some(part) = over.get_mut("part") {
        fill_facts(part);
    }
    if let Some(Value::Array(parts)) = over.get_mut("parts") {
        for (index, part) in parts.iter_mut().enumerate().filter(|(_, part)| part.is_object()) {
            fill_facts(part);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let mut full = serde_json::to_value(sample::part(index)).map_err(|error| error.to_string())?;
            patch::merge(&mut full, part);
            *part = full;
        }
    }
    patch::merge(&mut whole, &over);
    typed(hook, &whole)
}

/// A whole question: its fields, the form in which it is recorded (under the hook's name), or the record of a decision
/// that has it as its `question`.
///
/// # Errors
/// In words: it is no whole question at this hook.
pub fn whole(hook: Hook, value: &Value) -> Result<Question, String> {
    if let Some(question) = value.get("question") {
        return match question {
            Value::String(text) => {
                let question: Value =
                    serde_json::from_str(text).map_err(|error| format!("`question` is not JSON: {error}"))?;
                whole(hook, &question)
            }
            question => whole(hook, question),
        };
    }
    for other in Hook::ALL {
        if let Some(fields) = value.get(other.name()) {
            if other != hook {
                return Err(format!("this is a question at `{}`, not at `{}`", other.name(), hook.name()));
            }
            return typed(hook, fields);
        }
    }
    typed(hook, value)
}

/// A whole question, or else a patch over the sample.
///
/// # Errors
/// In words, as for a patch.
pub fn either(hook: Hook, value: &Value) -> Result<Question, String> {
    let names_a_hook = Hook::ALL.iter().any(|hook| value.get(hook.name()).is_some());
    if names_a_hook || value.get("question").is_some() {
        return whole(hook, value);
    }
    whole(hook, value).or_else(|_| patched(hook, value))
}

/// The fields of a question, without the hook's name around them.
///
/// # Errors
/// Never for what this program makes itself.
pub fn inner(hook: Hook, question: &Question) -> Result<Value, String> {
    let mut tagged = serde_json::to_value(question).map_err(|error| error.to_string())?;
    Ok(tagged.get_mut(hook.name()).map(Value::take).unwrap_or_default())
}

/// Facts are seldom wanted whole either.
fn fill_facts(part: &mut Value) {
    if let Some(facts) = part.get_mut("facts").filter(|facts| facts.is_object())
        && let Ok(mut full) = serde_json::to_value(sample::facts())
    {
        patch::merge(&mut full, facts);
        *facts = full;
    }
}

fn typed(hook: Hook, fields: &Value) -> Result<Question, String> {
    let question = match hook {
        Hook::TemplateGroup => Question::TemplateGroup(read(fields)?),
        Hook::ComposeRules => Question::ComposeRules(read(fields)?),
        Hook::Callback => Question::Callback(read(fields)?),
    };
    // What was not taken over is a field that questions do not have.
    match unknown(fields, &inner(hook, &question)?, "") {
        Some(field) => Err(format!(
            "`{field}` is no field of a question at `{}`; `reprise plugin run --sample {}` shows all of them",
            hook.name(),
            hook.name()
        )),
        None => Ok(question),
    }
}

fn read<T: DeserializeOwned>(fields: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(fields).map_err(|error| match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("`{path}`: {}", error.inner()),
    })
}

/// The path of a member that `given` has and `taken` has not. A `null` is the same as no member.
fn unknown(given: &Value, taken: &Value, path: &str) -> Option<String> {
    match (given, taken) {
        (Value::Object(given), Value::Object(taken)) => given.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match taken.get(name) {
                Some(taken) => unknown(value, taken, &path),
                None if value.is_null() => None,
                None => Some(path),
            }
        }),
        (Value::Array(given), Value::Array(taken)) => given
            .iter()
            .zip(taken)
            .enumerate()
            .find_map(|(index, (given, taken))| unknown(given, taken, &format!("{path}[{index}]"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names() {
        assert_eq!(patched(Hook::Callback, &json!({})).unwrap(), sample::question(Hook::Callback));
        let over = json!({"origin": {"stream": {"name": "cam"}}, "part": {"audio": null, "facts": {"cover_ms": 5}}});
        let Question::TemplateGroup(question) = patched(Hook::TemplateGroup, &over).unwrap() else { panic!() };
        assert_eq!((question.origin.stream.name.as_str(), question.origin.stream.app.as_str()), ("cam", "live"));
        assert_eq!(question.part.audio, None);
        let facts = question.part.facts.unwrap();
        assert_eq!((facts.cover_ms, facts.loudness_lufs), (Some(5), Some(-23.0)));
    }

    #[test]
    fn an_element_of_parts_is_a_patch_over_the_sample_part_of_its_position() {
        let over = json!({"parts": [{}, {"gap_ms": 7}, {"video": null}, {}]});
        let Question::ComposeRules(question) = patched(Hook::ComposeRules, &over).unwrap() else { panic!() };
        assert_eq!(question.parts.len(), 4);
        assert_eq!(question.parts[0], sample::part(0));
        assert_eq!(question.parts[1], reprise_lifecycle::question::PartSummary { gap_ms: 7, ..sample::part(1) });
        assert_eq!(question.parts[2].video, None);
        assert_eq!(question.parts[3].index, 3);
    }

    #[test]
    fn what_questions_do_not_have_is_named() {
        let table = [
            (Hook::TemplateGroup, json!({"orgin": {}}), "`orgin` is no field"),
            (Hook::TemplateGroup, json!({"part": {"video": {"hight": 3}}}), "`part.video.hight` is no field"),
            (Hook::TemplateGroup, json!({"part": {"video": {"height": "3"}}}), "`part.video.height`: invalid type"),
            (Hook::TemplateGroup, json!({"part": {"bytes": null}}), "missing field `bytes`"),
            (Hook::ComposeRules, json!({"parts": [{}, {"gap": 1}]}), "`parts[1].gap` is no field"),
            (Hook::Callback, json!([]), "a JSON object"),
        ];
        for (hook, over, part) in table {
            let error = patched(hook, &over).unwrap_err();
            assert!(error.contains(part), "{over}: {error}");
        }
    }

    #[test]
    fn a_recorded_question_is_taken_whole_in_each_of_its_forms() {
        for hook in Hook::ALL {
            let question = sample::question(hook);
            let tagged = serde_json::to_value(&question).unwrap();
            let forms = [
                inner(hook, &question).unwrap(),
                tagged.clone(),
                json!({"hook": hook.name(), "question": tagged}),
                json!({"hook": hook.name(), "question": tagged.to_string()}),
            ];
            for form in forms {
                assert_eq!(whole(hook, &form).unwrap(), question, "{form}");
                assert_eq!(either(hook, &form).unwrap(), question, "{form}");
            }
        }
        let other = serde_json::to_value(sample::question(Hook::Callback)).unwrap();
        let error = either(Hook::TemplateGroup, &other).unwrap_err();
        assert!(error.contains("a question at `callback`"), "{error}");
        // A patch is no whole question, but either will do.
        let over = json!({"default_compose": false});
        assert!(whole(Hook::ComposeRules, &over).is_err());
        assert!(either(Hook::ComposeRules, &over).is_ok());
    }
}
