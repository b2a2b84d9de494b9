//! Lists the pictures taken of a video.

use serde_json::{Value, json};

use super::shared::links::{Links, Wishes};
use super::shared::paging::Page;
use super::shared::videos::{self, COVER_SNAPSHOTS};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::urls::snapshot_file;

/// URLs of pictures live at least this long, and at most as long as those of sources; in seconds.
const LEAST_LIFE_S: i64 = 3600;
const MAX_LIFE_S: i64 = 2_592_000;

/// Pictures of one series; the vendor's documented sprites and series end well below.
const MAX_PICTURES: i64 = 10_000;

const KINDS: [&str; 5] =
    [COVER_SNAPSHOTS, "NormalSnapshot", "SpriteSnapshot", "SpriteOriginSnapshot", "WebVttSnapshot"];

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let page = Page::read(params, "PageNo", 20, 1, 100)?;
    let kind = params.choice("SnapshotType", &KINDS)?.unwrap_or(COVER_SNAPSHOTS);
    let life_s = params.int("AuthTimeout", LEAST_LIFE_S, 1..=MAX_LIFE_S)?.max(LEAST_LIFE_S);
    let video = videos::named(call, params).await?;
    let Some(series) = call.store().snapshots(call.tenant(), &video.id, kind).await? else {
        return Ok(fields(json!({ "MediaSnapshot": { "Total": 0, "Snapshots": { "Snapshot": [] } } })));
    };
    let links = Links::new(call, Wishes::living(life_s)).await?;
    let count = u32::try_from(series.count.clamp(0, MAX_PICTURES)).unwrap_or(0);
    let shown: Vec<Value> = page
        .of((1..=count).collect())
        .into_iter()
        .map(|index| json!({ "Index": index, "Url": links.to(&video.id, &snapshot_file(&series.pattern, index)) }))
        .collect();
    Ok(fields(json!({
        "MediaSnapshot": {
            "JobId": series.job,
            "CreationTime": videos::time(series.created_at),
            "Total": count,
            "Regular": links.unsigned(&video.id, &series.pattern),
            "Snapshots": { "Snapshot": shown },
        }
    })))
}
