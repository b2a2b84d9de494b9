//! Deletes the sources of videos; what was made of them stays and plays. A source that is itself what plays is only
//! deleted with force.

use reprise_lifecycle::id::NO_TRANSCODE;
use reprise_lifecycle::work::Removal;
use serde_json::json;

use super::shared::removals;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::store::videos::VideoRow;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let force = params.boolean("Force", false)?;
    let (mut kept, mut missing) = (Vec::new(), Vec::new());
    for id in removals::ids(params)? {
        match call.store().video(call.tenant(), id).await? {
            None => missing.push(id),
            Some(video) => {
                let removable = force || !plays_as_source(&video);
                if !removable || !removals::remove(call, &video, Removal::Source).await? {
                    kept.push(id);
                }
            }
        }
    }
    Ok(fields(json!({
        "NonExistVideoIds": missing, "UnRemoveableVideoIds": kept, "NonExistReferenceIds": [],
    })))
}

/// Whether the source is itself a stream that viewers get.
fn plays_as_source(video: &VideoRow) -> bool {
    video.group_id.as_deref() == Some(NO_TRANSCODE)
}
