//! Streams that are being pushed: who publishes them, and sending a publisher away.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::Body;
use super::form::{Stream, when};
use crate::clock;
use crate::ingest::control::Refused;
use crate::ingest::publishers::Publisher;

/// A ban is for half a year at most; a longer one is a change of keys.
const MAX_FORBID_SECONDS: u32 = 183 * 24 * 3600;

/// The longest name that can be published under; a ban of it is kept.
const MAX_NAME_BYTES: usize = 255;

/// A connected publisher.
#[derive(Serialize, ToSchema)]
pub(super) struct PublisherView {
    stream: Stream,
    play_domain: String,
    /// Where it comes from.
    client: String,
    since: String,
    /// The broadcast that its media goes to; absent while nothing is recorded.
    broadcast_id: Option<String>,
    /// `H.264` or `H.265`; absent without a picture, or before its header.
    video_codec: Option<&'static str>,
    width: Option<u16>,
    height: Option<u16>,
    fps: Option<f64>,
    /// Measured over the last seconds.
    video_kbps: u64,
    /// Whether there is sound.
    audio: bool,
    /// Measured over the last seconds.
    audio_kbps: u64,
}

/// A tenant's connected publishers, by stream.
#[derive(Serialize, ToSchema)]
pub(super) struct PublisherList {
    streams: Vec<PublisherView>,
}

/// Which publisher to send away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KickBody {
    /// The application.
    app: String,
    /// The stream's name.
    name: String,
    /// Refuse the stream for so long, and end its broadcast at once. Without it the publisher may come back, and its
    /// break window runs.
    forbid_seconds: Option<u32>,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
pub(super) struct Kicked {
    /// Whether the stream had a publisher.
    was_online: bool,
    /// Until when the stream is refused, if it is.
    forbidden_until: Option<String>,
}

/// Lists the publishers that are connected now, recorded or not.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/streams",
    tag = "streams",
    params(("tenant" = String, Path, description = "The tenant.")),
    responses((status = 200, body = PublisherList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>, Scope(tenant): Scope) -> Json<PublisherList> {
    let publishers = shared.control.publishers().of_tenant(&tenant.name);
    Json(PublisherList { streams: publishers.iter().map(|publisher| PublisherView::from(&**publisher)).collect() })
}

/// Sends a stream's publisher away, once or for a time. Answers when its leave is recorded.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/streams/kick",
    tag = "streams",
    params(("tenant" = String, Path, description = "The tenant.")),
    request_body = KickBody,
    responses((status = 200, body = Kicked), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn kick(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Body(body): Body<KickBody>,
) -> Result<Json<Kicked>, Error> {
    if [&body.app, &body.name].into_iter().any(|name| name.is_empty() || name.len() > MAX_NAME_BYTES) {
        return Err(Error::Invalid(format!("app and name must be 1 to {MAX_NAME_BYTES} bytes")));
    }
    let stream = StreamKey { domain: tenant.push_domain.clone(), app: body.app, name: body.name };
    let Some(seconds) = body.forbid_seconds else {
        let was_online = shared.control.kick(&stream).await;
        return Ok(Json(Kicked { was_online, forbidden_until: None }));
    };
    if !(1..=MAX_FORBID_SECONDS).contains(&seconds) {
        return Err(Error::Invalid(format!("forbid_seconds must be 1 to {MAX_FORBID_SECONDS}")));
    }
    let now = clock::now();
    let until = Timestamp(now.0 + i64::from(seconds) * 1000);
    let was_online =
        shared.control.forbid(&tenant.name, &stream, until, now).await.map_err(|refused| match refused {
            Refused::Store(error) => error.into(),
            Refused::TooManyBans => Error::Conflict(refused.to_string()),
            Refused::Offline | Refused::NoRule | Refused::Order(_) => Error::Internal(refused.to_string()),
        })?;
    Ok(Json(Kicked { was_online, forbidden_until: Some(when(until.0)) }))
}

impl From<&Publisher> for PublisherView {
    fn from(publisher: &Publisher) -> Self {
        let (who, seen) = (&publisher.who, publisher.seen());
        let stream = who.stream.clone();
        Self {
            stream: Stream { domain: stream.domain, app: stream.app, name: stream.name },
            play_domain: who.play_domain.clone(),
            client: who.client.to_string(),
            since: when(who.since.0),
            broadcast_id: publisher.recording().map(|(broadcast, _)| broadcast.to_string()),
            video_codec: seen.video.as_ref().map(|video| video.codec),
            width: seen.video.as_ref().map(|video| video.width),
            height: seen.video.as_ref().map(|video| video.height),
            fps: seen.video.as_ref().map(|video| video.fps),
            video_kbps: seen.video_kbps,
            audio: seen.audio,
            audio_kbps: seen.audio_kbps,
        }
    }
}
