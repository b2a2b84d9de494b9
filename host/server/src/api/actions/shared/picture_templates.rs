//! Templates of pictures as five actions read and show them.

use serde_json::json;

use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, pictures, times};
use crate::store::picture_templates::PictureTemplate;
use reprise_lifecycle::time::Timestamp;

/// The parameter that names a template.
pub(crate) const TEMPLATE_ID: &str = "VodTemplateId";

/// Longest name, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 128;

/// The only type of template that there is here.
const SNAPSHOT: &str = "Snapshot";

/// The tenant's template of this id.
pub(crate) async fn find(call: &Call<'_>, id: &str) -> Result<PictureTemplate, Error> {
    let template = call.store().picture_template(call.tenant(), id).await?;
    template.ok_or_else(|| (&error::NO_SUCH_RESOURCE).into())
}

/// Judges the type of template that is asked for.
pub(crate) fn check_type(params: &Params) -> Result<(), Error> {
    params.required("TemplateType")?;
    match params.choice("TemplateType", &[SNAPSHOT, "DynamicImage"])? {
        Some(SNAPSHOT) => Ok(()),
        _ => Err(Error::Unsupported("DynamicImage: animated pictures are not offered".to_owned())),
    }
}

/// A config that can be followed.
pub(crate) fn config(params: &Params) -> Result<Option<String>, Error> {
    let Some(text) = params.get("TemplateConfig") else { return Ok(None) };
    pictures::of_template(text)?;
    Ok(Some(text.to_owned()))
}

/// A template as it is shown.
pub(crate) fn show(template: &PictureTemplate) -> Answer {
    fields(json!({
        TEMPLATE_ID: template.id,
        "Name": template.name,
        "TemplateType": SNAPSHOT,
        "TemplateConfig": template.config,
        "IsDefault": "NotDefault",
        "CreationTime": times::format(Timestamp(template.created_at)),
        "ModifyTime": times::format(Timestamp(template.modified_at)),
    }))
}
