//! Orders the recording of a stream that is being pushed.

use super::shared::{live, rules};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::Answer;
use crate::ingest::control::Command;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    rules::own_domain(call, params.required("DomainName")?)?;
    let stream = live::stream(call, params)?;
    params.required("Command")?;
    let command = match params.choice("Command", &["start", "stop", "cancel_delay", "restart"])? {
        Some("stop") => Command::Stop,
        Some("cancel_delay") => Command::EndBreak,
        Some("restart") => Command::Restart,
        _ => Command::Start,
    };
    call.control().command(call.tenant, &stream, command).await.map_err(live::refused)?;
    Ok(Answer::new())
}
