//! Lists the template groups, the built-in one first.

use serde_json::json;

use super::shared::groups;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, _params: &Params) -> Result<Answer, Error> {
    let own = call.store().template_groups(call.tenant()).await?;
    let shown: Vec<Answer> = std::iter::once(&groups::built_in(call, &own)).chain(&own).map(groups::show).collect();
    Ok(fields(json!({ "TranscodeTemplateGroupList": shown })))
}
