//! Shows the materials of an editing project, in the order in which they were listed. What is deleted meanwhile is
//! left out.

use serde_json::{Value, json};

use super::shared::editing::{self, PROJECT_ID};
use super::shared::links::{Links, Wishes};
use super::shared::videos::{self, Pictures, seconds, time};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::store::images::ImageRow;
use crate::store::videos::VideoRow;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let wanted = params.choice("Type", &["video", "image", "audio"])?;
    let project = editing::find(call, params.required(PROJECT_ID)?).await?;
    let links = Links::new(call, Wishes::default()).await?;
    let mut shown = Vec::new();
    for id in call.store().editing_materials(call.tenant(), &project.id).await? {
        let material = match call.store().video(call.tenant(), &id).await? {
            Some(row) => Some(video(call, &row, &links).await?),
            None => call.store().image(call.tenant(), &id).await?.map(|row| image(call, &row)),
        };
        shown.extend(material.filter(|(kind, _)| wanted.is_none_or(|wanted| wanted == *kind)).map(|(_, shown)| shown));
    }
    Ok(fields(json!({ "MaterialList": { "Material": shown } })))
}

async fn video(call: &Call<'_>, row: &VideoRow, links: &Links<'_>) -> Result<(&'static str, Answer), Error> {
    let kind = match row.facts()? {
        Some(facts) if facts.video.is_none() => "audio",
        Some(_) | None => "video",
    };
    let base = videos::base(call, row, links, Pictures::Wrapped).await?;
    let of = |name: &str| base.get(name).cloned().unwrap_or(Value::Null);
    let shown = fields(json!({
        "MaterialId": row.id,
        "MaterialType": kind,
        "Title": row.title,
        "Description": row.description,
        "Tags": of("Tags"),
        "CateId": of("CateId"),
        "CateName": of("CateName"),
        "CoverURL": of("CoverURL"),
        "Snapshots": of("Snapshots"),
        "Duration": seconds(row.duration_ms),
        "Size": row.bytes,
        "Source": "general",
        "Status": of("Status"),
        "CreationTime": time(row.created_at),
        "ModifiedTime": time(row.modified_at),
        "RegionId": "local",
    }));
    // What a video does not have yet is left out.
    Ok((kind, shown.into_iter().filter(|(_, value)| !value.is_null()).collect()))
}

fn image(_: &Call<'_>, row: &ImageRow) -> (&'static str, Answer) {
    let shown = fields(json!({
        "MaterialId": row.id,
        "MaterialType": "image",
        "Title": format!("{}.{}", row.id, row.format),
        "Size": row.bytes,
        "Source": "general",
        "Status": "Normal",
        "CreationTime": time(row.created_at),
        "ModifiedTime": time(row.created_at),
        "RegionId": "local",
    }));
    ("image", shown)
}
