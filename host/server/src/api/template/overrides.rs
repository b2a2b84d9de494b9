//! `OverrideParams`: what one request changes of a group's templates. Members that are given take the place of the
//! template's, the others stay. What this server does not do is refused by name.

use std::collections::BTreeSet;

use reprise_lifecycle::record::Template;
use serde_json::{Map, Value};

use super::{LIST, MAX_TEMPLATES, invalid, part, rendition, scalar, settings};
use crate::api::error::Error;
use crate::api::names;

const PARAMETER: &str = "OverrideParams";

/// The longest value: every template of a full group with all its parts, and what surrounds them.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// Members that mean something this server does not do.
const NOT_OFFERED: [&str; 3] = ["Watermarks", "SubtitleSetting", "PackageSubtitleSetting"];

/// Parts of a template whose members are changed one by one.
const PARTS: [&str; 3] = ["Video", "Audio", "Clip"];

/// Plain members of a template.
const TEXTS: [&str; 2] = ["Rotate", "TranscodeFileRegular"];

/// Changes `templates` as the request says.
///
/// # Errors
/// Names the member that is wrong, or that is not offered.
pub(crate) fn apply(templates: &mut [Template], text: &str) -> Result<(), Error> {
    let overrides: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| Error::invalid(PARAMETER, "it must be a JSON object"))?;
    for (member, value) in &overrides {
        if member != LIST && !NOT_OFFERED.contains(&member.as_str()) {
            return Err(invalid(PARAMETER, member, "it is not known"));
        }
        if member != LIST && part(value).map_err(|why| invalid(PARAMETER, member, why))?.is_some_and(|part| says(&part))
        {
            return Err(Error::Unsupported(format!("{PARAMETER}.{member} is not offered by this server")));
        }
    }
    let list = overrides.get(LIST).map(part).transpose().map_err(|why| invalid(PARAMETER, LIST, why))?.flatten();
    let list = match list {
        None => return Ok(()),
        Some(Value::Array(list)) if list.len() <= MAX_TEMPLATES => list,
        Some(_) => return Err(invalid(PARAMETER, LIST, format!("it must be an array of at most {MAX_TEMPLATES}"))),
    };
    let mut seen = BTreeSet::new();
    for (number, element) in (1..).zip(list) {
        let place = format!("{PARAMETER}.{LIST}.{number}");
        let Value::Object(element) = element else {
            return Err(Error::invalid(place, "it must be an object"));
        };
        let id = element.get("TranscodeTemplateId").and_then(Value::as_str).unwrap_or_default();
        let template = templates.iter_mut().find(|template| template.id.as_str() == id);
        let template =
            template.ok_or_else(|| invalid(&place, "TranscodeTemplateId", "it must name a template of the group"))?;
        if !seen.insert(id.to_owned()) {
            return Err(invalid(&place, "TranscodeTemplateId", "it is there twice"));
        }
        *template = changed(template, &element, &place)?;
    }
    Ok(())
}

fn changed(template: &Template, element: &Map<String, Value>, place: &str) -> Result<Template, Error> {
    if template.definition == names::ORIGINAL_DEFINITION {
        return Err(invalid(place, "TranscodeTemplateId", "a template that copies its source cannot be changed"));
    }
    let mut settings = settings(template);
    for (member, value) in element {
        if PARTS.contains(&member.as_str()) {
            let given = part(value).map_err(|why| invalid(place, member, why))?;
            let Some(given) = given else { continue };
            let Value::Object(given) = given else {
                return Err(invalid(place, member, "it must be an object"));
            };
            let kept = settings.entry(member.clone()).or_insert_with(|| Value::Object(Map::new()));
            match kept.as_object_mut() {
                Some(kept) => kept.extend(given),
                None => *kept = Value::Object(given),
            }
        } else if TEXTS.contains(&member.as_str()) {
            let text = scalar(value).ok_or_else(|| invalid(place, member, "it must be a string"))?;
            if !text.is_empty() {
                settings.insert(member.clone(), text.into());
            }
        } else if member != "TranscodeTemplateId" {
            return Err(invalid(place, member, "it cannot be changed by a request"));
        }
    }
    let changed = Template { settings: Value::Object(settings).to_string(), ..template.clone() };
    rendition::of(&changed).map_err(|problem| invalid(place, &problem.member, problem.reason))?;
    Ok(changed)
}

/// Whether there is anything in it.
fn says(part: &Value) -> bool {
    match part {
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.values().any(says),
        Value::String(text) => !text.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use reprise_lifecycle::id::TemplateId;
    use serde_json::json;

    use super::*;

    fn group() -> Vec<Template> {
        let template = |id: &str, definition: &str| Template {
            id: TemplateId::new(id),
            name: id.to_owned(),
            definition: definition.to_owned(),
            format: "mp4".to_owned(),
            settings: json!({"Video": {"Codec": "H.264", "Bitrate": "900", "Fps": "25"}, "Audio": {"Codec": "AAC"},
                "Container": {"Format": "mp4"}})
            .to_string(),
        };
        vec![template("a", "SD"), template("b", "HD"), template("od", "OD")]
    }

    #[test]
    fn given_members_take_the_place_of_the_templates() {
        for text in [
            json!({LIST: [{"TranscodeTemplateId": "b", "Video": {"Bitrate": 500, "Height": "720"}, "Rotate": ""}]}),
            json!({LIST: "[{\"TranscodeTemplateId\":\"b\",\"Video\":\"{\\\"Bitrate\\\":\\\"500\\\",\\\"Height\\\":720}\"}]",
                "Watermarks": [], "SubtitleSetting": {"SubtitleList": []}}),
        ] {
            let mut templates = group();
            apply(&mut templates, &text.to_string()).unwrap();
            let shown: Value = serde_json::from_str(&templates[1].settings).unwrap();
            assert_eq!(
                shown["Video"],
                json!({"Codec": "H.264", "Bitrate": "500", "Fps": "25", "Height": "720"}),
                "{text}"
            );
            assert_eq!((&templates[0], &templates[2]), (&group()[0], &group()[2]));
        }
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        let one = |member: &str, value: Value| json!({LIST: [{"TranscodeTemplateId": "a", member: value}]});
        let table = [
            (json!([]), "OverrideParams"),
            (json!({"Other": {}}), "OverrideParams.Other"),
            (json!({"Watermarks": [{"WatermarkId": "w"}]}), "OverrideParams.Watermarks"),
            (json!({"SubtitleSetting": {"SubtitleList": [{"SubtitleUrl": "http://x"}]}}), "SubtitleSetting"),
            (json!({LIST: [{"TranscodeTemplateId": "x"}]}), "1.TranscodeTemplateId"),
            (json!({LIST: [{"TranscodeTemplateId": "od"}]}), "1.TranscodeTemplateId"),
            (json!({LIST: [{"TranscodeTemplateId": "a"}, {"TranscodeTemplateId": "a"}]}), "2.TranscodeTemplateId"),
            (json!({LIST: {}}), "TranscodeTemplateList"),
            (json!({LIST: ["a"]}), "TranscodeTemplateList.1"),
            (one("Video", json!({"Bitrate": "many"})), "1.Video.Bitrate"),
            (one("Video", json!({"Codec": "VP9"})), "1.Video.Codec"),
            (one("Clip", json!({"TimeSpan": {"Seek": "1"}})), "1.Clip"),
            (one("Rotate", json!("90")), "1.Rotate"),
            (one("TranscodeFileRegular", json!("{x}")), "1.TranscodeFileRegular"),
            (one("Container", json!({"Format": "m3u8"})), "1.Container"),
        ];
        for (text, name) in table {
            let mut templates = group();
            let error = apply(&mut templates, &text.to_string()).unwrap_err().to_string();
            assert!(error.contains(name), "{text}: {error}");
        }
    }
}
