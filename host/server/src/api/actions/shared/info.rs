//! What a tenant says of a video, as two actions read it, and the event that tells of the change.

use reprise_lifecycle::id::VideoId;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::api::error::Error;
use crate::api::params::commas;
use crate::api::{Call, events};
use crate::store::video_info::{ChangeEvent, InfoChange, VideoInfo};

/// The vendor's limits, in bytes.
const MAX_TITLE: usize = 128;
const MAX_DESCRIPTION: usize = 1024;
const MAX_TAGS: usize = 16;
const MAX_TAG: usize = 32;

/// A URL that browsers and proxies still take.
const MAX_URL: usize = 2048;

/// What is kept for the tenant and never looked at.
const MAX_USER_DATA: usize = 4096;

/// The change that parameters, or members of an object, of these names ask for.
pub(crate) fn change(get: impl Fn(&str) -> Option<String>) -> Result<InfoChange, Error> {
    let text = |name: &str, most: usize| match get(name) {
        Some(text) if text.len() > most => Err(Error::invalid(name, format!("it must be at most {most} bytes"))),
        other => Ok(other),
    };
    let tags = get("Tags").map(|tags| read_tags(&tags)).transpose()?;
    let cate_id = get("CateId").map(|id| id.parse().map_err(|_| Error::invalid("CateId", "it must be a whole number")));
    let cover_url = text("CoverURL", MAX_URL)?;
    let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if !cover_url.as_ref().is_none_or(is_url) {
        return Err(Error::invalid("CoverURL", "it must begin with http:// or https://"));
    }
    Ok(InfoChange {
        title: text("Title", MAX_TITLE)?,
        description: text("Description", MAX_DESCRIPTION)?,
        tags,
        cate_id: cate_id.transpose()?,
        cover_url,
        user_data: text("UserData", MAX_USER_DATA)?,
    })
}

fn read_tags(text: &str) -> Result<String, Error> {
    let tags = commas(text);
    if tags.len() > MAX_TAGS || tags.iter().any(|tag| tag.len() > MAX_TAG) {
        return Err(Error::invalid("Tags", format!("it must be at most {MAX_TAGS} tags of at most {MAX_TAG} bytes")));
    }
    Ok(tags.join(","))
}

/// Makes the change and tells of it. Says whether the tenant has such a video.
pub(crate) async fn apply(call: &Call<'_>, id: &str, change: &InfoChange) -> Result<bool, Error> {
    let Some(row) = call.store().video(call.tenant(), id).await? else { return Ok(false) };
    let shape = call.context.outbox.shapes(call.tenant(), &row);
    let video = VideoId::new(id);
    let event = |before: &VideoInfo| ChangeEvent {
        id: format!("evt_{}", Uuid::new_v4().simple()),
        kind: events::MEDIA_BASE_CHANGED,
        body: events::media_base_changed(&video, content(before, change), call.now).to_string(),
    };
    let done = call.store().change_video_info(call.tenant(), &video, change, event, shape, call.now).await?;
    if done {
        call.context.outbox.ring();
    }
    Ok(done)
}

/// Each given field with what it was and what it is, as a JSON text of its own.
fn content(before: &VideoInfo, change: &InfoChange) -> Map<String, Value> {
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let fields = [
        ("Title", Some(before.title.clone().into()), text(&change.title)),
        ("Description", Some(before.description.clone().into()), text(&change.description)),
        ("CoverURL", text(&before.cover_url), text(&change.cover_url)),
        ("CateId", Some(before.cate_id.into()), change.cate_id.map(Value::from)),
        ("Tags", Some(before.tags.clone().into()), text(&change.tags)),
    ];
    let changed = fields.into_iter().filter_map(|(name, old, new)| {
        let value = json!({ "OldValue": old.unwrap_or_else(|| "".into()), "NewValue": new? });
        Some((name.to_owned(), value.to_string().into()))
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<InfoChange, Error> {
        change(|name| pairs.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn only_given_fields_change() {
        let change = of(&[("Title", "Final"), ("Tags", "a, b,,c"), ("CateId", "7")]).unwrap();
        assert_eq!(
            change,
            InfoChange {
                title: Some("Final".to_owned()),
                tags: Some("a,b,c".to_owned()),
                cate_id: Some(7),
                ..InfoChange::default()
            }
        );
        let before = VideoInfo { title: "cam01".to_owned(), tags: "x".to_owned(), ..VideoInfo::default() };
        assert_eq!(
            Value::Object(content(&before, &change)),
            json!({
                "Title": "{\"NewValue\":\"Final\",\"OldValue\":\"cam01\"}",
                "CateId": "{\"NewValue\":7,\"OldValue\":0}",
                "Tags": "{\"NewValue\":\"a,b,c\",\"OldValue\":\"x\"}",
            })
        );
    }

    #[test]
    fn limits_are_the_vendors() {
        let (long, many, wide) = ("x".repeat(129), vec!["a"; 17].join(","), "a".repeat(33));
        for pair in [
            ("Title", long.as_str()),
            ("Tags", &many),
            ("Tags", &wide),
            ("CateId", "seven"),
            ("CoverURL", "ftp://h/a.jpg"),
            ("CoverURL", "javascript:alert(1)"),
        ] {
            assert_eq!(of(&[pair]).unwrap_err().code(), "InvalidParameter", "{pair:?}");
        }
        of(&[("Title", &long[1..])]).unwrap();
    }
}
