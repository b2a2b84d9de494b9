//! Deletes a template of pictures. What was taken with it stays.

use serde_json::json;

use super::shared::picture_templates::TEMPLATE_ID;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let id = params.required(TEMPLATE_ID)?;
    if !call.store().delete_picture_template(call.tenant(), id).await? {
        return Err((&error::NO_SUCH_RESOURCE).into());
    }
    Ok(fields(json!({ TEMPLATE_ID: id })))
}
