//! Says where findings about a play domain's content would go; this server makes none.

use super::shared::{live, rules};
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    params.required("NotifyUrl")?;
    let url = live::receiver(call, params, "NotifyUrl")?.unwrap_or_default();
    match call.store().put_detect_notify(call.tenant(), domain, url, true).await? {
        true => Ok(Answer::new()),
        false => Err((&error::CONFIG_EXISTS).into()),
    }
}
