//! Deletes one live-to-VOD rule; without a stream name, the application's rule and not those of its streams.

use super::shared::rules;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let key = rules::key(call, params)?;
    if call.store().delete_record_config(call.tenant(), key.domain, key.app, key.stream).await? {
        Ok(Answer::new())
    } else {
        Err((&error::CONFIG_NOT_FOUND).into())
    }
}
