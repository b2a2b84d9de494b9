//! Shows who is told about a play domain's recordings.

use serde_json::json;

use super::shared::{live, rules};
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    let notify = call.store().record_notify(call.tenant(), domain).await?.ok_or(&error::CONFIG_NOT_FOUND)?;
    Ok(fields(json!({ "LiveRecordNotifyConfig": {
        "DomainName": domain,
        "NotifyUrl": notify.url,
        "OnDemandUrl": notify.on_demand_url,
        "NeedStatusNotify": notify.status,
        "NotifyReqAuth": notify.auth,
        "NotifyAuthKey": live::shown_key(notify.auth_key.as_ref()),
    } })))
}
