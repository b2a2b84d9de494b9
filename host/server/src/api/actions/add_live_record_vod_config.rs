//! Creates the live-to-VOD rule of one domain, application and, if named, stream.

use super::shared::rules;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let config = rules::added(call, params).await?;
    if call.store().add_record_config(call.tenant(), &config).await? {
        Ok(Answer::new())
    } else {
        Err((&error::CONFIG_EXISTS).into())
    }
}
