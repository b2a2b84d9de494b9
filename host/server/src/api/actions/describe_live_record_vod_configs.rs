//! Lists a domain's live-to-VOD rules.

use serde_json::{Value, json};

use super::shared::paging::Page;
use super::shared::rules;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    let page = Page::read(params, "PageNum", 10, 5, 100)?;
    let (app, stream) = (params.get("AppName"), params.get("StreamName"));
    let (total, configs) =
        call.store().record_configs(call.tenant(), domain, app, stream, page.offset(), page.size).await?;
    let configs: Vec<Value> = configs.iter().map(rules::show).collect();
    Ok(fields(json!({
        "PageNum": page.number,
        "PageSize": page.size,
        // A string, unlike every other total.
        "Total": total.to_string(),
        "LiveRecordVodConfigs": { "LiveRecordVodConfig": configs },
    })))
}
