//! What comes with a request for work: `UserData` and `Priority`, and the driver's answer in the vendor's words.

use reprise_lifecycle::work::{DEFAULT_PRIORITY, Request};

use super::user_data;
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::delivery::address::Guard;
use crate::driver::Refused;

/// What came with a request.
pub(crate) fn request(call: &Call<'_>, params: &Params) -> Result<Request, Error> {
    read(params, &call.context.settings.callback_guard)
}

fn read(params: &Params, guard: &Guard) -> Result<Request, Error> {
    let priority = params.int("Priority", i64::from(DEFAULT_PRIORITY), 1..=10)?;
    let (extend, callback) = user_data::read(params, guard)?;
    Ok(Request { priority: u8::try_from(priority).unwrap_or(DEFAULT_PRIORITY), extend, callback })
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
        let request =
            |text: &str| read(&of(Product::Vod, &[("UserData", text), ("Priority", "9")]), &Guard::default()).unwrap();
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
            assert_eq!(request(text), expected, "{text}");
        }
        assert_eq!(read(&of(Product::Vod, &[]), &Guard::default()).unwrap(), Request::default());
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        let long = format!(r#"{{"Extend":"{}"}}"#, "x".repeat(513));
        for (name, value) in [
            ("UserData", "[]"),
            ("UserData", long.as_str()),
            ("UserData", r#"{"MessageCallback":{"CallbackURL":"ftp://h"}}"#),
            ("UserData", r#"{"MessageCallback":{"CallbackURL":"http://10.0.0.1/x"}}"#),
            ("UserData", r#"{"MessageCallback":"x"}"#),
            ("Priority", "11"),
        ] {
            let refused = read(&of(Product::Vod, &[(name, value)]), &Guard::default()).unwrap_err();
            assert_eq!(refused.code(), "InvalidParameter", "{value}");
        }
    }
}
