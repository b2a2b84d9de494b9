//! Tasks in our own words: what the vendor has no action for, ending one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use reprise_lifecycle::id::{BroadcastId, TaskId, VideoId};
use reprise_lifecycle::input::Input;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::Id;
use crate::driver::Refused;

/// A task that was cancelled.
#[derive(Serialize, ToSchema)]
pub(super) struct CancelledView {
    task: String,
    /// The video it worked on.
    video: String,
}

/// Cancels what is open of a transcode task. What is done already stays; what is not fails as cancelled, and the
/// task's events say so.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/tasks/{task}/cancel",
    tag = "tasks",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("task" = String, Path, description = "The task."),
    ),
    responses(
        (status = 202, body = CancelledView),
        (status = "default", description = "Why not.", body = ErrorBody),
    ),
)]
pub(super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(id): Id<String>,
) -> Result<(StatusCode, Json<CancelledView>), Error> {
    let task = shared.store.task(&tenant.name, &id).await?.ok_or(Error::NotFound("task"))?;
    if task.completed_at.is_some() {
        return Err(Error::Conflict("the task has ended already".to_owned()));
    }
    let video = shared.store.video(&tenant.name, &task.video).await?.ok_or(Error::NotFound("task"))?;
    let input = Input::TaskCancelled { video: VideoId::new(&video.id), task: TaskId::new(&task.id) };
    shared.driver.submit(&BroadcastId::new(&video.broadcast), input).await.map_err(|refused| match refused {
        Refused::Unfit(why) => Error::Conflict(why.to_owned()),
        Refused::Impossible | Refused::Unavailable => Error::Internal(refused.to_string()),
    })?;
    Ok((StatusCode::ACCEPTED, Json(CancelledView { task: task.id, video: video.id })))
}
