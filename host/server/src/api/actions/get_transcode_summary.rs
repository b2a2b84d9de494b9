//! Shows the newest transcode task of each of several videos, in short.

use serde_json::{Value, json};

use super::shared::links::{Links, Wishes};
use super::shared::tasks;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::jobs::progress::Progress;
use crate::store::videos::{JobRow, TaskRow};

/// The vendor's limit of videos in one request.
const MAX_IDS: usize = 10;

/// What the summary says of a job.
const MEMBERS: [&str; 7] = [
    "TranscodeTemplateId",
    "TranscodeJobStatus",
    "TranscodeProgress",
    "CreationTime",
    "CompleteTime",
    "ErrorCode",
    "ErrorMessage",
];

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    params.required("VideoIds")?;
    let ids = params.commas("VideoIds");
    if ids.len() > MAX_IDS {
        return Err((&error::VIDEO_IDS_EXCEEDED).into());
    }
    let links = Links::new(call, Wishes::default()).await?;
    let (mut shown, mut missing) = (Vec::new(), Vec::new());
    for id in ids {
        if call.store().video(call.tenant(), id).await?.is_none() {
            missing.push(id);
            continue;
        }
        // A video that was never transcoded has no task, and so nothing to sum up.
        if let Some(task) = call.store().tasks(call.tenant(), id).await?.first() {
            let jobs = call.store().jobs_of_task(call.tenant(), &task.id).await?;
            shown.push(summary(task, &jobs, &links, &call.context.settings.progress)?);
        }
    }
    Ok(fields(json!({ "TranscodeSummaryList": shown, "NonExistVideoIds": missing })))
}

fn summary(task: &TaskRow, jobs: &[JobRow], links: &Links<'_>, progress: &Progress) -> Result<Answer, Error> {
    let header = tasks::show(task);
    let mut shown = Answer::new();
    for (name, as_name) in [
        ("VideoId", "VideoId"),
        ("TranscodeTemplateGroupId", "TranscodeTemplateGroupId"),
        ("TaskStatus", "TranscodeStatus"),
        ("CreationTime", "CreationTime"),
        ("CompleteTime", "CompleteTime"),
    ] {
        if let Some(value) = header.get(name) {
            shown.insert(as_name.to_owned(), value.clone());
        }
    }
    let mut summaries = Vec::with_capacity(jobs.len());
    for job in jobs {
        let mut job = tasks::show_job(job, links, progress)?;
        if let Value::Object(members) = &mut job {
            members.retain(|name, _| MEMBERS.contains(&name.as_str()));
        }
        summaries.push(job);
    }
    shown.insert("TranscodeJobInfoSummaryList".to_owned(), summaries.into());
    Ok(shown)
}
