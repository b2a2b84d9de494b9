//! Signatures of requests: what a client signed, and whether it fits the secret. Two schemes share the path `/`:
//! [`v1`] (HMAC-SHA1 over the parameters) and [`v3`] (HMAC-SHA256 over the request and its signed headers).
//!
//! Pure: it knows no store, no clock and no HTTP library beyond header values.

pub(crate) mod v1;
pub(crate) mod v3;

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986's unreserved characters stay, every other byte becomes `%XX`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn encode(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, RESERVED).into()
}

/// Parameters sorted by name in byte order, encoded and joined. Empty values take part.
fn canonical_query<'a>(params: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut params: Vec<(&str, &str)> = params.collect();
    params.sort_unstable();
    let mut text = String::new();
    for (name, value) in params {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(&encode(name));
        text.push('=');
        text.push_str(&encode(value));
    }
    text
}
