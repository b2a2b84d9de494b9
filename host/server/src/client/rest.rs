//! The native REST API, for commands that talk to a running server.

mod follow;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header, request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::components::{self, Push};

/// RFC 3986: letters, digits and these four stay.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub use self::follow::Event;

/// Longest answer that is read.
const ANSWER_BYTES: usize = 16 << 20;

/// A client with its token.
#[derive(Debug)]
pub struct Rest {
    url: String,
    token: SecretString,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Rest {
    /// A client of the server at `url`.
    pub fn new(url: &str, token: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            token: SecretString::from(token),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Calls the API.
    ///
    /// # Errors
    /// When nobody answers, and with the server's own words when the answer is not 2xx.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        self.call_with(method, path, body.map(Value::to_string).unwrap_or_default()).await
    }

    /// Calls the API with a JSON text that is sent as it is.
    ///
    /// # Errors
    /// As [`Rest::call`].
    pub async fn call_with(&self, method: Method, path: &str, text: String) -> anyhow::Result<Value> {
        let request = self
            .request(method, path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(text)))
            .context("the URL is not valid")?;
        let (status, bytes) = self.send(request, ANSWER_BYTES).await?;
        Self::check(status, &bytes)
    }

    /// Whether there is something at a path.
    ///
    /// # Errors
    /// When nobody answers, or neither yes nor no.
    pub async fn has(&self, path: &str) -> anyhow::Result<bool> {
        let request = self.request(Method::HEAD, path).body(Full::default()).context("the URL is not valid")?;
        let (status, bytes) = self.send(request, ANSWER_BYTES).await?;
        if status == StatusCode::NOT_FOUND { Ok(false) } else { Self::check(status, &bytes).map(|_| true) }
    }

    /// A request with the token.
    pub(super) fn request(&self, method: Method, path: &str) -> request::Builder {
        let bearer = format!("Bearer {}", self.token.expose_secret());
        Request::builder().method(method).uri(format!("{}{path}", self.url)).header(header::AUTHORIZATION, bearer)
    }

    pub(super) async fn send(&self, request: Request<Full<Bytes>>, most: usize) -> anyhow::Result<(StatusCode, Bytes)> {
        self.answer(self.client.request(request).await, most).await
    }

    /// An answer, read whole.
    pub(super) async fn answer(
        &self,
        answer: Result<Response<Incoming>, hyper_util::client::legacy::Error>,
        most: usize,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let answer = answer.with_context(|| {
            format!("no answer from {}; is the server running? (--url or REPRISE_URL name it)", self.url)
        })?;
        let status = answer.status();
        let read = Limited::new(answer.into_body(), most).collect().await;
        Ok((status, read.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes()))
    }

    /// The value of an answer, or why there is none.
    pub(super) fn check(status: StatusCode, bytes: &[u8]) -> anyhow::Result<Value> {
        let value: Value =
            if bytes.is_empty() { Value::Null } else { serde_json::from_slice(bytes).unwrap_or(Value::Null) };
        if !status.is_success() {
            let message = value.pointer("/error/message").and_then(Value::as_str);
            bail!("{}", message.map_or_else(|| format!("the server answered {status}"), str::to_owned));
        }
        Ok(value)
    }
}

/// Whether a call failed because nobody answered it, as while a server is started again.
pub fn is_unanswered(error: &anyhow::Error) -> bool {
    error.is::<hyper_util::client::legacy::Error>()
}

/// A name as one segment of a path, whatever is in it.
///
/// # Errors
/// For names that no path can hold: none at all, and those that would lead elsewhere.
pub fn segment(name: &str) -> anyhow::Result<String> {
    if name.is_empty() || name == "." || name == ".." {
        bail!("`{name}` cannot be a name");
    }
    Ok(utf8_percent_encode(name, ENCODED).to_string())
}

/// Uploads a component as a new version of a plugin.
///
/// # Errors
/// Why it is refused.
pub async fn push_plugin(
    rest: &Rest,
    tenant: &str,
    name: &str,
    component: &[u8],
    settings: &str,
) -> anyhow::Result<Value> {
    let push = Push { tenant, plugin: name, component, settings: Some(settings), signature: None, key: None };
    components::push(rest, push, |_| {}).await
}

/// The members of a listing, whatever its one list is called.
pub fn items(listing: &Value) -> Vec<Value> {
    match listing {
        Value::Array(items) => items.clone(),
        Value::Object(fields) => fields.values().find_map(Value::as_array).cloned().unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        for (name, expected) in
            [("acme", Some("acme")), ("a/../b?c#d", Some("a%2F..%2Fb%3Fc%23d")), ("ä b", Some("%C3%A4%20b"))]
        {
            assert_eq!(segment(name).ok().as_deref(), expected);
        }
        for name in ["", ".", ".."] {
            assert!(segment(name).is_err(), "{name}");
        }
    }
}
