//! Lists who published when, over at most 30 days.

use reprise_lifecycle::time::Timestamp;
use serde_json::{Value, json};

use super::shared::live;
use super::shared::paging::Page;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, times};
use crate::store::live_publishes::{Publish, PublishFilter};

/// The vendor's orders: by what, and whether the other way round.
const ORDERS: [&str; 4] = ["publish_time_asc", "publish_time_desc", "stream_name_asc", "stream_name_desc"];

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    live::check_either_domain(call, params.required("DomainName")?)?;
    let (from, to) = live::span(params, 30)?;
    // The one number is called differently in request and answer.
    let page = Page::read(params, "PageNumber", 2000, 1, 3000)?;
    let order = params.choice("OrderBy", &ORDERS)?.unwrap_or(ORDERS[0]);
    let transcoded = params.choice("StreamType", &["all", "raw", "trans"])? == Some("trans");
    let filter = PublishFilter {
        from,
        to,
        app: params.get("AppName"),
        stream: params.get("StreamName"),
        strict: params.choice("QueryType", &["fuzzy", "strict"])? == Some("strict"),
        by_name: order.starts_with("stream_name"),
        descending: order.ends_with("_desc"),
    };
    // There are no transcoded live streams.
    let (total, rows) = match transcoded {
        true => (0, Vec::new()),
        false => call.store().publishes(call.tenant(), &filter, page.offset(), page.size).await?,
    };
    let shown: Vec<Value> = rows.iter().map(show).collect();
    Ok(fields(json!({
        "PageNum": page.number,
        "PageSize": page.size,
        "TotalNum": total,
        "TotalPage": page.pages(total),
        "PublishInfo": { "LiveStreamPublishInfo": shown },
    })))
}

fn show(publish: &Publish) -> Value {
    let url = format!("rtmp://{}/{}/{}", publish.domain, publish.app, publish.stream);
    json!({
        "DomainName": publish.play_domain,
        "AppName": publish.app,
        "StreamName": publish.stream,
        "StreamUrl": url,
        "PublishTime": times::format(Timestamp(publish.published_at)),
        "StopTime": publish.stopped_at.map(|at| times::format(Timestamp(at))).unwrap_or_default(),
        "PublishUrl": url,
        "PublishDomain": publish.domain,
        "PublishType": "edge",
        "ClientAddr": publish.client,
        "EdgeNodeAddr": "",
        "Transcoded": "no",
        "TranscodeId": "",
        "AliInnerErrorFlags": "",
    })
}
