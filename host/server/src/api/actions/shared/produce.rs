//! What a production is asked for beside its timeline: `ProduceConfig` and `MediaMetadata`, both JSON in a string.

use serde_json::{Map, Value};

use super::editing::{MAX_DESCRIPTION_BYTES, MAX_TITLE_BYTES, MAX_URL_BYTES};
use crate::api::error::Error;
use crate::api::params::{Params, commas};
use crate::store::editing::VideoWords;

const CONFIG: &str = "ProduceConfig";
const METADATA: &str = "MediaMetadata";

/// Room for every member at its longest, in a script of three bytes a letter and escaped.
const MAX_BYTES: usize = 16 * 1024;
/// The vendor's limits.
const MAX_TAGS: usize = 16;
const MAX_TAG_BYTES: usize = 32;
/// Encoders take sides in this range; the sum of pixels is checked with the timeline.
const SIDES: std::ops::RangeInclusive<u32> = 16..=4096;
const MAX_ID_BYTES: usize = 64;

/// How the video is made.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// The template group that it is processed with afterwards.
    pub(crate) group: Option<String>,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
}

/// What is said of the video.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) words: VideoWords,
}

impl Config {
    pub(crate) fn read(params: &Params) -> Result<Self, Error> {
        let Some(object) = Object::read(params, CONFIG)? else { return Ok(Self::default()) };
        if object.text("TemplateId", MAX_ID_BYTES)?.is_some() {
            return Err(Error::Unsupported(format!("{CONFIG}.TemplateId: there are no production presets")));
        }
        Ok(Self {
            group: object.text("TemplateGroupId", MAX_ID_BYTES)?,
            width: object.side("Width")?,
            height: object.side("Height")?,
        })
    }
}

pub(crate) fn metadata(params: &Params) -> Result<Metadata, Error> {
    let Some(object) = Object::read(params, METADATA)? else { return Ok(Metadata::default()) };
    let tags = object.text("Tags", MAX_TAGS * (MAX_TAG_BYTES + 1))?.unwrap_or_default();
    let tags = commas(&tags);
    if tags.len() > MAX_TAGS || tags.iter().any(|tag| tag.len() > MAX_TAG_BYTES) {
        let reason = format!("it must be at most {MAX_TAGS} tags of at most {MAX_TAG_BYTES} bytes");
        return Err(object.invalid("Tags", reason));
    }
    let cate_id = match object.text("CateId", MAX_ID_BYTES)? {
        None => 0,
        Some(id) => id.parse().map_err(|_| object.invalid("CateId", "it must be a whole number".to_owned()))?,
    };
    Ok(Metadata {
        title: object.text("Title", MAX_TITLE_BYTES)?,
        description: object.text("Description", MAX_DESCRIPTION_BYTES)?,
        words: VideoWords { tags: tags.join(","), cate_id, cover_url: object.text("CoverURL", MAX_URL_BYTES)? },
    })
}

/// One JSON object in a parameter.
struct Object {
    name: &'static str,
    members: Map<String, Value>,
}

impl Object {
    fn read(params: &Params, name: &'static str) -> Result<Option<Self>, Error> {
        let Some(text) = params.text(name, MAX_BYTES)? else { return Ok(None) };
        let members = serde_json::from_str(text).map_err(|_| Error::invalid(name, "it must be a JSON object"))?;
        Ok(Some(Self { name, members }))
    }

    fn invalid(&self, member: &str, reason: String) -> Error {
        Error::invalid(format!("{}.{member}", self.name), reason)
    }

    /// A scalar as a text; empty, it is absent.
    fn text(&self, member: &str, most: usize) -> Result<Option<String>, Error> {
        let text = match self.members.get(member) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            Some(_) => return Err(self.invalid(member, "it must be a string".to_owned())),
        };
        if text.len() > most {
            return Err(self.invalid(member, format!("it must be at most {most} bytes")));
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn side(&self, member: &str) -> Result<Option<u32>, Error> {
        let Some(text) = self.text(member, MAX_ID_BYTES)? else { return Ok(None) };
        let side = text.parse().ok().filter(|side| SIDES.contains(side));
        side.map(Some).ok_or_else(|| {
            self.invalid(member, format!("it must be a whole number between {} and {}", SIDES.start(), SIDES.end()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::Product;
    use crate::api::params::of;

    #[test]
    fn numbers_may_be_strings_and_limits_are_the_vendors() {
        let config = |text| Config::read(&of(Product::Vod, &[(CONFIG, text)]));
        let read = config(r#"{"TemplateGroupId":"g","Width":"640","Height":360,"StorageLocation":"x"}"#).unwrap();
        assert_eq!(read, Config { group: Some("g".to_owned()), width: Some(640), height: Some(360) });
        assert_eq!(config("{}").unwrap(), Config::default());
        for (text, code) in [
            (r#"{"Width":8}"#, "InvalidParameter"),
            (r#"{"Height":"tall"}"#, "InvalidParameter"),
            (r#"[]"#, "InvalidParameter"),
            (r#"{"TemplateId":"t"}"#, "UnsupportedOperation"),
        ] {
            assert_eq!(config(text).unwrap_err().code(), code, "{text}");
        }
        let metadata = |text: &str| metadata(&of(Product::Vod, &[(METADATA, text)]));
        let words = VideoWords { tags: "a,b".to_owned(), cate_id: 7, cover_url: None };
        let read = metadata(r#"{"Title":"t","CateId":"7","Tags":"a, b"}"#).unwrap();
        assert_eq!(read, Metadata { title: Some("t".to_owned()), description: None, words });
        let (title, tag) = ("x".repeat(129), "x".repeat(33));
        let tags = ["t"; 17].join(",");
        for text in [
            format!(r#"{{"Title":"{title}"}}"#),
            format!(r#"{{"Tags":"{tag}"}}"#),
            format!(r#"{{"Tags":"{tags}"}}"#),
            r#"{"CateId":"x"}"#.to_owned(),
            r#"{"Title":["x"]}"#.to_owned(),
        ] {
            assert_eq!(metadata(&text).unwrap_err().code(), "InvalidParameter", "{text}");
        }
    }
}
