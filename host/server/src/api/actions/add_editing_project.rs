//! Makes an editing project.

use serde_json::json;

use super::shared::editing;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let mut project = editing::fresh(call, params.required("Title")?);
    editing::change(call, params, &mut project).await?;
    editing::add(call, &project).await?;
    Ok(fields(json!({ "Project": editing::show(&project) })))
}
