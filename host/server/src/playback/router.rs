//! Routes, and what all answers have in common: any site may embed a player, and nobody guesses types.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::auth::{Viewing, admit};
use super::error::Refusal;
use super::file::{off_thread, send, send_text};
use super::names::{HLS, HTML, MP4, VTT, is_name, media_type};
use super::page::{Choice, page, policy};
use super::{Playback, captions, master, playlist, source};
use crate::compose::PARTS;
use crate::files::SOURCE;

/// What any site may read of an answer, beside what it always may.
const EXPOSED: &str = "Accept-Ranges, Content-Length, Content-Range, ETag";

/// How long a browser remembers that it may ask, in seconds; browsers keep it for two hours at most.
const PREFLIGHT_AGE: &str = "7200";

/// All routes under `/media/`, to be merged at the root.
pub fn router(playback: Arc<Playback>) -> Router {
    Router::new()
        .route("/media/{video}/source.mp4", get(source_file))
        .route("/media/{video}/source.m3u8", get(source_playlist))
        .route("/media/{video}/index.m3u8", get(master_playlist))
        .route("/media/{video}/player.html", get(player))
        .route("/media/{video}/parts/{file}", get(part_file))
        .route("/media/{video}/{job}/{file}", get(job_file))
        .layer(middleware::from_fn(for_everybody))
        .with_state(playback)
}

/// The parts of a request that every handler looks at.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Asked {
    fn conditions(&self) -> (&Method, &HeaderMap) {
        (&self.method, &self.headers)
    }
}

impl<S: Sync> axum::extract::FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self { method: parts.method.clone(), uri: parts.uri.clone(), headers: parts.headers.clone() })
    }
}

async fn source_file(
    State(playback): State<Arc<Playback>>,
    Path(video): Path<String>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let viewing = source_of(admit(&playback, &asked.uri, &video).await?)?;
    send(&playback, &viewing, asked.conditions(), SOURCE.to_owned(), MP4).await
}

/// A part that a composed video is linked to. What is under its name never changes; links go, they are not replaced.
async fn part_file(
    State(playback): State<Arc<Playback>>,
    Path((video, file)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let media_type = media_type(&file).filter(|kind| *kind == MP4 && is_name(&file)).ok_or(Refusal::NotFound)?;
    let viewing = source_of(admit(&playback, &asked.uri, &video).await?)?;
    send(&playback, &viewing, asked.conditions(), format!("{PARTS}/{file}"), media_type).await
}

/// A source that was deleted is gone at once, though its files may be there a while.
fn source_of(viewing: Viewing) -> Result<Viewing, Refusal> {
    if viewing.video.source_deleted { Err(Refusal::NotFound) } else { Ok(viewing) }
}

async fn source_playlist(
    State(playback): State<Arc<Playback>>,
    Path(video): Path<String>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let viewing = source_of(admit(&playback, &asked.uri, &video).await?)?;
    let text = source::playlist(&playback, &viewing.id).await?;
    send_text(&viewing, asked.conditions(), signed(&viewing, &text), HLS)
}

async fn master_playlist(
    State(playback): State<Arc<Playback>>,
    Path(video): Path<String>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let viewing = admit(&playback, &asked.uri, &video).await?;
    let text = match master::playlist(&playback, &viewing).await? {
        Some(master) => master,
        None if viewing.video.source_deleted => return Err(Refusal::NotFound),
        None => signed(&viewing, &source::playlist(&playback, &viewing.id).await?),
    };
    send_text(&viewing, asked.conditions(), text, HLS)
}

async fn job_file(
    State(playback): State<Arc<Playback>>,
    Path((video, job, file)): Path<(String, String, String)>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let media_type = media_type(&file).filter(|_| is_name(&job) && is_name(&file)).ok_or(Refusal::NotFound)?;
    let viewing = admit(&playback, &asked.uri, &video).await?;
    if !playback.store.is_published(&viewing.video, &job).await? {
        return Err(Refusal::NotFound);
    }
    let names_others = media_type == HLS || media_type == VTT;
    let must_sign = names_others && viewing.signature.is_some();
    if !must_sign {
        return send(&playback, &viewing, asked.conditions(), format!("{job}/{file}"), media_type).await;
    }
    let (files, id) = (Arc::clone(&playback.files), viewing.id.clone());
    let text = off_thread(move || master::read_text(&files.video(&id)?.open_dir(job)?, &file)).await?;
    let text = match (&viewing.signature, media_type) {
        (Some(signature), VTT) => captions::with_suffixes(&text, |uri| signature.suffix(uri)),
        _ => signed(&viewing, &text),
    };
    send_text(&viewing, asked.conditions(), text, media_type)
}

async fn player(
    State(playback): State<Arc<Playback>>,
    Path(video): Path<String>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let viewing = admit(&playback, &asked.uri, &video).await?;
    let mut choices = vec![choice(&viewing, "index.m3u8", HLS, "HLS")];
    for job in playback.store.jobs_of_video(&viewing.video.tenant, &viewing.video.id).await? {
        let Some(output) = job.output()?.filter(|output| output.file.ends_with(".mp4")) else { continue };
        let label = format!("MP4, {}x{}", output.width, output.height);
        choices.push(choice(&viewing, &output.file, MP4, &label));
    }
    if viewing.video.has_file() {
        choices.push(choice(&viewing, SOURCE, MP4, "MP4, as it was recorded"));
    }
    let poster = viewing.video.cover_file.as_deref().map(|cover| viewing.reference(cover));
    let text = page(&viewing.video.title, poster.as_deref(), &choices);
    let mut response = send_text(&viewing, asked.conditions(), text, HTML)?;
    if let Ok(policy) = HeaderValue::from_str(&policy()) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // A signed page's own URL must not travel on.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn choice(viewing: &Viewing, reference: &str, media_type: &'static str, label: &str) -> Choice {
    Choice { url: viewing.reference(reference), media_type, label: label.to_owned() }
}

/// A playlist with signatures, if the tenant wants them.
fn signed(viewing: &Viewing, text: &str) -> String {
    match &viewing.signature {
        Some(signature) => playlist::with_suffixes(text, |uri| signature.suffix(uri)),
        None => text.to_owned(),
    }
}

/// Media is for players on any site: no cookie or other ambient authority is ever looked at here, so nothing is given
/// away by letting every origin read.
async fn for_everybody(request: Request, next: Next) -> Response {
    let mut response = match *request.method() {
        Method::OPTIONS => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    let common = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in common {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Range, If-Range, If-Match, If-None-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}
