//! Lists the streams that are being pushed, recorded or not.

use std::sync::Arc;

use serde_json::{Value, json};

use super::shared::paging::Page;
use super::shared::rules;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, times};
use crate::ingest::publishers::{Publisher, Who};

/// Codec numbers of FLV.
const AVC: u32 = 7;
const HEVC: u32 = 12;
const AAC: u32 = 10;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    let page = Page::read(params, "PageNum", 2000, 1, 3000)?;
    let wanted = Wanted::read(params)?;
    let only_stream = params.choice("OnlyStream", &["yes", "no"])? == Some("yes");
    let mut live = call.control().publishers().of_tenant(call.tenant());
    live.retain(|publisher| publisher.who.play_domain == domain && wanted.covers(&publisher.who));
    let total = i64::try_from(live.len()).unwrap_or(i64::MAX);
    let show = |publisher: Arc<Publisher>| {
        let mut stream = base(&publisher.who);
        if !only_stream {
            stream.extend(details(&publisher.who));
            stream.extend(tracks(&publisher));
        }
        Value::Object(stream)
    };
    let shown: Vec<Value> = page.of(live).into_iter().map(show).collect();
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

    fn covers(&self, who: &Who) -> bool {
        let name = &who.stream.name;
        let stream = |wanted: &str| if self.strict { name == wanted } else { name.contains(wanted) };
        !self.only_transcoded && self.app.is_none_or(|app| who.stream.app == app) && self.stream.is_none_or(stream)
    }
}

fn base(who: &Who) -> Answer {
    fields(json!({
        "DomainName": who.play_domain,
        "AppName": who.stream.app,
        "StreamName": who.stream.name,
        "PublishTime": times::format(who.since),
    }))
}

fn details(who: &Who) -> Answer {
    let stream = &who.stream;
    fields(json!({
        "PublishType": "edge",
        "PublishDomain": stream.domain,
        "PublishUrl": format!("rtmp://{}/{}/{}", stream.domain, stream.app, stream.name),
        "ClientIp": who.client.to_string(),
        "ServerIp": who.server.to_string(),
        "Transcoded": "no",
    }))
}

/// What is known of the media; what did not come yet is left out.
fn tracks(publisher: &Publisher) -> Answer {
    let seen = publisher.seen();
    let mut shown = Answer::new();
    if let Some(video) = seen.video {
        shown.extend(fields(json!({
            "Width": video.width,
            "Height": video.height,
            "FrameRate": video.fps.round() as i64,
            "VideoCodecId": if video.codec == "H.265" { HEVC } else { AVC },
            "VideoDataRate": seen.video_kbps,
        })));
    }
    if seen.audio {
        shown.extend(fields(json!({ "AudioCodecId": AAC, "AudioDataRate": seen.audio_kbps })));
    }
    shown
}
