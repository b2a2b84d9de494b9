//! Lists how the notices about a play domain's recordings went.

use serde_json::{Value, json};

use super::shared::paging::Page;
use super::shared::{live, rules};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::store::live_notices::Side;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = rules::own_domain(call, params.required("DomainName")?)?;
    let filter = live::notices_wanted(params, Side::Record)?;
    for name in ["PageNumber", "PageSize"] {
        params.required(name)?;
    }
    let page = Page::read(params, "PageNumber", 20, 1, 500)?;
    // Recordings become videos; none goes to object storage.
    let storage = params.choice("StorageType", &["oss", "vod", "all"])?;
    let rows = match storage {
        Some("oss") => Vec::new(),
        _ => call.store().notices(call.tenant(), domain, &filter, page.offset(), page.size).await?.1,
    };
    let shown: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut notice = fields(live::show_notice(row));
            notice.insert("StorageType".to_owned(), "vod".into());
            Value::Object(notice)
        })
        .collect();
    // A plain list, and a code that an older client takes for an error if it is not 200.
    Ok(fields(json!({ "CallbackList": shown, "Code": 200, "Msg": "success" })))
}
