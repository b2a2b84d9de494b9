//! Lets a stream be pushed again.

use reprise_lifecycle::question::StreamKey;

use super::shared::{live, rules};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::Answer;
use crate::store::live_bans::EVERY_APP;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let domain = live::own_push_domain(call, params.required("DomainName")?)?.to_owned();
    let app = match params.required("AppName")? {
        EVERY_APP => EVERY_APP,
        app => rules::name("AppName", app)?,
    };
    let name = rules::name("StreamName", params.required("StreamName")?)?;
    params.required("LiveStreamType")?;
    params.choice("LiveStreamType", &["publisher"])?;
    let stream = StreamKey { domain, app: app.to_owned(), name: name.to_owned() };
    // A stream that is not banned is what was asked for.
    call.store().lift_ban(call.tenant(), &stream).await?;
    Ok(Answer::new())
}
