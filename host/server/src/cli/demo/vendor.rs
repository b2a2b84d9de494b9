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
use serde_json::{Value, json};
use sha1::Sha1;

/// RFC 3986: letters, digits and these four stay.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A caller with its key.
pub(super) struct Vendor {
    url: String,
    key_id: String,
    key_secret: SecretString,
}

impl Vendor {
    pub(super) fn new(url: &str, key_id: &str, key_secret: &str) -> Self {
        Self { url: url.to_owned(), key_id: key_id.to_owned(), key_secret: SecretString::from(key_secret) }
    }

    /// Makes a template group with one MP4 or HLS template for each (definition, width, kbit/s).
    pub(super) async fn template_group(&self, name: &str, templates: &[(&str, u32, u32)]) -> anyhow::Result<String> {
        let list: Vec<Value> = templates
            .iter()
            .map(|(definition, width, kbps)| {
                json!({
                    "TemplateName": format!("hls-{}", definition.to_lowercase()),
                    "Definition": definition,
                    "Container": {"Format": "m3u8"},
                    "Video": {"Codec": "H.264", "Width": width.to_string(), "Bitrate": kbps.to_string(), "Preset": "veryfast"},
                    "Audio": {"Codec": "AAC", "Bitrate": "64", "Samplerate": "44100"},
                    "MuxConfig": {"Segment": {"Duration": "4"}},
                })
            })
            .collect();
        let list = Value::Array(list).to_string();
        let parameters = [("Name", name), ("TranscodeTemplateList", list.as_str())];
        let made = self.call("2017-03-21", "AddTranscodeTemplateGroup", &parameters).await?;
        Ok(made["TranscodeTemplateGroupId"].as_str().context("no template group id in the answer")?.to_owned())
    }

    /// Calls an action.
    pub(super) async fn call(&self, version: &str, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
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
        let pairs: Vec<String> = all.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
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
            bail!("{action}: {} {}", value["Code"], value["Message"]);
        }
        Ok(value)
    }
}
