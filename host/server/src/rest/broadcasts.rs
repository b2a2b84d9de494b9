//! Broadcasts: what is live, and one broadcast's parts, gaps and watermark, folded from its journal.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use reprise_lifecycle::broadcast::{Break, Broadcast, Part, PartState, Publishing};
use reprise_lifecycle::id::{BroadcastId, VideoId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::{Id, Params, limit};
use super::form::{Picture, Sound, Stream, when};
use crate::store::videos::BroadcastRow;

/// Which broadcasts to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Only those with a connected publisher.
    live: Option<bool>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// One broadcast of a listing.
#[derive(Serialize, ToSchema)]
pub(super) struct BroadcastView {
    id: String,
    stream: Stream,
    play_domain: String,
    /// `live`, `broken` (the publisher is gone and may come back) or `over`.
    publishing: String,
    /// Whether nothing more happens by itself.
    settled: bool,
    /// Where the newest publisher comes from.
    client: String,
    /// When the newest publisher joined.
    published_at: String,
    started_at: String,
    parts: i64,
    /// How often the publisher came back.
    reconnects: i64,
}

/// A tenant's broadcasts, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct BroadcastList {
    broadcasts: Vec<BroadcastView>,
}

/// One broadcast in full.
#[derive(Serialize, ToSchema)]
pub(super) struct BroadcastDetail {
    #[serde(flatten)]
    broadcast: BroadcastView,
    /// Media time up to which everything is synced to disk, in milliseconds; absent before the first fragment.
    watermark_ms: Option<u64>,
    part_list: Vec<PartView>,
    /// Stretches of wall clock without a publisher.
    breaks: Vec<BreakView>,
    /// Why it is over: `break_window`, `forbidden`, `stopped` (by command), `storage` (the disk was full) and so on;
    /// absent before that.
    end_cause: Option<String>,
}

/// One recorded file.
#[derive(Serialize, ToSchema)]
pub(super) struct PartView {
    /// Position in the broadcast, from 0.
    index: usize,
    /// `open`, `closed` (it is a video) or `dropped` (nothing whole was written).
    state: &'static str,
    /// The video it became.
    video_id: Option<String>,
    started_at: String,
    ended_at: Option<String>,
    /// First media time on the broadcast's timeline, in milliseconds.
    first_ms: u64,
    duration_ms: Option<u64>,
    bytes: Option<u64>,
    video: Option<Picture>,
    audio: Option<Sound>,
}

/// A gap.
#[derive(Serialize, ToSchema)]
pub(super) struct BreakView {
    from: String,
    to: String,
    duration_ms: u64,
    /// Where on the broadcast's timeline, in milliseconds, as far as it is known.
    media_ms: Option<u64>,
}

/// Lists a tenant's broadcasts, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/broadcasts",
    tag = "broadcasts",
    params(("tenant" = String, Path, description = "The tenant."), Listing),
    responses((status = 200, body = BroadcastList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Params(listing): Params<Listing>,
) -> Result<Json<BroadcastList>, Error> {
    let rows = shared.store.broadcasts(&tenant.name, listing.live.unwrap_or(false), limit(listing.limit)?).await?;
    Ok(Json(BroadcastList { broadcasts: rows.into_iter().map(BroadcastView::from).collect() }))
}

/// Shows a broadcast with its parts, its gaps and how far it is durable.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/broadcasts/{broadcast}",
    tag = "broadcasts",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("broadcast" = String, Path, description = "The broadcast."),
    ),
    responses((status = 200, body = BroadcastDetail), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
) -> Result<Json<BroadcastDetail>, Error> {
    let (_, id) = ids;
    let row = shared.store.broadcast(&tenant.name, &id).await?.ok_or(Error::NotFound("broadcast"))?;
    let folded = folded(&shared, BroadcastId::new(id)).await?.ok_or(Error::NotFound("broadcast"))?;
    let written = shared.watermarks.get(&folded.id);
    let watermark_ms = written.max(folded.parts.iter().filter_map(end_ms).max());
    let parts = folded.parts.iter().enumerate();
    Ok(Json(BroadcastDetail {
        watermark_ms,
        part_list: parts.map(|(index, part)| PartView::new(&folded.id, index, part)).collect(),
        breaks: folded.breaks.iter().map(BreakView::from).collect(),
        end_cause: end_cause(folded.publishing),
        broadcast: row.into(),
    }))
}

/// A broadcast as its journal tells it.
pub(super) async fn folded(shared: &Shared, id: BroadcastId) -> Result<Option<Broadcast>, Error> {
    let journal = shared.store.journal(&id).await?;
    Broadcast::fold(id, &journal).map_err(|corrupt| Error::Internal(corrupt.to_string()))
}

/// Why a broadcast is over, in the journal's words.
fn end_cause(publishing: Publishing) -> Option<String> {
    let Publishing::Over { cause, .. } = publishing else { return None };
    serde_json::to_value(cause).ok()?.as_str().map(str::to_owned)
}

/// Where a closed part ends; all of it is synced.
fn end_ms(part: &Part) -> Option<u64> {
    match &part.state {
        PartState::Closed { facts, .. } => Some(facts.first_ms.saturating_add(facts.duration_ms)),
        PartState::Open | PartState::Dropped => None,
    }
}

impl PartView {
    fn new(broadcast: &BroadcastId, index: usize, part: &Part) -> Self {
        let (state, facts, ended_at) = match &part.state {
            PartState::Open => ("open", None, None),
            PartState::Closed { facts, ended_at } => ("closed", Some(facts), Some(when(ended_at.0))),
            PartState::Dropped => ("dropped", None, None),
        };
        let number = u32::try_from(index).ok().filter(|_| facts.is_some());
        let tracks = facts.map_or((&part.video, &part.audio), |facts| (&facts.video, &facts.audio));
        Self {
            index,
            state,
            video_id: number.map(|number| VideoId::of_part(broadcast, number).to_string()),
            started_at: when(part.started_at.0),
            ended_at,
            first_ms: facts.map_or(part.first_ms, |facts| facts.first_ms),
            duration_ms: facts.map(|facts| facts.duration_ms),
            bytes: facts.map(|facts| facts.bytes),
            video: tracks.0.as_ref().map(Picture::from),
            audio: tracks.1.as_ref().map(Sound::from),
        }
    }
}

impl From<&Break> for BreakView {
    fn from(gap: &Break) -> Self {
        let (from, to) = (when(gap.from.0), when(gap.to.0));
        Self { from, to, duration_ms: gap.to.ms_since(gap.from), media_ms: gap.media_ms }
    }
}

impl From<BroadcastRow> for BroadcastView {
    fn from(row: BroadcastRow) -> Self {
        Self {
            id: row.id,
            stream: Stream { domain: row.domain, app: row.app, name: row.stream },
            play_domain: row.play_domain,
            publishing: row.publishing,
            settled: row.settled,
            client: row.client,
            published_at: when(row.published_at),
            started_at: when(row.started_at),
            parts: row.parts,
            reconnects: row.reconnects,
        }
    }
}
