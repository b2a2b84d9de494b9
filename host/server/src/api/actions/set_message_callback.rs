//! Says where events go, which ones, and whether they are signed. A later setting replaces the earlier.

use secrecy::SecretString;

use crate::api::error::{Error, Product};
use crate::api::params::{Params, commas};
use crate::api::reply::Answer;
use crate::api::{Call, names};
use crate::delivery::address::Guard;
use crate::delivery::target::{Host, Target};
use crate::store::message_callbacks::MessageCallback;

/// The vendor's limit of a callback URL.
const MAX_URL_BYTES: usize = 256;

/// The vendor's limit of a callback key.
const MAX_KEY_CHARS: usize = 32;

/// Longer than all event types together.
const MAX_EVENT_TYPES_BYTES: usize = 2048;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    check_app(params)?;
    if params.choice("CallbackType", &["HTTP", "MNS"])? == Some("MNS") {
        for name in ["MnsEndpoint", "MnsQueueName"] {
            params.required(name)?;
        }
        return Err(Error::Unsupported("CallbackType=MNS: events are sent over HTTP".to_owned()));
    }
    let url = params.required("CallbackURL")?;
    check_url(url, &call.context.settings.callback_guard)?;
    let auth_switch = params.choice("AuthSwitch", &["on", "off"])? == Some("on");
    let auth_key = params.get("AuthKey");
    auth_key.map_or(Ok(()), check_key)?;
    if auth_switch && auth_key.is_none() {
        return Err(Error::missing(Product::Vod, "AuthKey"));
    }
    let callback = MessageCallback {
        app_id: names::DEFAULT_APP_ID.to_owned(),
        url: url.to_owned(),
        event_types: event_types(params.text("EventTypeList", MAX_EVENT_TYPES_BYTES)?.unwrap_or_default()),
        auth_switch,
        auth_key: auth_key.map(SecretString::from),
        extra: "{}".to_owned(),
    };
    call.store().put_message_callback(call.tenant(), &callback, call.now).await?;
    Ok(Answer::new())
}

/// Everything belongs to one application; a setting of another would never be used.
pub(super) fn check_app(params: &Params) -> Result<(), Error> {
    match params.get("AppId") {
        None | Some(names::DEFAULT_APP_ID) => Ok(()),
        Some(_) => {
            Err(Error::invalid("AppId", format!("there is one application, {}", names::DEFAULT_APP_ID)))
        }
    }
}

/// A URL that will never be called is refused now, while somebody is looking. Names are resolved and judged again
/// at every attempt.
fn check_url(url: &str, guard: &Guard) -> Result<(), Error> {
    let invalid = |reason: String| Error::invalid("CallbackURL", reason);
    if url.len() > MAX_URL_BYTES {
        return Err(invalid(format!("it must be at most {MAX_URL_BYTES} bytes")));
    }
    let target = Target::parse(url).map_err(|error| invalid(error.to_string()))?;
    if let Host::Address(address) = target.host {
        guard.check(address).map_err(|refused| invalid(refused.to_string()))?;
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), Error> {
    let has = |what: fn(&char) -> bool| key.chars().any(|c| what(&c));
    let fits = key.chars().count() <= MAX_KEY_CHARS
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit);
    if fits {
        Ok(())
    } else {
        let reason = format!("it must be at most {MAX_KEY_CHARS} characters with upper case, lower case and a digit");
        Err(Error::invalid("AuthKey", reason))
    }
}

/// The subscription in one spelling. Event types the server does not know are kept: they may come to be.
fn event_types(text: &str) -> String {
    let wanted = commas(text);
    if wanted.iter().any(|name| name.eq_ignore_ascii_case("ALL")) {
        "ALL".to_owned()
    } else {
        wanted.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_will_never_be_called_are_refused() {
        let guard = Guard::default();
        for good in ["http://hooks.example.com/vod?x=1", "https://hooks.example.com:8443/"] {
            assert!(check_url(good, &guard).is_ok(), "{good}");
        }
        let long = format!("http://hooks.example.com/{}", "x".repeat(MAX_URL_BYTES));
        for bad in [
            "ftp://example.com/",
            "hooks.example.com",
            "http://user:secret@example.com/",
            "http://127.0.0.1:9000/",
            "http://[::1]/",
            "http://169.254.169.254/latest",
            &long,
        ] {
            let error = check_url(bad, &guard).unwrap_err();
            assert_eq!(error.code(), "InvalidParameter", "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let loopback = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(check_url("http://127.0.0.1:9000/", &loopback).is_ok());
    }

    #[test]
    fn keys_have_three_kinds_of_characters() {
        assert!(check_key("Abc123Xyz789").is_ok());
        for bad in ["abc123", "ABC123", "Abcdef", "Abc123Xyz789Abc123Xyz789Abc123Xyz"] {
            assert!(check_key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_subscription_has_one_spelling() {
        for (given, kept) in [("", ""), ("all", "ALL"), (" A, B ,", "A,B"), ("A,ALL", "ALL"), ("Unknown", "Unknown")] {
            assert_eq!(event_types(given), kept);
        }
    }
}
