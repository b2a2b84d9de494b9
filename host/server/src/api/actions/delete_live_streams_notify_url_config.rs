//! Nobody is told any more that streams of a push domain are on or off.

use super::shared::live;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = live::own_push_domain(call, params.required("DomainName")?)?;
    match call.store().delete_stream_notify(call.tenant(), domain).await? {
        true => Ok(Answer::new()),
        false => Err((&error::CONFIG_NOT_FOUND).into()),
    }
}
