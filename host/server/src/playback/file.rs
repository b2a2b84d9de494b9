//! Sending one file, or a range of it: opened through the video's folder handle, read off the async threads, in
//! pieces, so that a viewer costs a few buffers whatever the file's size.

use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::io::ReaderStream;

use super::Playback;
use super::auth::Viewing;
use super::error::Refusal;
use super::range::{Wanted, wanted};
use super::zero_based;
use crate::files::SOURCE;

/// Bytes read at a time for one viewer: large enough that a system call is worth its cost, small enough that a
/// thousand slow viewers hold little memory.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// How long an answer may be kept by who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caching {
    /// For ever: what is under this name never changes.
    Immutable,
    /// Only with a question whether it changed.
    Revalidate,
}

/// Sends the file at `path` (plain names, relative to the video's folder); the source with times from zero.
///
/// # Errors
/// [`Refusal::NotFound`] when it is not there or no plain file.
pub(super) async fn send(
    playback: &Playback,
    viewing: &Viewing,
    (method, headers): (&Method, &HeaderMap),
    path: String,
    media_type: &'static str,
) -> Result<Response, Refusal> {
    let permit = Arc::clone(&playback.open_files).try_acquire_owned().map_err(|_| Refusal::Busy)?;
    let (tag_name, is_source) = (path.replace('/', "-"), path == SOURCE);
    let (file, size) = open(playback, viewing, path).await?;
    let zero = if is_source { zero_based::of_source(playback, &viewing.id, size).await? } else { None };
    // Bytes that are moved have a tag of their own: nobody goes on with them behind those of the file.
    let kind = if zero.is_some() { "-zero" } else { "" };
    let tag = format!("\"{}-{tag_name}-{size:x}{kind}\"", viewing.id);
    let (status, first, len) = match wanted(method, headers, &tag, size)? {
        Wanted::NotModified => return Ok(not_modified(viewing, &tag, Caching::Immutable)),
        Wanted::Whole => (StatusCode::OK, 0, size),
        Wanted::Part { first, len } => (StatusCode::PARTIAL_CONTENT, first, len),
    };
    let body = match (method, zero) {
        (&Method::HEAD, _) => Body::empty(),
        (_, Some(zero)) => zero_based::body(file, zero, first, len, permit),
        (_, None) => stream(file, first, len, permit).await?,
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let out = response.headers_mut();
    describe(out, viewing, &tag, Caching::Immutable);
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    if status == StatusCode::PARTIAL_CONTENT {
        insert(out, header::CONTENT_RANGE, &format!("bytes {first}-{}/{size}", first + len - 1));
    }
    Ok(response)
}

/// Sends a text that was made for this request.
pub(super) fn send_text(
    viewing: &Viewing,
    (method, headers): (&Method, &HeaderMap),
    text: String,
    media_type: &'static str,
) -> Result<Response, Refusal> {
    use sha2::{Digest, Sha256};
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&text)[..16]));
    let size = text.len() as u64;
    // It is small and made anew each time: ranges of it are not offered.
    if wanted(&Method::HEAD, headers, &tag, size)? == Wanted::NotModified {
        return Ok(not_modified(viewing, &tag, Caching::Revalidate));
    }
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(text) };
    let mut response = Response::new(body);
    let out = response.headers_mut();
    describe(out, viewing, &tag, Caching::Revalidate);
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    Ok(response)
}

async fn open(playback: &Playback, viewing: &Viewing, path: String) -> Result<(std::fs::File, u64), Refusal> {
    let (files, video) = (Arc::clone(&playback.files), viewing.id.clone());
    let opened = off_thread(move || {
        let file = files.video(&video)?.open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        Ok((file.into_std(), metadata.len()))
    });
    Ok(opened.await?)
}

async fn stream(file: std::fs::File, first: u64, len: u64, permit: OwnedSemaphorePermit) -> Result<Body, Refusal> {
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(CHUNK_BYTES);
    if first > 0 {
        file.seek(SeekFrom::Start(first)).await?;
    }
    let chunks = ReaderStream::with_capacity(file.take(len), CHUNK_BYTES);
    // The permit goes when the body does: sent, or given up by the viewer.
    Ok(Body::from_stream(chunks.map(move |chunk: std::io::Result<Bytes>| {
        let _held = &permit;
        chunk
    })))
}

fn not_modified(viewing: &Viewing, tag: &str, caching: Caching) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    describe(response.headers_mut(), viewing, tag, caching);
    response
}

/// What a cache needs to know. An answer to a signed URL is for its viewer alone: a shared cache would go on giving it
/// out when the signature's time is over.
fn describe(headers: &mut HeaderMap, viewing: &Viewing, tag: &str, caching: Caching) {
    let control = match (caching, viewing.signature.is_some()) {
        (Caching::Immutable, false) => "public, max-age=31536000, immutable",
        (Caching::Immutable, true) => "private, max-age=31536000, immutable",
        (Caching::Revalidate, false) => "public, no-cache",
        (Caching::Revalidate, true) => "private, no-cache",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(control));
    insert(headers, header::ETAG, tag);
}

/// Inserts a value made of names and numbers, which is always a valid one.
fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Runs file work on a thread that may block.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
}
