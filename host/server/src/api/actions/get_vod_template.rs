//! Shows a template of pictures.

use serde_json::json;

use super::shared::picture_templates::{self, TEMPLATE_ID};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let template = picture_templates::find(call, params.required(TEMPLATE_ID)?).await?;
    Ok(fields(json!({ "VodTemplateInfo": picture_templates::show(&template) })))
}
