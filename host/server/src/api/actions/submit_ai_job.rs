//! Asks what else of the tenant's shows the same as a video.

use reprise_lifecycle::id::{BroadcastId, JobId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::work::AnalysisKind;
use serde::de::IgnoredAny;
use serde_json::json;

use super::shared::ai::{FINGERPRINT, media, unavailable};
use super::shared::groups::new_id;
use super::shared::requests;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

/// Longer than any documented configuration.
const MAX_CONFIG_BYTES: usize = 4096;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    params.required("MediaId")?;
    // Without types it is the one there is.
    if let Some(other) = params.commas("Types").into_iter().find(|kind| *kind != FINGERPRINT) {
        return Err(unavailable(other));
    }
    // Of a fingerprint, the configuration names a library, and each tenant has one.
    if let Some(config) = params.text("Config", MAX_CONFIG_BYTES)? {
        let read = serde_json::from_str::<IgnoredAny>(config);
        read.map_err(|error| Error::invalid("Config", format!("it must be JSON: {error}")))?;
    }
    let request = requests::request(call, params)?;
    let video = media(call, params).await?;
    requests::check_status(&video.status)?;
    let job = new_id();
    let input = Input::AnalysisAsked {
        video: VideoId::new(&video.id),
        job: JobId::new(&job),
        kind: AnalysisKind::Fingerprint,
        request,
    };
    call.driver().submit(&BroadcastId::new(video.broadcast), input).await.map_err(requests::refused)?;
    let shown = json!({ "JobId": job, "MediaId": video.id, "Type": FINGERPRINT });
    Ok(fields(json!({ "AIJobList": { "AIJob": [shown] } })))
}
