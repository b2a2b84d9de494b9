//! The request of one attempt: the same id and the same bytes every time, times and signatures made afresh.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::Full;
use reprise_lifecycle::id::EventId;
use reprise_lifecycle::time::Timestamp;
use reprise_policy::{MAX_HEADER_BYTES, MAX_HEADERS, is_reserved_header};

use super::signature::{AuthKey, EndpointSecret, webhook_signature};
use super::target::Target;

/// Everything about a callback that is equal on every attempt.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The event: `webhook-id`.
    pub event: EventId,
    /// The URL, byte for byte as the tenant configured it: it is part of the vendor's signature.
    pub url: String,
    /// The vendor's key, if AuthSwitch is on.
    pub auth: Option<AuthKey>,
    /// The endpoint's live secrets, newest first; more than one during a rotation.
    pub secrets: Vec<EndpointSecret>,
    /// Headers the tenant's policy added.
    pub headers: Vec<(String, String)>,
    /// The event, rendered once.
    pub body: Bytes,
}

/// Why a request cannot be made. Whoever wrote the policy must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Too many extra headers, or too much in them.
    #[error("more than {MAX_HEADERS} extra headers, or more than {MAX_HEADER_BYTES} bytes of them")]
    TooManyHeaders,
    /// Not a header name.
    #[error("an extra header has a name that is not one")]
    HeaderName,
    /// A value that is not visible text.
    #[error("the extra header `{0}` has a value that is not visible ASCII text")]
    HeaderValue(HeaderName),
    /// A header the server sets itself, or that would change how the request is read.
    #[error("the extra header `{0}` is the server's own")]
    Reserved(HeaderName),
    /// An id that the signature's dots would make ambiguous.
    #[error("the event's id is not made of letters, digits, `_` and `-`")]
    EventId,
}

/// The request of one attempt that begins `now`.
pub fn prepare(callback: &Callback, target: &Target, now: Timestamp) -> Result<Request<Full<Bytes>>, RequestError> {
    let mut headers = extra_headers(&callback.headers)?;
    let unix_seconds = now.0.div_euclid(1_000);
    let id = callback.event.as_str();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        return Err(RequestError::EventId);
    }
    let authority = HeaderValue::from_str(&target.authority).map_err(|_| RequestError::HeaderValue(HOST))?;
    headers.insert(HOST, authority);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Reprise/", env!("CARGO_PKG_VERSION"))));
    // One connection for one attempt: nothing is kept open towards receivers.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if let Some(key) = &callback.auth {
        headers.insert("x-vod-timestamp", HeaderValue::from(unix_seconds));
        insert_text(&mut headers, "x-vod-signature", &key.sign(&callback.url, unix_seconds))?;
    }
    insert_text(&mut headers, "webhook-id", id)?;
    headers.insert("webhook-timestamp", HeaderValue::from(unix_seconds));
    if let Some(signature) = webhook_signature(&callback.secrets, id, unix_seconds, &callback.body) {
        insert_text(&mut headers, "webhook-signature", &signature)?;
    }

    let mut request = Request::new(Full::new(callback.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from(target.path.clone());
    *request.headers_mut() = headers;
    Ok(request)
}

/// Checks the headers that policies added. Their answers were judged in the same way before they were recorded.
pub fn extra_headers(wanted: &[(String, String)]) -> Result<HeaderMap, RequestError> {
    let bytes: usize = wanted.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
    if wanted.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(RequestError::TooManyHeaders);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| RequestError::HeaderName)?;
        if is_reserved_header(name.as_str()) {
            return Err(RequestError::Reserved(name));
        }
        let visible = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        match HeaderValue::from_str(value) {
            Ok(value) if visible => headers.append(name, value),
            _ => return Err(RequestError::HeaderValue(name)),
        };
    }
    Ok(headers)
}

fn insert_text(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), RequestError> {
    let name = HeaderName::from_static(name);
    let value = HeaderValue::from_str(value).map_err(|_| RequestError::HeaderValue(name.clone()))?;
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback() -> Callback {
        Callback {
            event: EventId::new("evt_1"),
            url: "https://media.example.org/hooks/vod".into(),
            auth: Some(AuthKey::new("Abc123Xyz789")),
            secrets: vec![EndpointSecret::from_bytes(vec![1; 32]).unwrap()],
            headers: vec![("X-Tenant".into(), "acme".into())],
            body: Bytes::from_static(b"{}"),
        }
    }

    fn headers(callback: &Callback, at_seconds: i64) -> HeaderMap {
        let target = Target::parse(&callback.url).unwrap();
        prepare(callback, &target, Timestamp(at_seconds * 1_000 + 999)).unwrap().headers().clone()
    }

    #[test]
    fn an_attempt_carries_both_signatures() {
        let headers = headers(&callback(), 1_798_761_600);
        let table = [
            ("host", "media.example.org"),
            ("content-type", "application/json; charset=utf-8"),
            ("x-tenant", "acme"),
            ("x-vod-timestamp", "1798761600"),
            ("x-vod-signature", "8cb7c0a717c5316de26367c99ed2b6df"),
            ("webhook-id", "evt_1"),
            ("webhook-timestamp", "1798761600"),
        ];
        for (name, value) in table {
            assert_eq!(headers[name], value);
        }
        assert!(headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
    }

    #[test]
    fn later_attempts_change_time_and_signatures_and_nothing_else() {
        let callback = callback();
        let (mut first, mut second) = (headers(&callback, 1_798_761_600), headers(&callback, 1_798_761_601));
        for name in ["x-vod-timestamp", "x-vod-signature", "webhook-timestamp", "webhook-signature"] {
            assert_ne!(first.remove(name), second.remove(name), "{name}");
        }
        assert_eq!(first, second);
    }

    #[test]
    fn without_keys_there_are_no_signatures() {
        let headers = headers(&Callback { auth: None, secrets: vec![], ..callback() }, 1_798_761_600);
        for name in ["x-vod-timestamp", "x-vod-signature", "webhook-signature"] {
            assert!(!headers.contains_key(name), "{name}");
        }
        assert_eq!(headers["webhook-id"], "evt_1");
    }

    #[test]
    fn a_policy_cannot_set_what_is_the_servers() {
        let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        for name in ["Host", "content-type", "Content-Length", "transfer-encoding", "X-VOD-Signature", "webhook-id"] {
            assert!(matches!(extra_headers(&one(name, "x")), Err(RequestError::Reserved(_))), "{name}");
        }
        assert_eq!(extra_headers(&one("a b", "x")), Err(RequestError::HeaderName));
        assert_eq!(extra_headers(&one("", "x")), Err(RequestError::HeaderName));
        for value in ["a\r\nHost: evil", "a\0", "tab\t", "é"] {
            assert!(matches!(extra_headers(&one("x-a", value)), Err(RequestError::HeaderValue(_))), "{value:?}");
        }
        let long = "x".repeat(MAX_HEADER_BYTES);
        assert_eq!(extra_headers(&one("x-a", &long)), Err(RequestError::TooManyHeaders));
        let many: Vec<_> = (0..=MAX_HEADERS).map(|n| (format!("x-{n}"), String::new())).collect();
        assert_eq!(extra_headers(&many), Err(RequestError::TooManyHeaders));
        assert!(extra_headers(&one("Authorization", "Bearer t")).is_ok());
    }

    #[test]
    fn an_id_with_a_dot_is_not_signed() {
        let callback = Callback { event: EventId::new("evt.1"), ..callback() };
        let target = Target::parse(&callback.url).unwrap();
        assert_eq!(prepare(&callback, &target, Timestamp(0)).err(), Some(RequestError::EventId));
    }
}
