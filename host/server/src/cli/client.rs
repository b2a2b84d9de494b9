//! A small client of our own REST API, for the commands that talk to a running server.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Server;

/// Longest answer that is read.
const ANSWER_BYTES: usize = 16 << 20;

/// A client with its token.
#[derive(Debug)]
pub(super) struct Api {
    url: String,
    token: SecretString,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Api {
    pub(super) fn new(server: &Server) -> anyhow::Result<Self> {
        let token = match &server.token {
            Some(token) => token.clone(),
            None => std::fs::read_to_string(&server.token_file).with_context(|| {
                format!(
                    "cannot read the token file {}; start the server here first, or name a token with --token-file or REPRISE_TOKEN",
                    server.token_file.display()
                )
            })?,
        };
        Ok(Self::with_token(&server.url, token.trim()))
    }

    pub(super) fn with_token(url: &str, token: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            token: SecretString::from(token),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Calls the API. An answer that is not 2xx is an error with the server's own words.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
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
        let value: Value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
        if !status.is_success() {
            let message = value.pointer("/error/message").and_then(Value::as_str);
            bail!("{}", message.map_or_else(|| format!("the server answered {status}"), str::to_owned));
        }
        Ok(value)
    }
}
