//! Refuses: nothing here recognises faces, speech or text.

use super::shared::ai::unavailable;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(_: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    params.required("MediaId")?;
    Err(unavailable("AIVideoTag"))
}
