//! Lists how the notices about a push domain's streams went.

use serde_json::{Value, json};

use super::shared::live;
use super::shared::paging::Page;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::store::live_notices::Side;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = live::own_push_domain(call, params.required("DomainName")?)?;
    let filter = live::notices_wanted(params, Side::Stream)?;
    let page = Page::read(params, "PageNumber", 20, 1, 500)?;
    let (total, rows) = call.store().notices(call.tenant(), domain, &filter, page.offset(), page.size).await?;
    let shown: Vec<Value> = rows.iter().map(live::show_notice).collect();
    Ok(fields(json!({
        "PageNum": page.number,
        "PageSize": page.size,
        "TotalNum": total,
        "TotalPage": page.pages(total),
        "NotifyRecordsInfo": { "LiveStreamNotifyRecordsInfo": shown },
    })))
}
