//! Cuts a stream: once, or until a time at which its publisher is let in again.

use super::shared::live;
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::Answer;

/// How long a ban lasts that names no end: the vendor's six months.
const DEFAULT_MS: i64 = 183 * 24 * 3600 * 1000;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    live::own_push_domain(call, params.required("DomainName")?)?;
    let stream = live::stream(call, params)?;
    params.required("LiveStreamType")?;
    params.choice("LiveStreamType", &["publisher"])?;
    let once = params.choice("Oneshot", &["yes", "no"])? == Some("yes");
    let until = params.time("ResumeTime")?.unwrap_or_else(|| call.now.plus_ms(DEFAULT_MS));
    if once {
        call.control().kick(&stream).await;
        return Ok(Answer::new());
    }
    if until <= call.now {
        return Err(Error::invalid("ResumeTime", "it must be in the future"));
    }
    call.control().forbid(call.tenant(), &stream, until, call.now).await.map_err(live::refused)?;
    Ok(Answer::new())
}
