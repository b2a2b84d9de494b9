//! Shows several videos and names those that do not exist.

use serde_json::json;

use super::shared::links::{Links, Wishes};
use super::shared::videos::{self, Pictures};
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

/// The vendor's limit of videos in one request.
const MAX_IDS: usize = 20;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    params.required("VideoIds")?;
    let ids = params.commas("VideoIds");
    if ids.len() > MAX_IDS {
        return Err((&error::VIDEO_IDS_EXCEEDED).into());
    }
    let links = Links::new(call, Wishes::default()).await?;
    let (mut shown, mut missing) = (Vec::new(), Vec::new());
    for id in ids {
        match call.store().video(call.tenant(), id).await? {
            Some(video) => shown.push(videos::full(call, &video, &links, Pictures::Plain).await?),
            None => missing.push(id),
        }
    }
    if shown.is_empty() {
        return Err((&error::VIDEO_NOT_FOUND).into());
    }
    Ok(fields(json!({ "VideoList": shown, "NonExistVideoIds": missing, "NonExistReferenceIds": [] })))
}
