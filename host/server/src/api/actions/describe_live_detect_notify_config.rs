//! Shows where findings about a play domain's content would go.

use serde_json::json;

use super::shared::rules;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    let url = call.store().detect_notify(call.tenant(), domain).await?.ok_or(&error::CONFIG_NOT_FOUND)?;
    Ok(fields(json!({ "LiveDetectNotifyConfig": { "DomainName": domain, "NotifyUrl": url } })))
}
