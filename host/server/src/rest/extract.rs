//! Requests in: path, query and body as types, with our own errors where they do not fit.

use std::error::Error as _;
use std::iter::successors;
use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::{Extension, RequestExt};
use bytes::BytesMut;
use futures_util::StreamExt;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, timeout_at};

use super::error::Error;

/// Entries of a listing when nothing else is said, and the most that can be asked for.
pub(super) const DEFAULT_LIMIT: u32 = 100;
pub(super) const MAX_LIMIT: u32 = 1000;

/// How long a body of a route may be: the layer nearest to it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimit(usize);

/// How long a body may take. The largest is some mebibytes; who needs longer holds a place that others wait for.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// How long a body may stand still, for the same reason.
pub(super) const STILL_WITHIN: Duration = Duration::from_secs(15);

/// What a path names below the tenant. What cannot be one of ours is not there.
pub(super) struct Id<T>(pub(super) T);

/// The query.
pub(super) struct Params<T>(pub(super) T);

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

/// A JSON body as the text that it is; whether it is JSON, who takes it finds out.
pub(super) struct JsonText(pub(super) String);

/// A JSON body, or none at all, which stands for an empty object.
pub(super) struct MaybeBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Id<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::<(String, T)>::from_request_parts(parts, state).await;
        path.map(|Path((_, id))| Self(id)).map_err(|_| Error::NotFound("thing"))
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let query = Query::try_from_uri(&parts.uri);
        query.map(|Query(params)| Self(params)).map_err(|error| Error::Invalid(error.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        // A form or a plain text is what a page on another site can send without asking; JSON is not.
        if !is_json(&request) {
            return Err(Error::MediaType);
        }
        let bytes = raw(request).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Error::Invalid(error.to_string()))
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        if !is_json(&request) {
            return Err(Error::MediaType);
        }
        let bytes = raw(request).await?;
        let text = String::from_utf8(bytes.into()).map_err(|_| Error::Invalid("the body is not UTF-8".to_owned()))?;
        Ok(Self(text))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let json = is_json(&request);
        let bytes = raw(request).await?;
        match bytes.is_empty() {
            true => Ok(Self(T::default())),
            false if !json => Err(Error::MediaType),
            false => serde_json::from_slice(&bytes).map(Self).map_err(|error| Error::Invalid(error.to_string())),
        }
    }
}

/// Bounds the bodies of routes, and lets an error tell how.
pub(super) fn body_limit(bytes: usize) -> (DefaultBodyLimit, Extension<BodyLimit>) {
    (DefaultBodyLimit::max(bytes), Extension(BodyLimit(bytes)))
}

/// A body of any kind, within the route's limit.
pub(super) async fn raw(request: Request) -> Result<Bytes, Error> {
    read(request, BODY_WITHIN, STILL_WITHIN).await
}

async fn read(request: Request, within: Duration, still: Duration) -> Result<Bytes, Error> {
    let BodyLimit(limit) = *request.extensions().get().unwrap_or(&BodyLimit(super::BODY_BYTES));
    let (end, mut bytes) = (Instant::now() + within, BytesMut::new());
    let mut body = request.with_limited_body().into_body().into_data_stream();
    while let Some(piece) = piece(&mut body, limit as u64, end, still).await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// The next piece of a body of at most so many bytes, if it comes before `end` and before the body has stood still for so
/// long.
///
/// # Errors
/// [`Error::Slow`] when it does not, [`Error::TooLarge`] beyond the route's limit, [`Error::Invalid`] when the client went.
pub(super) async fn piece(
    body: &mut BodyDataStream,
    limit_bytes: u64,
    end: Instant,
    still: Duration,
) -> Result<Option<Bytes>, Error> {
    let piece = timeout_at(end.min(Instant::now() + still), body.next()).await.map_err(|_| Error::Slow)?;
    piece.transpose().map_err(|error| {
        let is_too_large = successors(error.source(), |cause| (*cause).source()).any(|it| it.is::<LengthLimitError>());
        match is_too_large {
            true => Error::TooLarge { what: "the body", limit_bytes },
            false => Error::Invalid("the body ended early".to_owned()),
        }
    })
}

/// How long a request says that its body is.
pub(super) fn announced(request: &Request) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_json(request: &Request) -> bool {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// The number of entries to list.
///
/// # Errors
/// [`Error::Invalid`] for none or too many.
pub(super) fn limit(given: Option<u32>) -> Result<i64, Error> {
    match given.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(i64::from(limit)),
        _ => Err(Error::Invalid(format!("limit must be 1 to {MAX_LIMIT}"))),
    }
}

/// One of a few words, if one is given.
///
/// # Errors
/// [`Error::Invalid`] with the words, for another one.
pub(super) fn one_of(name: &str, given: Option<String>, words: &[&str]) -> Result<Option<String>, Error> {
    match given {
        Some(word) if !words.contains(&word.as_str()) => {
            Err(Error::Invalid(format!("{name} must be one of {}", words.join(", "))))
        }
        given => Ok(given),
    }
}

/// A point in time as milliseconds since the epoch, from RFC 3339.
///
/// # Errors
/// [`Error::Invalid`] with an example, for what is none.
pub(super) fn instant(name: &str, given: &str) -> Result<i64, Error> {
    let at = OffsetDateTime::parse(given, &Rfc3339).ok();
    at.and_then(|at| i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok())
        .ok_or_else(|| Error::Invalid(format!("{name} must be a time like 2027-01-01T00:00:00Z")))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use futures_util::stream;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_that_is_too_large_is_told_how_large_it_may_be() {
        let take = |text: JsonText| async move { text.0.len().to_string() };
        let router = Router::new()
            .route("/small", post(take))
            .route("/large", post(take).layer(body_limit(4 << 20)))
            .layer(body_limit(64 << 10));
        for (path, bytes, told) in [
            ("/small", 64 << 10, "65536"),
            ("/small", (64 << 10) + 1, "the body is too large: at most 64.0 KiB are taken"),
            ("/large", 4 << 20, "4194304"),
            ("/large", (4 << 20) + 1, "the body is too large: at most 4.0 MiB are taken"),
        ] {
            let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
            let request = request.body(axum::body::Body::from("1".repeat(bytes))).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
            let body = String::from_utf8(body.into()).unwrap();
            assert!(body.contains(told), "{path} {bytes}: {body}");
        }
    }

    #[tokio::test]
    async fn a_body_that_stands_still_or_never_ends_is_given_up() {
        let (long, short) = (Duration::from_secs(60), Duration::from_millis(20));
        let trickle = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let still = stream::pending::<Result<Bytes, std::io::Error>>();
        for (name, body, within, stands) in [
            ("never ends", axum::body::Body::from_stream(trickle), short, long),
            ("stands still", axum::body::Body::from_stream(still), long, short),
        ] {
            let read = tokio::time::timeout(Duration::from_secs(10), read(Request::new(body), within, stands)).await;
            assert!(matches!(read, Ok(Err(Error::Slow))), "{name}: {read:?}");
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit_and_told_to_be_too_large_beyond_it() {
        // As pieces of unknown number and as one of known length.
        for (bytes, is_taken) in [(2 << 20, true), ((2 << 20) + 1, false)] {
            let pieces = vec![b'x'; bytes];
            let pieces: Vec<_> = pieces.chunks(64 << 10).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
            let streamed = axum::body::Body::from_stream(stream::iter(pieces));
            for body in [streamed, axum::body::Body::from(vec![b'x'; bytes])] {
                match raw(Request::new(body)).await {
                    Ok(read) => assert!(is_taken && read.len() == bytes),
                    Err(error) => assert!(!is_taken && matches!(error, Error::TooLarge { .. }), "{error:?}"),
                }
            }
        }
        let cut = stream::iter([Ok(Bytes::from_static(b"x")), Err(std::io::Error::other("gone"))]);
        let read = raw(Request::new(axum::body::Body::from_stream(cut))).await;
        assert!(matches!(read, Err(Error::Invalid(_))), "{read:?}");
    }
}
