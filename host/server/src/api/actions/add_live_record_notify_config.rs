//! Says who is told about a play domain's recordings, and who is asked whether to record.

use super::shared::record_notify;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    if record_notify::put(call, params, true).await? { Ok(Answer::new()) } else { Err((&error::CONFIG_EXISTS).into()) }
}
