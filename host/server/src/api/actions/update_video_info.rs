//! Changes what is said of a video: title, description, tags, category, cover. Only given fields change.

use super::shared::info;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::Answer;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let id = params.required("VideoId")?;
    let change = info::change(|name| params.get(name).map(str::to_owned))?;
    if info::apply(call, id, &change).await? { Ok(Answer::new()) } else { Err((&error::VIDEO_NOT_FOUND).into()) }
}
