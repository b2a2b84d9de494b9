//! Exchanges the given fields of a live-to-VOD rule; absent ones stay. A running broadcast keeps the rules it began
//! with.

use super::shared::rules;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let key = rules::key(call, params)?;
    let old = call.store().record_config(call.tenant(), key.domain, key.app, key.stream).await?;
    let old = old.ok_or(&error::CONFIG_NOT_FOUND)?;
    let config = rules::updated(call, params, old).await?;
    if call.store().update_record_config(call.tenant(), &config).await? {
        Ok(Answer::new())
    } else {
        Err((&error::CONFIG_NOT_FOUND).into())
    }
}
