//! Lists the streams that are being pushed.

use std::net::SocketAddr;

use reprise_lifecycle::record::Record;
use reprise_lifecycle::time::Timestamp;
use serde_json::{Value, json};

use super::shared::paging::Page;
use super::shared::rules;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, times};
use crate::store::videos::BroadcastRow;

/// Live streams looked at for one answer; a process serves fewer.
const MAX_LIVE: i64 = 10_000;

/// Codec numbers of FLV.
const AVC: u32 = 7;
const HEVC: u32 = 12;
const AAC: u32 = 10;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    let page = Page::read(params, "PageNum", 2000, 1, 3000)?;
    let wanted = Wanted::read(params)?;
    let only_stream = params.choice("OnlyStream", &["yes", "no"])? == Some("yes");
    let live = call.store().broadcasts(call.tenant(), true, MAX_LIVE).await?;
    let live: Vec<BroadcastRow> =
        live.into_iter().filter(|row| row.play_domain == domain && wanted.covers(row)).collect();
    let total = i64::try_from(live.len()).unwrap_or(i64::MAX);
    let mut shown = Vec::new();
    for row in page.of(live) {
        let mut stream = base(&row);
        if !only_stream {
            stream.extend(details(&row));
            stream.extend(tracks(call, &row).await?);
        }
        shown.push(Value::Object(stream));
    }
    Ok(fields(json!({
        "PageNum": page.number,
        "PageSize": page.size,
        "TotalNum": total,
        "TotalPage": page.pages(total),
        "OnlineInfo": { "LiveStreamOnlineInfo": shown },
    })))
}

struct Wanted<'a> {
    app: Option<&'a str>,
    stream: Option<&'a str>,
    strict: bool,
    /// Transcoded live streams, of which there are none.
    only_transcoded: bool,
}

impl<'a> Wanted<'a> {
    fn read(params: &'a Params) -> Result<Self, Error> {
        Ok(Self {
            app: params.get("AppName"),
            stream: params.get("StreamName"),
            strict: params.choice("QueryType", &["fuzzy", "strict"])? == Some("strict"),
            only_transcoded: params.choice("StreamType", &["all", "raw", "trans"])? == Some("trans"),
        })
    }

    fn covers(&self, row: &BroadcastRow) -> bool {
        let stream = |wanted: &str| if self.strict { row.stream == wanted } else { row.stream.contains(wanted) };
        !self.only_transcoded && self.app.is_none_or(|app| row.app == app) && self.stream.is_none_or(stream)
    }
}

fn base(row: &BroadcastRow) -> Answer {
    fields(json!({
        "DomainName": row.play_domain,
        "AppName": row.app,
        "StreamName": row.stream,
        "PublishTime": times::format(Timestamp(row.published_at)),
    }))
}

fn details(row: &BroadcastRow) -> Answer {
    let client = row.client.parse().map_or(row.client.clone(), |client: SocketAddr| client.ip().to_string());
    fields(json!({
        "PublishType": "edge",
        "PublishDomain": row.domain,
        "PublishUrl": format!("rtmp://{}/{}/{}", row.domain, row.app, row.stream),
        "ClientIp": client,
        "Transcoded": "no",
    }))
}

/// What the newest part was opened with. Data rates are known when a part is closed, so they are left out.
async fn tracks(call: &Call<'_>, row: &BroadcastRow) -> Result<Answer, Error> {
    let Some(Record::PartOpened { video, audio, .. }) = call.store().newest_part_opened(call.tenant(), &row.id).await? else {
        return Ok(Answer::new());
    };
    let mut shown = Answer::new();
    if let Some(video) = video {
        shown.extend(fields(json!({
            "Width": video.width,
            "Height": video.height,
            "FrameRate": video.fps.round() as i64,
            "VideoCodecId": if video.codec == "H.265" { HEVC } else { AVC },
        })));
    }
    if audio.is_some() {
        shown.insert("AudioCodecId".to_owned(), AAC.into());
    }
    Ok(shown)
}
