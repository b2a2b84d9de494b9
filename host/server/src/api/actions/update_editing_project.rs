//! Changes an editing project: what is given replaces what was there.

use super::shared::editing::{self, PROJECT_ID};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let mut project = editing::find(call, params.required(PROJECT_ID)?).await?;
    editing::change(call, params, &mut project).await?;
    editing::update(call, &project).await?;
    Ok(Answer::new())
}
