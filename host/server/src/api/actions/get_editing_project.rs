//! Shows an editing project with its timeline.

use serde_json::json;

use super::shared::editing::{self, PROJECT_ID};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::timeline::TIMELINE;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let project = editing::find(call, params.required(PROJECT_ID)?).await?;
    let mut shown = editing::show_full(call, &project);
    shown.insert(TIMELINE.to_owned(), project.timeline.into());
    Ok(fields(json!({ "Project": shown })))
}
