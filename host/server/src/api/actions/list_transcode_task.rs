//! Lists a video's transcode tasks, newest first.

use serde_json::json;

use super::shared::paging::Page;
use super::shared::{tasks, videos};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let page = Page::read(params, "PageNo", 10, 1, 50)?;
    let from = params.time("StartTime")?.map_or(i64::MIN, |at| at.0);
    let to = videos::end_ms(params)?.unwrap_or(i64::MAX);
    let video = videos::named(call, params).await?;
    let mut found = call.store().tasks(call.tenant(), &video.id).await?;
    found.retain(|task| (from..=to).contains(&task.created_at));
    let shown: Vec<Answer> = page.of(found).iter().map(tasks::show).collect();
    Ok(fields(json!({ "TranscodeTaskList": shown })))
}
