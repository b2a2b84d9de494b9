//! Says who is told that streams of a push domain are on or off. A later setting replaces the earlier.

use super::shared::live;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::Answer;
use crate::store::live_notify::StreamNotify;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = live::own_push_domain(call, params.required("DomainName")?)?;
    let url = |param: &str| Ok::<_, Error>(live::receiver(call, params, param)?.unwrap_or_default().to_owned());
    // Words here, where the recording side has a boolean.
    let auth = params.choice("NotifyReqAuth", &["yes", "no"])? == Some("yes");
    let notify = StreamNotify {
        url: url("NotifyUrl")?,
        exception_url: url("ExceptionNotifyUrl")?,
        switch_url: url("SwitchNotifyUrl")?,
        auth,
        auth_key: live::auth_key(params, auth, 64)?,
    };
    call.store().put_stream_notify(call.tenant(), domain, &notify).await?;
    Ok(Answer::new())
}
