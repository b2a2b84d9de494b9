//! Stops events from being sent. What is already on its way is still delivered.

use super::set_message_callback::check_app;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::Answer;
use crate::api::{Call, names};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    check_app(params)?;
    call.store().delete_message_callback(call.tenant(), names::DEFAULT_APP_ID).await?;
    Ok(Answer::new())
}
