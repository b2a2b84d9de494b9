//! The vendor's `TranscodeTemplateList`: read from what clients send, kept in one form, shown as `Get…` shows it.
//!
//! Clients send parts as nested objects or as strings of JSON, numbers as numbers or strings, switches as booleans
//! or strings. Kept is one JSON object with the vendor's members, parts as objects and every scalar as a string; it
//! is what a [`Template`] carries as its settings. [`rendition`] says what it means for an encode, and a template
//! that cannot be encoded is refused when it is added rather than when a broadcast waits for it.

pub(crate) mod overrides;
pub mod rendition;

use reprise_lifecycle::id::TemplateId;
use reprise_lifecycle::record::Template;
use serde_json::{Map, Value, json};

use super::error::{self, Error};
use super::names;

/// The vendor's limit of templates in a group.
pub const MAX_TEMPLATES: usize = 20;

/// The vendor's limit of a group's name; a template's is not documented and gets the same.
pub const MAX_NAME_BYTES: usize = 128;

/// The parameter that carries the list.
pub(crate) const LIST: &str = "TranscodeTemplateList";

/// Members that hold objects, and are strings of JSON in `Get…`.
const PARTS: [&str; 11] = [
    "Video",
    "Audio",
    "Container",
    "MuxConfig",
    "TransConfig",
    "Clip",
    "PackageSetting",
    "EncryptSetting",
    "SubtitleList",
    "CopyrightMark",
    "TraceMark",
];

/// Members that are plain strings.
const TEXTS: [&str; 3] = ["Type", "Rotate", "TranscodeFileRegular"];

/// A member's text may be JSON of any size as far as the envelope goes; templates are small.
const MAX_PART_BYTES: usize = 16 * 1024;

/// One element of the list as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The parameter's name and the element's number, for errors.
    place: String,
    pub(crate) id: Option<String>,
    name: Option<String>,
    definition: Option<String>,
    settings: Map<String, Value>,
}

/// Reads the list.
///
/// # Errors
/// Names the element and member that is wrong.
pub(crate) fn read_list(text: &str) -> Result<Vec<Given>, Error> {
    let wrong = || Error::invalid(LIST, "it must be a JSON array of objects");
    let list: Vec<Map<String, Value>> = serde_json::from_str(text).map_err(|_| wrong())?;
    if list.len() > MAX_TEMPLATES {
        return Err((&error::TEMPLATES_EXCEEDED).into());
    }
    (1..).zip(list).map(|(number, element)| Given::read(format!("{LIST}.{number}"), element)).collect()
}

impl Given {
    fn read(place: String, mut element: Map<String, Value>) -> Result<Self, Error> {
        let mut text = |member: &str| match element.remove(member) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match scalar(&value) {
                Some(text) if text.len() <= MAX_NAME_BYTES => Ok(Some(text).filter(|text| !text.is_empty())),
                Some(_) => Err(invalid(&place, member, format!("it must be at most {MAX_NAME_BYTES} bytes"))),
                None => Err(invalid(&place, member, "it must be a string")),
            },
        };
        let (id, name, definition) = (text("TranscodeTemplateId")?, text("TemplateName")?, text("Definition")?);
        let mut settings = Map::new();
        for member in TEXTS {
            if let Some(text) = text(member)? {
                settings.insert(member.to_owned(), text.into());
            }
        }
        for member in PARTS.into_iter().chain(["WatermarkIds"]) {
            let Some(value) = element.remove(member) else {
                continue;
            };
            if let Some(part) = part(&value).map_err(|reason| invalid(&place, member, reason))? {
                settings.insert(member.to_owned(), part);
            }
        }
        Ok(Self { place, id, name, definition, settings })
    }

    /// A new template with this id.
    ///
    /// # Errors
    /// Names the member that is missing or wrong.
    pub(crate) fn into_new(self, id: TemplateId) -> Result<Template, Error> {
        let missing = |member: &str| invalid(&self.place, member, "it is mandatory");
        let name = self.name.clone().ok_or_else(|| missing("TemplateName"))?;
        let definition = self.definition.clone().ok_or_else(|| missing("Definition"))?;
        let definition = names::template_definition(&definition)
            .ok_or_else(|| invalid(&self.place, "Definition", "it must be LD, SD, HD, FHD, 2K, 4K, OD, SQ or HQ"))?;
        self.finish(id, name, definition.to_owned())
    }

    /// `old` with what was sent in place of what it had. Whole members are exchanged, as at the vendor's.
    ///
    /// # Errors
    /// Names the member that is wrong or cannot be changed.
    pub(crate) fn into_changed(mut self, old: &Template) -> Result<Template, Error> {
        if self.definition.as_deref().is_some_and(|new| !new.eq_ignore_ascii_case(&old.definition)) {
            return Err(invalid(&self.place, "Definition", "it cannot be changed"));
        }
        let mut settings = settings(old);
        settings.append(&mut self.settings);
        self.settings = settings;
        let name = self.name.clone().unwrap_or_else(|| old.name.clone());
        self.finish(old.id.clone(), name, old.definition.clone())
    }

    fn finish(self, id: TemplateId, name: String, definition: String) -> Result<Template, Error> {
        let mut template = Template {
            id,
            name,
            definition,
            format: String::new(),
            settings: Value::Object(self.settings).to_string(),
        };
        let rendition =
            rendition::of(&template).map_err(|problem| invalid(&self.place, &problem.member, problem.reason))?;
        template.format = rendition::format_name(&rendition.container).to_owned();
        Ok(template)
    }
}

/// A template as `GetTranscodeTemplateGroup` shows it: parts as strings of JSON, watermarks as a list.
pub(crate) fn show(template: &Template) -> Value {
    let mut shown = Map::new();
    shown.insert("TranscodeTemplateId".to_owned(), template.id.as_str().into());
    shown.insert("TemplateName".to_owned(), template.name.as_str().into());
    shown.insert("Definition".to_owned(), template.definition.as_str().into());
    shown.insert("Type".to_owned(), "Normal".into());
    shown.insert("WatermarkIds".to_owned(), json!([]));
    for (member, value) in settings(template) {
        let value = if PARTS.contains(&member.as_str()) { value.to_string().into() } else { value };
        shown.insert(member, value);
    }
    Value::Object(shown)
}

/// What a template carries. Written by [`Given::finish`], so it is an object; anything else shows as nothing.
fn settings(template: &Template) -> Map<String, Value> {
    serde_json::from_str(&template.settings).unwrap_or_default()
}

fn invalid(place: &str, member: &str, reason: impl Into<String>) -> Error {
    Error::invalid(format!("{place}.{member}"), reason)
}

/// A part in the kept form. `None` for one that says nothing.
fn part(value: &Value) -> Result<Option<Value>, &'static str> {
    let parsed;
    let value = match value {
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => {
            parsed =
                serde_json::from_str(text).map_err(|_| "it must be an object or a string that holds one as JSON")?;
            &parsed
        }
        other => other,
    };
    let kept = match value {
        Value::Null => return Ok(None),
        Value::Object(_) | Value::Array(_) => plain(value),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err("it must be an object or a string that holds one as JSON");
        }
    };
    if kept.to_string().len() > MAX_PART_BYTES {
        return Err("it is too large");
    }
    Ok(Some(kept))
}

/// Every scalar as a string; `null` is left out.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), plain(value))).collect())
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        scalar => self::scalar(scalar).map_or(Value::Null, Value::String),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(json: &str) -> Result<Template, Error> {
        let list = read_list(&format!("[{json}]"))?;
        list.into_iter().next().unwrap().into_new(TemplateId::new("0a1b2c3d4e5f60718293a4b5c6d7e8f9"))
    }

    const NESTED: &str = r#"{"TemplateName":"hls-sd","Definition":"SD","Container":{"Format":"m3u8"},
        "Video":{"Codec":"H.264","Bitrate":"900","Width":960,"Fps":25,"Remove":false},
        "Audio":{"Codec":"AAC","Bitrate":64,"Samplerate":"44100","Remove":"false"},
        "MuxConfig":{"Segment":{"Duration":"6"}},"Unknown":1,"Rotate":""}"#;

    const STRINGS: &str = r#"{"TemplateName":"hls-sd","Definition":"sd","Container":"{\"Format\":\"m3u8\"}",
        "Video":"{\"Codec\":\"H.264\",\"Bitrate\":900,\"Width\":\"960\",\"Fps\":\"25\",\"Remove\":\"false\"}",
        "Audio":"{\"Codec\":\"AAC\",\"Bitrate\":\"64\",\"Samplerate\":44100,\"Remove\":false}",
        "MuxConfig":"{\"Segment\":{\"Duration\":6}}"}"#;

    #[test]
    fn all_spellings_are_kept_as_one() {
        let nested = one(NESTED).unwrap();
        assert_eq!(nested, one(STRINGS).unwrap());
        assert_eq!((nested.definition.as_str(), nested.format.as_str()), ("SD", "m3u8"));
        assert_eq!(
            show(&nested),
            json!({
                "TranscodeTemplateId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
                "TemplateName": "hls-sd", "Type": "Normal", "Definition": "SD",
                "Video": "{\"Bitrate\":\"900\",\"Codec\":\"H.264\",\"Fps\":\"25\",\"Remove\":\"false\",\"Width\":\"960\"}",
                "Audio": "{\"Bitrate\":\"64\",\"Codec\":\"AAC\",\"Remove\":\"false\",\"Samplerate\":\"44100\"}",
                "Container": "{\"Format\":\"m3u8\"}",
                "MuxConfig": "{\"Segment\":{\"Duration\":\"6\"}}",
                "WatermarkIds": []
            })
        );
    }

    #[test]
    fn a_change_exchanges_whole_members() {
        let old = one(NESTED).unwrap();
        let change = |json: &str| read_list(&format!("[{json}]")).unwrap().remove(0).into_changed(&old);
        let new = change(r#"{"TranscodeTemplateId":"x","Video":{"Codec":"H.265"},"TemplateName":"other"}"#).unwrap();
        assert_eq!((new.id.as_str(), new.name.as_str()), (old.id.as_str(), "other"));
        assert_eq!(show(&new)["Video"], "{\"Codec\":\"H.265\"}");
        assert_eq!(show(&new)["Audio"], show(&old)["Audio"]);
        assert!(change(r#"{"Definition":"SD"}"#).is_ok());
        let refused = change(r#"{"Definition":"HD"}"#).unwrap_err().to_string();
        assert!(refused.contains("\"TranscodeTemplateList.1.Definition\""), "{refused}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            ("{}", "TemplateName"),
            (r#"{"TemplateName":"x"}"#, "Definition"),
            (r#"{"TemplateName":"x","Definition":"UHD"}"#, "Definition"),
            (r#"{"TemplateName":"x","Definition":"SD"}"#, "Container"),
            (r#"{"TemplateName":["x"],"Definition":"SD"}"#, "TemplateName"),
            (r#"{"TemplateName":"x","Definition":"SD","Video":"no json"}"#, "Video"),
            (r#"{"TemplateName":"x","Definition":"SD","Video":7}"#, "Video"),
        ];
        for (json, member) in table {
            let text = one(json).unwrap_err().to_string();
            assert!(text.contains(&format!("\"TranscodeTemplateList.1.{member}\"")), "{json}: {text}");
        }
        assert_eq!(one("7").unwrap_err().code(), "InvalidParameter");
        let many = vec!["{}"; MAX_TEMPLATES + 1].join(",");
        assert_eq!(read_list(&format!("[{many}]")).unwrap_err().code(), "TranscodeTemplateExceededMax");
    }
}
