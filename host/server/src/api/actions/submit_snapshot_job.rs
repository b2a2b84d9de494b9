//! Asks for pictures of a video: a series, sprite sheets, or what a template says. The pictures of the newest job of a
//! kind are the ones that are listed.
//!
//! Of `Count` and `Interval` one must be given, unless the points are named (`SpecifiedOffsetTimes`, or the one of
//! `SpecifiedOffsetTime`). With only `Count` the pictures are a second apart. With only `Interval` they go on to the end
//! of the video, a thousand at most: the reference gives `Count` the default 1 and lets the smaller number win, but then
//! an interval alone would never mean anything.

use reprise_lifecycle::id::{BroadcastId, JobId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::work::PicturesPlan;
use serde_json::json;

use super::shared::groups::new_id;
use super::shared::{picture_templates, requests, videos};
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, pictures};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    params.required("VideoId")?;
    let request = requests::request(call, params)?;
    let wanted = match params.get("SnapshotTemplateId") {
        Some(id) => pictures::of_template(&picture_templates::find(call, id).await?.config)?,
        None => pictures::of_params(params)?,
    };
    let video = videos::named(call, params).await?;
    requests::check_status(&video.status)?;
    let settings = serde_json::to_string(&wanted.settings).map_err(|error| Error::Internal(Box::new(error)))?;
    let job = new_id();
    let input = Input::PicturesAsked {
        video: VideoId::new(video.id),
        job: JobId::new(job.clone()),
        plan: PicturesPlan { kind: wanted.kind, settings },
        request,
    };
    call.driver().submit(&BroadcastId::new(video.broadcast), input).await.map_err(requests::refused)?;
    Ok(fields(json!({ "SnapshotJob": { "JobId": job } })))
}
