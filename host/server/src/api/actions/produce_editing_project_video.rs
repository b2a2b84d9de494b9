//! Makes a video of a timeline. The answer names the video at once; how it went is told by an event.

use std::sync::Arc;

use reprise_lifecycle::id::{GroupId, NO_TRANSCODE, TenantId, VideoId};
use reprise_lifecycle::work::ProduceOpening;
use serde_json::json;

use super::set_message_callback::check_app;
use super::shared::editing::{self, PROJECT_ID};
use super::shared::groups;
use super::shared::produce::{self, Config};
use super::shared::requests;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::timeline::{self, TIMELINE};
use crate::edit::layout::{LayoutError, Problem, lay};
use crate::driver;
use crate::edit::materials::Known;
use crate::edit::pins;
use crate::edit::timeline::Timeline;
use crate::files::Files;
use crate::store::editing::Project;

/// Productions of one tenant that wait or run. Each is a journal of its own in memory with its whole timeline.
const MAX_OPEN: i64 = 100;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    check_app(params)?;
    let config = Config::read(params)?;
    let metadata = produce::metadata(params)?;
    let request = requests::request(call, params)?;
    let (mut project, is_new) = match params.get(PROJECT_ID) {
        Some(id) => (editing::find(call, id).await?, false),
        None if params.get(TIMELINE).is_none() => {
            return Err(Error::missing(error::Product::Vod, format!("{PROJECT_ID} or {TIMELINE}")));
        }
        None => (editing::fresh(call, metadata.title.as_deref().unwrap_or("Untitled")), true),
    };
    if params.get(TIMELINE).is_some()
        || ["Title", "Description", "CoverURL"].iter().any(|name| params.get(name).is_some())
    {
        editing::change(call, params, &mut project).await?;
    }
    if call.store().open_productions(call.tenant()).await? >= MAX_OPEN {
        let reason = format!("{MAX_OPEN} productions are under way already");
        return Err(Error::VendorText(&error::ILLEGAL_STATUS, format!("The production cannot begin: {reason}.")));
    }
    let (timeline, known) = checked(call, &project, &config).await?;
    let group = group(call, &config).await?;
    if is_new {
        editing::add(call, &project).await?;
    } else {
        editing::update(call, &project).await?;
    }
    let opening = ProduceOpening {
        tenant: TenantId::new(call.tenant()),
        project: project.id.clone(),
        timeline: json_text(&timeline)?,
        title: metadata.title.unwrap_or(project.title),
        description: metadata.description.unwrap_or(project.description),
        metadata: json_text(&metadata.words)?,
        group,
        request,
    };
    let id = driver::fresh_id().ok_or(Error::Busy)?;
    // Before it is accepted: it may begin at once, and its materials may be removed at once.
    let pinned = pin(call, VideoId::of_edit(&id), known).await;
    let produced = match call.driver().produce(id, opening).await {
        Ok(produced) => produced,
        Err(error) => {
            if let Some((files, video)) = pinned {
                unpin(files, video).await;
            }
            return Err(requests::refused(error));
        }
    };
    Ok(fields(json!({ "MediaId": produced.video.as_str(), "ProjectId": project.id })))
}

/// Keeps the materials at hand for as long as the production waits. Without it the production can be made all the same
/// while they are there.
async fn pin(call: &Call<'_>, video: VideoId, known: Known) -> Option<(Arc<Files>, VideoId)> {
    let (files, tenant) = (Arc::clone(call.files()?), call.tenant().to_owned());
    let kept = (Arc::clone(&files), video.clone());
    let pinned = tokio::task::spawn_blocking(move || pins::pin(&files, &tenant, &video, &known)).await;
    if let Err(error) = pinned.unwrap_or_else(|panic| Err(std::io::Error::other(panic))) {
        tracing::warn!(video.id = %kept.1, error = %error, "the materials of a production could not be pinned");
    }
    Some(kept)
}

/// Nothing will be made of it.
async fn unpin(files: Arc<Files>, video: VideoId) {
    let removed = tokio::task::spawn_blocking(move || files.media().remove_dir_all(video.as_str()));
    // What stays belongs to nothing, and is swept.
    if let Ok(Err(error)) = removed.await {
        tracing::warn!(error = %error, "pinned materials could not be removed");
    }
}

/// The project's timeline in our words, which can be made of videos that are ready, and what it is made of.
async fn checked(call: &Call<'_>, project: &Project, config: &Config) -> Result<(Timeline, Known), Error> {
    let mut timeline = timeline::read(&project.timeline)?;
    (timeline.width, timeline.height) = (config.width, config.height);
    let known = Known::load(call.store(), call.tenant(), &timeline).await?;
    if let Some(row) = known.videos.iter().find(|row| row.status != "ready") {
        let text = format!("Status of the video {} is illegal.", row.id);
        return Err(Error::VendorText(&error::ILLEGAL_STATUS_FOR_PLAYBACK, text));
    }
    match lay(&timeline, &known.materials) {
        Ok(_) => Ok((timeline, known)),
        Err(LayoutError { problem: Problem::NoVideo(id), .. }) => {
            Err(Error::VendorText(&error::VIDEO_NOT_FOUND, format!("The video {id} does not exist.")))
        }
        Err(error) => Err(timeline::unfit(&error)),
    }
}

/// The named group, or the tenant's default one.
async fn group(call: &Call<'_>, config: &Config) -> Result<GroupId, Error> {
    if let Some(id) = &config.group {
        let group = GroupId::new(id.clone());
        groups::check_exists(call, &group).await?;
        return Ok(group);
    }
    let own = call.store().template_groups(call.tenant()).await?;
    let default = own.into_iter().find(|group| group.is_default).map(|group| group.id);
    Ok(GroupId::new(default.unwrap_or_else(|| NO_TRANSCODE.to_owned())))
}

fn json_text<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Internal(Box::new(error)))
}
