//! Lists templates of pictures, oldest first.

use serde_json::json;

use super::shared::picture_templates;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    params.required("TemplateType")?;
    // There are no templates of animated pictures; to list them is no mistake.
    let wanted = params.choice("TemplateType", &["Snapshot", "DynamicImage"])?;
    let found = match wanted {
        Some("Snapshot") => call.store().picture_templates(call.tenant()).await?,
        _ => Vec::new(),
    };
    let shown: Vec<Answer> = found.iter().map(picture_templates::show).collect();
    Ok(fields(json!({ "VodTemplateInfoList": shown })))
}
