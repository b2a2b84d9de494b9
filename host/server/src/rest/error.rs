//! The one form of errors, `{"error":{"code","message"}}`, and the only place that knows status codes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::lab::text::bytes;
use crate::policies::fair::NoTurn;
use crate::store;
use crate::store::quotas::OverQuota;

/// The longest message: some repeat a part of what was sent.
const MESSAGE_CHARS: usize = 500;

/// Why a request gives nothing. All are the client's to mend but the last, which is the operator's.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is no token, or nobody has this one.
    #[error("a valid bearer token is needed")]
    Unauthenticated,
    /// The token is good, but not for this.
    #[error("only the admin's token may do this")]
    Forbidden,
    /// There is none, or it is somebody else's, which is not told apart.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The same, in words that say more than what kind of thing it is.
    #[error("there is no {0}")]
    Missing(String),
    /// The path exists, the method does not.
    #[error("this path does not take this method")]
    Method,
    /// A field cannot be read or cannot work.
    #[error("{0}")]
    Invalid(String),
    /// It is well formed, but does not go with what is there.
    #[error("{0}")]
    Conflict(String),
    /// The tenant has as much as it may.
    #[error("{0}")]
    Quota(OverQuota),
    /// What is named is longer than is taken.
    #[error("{what} is too large: at most {} are taken", bytes(*limit_bytes))]
    TooLarge {
        /// The body, or what it holds.
        what: &'static str,
        /// How long it may be.
        limit_bytes: u64,
    },
    /// The body did not arrive in time.
    #[error("the body took too long")]
    Slow,
    /// The body is not JSON by its own word.
    #[error("the body must be application/json")]
    MediaType,
    /// It was looked at and is not accepted: a component, its settings.
    #[error("{0}")]
    Refused(String),
    /// Too much of this is going on; it will pass.
    #[error("{0}")]
    Busy(String),
    /// There is room for a few of these, and all of it is taken.
    #[error("{0}")]
    Crowded(String),
    /// Something of ours failed. The text is for the log alone.
    #[error("{0}")]
    Internal(String),
}

/// What every error looks like.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Serialize, ToSchema)]
struct ErrorDetail {
    /// A stable word, for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// A sentence, for people.
    #[schema(example = "there is no such video")]
    message: String,
}

impl Error {
    /// What all tenants share was not to be had, in the words of `error`: the tenant's own doing, or that of others.
    pub(super) fn no_turn(why: NoTurn, error: &impl std::fmt::Display) -> Self {
        match why {
            NoTurn::Crowded(_) | NoTurn::Often(_) => Self::Crowded(error.to_string()),
            NoTurn::Late => Self::Busy(error.to_string()),
        }
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound(_) | Self::Missing(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::Quota(over) if over.passes() => (StatusCode::TOO_MANY_REQUESTS, "quota"),
            Self::Quota(_) => (StatusCode::CONFLICT, "quota"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "timeout"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::Refused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
            Self::Crowded(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
            Self::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict(why) => Self::Conflict(why.to_owned()),
            store::Error::Busy(why) => Self::Busy(why.to_owned()),
            store::Error::Quota(over) => Self::Quota(over),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let message = match &self {
            Self::Internal(why) => {
                tracing::error!(error = why, "an API request failed");
                "the server failed; its log says why".to_owned()
            }
            other => other.to_string().chars().take(MESSAGE_CHARS).collect(),
        };
        let mut response = (status, Json(ErrorBody { error: ErrorDetail { code, message } })).into_response();
        let extra = match self {
            Self::Unauthenticated => Some((header::WWW_AUTHENTICATE, "Bearer")),
            Self::Quota(over) if over.passes() => Some((header::RETRY_AFTER, "600")),
            Self::Busy(_) | Self::Crowded(_) => Some((header::RETRY_AFTER, "5")),
            _ => None,
        };
        if let Some((name, value)) = extra {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
