//! Lists editing projects by title, status and time of making.

use serde_json::json;

use super::shared::editing::{self, MAX_TITLE_BYTES};
use super::shared::paging::Page;
use super::shared::videos::end_ms;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, names};
use crate::store::editing::ProjectFilter;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let page = Page::read(params, "PageNo", 10, 1, 100)?;
    let order = params.choice("SortBy", &["CreationTime:Desc", "CreationTime:Asc"])?;
    let filter = ProjectFilter {
        title: params.text("Title", MAX_TITLE_BYTES)?.map(str::to_owned),
        statuses: statuses(params)?,
        from: params.time("StartTime")?.map(|at| at.0),
        to: end_ms(params)?,
        ascending: order == Some("CreationTime:Asc"),
    };
    let (total, rows) = call.store().editing_projects(call.tenant(), &filter, page.offset(), page.size).await?;
    let shown: Vec<Answer> = rows.iter().map(|project| editing::show_full(call, project)).collect();
    Ok(fields(json!({ "Total": total, "ProjectList": { "Project": shown } })))
}

/// The wanted statuses in our words.
fn statuses(params: &Params) -> Result<Option<String>, Error> {
    let wanted = params.commas("Status");
    if wanted.is_empty() {
        return Ok(None);
    }
    let words = wanted.into_iter().map(|status| {
        names::project_word(status)
            .ok_or_else(|| Error::invalid("Status", format!("{status:?} is no status of an editing project")))
    });
    Ok(Some(words.collect::<Result<Vec<_>, _>>()?.join(",")))
}
