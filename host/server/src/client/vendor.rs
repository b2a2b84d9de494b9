//! The vendor's RPC API, called as its SDKs do: signed V1, everything in the query.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha1::Sha1;

/// RFC 3986: letters, digits and these four stay.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A caller with its key.
#[derive(Debug)]
pub struct Vendor {
    url: String,
    key_id: String,
    key_secret: SecretString,
}

impl Vendor {
    /// A caller of the server at `url`.
    pub fn new(url: &str, key_id: &str, key_secret: &str) -> Self {
        Self { url: url.to_owned(), key_id: key_id.to_owned(), key_secret: SecretString::from(key_secret) }
    }

    /// Calls an action.
    ///
    /// # Errors
    /// When nobody answers, and with the vendor's code and message when the answer is not 2xx.
    pub async fn call(&self, version: &str, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
        let now = crate::api::times::format(crate::clock::now());
        let nonce = uuid::Uuid::new_v4().to_string();
        let mut all = vec![
            ("Action", action),
            ("Version", version),
            ("Format", "JSON"),
            ("AccessKeyId", &self.key_id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &now),
        ];
        all.extend_from_slice(parameters);
        all.sort_unstable();
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let pairs: Vec<String> =
            all.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let query = pairs.join("&");
        let signed = format!("POST&%2F&{}", encode(&query));
        let key = format!("{}&", self.key_secret.expose_secret());
        let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).context("the access key cannot sign")?;
        mac.update(signed.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let uri = format!("{}/?{query}&Signature={}", self.url, encode(&signature));
        let request = Request::builder().method(Method::POST).uri(uri).body(Full::new(Bytes::new()))?;
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let answer = client.request(request).await.with_context(|| format!("no answer to {action}"))?;
        let status = answer.status();
        let value: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
        if !status.is_success() {
            let said = |field: &str| value[field].as_str().unwrap_or_default();
            bail!("{action}: {}: {}", said("Code"), said("Message"));
        }
        Ok(value)
    }
}
