//! Transcodes a video that is there with a template group: one job for each template. Beyond what the vendor allows, a
//! video of which every stream failed can be transcoded again, since nothing else mends it: there are no uploads here.

use reprise_lifecycle::id::{BroadcastId, GroupId, JobId, TaskId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::TaskPlan;
use reprise_lifecycle::work::Request;
use serde_json::{Value, json};

use super::shared::groups::{self, new_id};
use super::shared::{requests, videos};
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::template::overrides;
use crate::store::videos::VideoRow;

/// The vendor's limit of a session's name.
const MAX_SESSION_BYTES: usize = 50;

/// A video's status word when every stream failed.
const FAILED: &str = "failed";

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    if params.get("VideoId").is_none() && params.get("ReferenceId").is_some() {
        return Err(Error::Unsupported("ReferenceId: videos of this server have none; name the VideoId".to_owned()));
    }
    if params.get("EncryptConfig").is_some() {
        return Err(Error::Unsupported("EncryptConfig: this server does not encrypt renditions".to_owned()));
    }
    let session = session(params)?;
    let request = requests::request(call, params)?;
    let video = videos::named(call, params).await?;
    let task = TaskId::new(new_id());
    // Before anything else: who sends a request twice is to learn so, whatever became of the video by the first one.
    if let Some(session) = session
        && !call.store().take_session(call.tenant(), session, &task, call.now).await?
    {
        return Err((&error::SESSION_REPEATED).into());
    }
    let submitted = submit(call, params, &video, &task, request).await;
    if let Some(session) = session {
        call.store().end_session(call.tenant(), session, &task, submitted.is_ok()).await?;
    }
    let jobs = submitted?;
    Ok(fields(json!({ "TranscodeTaskId": task.as_str(), "TranscodeJobs": { "TranscodeJob": jobs } })))
}

/// Opens the task. Gives its jobs.
async fn submit(
    call: &Call<'_>,
    params: &Params,
    video: &VideoRow,
    task: &TaskId,
    request: Request,
) -> Result<Vec<Value>, Error> {
    if video.status != FAILED {
        requests::check_status(&video.status)?;
    }
    let plan = plan(call, params, video).await?;
    let jobs = (0..)
        .zip(&plan.templates)
        .map(|(ordinal, _)| json!({ "JobId": JobId::derived(task, ordinal).as_str() }))
        .collect();
    let input = Input::TaskAsked { video: VideoId::new(&video.id), task: task.clone(), plan, request };
    call.driver().submit(&BroadcastId::new(&video.broadcast), input).await.map_err(requests::refused)?;
    Ok(jobs)
}

/// What is to be done: the group's templates as they are now, with this request's changes.
async fn plan(call: &Call<'_>, params: &Params, video: &VideoRow) -> Result<TaskPlan, Error> {
    let group = GroupId::new(params.required("TemplateGroupId")?);
    groups::check_exists(call, &group).await?;
    let mut templates = groups::templates(call, group.as_str()).await?;
    if templates.is_empty() {
        return Err(Error::invalid("TemplateGroupId", "the group has no template, so there is nothing to transcode"));
    }
    if let Some(text) = params.text("OverrideParams", overrides::MAX_BYTES)? {
        overrides::apply(&mut templates, text)?;
    }
    let cover = video.facts()?.is_some_and(|facts| facts.video.is_some());
    Ok(TaskPlan { group, templates, cover })
}

fn session(params: &Params) -> Result<Option<&str>, Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match params.text("SessionId", MAX_SESSION_BYTES)? {
        Some(session) if !session.bytes().all(plain) => {
            Err(Error::invalid("SessionId", "it may hold letters, digits, '-' and '_'"))
        }
        other => Ok(other),
    }
}
