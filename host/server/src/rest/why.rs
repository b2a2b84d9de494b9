//! Why a video came out as it did, in plain words.
//!
//! | Module | What it knows |
//! |---|---|
//! | `story` | all that is known of one video |
//! | `tell` | the whole story in sentences |
//! | `verdict` | one decision in sentences, and how to mend what went wrong |
//! | `words` | lengths, names, lists |
//!
//! Telling is pure; this file finds what is told. Decisions come from the log, and those that it keeps no longer from the
//! journal, which never forgets what was said but does not know what was asked.

mod story;
mod tell;
mod verdict;
mod words;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::Decision;
use reprise_lifecycle::id::{BroadcastId, VideoId};
use reprise_lifecycle::question::Hook;
use reprise_lifecycle::record::{Record, Subject};
use reprise_lifecycle::video::Source;
use serde::Serialize;
use utoipa::ToSchema;

use self::story::{Asked, Story, Told};
use super::Shared;
use super::auth::Scope;
use super::decisions::view::{DecisionView, view};
use super::error::{Error, ErrorBody};
use super::extract::Id;
use crate::store::decisions::{DecisionFilter, DecisionRow};
use crate::store::videos::VideoRow;

/// Decisions about one video's callbacks that are told; the log has all.
const SHAPED: i64 = 20;

/// Decisions about one video's group or its broadcast's compose. There is one of each, and one more for every time that
/// the same was asked again.
const ASKED: i64 = 10;

/// Events of one video that are told.
const EVENTS: i64 = 100;

/// Why a video came out as it did.
#[derive(Serialize, ToSchema)]
pub(super) struct Why {
    tenant: String,
    video_id: String,
    /// The story, sentence by sentence.
    sentences: Vec<String>,
    /// The decisions it tells of, oldest first, as far as the log keeps them.
    decisions: Vec<DecisionView>,
}

/// Tells why a video came out as it did, in plain words. `Accept: text/plain` gets the text alone.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/videos/{video}/why",
    tag = "decisions",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("video" = String, Path, description = "The video."),
    ),
    responses(
        (status = 200, content((Why = "application/json"), (String = "text/plain"))),
        (status = "default", description = "Why not.", body = ErrorBody),
    ),
)]
pub(super) async fn of_tenant(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(video): Id<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    answer(&shared, &tenant.name, &video, &headers).await
}

/// The same for whoever knows the video and not whose it is: the token's own tenant's video, or the admin's any.
#[utoipa::path(
    get,
    path = "/v1/videos/{video}/why",
    tag = "decisions",
    params(("video" = String, Path, description = "The video.")),
    responses(
        (status = 200, content((Why = "application/json"), (String = "text/plain"))),
        (status = "default", description = "Why not.", body = ErrorBody),
    ),
)]
pub(super) async fn of_video(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Path(video) = path.map_err(|_| Error::NotFound("video"))?;
    answer(&shared, &tenant.name, &video, &headers).await
}

async fn answer(shared: &Shared, tenant: &str, video: &str, headers: &HeaderMap) -> Result<Response, Error> {
    let row = shared.store.video(tenant, video).await?.ok_or(Error::NotFound("video"))?;
    let (paragraphs, rows) = story(shared, tenant, &row).await?;
    if wants_text(headers) {
        let text: Vec<String> = paragraphs.iter().map(|sentences| sentences.join("\n")).collect();
        let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Ok((kind, format!("{}\n", text.join("\n\n"))).into_response());
    }
    let decisions = rows.into_iter().map(view).collect::<Result<_, _>>()?;
    let sentences = paragraphs.into_iter().flatten().collect();
    Ok(Json(Why { tenant: tenant.to_owned(), video_id: row.id, sentences, decisions }).into_response())
}

/// Whether the client would have text sooner than JSON.
fn wants_text(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let mut kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.find(|kind| matches!(*kind, "text/plain" | "application/json" | "*/*")) == Some("text/plain")
}

/// Finds all there is and tells it, with the log's rows that it tells of.
async fn story(shared: &Shared, tenant: &str, row: &VideoRow) -> Result<(Vec<Vec<String>>, Vec<DecisionRow>), Error> {
    let id = BroadcastId::new(row.broadcast.clone());
    let journal = shared.store.journal(&id).await?;
    let corrupt = |corrupt: reprise_lifecycle::broadcast::Corrupt| Error::Internal(corrupt.to_string());
    let broadcast = Broadcast::fold(id, &journal).map_err(corrupt)?.ok_or(Error::NotFound("video"))?;
    let video = broadcast.videos.get(&VideoId::new(row.id.clone())).ok_or(Error::NotFound("video"))?;

    let asked_about = |filter: DecisionFilter, hook: Hook, limit: i64| async move {
        let filter = DecisionFilter { hook: Some(hook.name().to_owned()), ..filter };
        let mut rows = shared.store.decisions(tenant, &filter, limit).await?;
        rows.reverse();
        Ok::<_, Error>(rows)
    };
    let of_video = || DecisionFilter { video: Some(row.id.clone()), ..DecisionFilter::default() };
    let of_broadcast = DecisionFilter { broadcast: Some(row.broadcast.clone()), ..DecisionFilter::default() };
    let mut rows = asked_about(of_video(), Hook::TemplateGroup, ASKED).await?;
    if !matches!(video.source, Source::Edit) {
        rows.extend(asked_about(of_broadcast, Hook::ComposeRules, ASKED).await?);
    }
    let shaped = asked_about(of_video(), Hook::Callback, SHAPED).await?;
    let is_cut = i64::try_from(shaped.len()).is_ok_and(|count| count == SHAPED);

    let mut asked = rows.iter().map(logged).collect::<Result<Vec<_>, _>>()?;
    let mut is_logged = [Hook::TemplateGroup, Hook::ComposeRules].map(|hook| (hook, false));
    for (hook, found) in &mut is_logged {
        *found = asked.iter().any(|one| one.decision.hook == *hook);
    }
    for (hook, found) in is_logged {
        if !found {
            asked.extend(journal.iter().filter_map(|record| recorded(record, hook, &video.id)));
        }
    }
    let groups = shared.store.group_choices(tenant).await?;
    let story = Story {
        broadcast: &broadcast,
        video,
        title: &row.title,
        groups: groups.into_iter().map(|group| (group.id, group.name)).collect(),
        asked,
        shaped: shaped.iter().map(logged).collect::<Result<_, _>>()?,
        is_cut,
        told: told(shared, tenant, &row.id).await?,
    };
    let paragraphs = tell::paragraphs(&story);
    rows.extend(shaped);
    rows.sort_by_key(|row| row.id);
    Ok((paragraphs, rows))
}

fn logged(row: &DecisionRow) -> Result<Asked, Error> {
    let decision: Decision = serde_json::from_str(&row.decision)
        .map_err(|error| Error::Internal(format!("decision {} cannot be read: {error}", row.id)))?;
    // Where nobody was asked there is no question, and one of another version of ours is told without its facts.
    Ok(Asked { id: Some(row.id), question: serde_json::from_str(&row.question).ok(), decision })
}

/// A decision as the journal has it.
fn recorded(record: &Record, hook: Hook, video: &VideoId) -> Option<Asked> {
    let Record::Decided { subject, decision, .. } = record else { return None };
    let is_meant = match subject {
        Subject::Video(about) => hook == Hook::TemplateGroup && about == video,
        Subject::Compose => hook == Hook::ComposeRules,
    };
    is_meant.then(|| Asked { id: None, question: None, decision: decision.clone() })
}

async fn told(shared: &Shared, tenant: &str, video: &str) -> Result<Vec<Told>, Error> {
    let told = shared.store.told_of_video(tenant, video, EVENTS).await?;
    let bare = |url: String| url.split(['?', '#']).next().unwrap_or_default().to_owned();
    Ok(told
        .into_iter()
        .map(|(kind, url, phase)| Told { kind, receiver: url.map(bare), phase: phase.unwrap_or_default() })
        .collect())
}

#[cfg(test)]
mod tests;
