//! Videos as the VOD actions look them up and show them. Sibling actions nest the same fields differently, so the
//! fields are here and the nesting is theirs.

use reprise_lifecycle::time::Timestamp;
use serde_json::{Value, json};

use super::links::Links;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::urls::snapshot_file;
use crate::api::{Call, names, times};
use crate::store::videos::{VideoFilter, VideoRow};

/// The kind of pictures that are taken of every source.
pub(crate) const COVER_SNAPSHOTS: &str = "CoverSnapshot";

/// Pictures shown with a video; a cover series has fewer.
const MAX_PICTURES: i64 = 30;

/// How a list of pictures is nested.
#[derive(Clone, Copy)]
pub(crate) enum Pictures {
    /// `Snapshots.Snapshot[]`.
    Wrapped,
    /// `Snapshots[]`.
    Plain,
}

/// The tenant's video that `VideoId` names.
pub(crate) async fn named(call: &Call<'_>, params: &Params) -> Result<VideoRow, Error> {
    let video = call.store().video(call.tenant(), params.required("VideoId")?).await?;
    video.ok_or_else(|| (&error::VIDEO_NOT_FOUND).into())
}

/// What every listing shows of a video.
pub(crate) async fn base(
    call: &Call<'_>,
    video: &VideoRow,
    links: &Links<'_>,
    pictures: Pictures,
) -> Result<Answer, Error> {
    let snapshots = snapshots(call, video, links).await?;
    let mut shown = fields(json!({
        "VideoId": video.id,
        "Title": video.title,
        "Description": video.description,
        "Duration": seconds(video.duration_ms),
        "Size": video.bytes,
        "Status": names::video_status(&video.status),
        "Snapshots": match pictures {
            Pictures::Wrapped => json!({ "Snapshot": snapshots }),
            Pictures::Plain => json!(snapshots),
        },
        // Categories have no names here; a tenant numbers its videos as it likes.
        "CateId": video.cate_id,
        "CateName": "",
        "Tags": video.tags,
        "CreationTime": time(video.created_at),
    }));
    if let Some(cover) = cover_url(video, links) {
        shown.insert("CoverURL".to_owned(), cover.into());
    }
    if let Some(data) = &video.user_data {
        shown.insert("UserData".to_owned(), data.as_str().into());
    }
    if let Some(group) = &video.group_id {
        shown.insert("TemplateGroupId".to_owned(), group.as_str().into());
    }
    Ok(shown)
}

/// What the Get actions show of a video.
pub(crate) async fn full(
    call: &Call<'_>,
    video: &VideoRow,
    links: &Links<'_>,
    pictures: Pictures,
) -> Result<Answer, Error> {
    let mut shown = base(call, video, links, pictures).await?;
    shown.extend(fields(json!({
        "AuditStatus": "Init",
        "StorageLocation": links.host(),
        "RegionId": "local",
        "AppId": names::DEFAULT_APP_ID,
        "DownloadSwitch": "on",
        "StorageClass": "Standard",
        "ModificationTime": time(video.modified_at),
    })));
    Ok(shown)
}

/// The cover's URL, once there is one: the tenant's own choice before what was taken from the video.
pub(crate) fn cover_url(video: &VideoRow, links: &Links<'_>) -> Option<String> {
    if let Some(chosen) = &video.cover_url {
        return Some(chosen.clone());
    }
    video.cover_file.as_ref().map(|file| links.to(&video.id, file))
}

async fn snapshots(call: &Call<'_>, video: &VideoRow, links: &Links<'_>) -> Result<Vec<String>, Error> {
    let series = call.store().snapshots(call.tenant(), &video.id, COVER_SNAPSHOTS).await?;
    let Some(series) = series else {
        return Ok(Vec::new());
    };
    let indices = (1_u32..).take(usize::try_from(series.count.min(MAX_PICTURES)).unwrap_or(0));
    Ok(indices.map(|index| links.to(&video.id, &snapshot_file(&series.pattern, index))).collect())
}

/// Adds what two listings filter and sort by.
pub(crate) fn sorted(params: &Params, filter: VideoFilter) -> Result<VideoFilter, Error> {
    let order = params.choice("SortBy", &["CreationTime:Desc", "CreationTime:Asc"])?;
    Ok(VideoFilter { ascending: order == Some("CreationTime:Asc"), ..filter })
}

/// The last millisecond of the second that `EndTime` names: times in answers are cut to the second, so a client that
/// asks for what it was shown finds it.
pub(crate) fn end_ms(params: &Params) -> Result<Option<i64>, Error> {
    Ok(params.time("EndTime")?.map(|at| at.plus_ms(999).0))
}

/// Milliseconds as the vendor's seconds.
pub(crate) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// A number with the four decimals that some of the vendor's strings have.
pub(crate) fn four_decimals(value: f64) -> Value {
    format!("{value:.4}").into()
}

pub(crate) fn time(ms: i64) -> String {
    times::format(Timestamp(ms))
}
