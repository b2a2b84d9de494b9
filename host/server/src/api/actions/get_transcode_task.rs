//! Shows one transcode task with its jobs, or jobs by their ids.

use serde_json::{Value, json};

use super::shared::links::{Links, Wishes};
use super::shared::tasks;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

/// The vendor's limit of jobs in one request.
const MAX_JOBS: usize = 10;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let links = Links::new(call, Wishes::default()).await?;
    let jobs = params.commas("JobIds");
    if params.get("TranscodeTaskId").is_none() && !jobs.is_empty() {
        return by_jobs(call, &jobs, &links).await;
    }
    let task = call.store().task(call.tenant(), params.required("TranscodeTaskId")?).await?;
    let task = task.ok_or(&error::NO_SUCH_RESOURCE)?;
    let jobs = call.store().jobs_of_task(call.tenant(), &task.id).await?;
    let progress = &call.context.settings.progress;
    let jobs: Vec<Value> = jobs.iter().map(|job| tasks::show_job(job, &links, progress)).collect::<Result<_, _>>()?;
    let mut shown = tasks::show(&task);
    shown.insert("TranscodeJobInfoList".to_owned(), jobs.into());
    Ok(fields(json!({ "TranscodeTask": shown })))
}

async fn by_jobs(call: &Call<'_>, ids: &[&str], links: &Links<'_>) -> Result<Answer, Error> {
    if ids.len() > MAX_JOBS {
        return Err(Error::invalid("JobIds", format!("it must name at most {MAX_JOBS} jobs")));
    }
    let (mut shown, mut missing) = (Vec::new(), Vec::new());
    for id in ids {
        match call.store().job(call.tenant(), id).await? {
            Some(job) => shown.push(tasks::show_job(&job, links, &call.context.settings.progress)?),
            None => missing.push(*id),
        }
    }
    Ok(fields(json!({ "TranscodeJobInfoList": shown, "NonExistJobIds": missing })))
}
