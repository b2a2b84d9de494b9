//! A plain GET, for what is neither of the APIs: playlists, files, metrics.

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// Fetches a URL.
///
/// # Errors
/// When nobody answers, or the answer breaks off.
pub async fn get(url: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = Request::get(url).body(Empty::new())?;
    let answer = client.request(request).await.with_context(|| format!("no answer from {url}"))?;
    let status = answer.status();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}

/// Fetches a text that must be there.
///
/// # Errors
/// When it is not there, or is no text.
pub async fn text(url: &str) -> anyhow::Result<String> {
    let (status, body) = get(url).await?;
    anyhow::ensure!(status == StatusCode::OK, "{url}: {status}");
    Ok(String::from_utf8(body.to_vec())?)
}
