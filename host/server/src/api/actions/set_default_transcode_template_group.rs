//! Makes a template group, possibly the built-in one, the default.

use reprise_lifecycle::id::GroupId;

use super::shared::groups::{self, GROUP_ID};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let id = GroupId::new(params.required(GROUP_ID)?);
    let _one_at_a_time = call.context.groups.lock().await;
    groups::check_exists(call, &id).await?;
    call.store().set_default_template_group(call.tenant(), id.as_str(), call.now).await?;
    Ok(Answer::new())
}
