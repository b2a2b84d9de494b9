//! Components over the native API: uploaded by digest, in pieces, and only if the server has them not; and back again.

use std::convert::Infallible;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::stream;
use http::{Method, header};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::rest::{Rest, segment};

/// Sent at a time; progress is told after each.
const PIECE_BYTES: usize = 64 * 1024;

/// Longest component that is read back; a little more than the server takes.
const COMPONENT_BYTES: usize = 40 << 20;

/// A component that becomes a version.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The plugin.
    pub plugin: &'a str,
    /// The component's bytes.
    pub component: &'a [u8],
    /// The settings; the newest stay when absent.
    pub settings: Option<&'a str>,
    /// The signature in base64.
    pub signature: Option<&'a str>,
    /// The name of the key that made it.
    pub key: Option<&'a str>,
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The server has this component from this tenant; nothing is sent.
    Known,
    /// This many bytes of all were handed over.
    Sent(usize, usize),
}

/// Uploads a component where that is needed and pushes it as a new version.
///
/// # Errors
/// Why it is refused.
pub async fn push(rest: &Rest, push: Push<'_>, progress: impl Fn(Progress) + Send + 'static) -> anyhow::Result<Value> {
    let digest = hex::encode(Sha256::digest(push.component));
    let tenant = segment(push.tenant)?;
    let path = format!("/v1/tenants/{tenant}/components/{digest}");
    if rest.has(&path).await? {
        progress(Progress::Known);
    } else {
        upload(rest, &path, Bytes::copy_from_slice(push.component), progress).await?;
    }
    let mut body = json!({"digest": digest});
    for (field, value) in [("settings", push.settings), ("signature", push.signature), ("key", push.key)] {
        if let Some(value) = value {
            body[field] = json!(value);
        }
    }
    rest.call(Method::POST, &format!("/v1/tenants/{tenant}/plugins/{}", segment(push.plugin)?), Some(&body)).await
}

/// The bytes of a version's component, which are what their digest says.
///
/// # Errors
/// When there is no such version, or the bytes are not those.
pub async fn download(rest: &Rest, tenant: &str, plugin: &str, version: i64) -> anyhow::Result<Bytes> {
    let version = format!("/v1/tenants/{}/plugins/{}/versions/{version}", segment(tenant)?, segment(plugin)?);
    let shown = rest.call(Method::GET, &version, None).await?;
    let request = rest.request(Method::GET, &format!("{version}/component")).body(http_body_util::Full::default())?;
    let (status, bytes) = rest.send(request, COMPONENT_BYTES).await?;
    Rest::check(status, &bytes)?;
    let digest = hex::encode(Sha256::digest(&bytes));
    anyhow::ensure!(shown["digest"] == digest, "what came has the SHA-256 {digest}, not {}", shown["digest"]);
    Ok(bytes)
}

async fn upload(
    rest: &Rest,
    path: &str,
    component: Bytes,
    progress: impl Fn(Progress) + Send + 'static,
) -> anyhow::Result<()> {
    let all = component.len();
    let pieces = stream::unfold(0, move |sent| {
        let piece = component.slice(sent..all.min(sent + PIECE_BYTES));
        let sent = sent + piece.len();
        if !piece.is_empty() {
            progress(Progress::Sent(sent, all));
        }
        std::future::ready((!piece.is_empty()).then(|| (Ok::<_, Infallible>(Frame::data(piece)), sent)))
    });
    let request = rest
        .request(Method::PUT, path)
        .header(header::CONTENT_TYPE, "application/wasm")
        .header(header::CONTENT_LENGTH, all)
        .body(StreamBody::new(Box::pin(pieces)))
        .context("the URL is not valid")?;
    // A client of its own: bodies of one client are all of one type.
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (status, bytes) = rest.answer(client.request(request).await, COMPONENT_BYTES).await?;
    Rest::check(status, &bytes).map(drop)
}
