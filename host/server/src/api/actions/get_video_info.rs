//! Shows one video.

use serde_json::json;

use super::shared::links::{Links, Wishes};
use super::shared::videos::{self, Pictures};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let video = videos::named(call, params).await?;
    let links = Links::new(call, Wishes::default()).await?;
    let shown = videos::full(call, &video, &links, Pictures::Wrapped).await?;
    Ok(fields(json!({ "Video": shown })))
}
