//! Events about what is said of a video.

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::time::Timestamp;
use serde_json::{Map, Value, json};

use super::time;
use crate::store::videos::VideoRow;

/// The type of [`media_base_changed`].
pub(crate) const MEDIA_BASE_CHANGED: &str = "MediaBaseChangeComplete";

/// What is said of a video was changed. `content` has the changed fields, each a JSON text of its old and new value.
pub(crate) fn media_base_changed(video: &VideoId, content: Map<String, Value>, at: Timestamp) -> Value {
    body(video.as_str(), "update", content, at)
}

/// A video is gone, and what was said of it.
pub(crate) fn media_base_removed(video: &VideoRow, at: Timestamp) -> Value {
    let said = [
        ("Title", Some(Value::from(video.title.as_str()))),
        ("Description", Some(video.description.as_str().into())),
        ("CoverURL", video.cover_url.as_deref().map(Value::from)),
        ("CateId", Some(video.cate_id.into())),
        ("Tags", Some(video.tags.as_str().into())),
    ];
    let content = said.into_iter().filter_map(|(name, old)| {
        let value = json!({ "OldValue": old? });
        Some((name.to_owned(), value.to_string().into()))
    });
    body(&video.id, "delete", content.collect(), at)
}

fn body(video: &str, mode: &str, content: Map<String, Value>, at: Timestamp) -> Value {
    json!({
        "EventTime": time(at),
        "EventType": MEDIA_BASE_CHANGED,
        "Status": "success",
        "MediaType": "video",
        "MediaId": video,
        "OperateMode": mode,
        "MediaContent": content,
    })
}
