//! Changes a template of pictures. Jobs that were submitted with it keep what it said then.

use serde_json::json;

use super::shared::picture_templates::{self, MAX_NAME_BYTES, TEMPLATE_ID};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::store::picture_templates::PictureTemplate;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let id = params.required(TEMPLATE_ID)?;
    let name = params.text("Name", MAX_NAME_BYTES)?.map(str::to_owned);
    let config = picture_templates::config(params)?;
    let old = picture_templates::find(call, id).await?;
    let new = PictureTemplate {
        name: name.unwrap_or(old.name),
        config: config.unwrap_or(old.config),
        modified_at: call.now.0,
        ..old
    };
    call.store().put_picture_template(call.tenant(), &new).await?;
    Ok(fields(json!({ TEMPLATE_ID: new.id })))
}
