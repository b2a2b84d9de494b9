//! Shows a template group with its templates.

use serde_json::{Value, json};

use super::shared::groups::{self, GROUP_ID};
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, template};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let group = groups::showable(call, params.required(GROUP_ID)?).await?;
    let templates = groups::templates(call, &group.id).await?;
    let mut shown = groups::show(&group);
    let templates: Vec<Value> = templates.iter().map(template::show).collect();
    shown.insert(template::LIST.to_owned(), templates.into());
    Ok(fields(json!({ "TranscodeTemplateGroup": shown })))
}
