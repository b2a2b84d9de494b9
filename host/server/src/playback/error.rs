//! Why a viewer gets nothing, and as which status. The only place in playback that knows refusals' status codes.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::store;
use crate::url_auth::{DENIED_HEADER, Denied};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// There is no such video, job or file, or not yet.
    #[error("not found")]
    NotFound,
    /// The URL's signature does not allow it; whoever made the URL must act.
    #[error("{0}")]
    Denied(#[from] Denied),
    /// The range lies outside the file, which has this size.
    #[error("range not satisfiable")]
    Range(u64),
    /// The file is not the one the viewer holds a tag of.
    #[error("precondition failed")]
    Precondition,
    /// Too many files are open; it will pass.
    #[error("busy")]
    Busy,
    /// The catalogue failed; the operator must act.
    #[error("the catalogue failed")]
    Store(#[from] store::Error),
    /// The disk failed, or a file is not what was written; the operator must act.
    #[error("the file cannot be read")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound,
            _ => Self::Read(Box::new(error)),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Precondition => StatusCode::PRECONDITION_FAILED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Read(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let extra: Option<(HeaderName, String)> = match &self {
            Self::Denied(denied) => Some((HeaderName::from_static(DENIED_HEADER), denied.to_string())),
            Self::Range(size) => Some((header::CONTENT_RANGE, format!("bytes */{size}"))),
            Self::Busy => Some((header::RETRY_AFTER, "1".to_owned())),
            Self::Store(error) => {
                tracing::error!(%error, "playback failed: the catalogue failed");
                None
            }
            Self::Read(error) => {
                tracing::error!(%error, "playback failed: a file cannot be read");
                None
            }
            Self::NotFound | Self::Precondition => None,
        };
        let mut response = (status, format!("{self}\n")).into_response();
        let headers = response.headers_mut();
        // A refusal may be over in a moment: a record commits, a clock moves on.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, text)) = extra
            && let Ok(value) = HeaderValue::from_str(&text)
        {
            headers.insert(name, value);
        }
        response
    }
}
