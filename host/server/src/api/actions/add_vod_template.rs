//! Creates a template of pictures.

use serde_json::json;

use super::shared::groups::new_id;
use super::shared::picture_templates::{self, MAX_NAME_BYTES, TEMPLATE_ID};
use crate::api::Call;
use crate::api::error::{Error, Product};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::store::picture_templates::PictureTemplate;

/// Templates of one tenant: more is a client that makes one for every job.
const MAX_TEMPLATES: usize = 200;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    params.required("Name")?;
    let name = params.text("Name", MAX_NAME_BYTES)?.unwrap_or_default().to_owned();
    picture_templates::check_type(params)?;
    let config = picture_templates::config(params)?;
    let config = config.ok_or_else(|| Error::missing(Product::Vod, "TemplateConfig"))?;
    if call.store().picture_templates(call.tenant()).await?.len() >= MAX_TEMPLATES {
        return Err(Error::invalid("Name", format!("there are {MAX_TEMPLATES} templates already; delete one first")));
    }
    let template =
        PictureTemplate { id: new_id(), name, config, created_at: call.now.0, modified_at: call.now.0 };
    call.store().put_picture_template(call.tenant(), &template).await?;
    Ok(fields(json!({ TEMPLATE_ID: template.id })))
}
