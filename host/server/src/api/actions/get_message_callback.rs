//! Shows where events go. A tenant that never said so is shown a setting that sends nothing.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::set_message_callback::check_app;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, names};
use crate::store::message_callbacks::MessageCallback;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    check_app(params)?;
    let callback = call.store().message_callback(call.tenant(), names::DEFAULT_APP_ID).await?;
    Ok(fields(json!({ "MessageCallback": callback.as_ref().map_or_else(none, show) })))
}

fn show(callback: &MessageCallback) -> Value {
    json!({
        "AppId": callback.app_id,
        "CallbackType": "HTTP",
        "CallbackURL": callback.url,
        "EventTypeList": callback.event_types,
        "AuthSwitch": if callback.auth_switch { "on" } else { "off" },
        // The vendor shows the key to whoever may set it.
        "AuthKey": callback.auth_key.as_ref().map_or("", |key| key.expose_secret()),
        "MnsEndpoint": "",
        "MnsQueueName": "",
    })
}

fn none() -> Value {
    json!({ "AppId": names::DEFAULT_APP_ID, "EventTypeList": "", "AuthSwitch": "off" })
}
