//! Takes a video's fingerprint out of the tenant's library: no later one is compared with it. It is done when this
//! answers; its file goes with the next fingerprint that is made.

use serde_json::json;

use super::shared::ai::media;
use super::shared::groups::new_id;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let video = media(call, params).await?;
    call.store().forget_fingerprints(call.tenant(), &video.id).await?;
    Ok(fields(json!({ "JobId": new_id() })))
}
