//! Lists the streams that may not be pushed.

use serde_json::json;

use super::shared::paging::Page;
use super::shared::rules;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    let page = Page::read(params, "PageNum", 2000, 1, 3000)?;
    let push = call.tenant.push_domain.as_str();
    let (total, banned) = call.store().bans(call.tenant(), push, call.now, page.offset(), page.size).await?;
    let urls: Vec<String> = banned.iter().map(|(app, stream)| format!("{push}/{app}/{stream}")).collect();
    Ok(fields(json!({
        "DomainName": domain,
        "PageNum": page.number,
        "PageSize": page.size,
        "TotalNum": total,
        "TotalPage": page.pages(total),
        "StreamUrls": { "StreamUrl": urls },
    })))
}
