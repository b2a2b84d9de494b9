//! Receivers of notices about recordings, as two actions set them.

use super::{live, rules};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::store::live_notify::RecordNotify;

/// Sets what the parameters say: where there is nothing yet if `fresh`, else in place of what is there. Says whether
/// that was so.
pub(crate) async fn put(call: &Call<'_>, params: &Params, fresh: bool) -> Result<bool, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    params.required("NotifyUrl")?;
    let url = |param: &str| Ok::<_, Error>(live::receiver(call, params, param)?.unwrap_or_default().to_owned());
    let auth = params.boolean("NotifyReqAuth", false)?;
    let notify = RecordNotify {
        url: url("NotifyUrl")?,
        on_demand_url: url("OnDemandUrl")?,
        status: params.boolean("NeedStatusNotify", false)?,
        auth,
        auth_key: live::auth_key(params, auth, 32)?,
    };
    Ok(call.store().put_record_notify(call.tenant(), domain, &notify, fresh).await?)
}
