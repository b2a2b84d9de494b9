//! Shows who is told that streams of a push domain are on or off.

use serde_json::json;

use super::shared::live;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = live::own_push_domain(call, params.required("DomainName")?)?;
    let notify = call.store().stream_notify(call.tenant(), domain).await?.ok_or(&error::CONFIG_NOT_FOUND)?;
    Ok(fields(json!({ "LiveStreamsNotifyConfig": {
        "DomainName": domain,
        "NotifyUrl": notify.url,
        "NotifyReqAuth": if notify.auth { "yes" } else { "no" },
        "NotifyAuthKey": live::shown_key(notify.auth_key.as_ref()),
        "ExceptionNotifyUrl": notify.exception_url,
    } })))
}
