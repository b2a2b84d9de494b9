//! The native REST API, for commands that talk to a running server.

mod follow;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

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
        let text = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(text)))
            .context("the URL is not valid")?;
        let answer = self.client.request(request).await.with_context(|| {
            format!("no answer from {}; is the server running? (--url or REPRISE_URL name it)", self.url)
        })?;
        let status = answer.status();
        let read = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        let bytes = read.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes();
        let value: Value =
            if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
        if !status.is_success() {
            let message = value.pointer("/error/message").and_then(Value::as_str);
            bail!("{}", message.map_or_else(|| format!("the server answered {status}"), str::to_owned));
        }
        Ok(value)
    }
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
    let body = json!({"component_base64": STANDARD.encode(component), "settings": settings});
    rest.call(Method::POST, &format!("/v1/tenants/{tenant}/plugins/{name}"), Some(&body)).await
}

/// The members of a listing, whatever its one list is called.
pub fn items(listing: &Value) -> Vec<Value> {
    match listing {
        Value::Array(items) => items.clone(),
        Value::Object(fields) => fields.values().find_map(Value::as_array).cloned().unwrap_or_default(),
        _ => Vec::new(),
    }
}
