//! Deletes streams of a video, named by their jobs: renditions, and the stream that is the source itself.

use reprise_lifecycle::id::{JobId, VideoId};
use reprise_lifecycle::work::Removal;

use super::shared::{removals, videos};
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::Answer;

/// The vendor's limit of streams in one request.
const MAX_JOBS: usize = 20;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    params.required("VideoId")?;
    params.required("JobIds")?;
    let wanted = params.commas("JobIds");
    if wanted.len() > MAX_JOBS {
        return Err((&error::JOB_IDS_EXCEEDED).into());
    }
    let video = videos::named(call, params).await?;
    let known = call.store().jobs_of_video(call.tenant(), &video.id).await?;
    let source = JobId::of_source(&VideoId::new(video.id.clone()));
    let is_stream = |id: &&str| known.iter().any(|job| job.id == **id && job.output.is_some());
    let streams: Vec<JobId> = wanted.iter().filter(|id| is_stream(id)).map(|id| JobId::new(*id)).collect();
    let with_source = wanted.contains(&source.as_str()) && !video.source_deleted;
    if streams.is_empty() && !with_source {
        return Err((&error::STREAM_NOT_FOUND).into());
    }
    let mut fits = true;
    if !streams.is_empty() {
        fits &= removals::remove(call, &video, Removal::Streams(streams)).await?;
    }
    if with_source {
        fits &= removals::remove(call, &video, Removal::Source).await?;
    }
    if fits { Ok(Answer::new()) } else { Err((&error::ILLEGAL_STATUS).into()) }
}
