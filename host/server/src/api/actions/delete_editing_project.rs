//! Deletes editing projects. What was produced of them stays.

use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::{Params, commas};
use crate::api::reply::Answer;

const IDS: &str = "ProjectIds";

/// As many as one listing shows.
const MAX_IDS: usize = 100;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let ids = commas(params.required(IDS)?);
    if ids.is_empty() || ids.len() > MAX_IDS {
        return Err(Error::invalid(IDS, format!("it must name 1 to {MAX_IDS} projects")));
    }
    let gone = call.store().delete_editing_projects(call.tenant(), &ids).await?;
    if gone.is_empty() {
        return Err((&error::PROJECT_NOT_FOUND).into());
    }
    Ok(Answer::new())
}
