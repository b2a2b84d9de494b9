//! Lists videos by the stream they were recorded from and the time of recording.

use serde_json::json;

use super::shared::links::{Links, Wishes};
use super::shared::paging::Page;
use super::shared::videos::{self, Pictures};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::store::videos::{VideoFilter, VideoRow};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let page = Page::of_media(params)?;
    let text = |name| params.get(name).map(str::to_owned);
    let filter = VideoFilter {
        play_domain: text("DomainName"),
        app: text("AppName"),
        stream: text("StreamName"),
        recorded_from: params.time("StartTime")?.map(|at| at.0),
        recorded_to: videos::end_ms(params)?,
        ..VideoFilter::default()
    };
    let filter = videos::sorted(params, filter)?;
    let (total, rows) = call.store().videos(call.tenant(), &filter, page.offset(), page.size).await?;
    let links = Links::new(call, Wishes::default()).await?;
    let mut shown = Vec::new();
    for row in &rows {
        shown.push(show(call, row, &links).await?);
    }
    Ok(fields(json!({ "Total": total, "LiveRecordVideoList": { "LiveRecordVideo": shown } })))
}

async fn show(call: &Call<'_>, row: &VideoRow, links: &Links<'_>) -> Result<Answer, Error> {
    let mut video = videos::base(call, row, links, Pictures::Wrapped).await?;
    // Elsewhere the same time is called ModificationTime.
    video.insert("ModifyTime".to_owned(), videos::time(row.modified_at).into());
    let mut shown = fields(json!({
        "StreamName": row.stream,
        "AppName": row.app,
        "DomainName": row.play_domain,
        "PlaylistId": row.broadcast,
        "Video": video,
    }));
    for (name, at) in [("RecordStartTime", row.record_start), ("RecordEndTime", row.record_end)] {
        if let Some(at) = at {
            shown.insert(name.to_owned(), videos::time(at).into());
        }
    }
    Ok(shown)
}
