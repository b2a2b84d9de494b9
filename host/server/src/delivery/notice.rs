//! Requests of the Live side: notices about streams (GET), notices about recordings (POST), and the question whether
//! a stream is recorded (GET). They share one signature, over a name, the time and the key.

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::Full;
use md5::{Digest, Md5};
use reprise_lifecycle::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::request::RequestError;
use super::target::{MAX_URL_BYTES, Target};

/// What a request says.
#[derive(Clone, Debug)]
pub enum Content {
    /// Query parameters, already encoded, added to those of the URL.
    Query(String),
    /// A JSON text in the body.
    Body(String),
}

/// What a signature covers beside time and key.
#[derive(Clone, Copy, Debug)]
pub enum Name<'a> {
    /// The host of the receiver's URL.
    OfReceiver,
    /// Another name, such as the push domain.
    Given(&'a str),
}

/// One request of the Live side.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    /// The receiver.
    pub url: &'a str,
    /// What is said.
    pub content: &'a Content,
    /// What the signature covers, if there is a key.
    pub name: Name<'a>,
    /// The key.
    pub key: Option<&'a SecretString>,
}

impl Notice<'_> {
    /// The URL with the query added: what is taken apart and dialled.
    pub fn full_url(&self) -> String {
        match self.content {
            Content::Body(_) => self.url.to_owned(),
            Content::Query(query) => {
                let before = self.url.split_once('#').map_or(self.url, |(before, _)| before);
                let joint = match before.split_once('?') {
                    None => "?",
                    Some((_, "")) => "",
                    Some(_) => "&",
                };
                format!("{before}{joint}{query}")
            }
        }
    }

    /// The request for a receiver, as it is sent at this time.
    ///
    /// # Errors
    /// When the URL's host cannot stand in a header.
    pub fn request(&self, target: &Target, now: Timestamp) -> Result<Request<Full<Bytes>>, RequestError> {
        let (method, body) = match self.content {
            Content::Query(_) => (Method::GET, Bytes::new()),
            Content::Body(body) => (Method::POST, Bytes::from(body.clone())),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from(target.path.clone());
        let headers = request.headers_mut();
        let authority = HeaderValue::from_str(&target.authority).map_err(|_| RequestError::HeaderValue(HOST))?;
        headers.insert(HOST, authority);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Reprise/", env!("CARGO_PKG_VERSION"))));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Content::Body(_) = self.content {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        }
        if let Some(key) = self.key {
            let seconds = now.0.div_euclid(1000);
            let name = match self.name {
                Name::OfReceiver => host_of(target),
                Name::Given(name) => name,
            };
            headers.insert("ali-live-timestamp", HeaderValue::from(seconds));
            let signature = HeaderValue::from_str(&sign(name, seconds, key)).map_err(|_| RequestError::EventId)?;
            headers.insert("ali-live-signature", signature);
        }
        Ok(request)
    }
}

/// The host alone, as the receiver's owner wrote it.
fn host_of(target: &Target) -> &str {
    let authority = target.authority.as_str();
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Lower-case hex MD5 of name, unix time and key with bars between them. It covers no content; that is the vendor's
/// rule.
fn sign(name: &str, unix_seconds: i64, key: &SecretString) -> String {
    let mut hash = Md5::new();
    hash.update(name.as_bytes());
    hash.update(format!("|{unix_seconds}|").as_bytes());
    hash.update(key.expose_secret().as_bytes());
    hex::encode(hash.finalize())
}

/// Whether a URL leaves room for the query that is added to it.
pub fn has_room(url: &str, query_bytes: usize) -> bool {
    url.len().saturating_add(query_bytes) < MAX_URL_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, content: Content, name: Name<'_>, key: Option<&str>) -> Request<Full<Bytes>> {
        let key = key.map(SecretString::from);
        let notice = Notice { url, content: &content, name, key: key.as_ref() };
        let target = Target::parse(&notice.full_url()).unwrap();
        notice.request(&target, Timestamp(1_798_761_600_999)).unwrap()
    }

    #[test]
    fn the_two_signatures_are_the_references() {
        let url = "https://media.example.org/rec";
        let body = Content::Body("{}".to_owned());
        let signed = request(url, body, Name::OfReceiver, Some("RecNotifyKey00001"));
        assert_eq!(signed.method(), Method::POST);
        assert_eq!(signed.headers()["ali-live-timestamp"], "1798761600");
        assert_eq!(signed.headers()["ali-live-signature"], "772ca388b9523c04a43066573bac7985");
        let query = Content::Query("action=publish".to_owned());
        let signed = request(url, query, Name::Given("push.example.org"), Some("LiveNotifyKey0001"));
        assert_eq!(signed.method(), Method::GET);
        assert_eq!(signed.headers()["ali-live-signature"], "be2e929fd775a51afdc591cdfbdcac1b");
    }

    #[test]
    fn a_port_is_no_part_of_the_host_that_is_signed() {
        let body = || Content::Body(String::new());
        let plain = request("http://media.example.org/", body(), Name::OfReceiver, Some("k"));
        let ported = request("http://media.example.org:8080/", body(), Name::OfReceiver, Some("k"));
        assert_eq!(plain.headers()["ali-live-signature"], ported.headers()["ali-live-signature"]);
        assert_eq!(ported.headers()["host"], "media.example.org:8080");
    }

    #[test]
    fn a_query_is_added_to_what_is_there() {
        for (url, full) in [
            ("http://a.example", "/?x=1"),
            ("http://a.example/p", "/p?x=1"),
            ("http://a.example/p?", "/p?x=1"),
            ("http://a.example/p?y=2", "/p?y=2&x=1"),
        ] {
            let sent = request(url, Content::Query("x=1".to_owned()), Name::OfReceiver, None);
            assert_eq!(sent.uri().to_string(), full, "{url}");
            assert!(!sent.headers().contains_key("ali-live-signature"));
        }
    }
}
