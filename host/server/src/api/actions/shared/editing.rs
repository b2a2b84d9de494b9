//! Editing projects as the actions look them up, check and show them.

use serde_json::json;

use super::videos::{seconds, time};
use crate::api::actions::shared::groups::new_id;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::timeline::{self, TIMELINE};
use crate::api::{Call, names};
use crate::edit::layout::lay;
use crate::edit::materials::Known;
use crate::store::editing::Project;

pub(crate) const PROJECT_ID: &str = "ProjectId";

/// Projects of one tenant. Each may hold a timeline of half a mebibyte.
pub(crate) const MAX_PROJECTS: i64 = 10_000;

/// The vendor's limits of a video's texts; a project's are not documented and get the same.
pub(crate) const MAX_TITLE_BYTES: usize = 128;
pub(crate) const MAX_DESCRIPTION_BYTES: usize = 1024;
pub(crate) const MAX_URL_BYTES: usize = 1024;
const MAX_DIVISION_BYTES: usize = 128;

/// The tenant's project of this id.
pub(crate) async fn find(call: &Call<'_>, id: &str) -> Result<Project, Error> {
    let project = call.store().editing_project(call.tenant(), id).await?;
    project.ok_or_else(|| (&error::PROJECT_NOT_FOUND).into())
}

/// A project that is not stored yet.
pub(crate) fn fresh(call: &Call<'_>, title: &str) -> Project {
    Project {
        id: new_id(),
        title: title.to_owned(),
        description: String::new(),
        cover_url: String::new(),
        division: String::new(),
        timeline: String::new(),
        duration_ms: 0,
        created_at: call.now.0,
        modified_at: call.now.0,
        status: "draft".to_owned(),
    }
}

/// Puts what a request says in place of what the project has. A timeline that cannot be read is refused here, while
/// its editor is looking.
pub(crate) async fn change(call: &Call<'_>, params: &Params, project: &mut Project) -> Result<(), Error> {
    for (name, most, field) in [
        ("Title", MAX_TITLE_BYTES, &mut project.title),
        ("Description", MAX_DESCRIPTION_BYTES, &mut project.description),
        ("CoverURL", MAX_URL_BYTES, &mut project.cover_url),
        ("Division", MAX_DIVISION_BYTES, &mut project.division),
    ] {
        if let Some(text) = params.text(name, most)? {
            text.clone_into(field);
        }
    }
    if let Some(text) = params.get(TIMELINE) {
        let read = timeline::read(text)?;
        let known = Known::load(call.store(), call.tenant(), &read).await?;
        // Drafts may name what is not there yet; they have a length once everything is.
        let length_ms = lay(&read, &known.materials).map_or(0, |layout| layout.total_ms);
        project.duration_ms = i64::try_from(length_ms).unwrap_or(i64::MAX);
        text.clone_into(&mut project.timeline);
    }
    project.modified_at = call.now.0;
    Ok(())
}

pub(crate) async fn add(call: &Call<'_>, project: &Project) -> Result<(), Error> {
    if !call.store().add_editing_project(call.tenant(), project, MAX_PROJECTS).await? {
        let reason = format!("a tenant can have {MAX_PROJECTS} editing projects");
        return Err(Error::invalid(PROJECT_ID, reason));
    }
    Ok(())
}

pub(crate) async fn update(call: &Call<'_>, project: &Project) -> Result<(), Error> {
    if !call.store().update_editing_project(call.tenant(), project).await? {
        return Err((&error::PROJECT_NOT_FOUND).into());
    }
    Ok(())
}

/// What every action shows of a project.
pub(crate) fn show(project: &Project) -> Answer {
    fields(json!({
        "ProjectId": project.id,
        "Title": project.title,
        "Description": project.description,
        "Status": names::project_status(&project.status),
        "CreationTime": time(project.created_at),
        "ModifiedTime": time(project.modified_at),
    }))
}

/// What listings and the getter add.
pub(crate) fn show_full(call: &Call<'_>, project: &Project) -> Answer {
    let mut shown = show(project);
    shown.extend(fields(json!({
        "CoverURL": project.cover_url,
        "Duration": seconds(project.duration_ms),
        "RegionId": "local",
        "StorageLocation": call.context.urls.host(),
    })));
    if !project.division.is_empty() {
        shown.insert("Division".to_owned(), project.division.as_str().into());
    }
    shown
}
