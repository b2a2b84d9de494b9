//! `UserData`: what comes with a request for work. Its members are objects, or strings that hold them.

use serde_json::{Map, Value};

use crate::api::error::Error;
use crate::api::params::Params;
use crate::delivery::address::Guard;
use crate::delivery::target::{Host, Target};

const USER_DATA: &str = "UserData";

/// The vendor's limit of what comes back in events.
const MAX_EXTEND_BYTES: usize = 512;

/// The vendor's limit of a callback URL.
const MAX_URL_BYTES: usize = 256;

/// Both members at their longest, escaped.
const MAX_BYTES: usize = 4096;

/// The text for the events, which comes back as a text whatever it was, and the receiver of them.
pub(super) fn read(params: &Params, guard: &Guard) -> Result<(Option<String>, Option<String>), Error> {
    let Some(text) = params.text(USER_DATA, MAX_BYTES)? else {
        return Ok((None, None));
    };
    let data: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| Error::invalid(USER_DATA, "it must be a JSON object"))?;
    let extend = match data.get("Extend") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    if extend.as_ref().is_some_and(|extend| extend.len() > MAX_EXTEND_BYTES) {
        return Err(Error::invalid("UserData.Extend", format!("it must be at most {MAX_EXTEND_BYTES} bytes")));
    }
    let callback = data.get("MessageCallback").map(|member| callback(guard, member)).transpose()?.flatten();
    Ok((extend.filter(|extend| !extend.is_empty()), callback))
}

fn callback(guard: &Guard, member: &Value) -> Result<Option<String>, Error> {
    let invalid = |reason: String| Error::invalid("UserData.MessageCallback", reason);
    let unwrapped;
    let member = match member {
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => {
            unwrapped = serde_json::from_str(text).map_err(|_| invalid("it must be a JSON object".to_owned()))?;
            &unwrapped
        }
        other => other,
    };
    let Some(member) = member.as_object() else {
        return if member.is_null() { Ok(None) } else { Err(invalid("it must be a JSON object".to_owned())) };
    };
    let kind = member.get("CallbackType").and_then(Value::as_str).unwrap_or("http");
    if !kind.eq_ignore_ascii_case("http") {
        return Err(invalid("events are sent over HTTP".to_owned()));
    }
    let Some(url) = member.get("CallbackURL").and_then(Value::as_str).filter(|url| !url.is_empty()) else {
        return Ok(None);
    };
    if url.len() > MAX_URL_BYTES {
        return Err(invalid(format!("its URL must be at most {MAX_URL_BYTES} bytes")));
    }
    let target = Target::parse(url).map_err(|error| invalid(error.to_string()))?;
    if let Host::Address(address) = target.host {
        guard.check(address).map_err(|refused| invalid(refused.to_string()))?;
    }
    Ok(Some(url.to_owned()))
}
