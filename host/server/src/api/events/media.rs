//! Events that come from a request and not from a record.

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::time::Timestamp;
use serde_json::{Map, Value, json};

use super::time;

/// The type of [`media_base_changed`].
pub(crate) const MEDIA_BASE_CHANGED: &str = "MediaBaseChangeComplete";

/// What is said of a video was changed. `content` has the changed fields, each a JSON text of its old and new value.
pub(crate) fn media_base_changed(video: &VideoId, content: Map<String, Value>, at: Timestamp) -> Value {
    json!({
        "EventTime": time(at),
        "EventType": MEDIA_BASE_CHANGED,
        "Status": "success",
        "MediaType": "video",
        "MediaId": video.as_str(),
        "OperateMode": "update",
        "MediaContent": content,
    })
}
