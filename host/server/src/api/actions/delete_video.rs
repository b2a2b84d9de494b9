//! Deletes videos with all that belongs to them, and names those that do not exist.

use reprise_lifecycle::work::Removal;
use serde_json::json;

use super::shared::removals;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let ids = removals::ids(params)?;
    let (mut forbidden, mut missing) = (Vec::new(), Vec::new());
    for id in &ids {
        match call.store().video(call.tenant(), id).await? {
            None => missing.push(id),
            Some(video) => {
                if !removals::remove(call, &video, Removal::Video).await? {
                    forbidden.push(id);
                }
            }
        }
    }
    if missing.len() == ids.len() {
        return Err((&error::VIDEO_NOT_FOUND).into());
    }
    Ok(fields(json!({
        "ForbiddenVideoIds": forbidden, "NonExistVideoIds": missing, "NonExistReferenceIds": [],
    })))
}
