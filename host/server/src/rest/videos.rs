//! Videos in our own words: how far they are, what they hold, and where they play from.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use reprise_lifecycle::media::{self, MediaFacts};
use reprise_lifecycle::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::{Id, Params, limit, one_of};
use super::form::{Picture, Sound, Stream, when};
use super::gaps::{self, GapView};
use crate::api::urls::{MediaUrls, SOURCE_HLS, SOURCE_MP4, Signer, snapshot_file};
use crate::clock;
use crate::jobs::progress::Progress;
use crate::store::tenants::Tenant;
use crate::store::videos::{JobRow, SnapshotRow, VideoFilter, VideoRow};
use crate::url_auth::{Terms, timestamp_for};

/// How long the signed URLs of an answer live, in seconds: the vendor's default for what its API returns.
const URL_LIFE_S: i64 = 3600;

/// Our words for how far a video is.
const STATUSES: [&str; 6] = ["uploading", "stored", "transcoding", "ready", "failed", "produce_failed"];

/// The series of pictures that are taken.
const SERIES: [&str; 5] =
    ["CoverSnapshot", "NormalSnapshot", "SpriteSnapshot", "SpriteOriginSnapshot", "WebVttSnapshot"];

/// Pictures of one series that are listed; the vendor's bound on one series.
const MAX_PICTURES: u32 = 30;

/// Which videos to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Only those that are this far.
    status: Option<String>,
    /// Only those of this application.
    app: Option<String>,
    /// Only those of this stream.
    stream: Option<String>,
    /// Only those of this broadcast.
    broadcast: Option<String>,
    /// Skip this many.
    offset: Option<u32>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// A video.
#[derive(Serialize, ToSchema)]
pub(super) struct VideoView {
    id: String,
    title: String,
    /// `uploading`, `stored`, `transcoding`, `ready`, `failed` or `produce_failed`.
    status: String,
    broadcast: String,
    /// Which part of the broadcast; absent for a composed video.
    part: Option<i64>,
    stream: Stream,
    duration_ms: i64,
    /// Size of the source.
    bytes: i64,
    /// Its template group, once decided.
    template_group: Option<String>,
    /// Wall clock of its first media.
    recorded_from: Option<String>,
    /// Wall clock of its end.
    recorded_to: Option<String>,
    created_at: String,
    modified_at: String,
}

/// A page of a tenant's videos, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct VideoList {
    videos: Vec<VideoView>,
    /// How many there are on all pages.
    total: i64,
}

/// A video in full.
#[derive(Serialize, ToSchema)]
pub(super) struct VideoDetail {
    #[serde(flatten)]
    video: VideoView,
    /// What the source holds, once it is there.
    facts: Option<Facts>,
    /// What is to be seen and heard in it, once it was analysed.
    analysis: Option<Analysis>,
    /// Where it plays from, once the source is there.
    urls: Option<Urls>,
    /// Where the publisher was gone; of a composed video only.
    gaps: Option<Vec<GapView>>,
    /// What viewers of a composed video get there: `cut` (nothing), `hold` (the last picture) or `slate`. HLS cuts until
    /// the video has a file.
    gap_rule: Option<&'static str>,
    renditions: Vec<Rendition>,
    snapshots: Vec<Series>,
}

/// What the source holds.
#[derive(Serialize, ToSchema)]
pub(super) struct Facts {
    /// First media time on the broadcast's timeline, in milliseconds.
    first_ms: u64,
    duration_ms: u64,
    bytes: u64,
    bitrate_kbps: u64,
    video_frames: u64,
    audio_frames: u64,
    video: Option<Picture>,
    audio: Option<Sound>,
}

/// What is to be seen and heard in a video. Times are milliseconds from its beginning; lists are in order of time.
#[derive(Serialize, ToSchema)]
pub(super) struct Analysis {
    /// Where nothing is heard.
    silences: Vec<Stretch>,
    /// Where the picture is black.
    blacks: Vec<Stretch>,
    /// Where the picture stands still.
    freezes: Vec<Stretch>,
    /// First pictures of new scenes.
    scenes_ms: Vec<u64>,
    /// Integrated loudness (EBU R 128); absent without sound.
    loudness_lufs: Option<f64>,
    /// The highest true peak.
    true_peak_dbfs: Option<f64>,
    loudness_range_lu: Option<f64>,
    /// A picture that would make a cover.
    cover_ms: Option<u64>,
}

/// A stretch of a video.
#[derive(Serialize, ToSchema)]
pub(super) struct Stretch {
    from_ms: u64,
    to_ms: u64,
}

/// Where a video plays from. With URL authentication on they are signed and live for an hour.
#[derive(Serialize, ToSchema)]
pub(super) struct Urls {
    /// The recording as one file; absent before a composed video has one, and once it was deleted.
    source_mp4: Option<String>,
    /// The recording as HLS.
    source_hls: String,
    /// Its HLS renditions; the recording while there are none.
    hls: String,
    /// A page that plays it.
    player: String,
    /// The picture that stands for it.
    cover: Option<String>,
}

/// One encoded output.
#[derive(Serialize, ToSchema)]
pub(super) struct Rendition {
    job: String,
    task: String,
    template: String,
    /// The label the tenant gave its template.
    definition: String,
    /// `mp4` or `m3u8`.
    format: String,
    /// `pending`, `done` or `failed`.
    status: &'static str,
    /// How far it is, in percent, while it is being made.
    progress: Option<u8>,
    /// Where it plays from, when done.
    url: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    fps: Option<f64>,
    duration_ms: Option<u64>,
    bitrate_kbps: Option<u64>,
    bytes: Option<u64>,
    codec: Option<String>,
    /// Why it failed, as a code.
    failure_code: Option<String>,
    /// Why it failed, in words.
    failure: Option<String>,
    created_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
}

/// A series of pictures.
#[derive(Serialize, ToSchema)]
pub(super) struct Series {
    job: String,
    kind: String,
    urls: Vec<String>,
    created_at: String,
}

/// Lists a tenant's videos, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/videos",
    tag = "videos",
    params(("tenant" = String, Path, description = "The tenant."), Listing),
    responses((status = 200, body = VideoList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Params(listing): Params<Listing>,
) -> Result<Json<VideoList>, Error> {
    let filter = VideoFilter {
        statuses: one_of("status", listing.status, &STATUSES)?,
        app: listing.app,
        stream: listing.stream,
        broadcast: listing.broadcast,
        ..VideoFilter::default()
    };
    let offset = i64::from(listing.offset.unwrap_or(0));
    let (total, rows) = shared.store.videos(&tenant.name, &filter, offset, limit(listing.limit)?).await?;
    Ok(Json(VideoList { videos: rows.into_iter().map(VideoView::from).collect(), total }))
}

/// Shows a video with what it holds and where it plays from.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/videos/{video}",
    tag = "videos",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("video" = String, Path, description = "The video."),
    ),
    responses((status = 200, body = VideoDetail), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(ids): Id<(String, String)>,
) -> Result<Json<VideoDetail>, Error> {
    let (_, id) = ids;
    let row = shared.store.video(&tenant.name, &id).await?.ok_or(Error::NotFound("video"))?;
    let links = Links::new(&shared, &tenant, &id).await?;
    let facts = row.facts()?;
    // One whose file could not be made has lost its parts too.
    let urls = facts.as_ref().filter(|_| row.status != "produce_failed").map(|_| links.of(&row));
    let (gap_rule, gaps) = gaps::of(&shared, &row).await?.unzip();
    let mut renditions = Vec::new();
    for job in shared.store.jobs_of_video(&tenant.name, &id).await? {
        renditions.push(links.rendition(job)?);
    }
    let mut snapshots = Vec::new();
    for kind in SERIES {
        snapshots.extend(shared.store.snapshots(&tenant.name, &id, kind).await?.map(|series| links.series(series)));
    }
    let facts = facts.map(|facts| Facts {
        first_ms: facts.first_ms,
        duration_ms: facts.duration_ms,
        bytes: facts.bytes,
        bitrate_kbps: facts.bitrate_kbps(),
        video_frames: facts.video_frames,
        audio_frames: facts.audio_frames,
        video: facts.video.as_ref().map(Picture::from),
        audio: facts.audio.as_ref().map(Sound::from),
    });
    let analysis = row.analysis()?.map(Analysis::from);
    Ok(Json(VideoDetail { video: row.into(), facts, analysis, urls, gaps, gap_rule, renditions, snapshots }))
}

/// Makes the URLs of one video's files.
struct Links<'a> {
    urls: &'a MediaUrls,
    video: &'a str,
    progress: &'a Progress,
    /// The tenant's key, when URLs are to be signed, and the timestamp to sign with.
    signing: Option<(SecretString, i64)>,
}

impl<'a> Links<'a> {
    async fn new(shared: &'a Shared, tenant: &Tenant, video: &'a str) -> Result<Self, Error> {
        let signing = if tenant.url_auth {
            let keys = shared.store.tenant_keys(&tenant.name).await?.ok_or(Error::NotFound("tenant"))?;
            let Timestamp(now_ms) = clock::now();
            let now_s = now_ms.div_euclid(1000);
            Some((keys.play_key, timestamp_for(now_s, URL_LIFE_S, tenant.auth_validity_s)))
        } else {
            None
        };
        Ok(Self { urls: &shared.urls, video, progress: &shared.progress, signing })
    }

    fn to(&self, file: &str) -> String {
        let signer = self
            .signing
            .as_ref()
            .map(|(key, timestamp_s)| Signer { key: key.expose_secret(), terms: Terms::at(*timestamp_s) });
        self.urls.signed(self.video, file, signer)
    }

    fn of(&self, row: &VideoRow) -> Urls {
        Urls {
            source_mp4: row.has_file().then(|| self.to(SOURCE_MP4)),
            source_hls: self.to(SOURCE_HLS),
            hls: self.to("index.m3u8"),
            player: self.to("player.html"),
            cover: row.cover_file.as_deref().map(|file| self.to(file)),
        }
    }

    fn rendition(&self, job: JobRow) -> Result<Rendition, Error> {
        let (template, output) = (job.template()?, job.output()?);
        let status = match (&output, job.completed_at) {
            (Some(_), _) => "done",
            (None, Some(_)) => "failed",
            (None, None) => "pending",
        };
        let output = output.as_ref();
        Ok(Rendition {
            progress: self.progress.percent(&job.id),
            url: output.map(|output| self.to(&output.file)),
            width: output.map(|output| output.width),
            height: output.map(|output| output.height),
            fps: output.map(|output| output.fps),
            duration_ms: output.map(|output| output.duration_ms),
            bitrate_kbps: output.map(|output| output.bitrate_kbps),
            bytes: output.map(|output| output.bytes),
            codec: output.map(|output| output.codec.clone()),
            job: job.id,
            task: job.task,
            template: template.id.to_string(),
            definition: template.definition,
            format: template.format,
            status,
            failure_code: job.error_code,
            failure: job.error,
            created_at: when(job.created_at),
            started_at: job.started_at.map(when),
            completed_at: job.completed_at.map(when),
        })
    }

    fn series(&self, series: SnapshotRow) -> Series {
        let count = u32::try_from(series.count).unwrap_or(0).min(MAX_PICTURES);
        Series {
            urls: (1..=count).map(|index| self.to(&snapshot_file(&series.pattern, index))).collect(),
            job: series.job,
            kind: series.kind,
            created_at: when(series.created_at),
        }
    }
}

impl From<MediaFacts> for Analysis {
    fn from(facts: MediaFacts) -> Self {
        let stretches = |found: Vec<media::Stretch>| {
            found.into_iter().map(|it| Stretch { from_ms: it.from_ms, to_ms: it.to_ms }).collect()
        };
        Self {
            silences: stretches(facts.silences),
            blacks: stretches(facts.blacks),
            freezes: stretches(facts.freezes),
            scenes_ms: facts.scenes_ms,
            loudness_lufs: facts.loudness_lufs,
            true_peak_dbfs: facts.true_peak_dbfs,
            loudness_range_lu: facts.loudness_range_lu,
            cover_ms: facts.cover_ms,
        }
    }
}

impl From<VideoRow> for VideoView {
    fn from(row: VideoRow) -> Self {
        Self {
            id: row.id,
            title: row.title,
            status: row.status,
            broadcast: row.broadcast,
            part: row.part,
            stream: Stream { domain: row.domain, app: row.app, name: row.stream },
            duration_ms: row.duration_ms,
            bytes: row.bytes,
            template_group: row.group_id,
            recorded_from: row.record_start.map(when),
            recorded_to: row.record_end.map(when),
            created_at: when(row.created_at),
            modified_at: when(row.modified_at),
        }
    }
}
