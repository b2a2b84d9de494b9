//! Says whether a stream is being pushed.

use serde_json::json;

use super::shared::live;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    live::check_either_domain(call, params.required("DomainName")?)?;
    let stream = live::stream(call, params)?;
    let online = call.control().publishers().publisher(&stream).is_some();
    Ok(fields(json!({ "StreamState": if online { "online" } else { "offline" }, "Type": "push" })))
}
