//! Nobody is told any more about a play domain's recordings.

use super::shared::rules;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    match call.store().delete_record_notify(call.tenant(), domain).await? {
        true => Ok(Answer::new()),
        false => Err((&error::CONFIG_NOT_FOUND).into()),
    }
}
