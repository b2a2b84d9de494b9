//! Replaces the list of a project's materials.

use super::shared::materials;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    materials::put(call, params, true).await?;
    Ok(Answer::new())
}
