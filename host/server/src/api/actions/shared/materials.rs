//! The list of materials beside an editing project's timeline.

use super::editing::{self, PROJECT_ID};
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::{Params, commas};

const IDS: &str = "MaterialIds";

/// Materials of one project: more than a timeline can use.
const MAX_MATERIALS: usize = 400;

/// Adds the materials that a request names to a project's list, or makes them the whole list.
pub(crate) async fn put(call: &Call<'_>, params: &Params, replace: bool) -> Result<(), Error> {
    let project = editing::find(call, params.required(PROJECT_ID)?).await?;
    let ids = commas(params.required(IDS)?);
    let too_many = || Error::invalid(IDS, format!("a project can have {MAX_MATERIALS} materials"));
    if ids.len() > MAX_MATERIALS {
        return Err(too_many());
    }
    for id in &ids {
        let is_video = call.store().video(call.tenant(), id).await?.is_some();
        if !is_video && call.store().image(call.tenant(), id).await?.is_none() {
            return Err((&error::VIDEO_NOT_FOUND).into());
        }
    }
    let most = i64::try_from(MAX_MATERIALS).unwrap_or(i64::MAX);
    if call.store().put_editing_materials(call.tenant(), &project.id, &ids, replace, most).await? {
        Ok(())
    } else {
        Err(too_many())
    }
}
