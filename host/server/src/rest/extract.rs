//! Requests in: path, query and body as types, with our own errors where they do not fit.

use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::Error;

/// Entries of a listing when nothing else is said, and the most that can be asked for.
pub(super) const DEFAULT_LIMIT: u32 = 100;
pub(super) const MAX_LIMIT: u32 = 1000;

/// How long a body of a route may be: the layer nearest to it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimit(usize);

/// How long a body may take. The largest is some mebibytes; who needs longer holds a place that others wait for.
const BODY_WITHIN: Duration = Duration::from_secs(60);

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

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        // A form or a plain text is what a page on another site can send without asking; JSON is not.
        if !is_json(&request) {
            return Err(Error::MediaType);
        }
        let bytes = read(request, state, BODY_WITHIN).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Error::Invalid(error.to_string()))
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if !is_json(&request) {
            return Err(Error::MediaType);
        }
        let bytes = read(request, state, BODY_WITHIN).await?;
        let text = String::from_utf8(bytes.into()).map_err(|_| Error::Invalid("the body is not UTF-8".to_owned()))?;
        Ok(Self(text))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let json = is_json(&request);
        let bytes = read(request, state, BODY_WITHIN).await?;
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
pub(super) async fn raw<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    read(request, state, BODY_WITHIN).await
}

async fn read<S: Send + Sync>(request: Request, state: &S, within: Duration) -> Result<Bytes, Error> {
    let BodyLimit(limit) = *request.extensions().get().unwrap_or(&BodyLimit(super::BODY_BYTES));
    let read = tokio::time::timeout(within, Bytes::from_request(request, state)).await;
    read.map_err(|_| Error::Slow)?.map_err(|rejection| match rejection.status() {
        axum::http::StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { what: "the body", limit_bytes: limit as u64 },
        _ => Error::Invalid("the body ended early".to_owned()),
    })
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
    async fn a_body_that_never_ends_is_given_up() {
        let endless = stream::pending::<Result<Bytes, std::io::Error>>();
        let request = Request::new(axum::body::Body::from_stream(endless));
        let read = read(request, &(), Duration::from_millis(1)).await;
        assert!(matches!(read, Err(Error::Slow)));
    }
}
