//! What comes with a request for work: `UserData` and `Priority`, and the driver's answer in the vendor's words.

use reprise_lifecycle::work::{DEFAULT_PRIORITY, Request};
use serde_json::{Map, Value};

use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::driver::Refused;

/// The vendor's limit of `Extend`, in bytes.
const MAX_EXTEND: usize = 512;

/// The vendor's limit of a callback's URL, in bytes.
const MAX_URL: usize = 256;

/// The longest `UserData`: the two above and what surrounds them.
const MAX_USER_DATA: usize = 4096;

const USER_DATA: &str = "UserData";

/// What came with a request.
pub(crate) fn request(params: &Params) -> Result<Request, Error> {
    let priority = params.int("Priority", i64::from(DEFAULT_PRIORITY), 1..=10)?;
    let (extend, callback) = match params.text(USER_DATA, MAX_USER_DATA)? {
        Some(text) => user_data(text)?,
        None => (None, None),
    };
    Ok(Request { priority: u8::try_from(priority).unwrap_or(DEFAULT_PRIORITY), extend, callback })
}

/// The text for the events, and the receiver of them. Members may be objects or JSON once more; the text comes back as
/// a text either way.
fn user_data(text: &str) -> Result<(Option<String>, Option<String>), Error> {
    let wrong = |what: &str| Error::invalid(USER_DATA, what);
    let data: Map<String, Value> = serde_json::from_str(text).map_err(|_| wrong("it must be a JSON object"))?;
    let extend = data.get("Extend").filter(|value| !value.is_null()).map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    if extend.as_ref().is_some_and(|text| text.len() > MAX_EXTEND) {
        return Err(wrong("its Extend must be at most 512 bytes"));
    }
    let callback = match data.get("MessageCallback") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => {
            Some(serde_json::from_str(text).map_err(|_| wrong("its MessageCallback must be a JSON object"))?)
        }
        Some(other) => Some(other.clone()),
    };
    let url = callback.as_ref().and_then(|callback| callback["CallbackURL"].as_str()).filter(|url| !url.is_empty());
    if let Some(url) = url {
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        if !is_http || url.len() > MAX_URL {
            return Err(wrong("its CallbackURL must be an http URL of at most 256 bytes"));
        }
    }
    Ok((extend.filter(|text| !text.is_empty()), url.map(str::to_owned)))
}

/// Whether work can be asked for on a video in this status of ours: its source is whole.
pub(crate) fn check_status(status: &str) -> Result<(), Error> {
    if matches!(status, "stored" | "ready") { Ok(()) } else { Err((&error::ILLEGAL_STATUS).into()) }
}

/// The vendor's word for what the driver would not take.
pub(crate) fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Unfit(why) => {
            Error::VendorText(&error::ILLEGAL_STATUS, format!("Status of the video is illegal: {why}."))
        }
        Refused::Impossible => Error::Internal(Box::new(refused)),
        Refused::Unavailable => Error::Busy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::Product;
    use crate::api::params::of;

    #[test]
    fn extend_is_always_a_text() {
        let read = |text: &str| request(&of(Product::Vod, &[("UserData", text), ("Priority", "9")])).unwrap();
        for (text, extend, callback) in [
            ("{}", None, None),
            (r#"{"Extend":{"a":1}}"#, Some(r#"{"a":1}"#), None),
            (r#"{"Extend":"{\"a\":1}"}"#, Some(r#"{"a":1}"#), None),
            (r#"{"MessageCallback":{"CallbackURL":"http://h/x","CallbackType":"http"}}"#, None, Some("http://h/x")),
            (r#"{"MessageCallback":"{\"CallbackURL\":\"http://h/x\"}"}"#, None, Some("http://h/x")),
            (r#"{"MessageCallback":{},"Extend":null}"#, None, None),
        ] {
            let expected =
                Request { priority: 9, extend: extend.map(str::to_owned), callback: callback.map(str::to_owned) };
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(request(&of(Product::Vod, &[])).unwrap(), Request::default());
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        let long = format!(r#"{{"Extend":"{}"}}"#, "x".repeat(513));
        for (name, value) in [
            ("UserData", "[]"),
            ("UserData", long.as_str()),
            ("UserData", r#"{"MessageCallback":{"CallbackURL":"ftp://h"}}"#),
            ("UserData", r#"{"MessageCallback":"x"}"#),
            ("Priority", "11"),
        ] {
            assert_eq!(request(&of(Product::Vod, &[(name, value)])).unwrap_err().code(), "InvalidParameter", "{value}");
        }
    }
}
