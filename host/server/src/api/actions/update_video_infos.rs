//! Changes what is said of several videos, each in its own way, and names those that do not exist.

use serde_json::{Map, Value, json};

use super::shared::info;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

/// The vendor's limit of videos in one request.
const MAX_VIDEOS: usize = 20;

const CONTENT: &str = "UpdateContent";

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let content: Vec<Map<String, Value>> = serde_json::from_str(params.required(CONTENT)?)
        .map_err(|error| Error::invalid(CONTENT, format!("it must be a JSON list of objects: {error}")))?;
    if content.len() > MAX_VIDEOS {
        return Err((&error::COUNT_EXCEEDED).into());
    }
    // All is judged before anything is changed: a request that is wrong in its last member does nothing.
    let changes = content.iter().map(|member| {
        let id = text(member, "VideoId").ok_or_else(|| Error::missing(error::Product::Vod, "VideoId"))?;
        Ok((id, info::change(|name| text(member, name))?))
    });
    let changes = changes.collect::<Result<Vec<_>, Error>>()?;
    let mut missing = Vec::new();
    for (id, change) in &changes {
        if !info::apply(call, id, change).await? {
            missing.push(id);
        }
    }
    Ok(fields(json!({ "NonExistVideoIds": missing, "ForbiddenVideoIds": [] })))
}

/// A member's value as the text it would be as a parameter.
fn text(member: &Map<String, Value>, name: &str) -> Option<String> {
    match member.get(name)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}
