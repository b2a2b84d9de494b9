//! Every error a client of the vendor-compatible API can see, in one table: code, HTTP status and text as the
//! vendor has them. The only place of this API that knows status codes.
//!
//! The client must act on each, except [`Error::Internal`] and [`Error::Busy`], which are the operator's.

use std::fmt;

use http::StatusCode;

/// The vendor's two products, told apart by the API version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Live, 2016-11-01.
    Live,
    /// VOD, 2017-03-21.
    Vod,
}

/// What a client is told when its request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither GET nor POST.
    #[error("The specified HTTP method is not supported; use GET or POST.")]
    UnsupportedMethod,
    /// `Format` is neither JSON nor XML.
    #[error("The specified parameter \"Format\" is not valid: it must be JSON or XML.")]
    Format,
    /// The request cannot be read at all.
    #[error("The specified request is not valid: {0}.")]
    Unreadable(&'static str),
    /// More than the API takes in one request.
    #[error("The request is larger than {limit_bytes} bytes.")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// No such action in this version.
    #[error("Specified api is not found, please check your url and method.")]
    UnknownAction,
    /// No such version.
    #[error("Specified api version is not found; this server speaks 2016-11-01 (Live) and 2017-03-21 (VOD).")]
    UnknownVersion,
    /// A public parameter is missing.
    #[error("{0} is mandatory for this action.")]
    MissingPublic(&'static str),
    /// Parts of the signature are missing.
    #[error("The request signature does not conform to the standards: {0}.")]
    IncompleteSignature(&'static str),
    /// A signature method the server does not know.
    #[error("Specified signature method is not valid; use HMAC-SHA1 or ACS3-HMAC-SHA256.")]
    SignatureMethod,
    /// Nobody has this key.
    #[error("Specified access key is not found.")]
    UnknownAccessKey,
    /// The key is switched off.
    #[error("Specified access key is disabled.")]
    InactiveAccessKey,
    /// The signature does not fit. One client library takes the text apart at the colon.
    #[error("Specified signature is not matched with our calculation. server string to sign is:{string_to_sign}")]
    SignatureMismatch {
        /// What the server expected to be signed.
        string_to_sign: String,
    },
    /// The nonce was used before.
    #[error("Specified signature nonce was used already.")]
    NonceUsed,
    /// Not a UTC time of the documented form.
    #[error("Specified time stamp or date value is not well formatted; use yyyy-MM-ddTHH:mm:ssZ.")]
    TimestampFormat,
    /// Too far from the server's clock.
    #[error("Specified time stamp or date value is expired.")]
    TimestampExpired,
    /// Too many requests.
    #[error("Request was denied due to user flow control.")]
    Throttled,
    /// A mandatory parameter of a Live action is missing.
    #[error("{0} is mandatory for this action.")]
    MissingLive(String),
    /// A mandatory parameter of a VOD action is missing.
    #[error("The input parameter \"{0}\" that is mandatory for processing this request is not supplied.")]
    MissingVod(String),
    /// A parameter's value is not allowed.
    #[error("The specified parameter \"{name}\" is not valid: {reason}.")]
    Invalid {
        /// The parameter, or the member inside one.
        name: String,
        /// What would be valid.
        reason: String,
    },
    /// The vendor offers it, this server does not.
    #[error("The specified action is not supported: {0}.")]
    Unsupported(String),
    /// An error the vendor documents for an action, with its own code and text.
    #[error("{0}")]
    Vendor(&'static Known),
    /// Like [`Error::Vendor`], with a text made for the occasion.
    #[error("{1}")]
    VendorText(&'static Known, String),
    /// The server is at its limit for now.
    #[error("The request has failed due to a temporary failure of the server.")]
    Busy,
    /// Something failed that the client cannot mend. The source is logged, never sent.
    #[error("The request processing has failed due to some unknown error.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// One row of the vendor's error tables.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    code: &'static str,
    status: StatusCode,
    text: &'static str,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

const fn known(code: &'static str, status: StatusCode, text: &'static str) -> Known {
    Known { code, status, text }
}

macro_rules! vendor_errors {
    ($($name:ident $code:literal $status:ident $text:literal)*) => {
        $(pub(crate) static $name: Known = known($code, StatusCode::$status, $text);)*

        #[cfg(test)]
        static ALL: &[&Known] = &[$(&$name),*];
    };
}

// Misspellings are the vendor's and part of the protocol.
vendor_errors! {
    DOMAIN_NOT_FOUND "InvalidDomain.NotFound" NOT_FOUND "The domain provided does not exist in our records."
    CONFIG_EXISTS "ConfigAlreadyExists" BAD_REQUEST "Config has already exist."
    CONFIG_NOT_FOUND "CodeConfigNotFound" BAD_REQUEST "The specified config does not exist."
    STREAM_OFFLINE "InvalidStream.NotFound" NOT_FOUND "The stream is not online."
    RULE_NOT_FOUND "InvalidConfig.NotFound" NOT_FOUND "No record config covers the stream."
    TASK_STARTED "TaskAlreadyStarted" CONFLICT "The recording of the stream has already started."
    ILLEGAL_OPERATION "IllegalOperation" FORBIDDEN "The operation is not allowed now."
    BANS_EXCEEDED "LiveStreamBlockListExceededMax" BAD_REQUEST "The block list exceeded maximum."
    MISSING_COMPOSE_GROUP "MissingComposeVodTranscodeGroupId" BAD_REQUEST
        "ComposeVodTranscodeGroupId is mandatory for this action."
    GROUP_NOT_FOUND "InvalidTranscodeTemplateGroup.NotFound" NOT_FOUND "The transcode template group does not exist."
    GROUP_LOCKED "Forbidden.LockedTemplateGroup" FORBIDDEN "The transcode template group has been locked."
    GROUP_SPECIAL "Forbidden.SpecialTemplateGroup" FORBIDDEN
        "The transcode template group is using for special purpose."
    GROUP_DEFAULT "Forbidden.DefaultTemplateGroup" FORBIDDEN "The transcode template group is default."
    GROUPS_EXCEEDED "TrasncodeTemplateGroupExceededMax" BAD_REQUEST
        "The transcode template group size exceeded maximum."
    TEMPLATES_EXCEEDED "TranscodeTemplateExceededMax" BAD_REQUEST
        "The template transcode template config size exceeded maximum."
    VIDEO_NOT_FOUND "InvalidVideo.NotFound" NOT_FOUND "The video does not exist."
    VIDEO_NONE_STREAM "InvalidVideo.NoneStream" NOT_FOUND "The video has no stream to play for the request parameter."
    VIDEO_IDS_EXCEEDED "VideoIdsExceededMax" BAD_REQUEST "The VideoIds exceeded maximum."
    COUNT_EXCEEDED "CountExceededMax" BAD_REQUEST "The count of the list exceeded maximum."
    JOB_IDS_EXCEEDED "JobIdsExceededMax" BAD_REQUEST "The JobIds exceeded maximum."
    STREAM_NOT_FOUND "InvalidStream.NotFound" NOT_FOUND "The stream does not exist."
    MATCH_SYNTAX "ErrorMatchSyntax" BAD_REQUEST "The parameter Match has an error syntax, please check it."
    SORT_BY_EXCEEDED "SortByExceededMax" BAD_REQUEST "The parameter SortBy exceeded maximum."
    SCROLL_EXPIRED "InvalidScrollToken.Expired" BAD_REQUEST "The scroll token is expired."
    VIDEO_LIST_EXCEEDED "VideoListExceededMax" BAD_REQUEST "The video list exceeded maximum."
    PROJECT_NOT_FOUND "InvalidEditingProject.NotFound" NOT_FOUND "The editing project does not exist."
    FILE_NOT_FOUND "InvalidFile.NotFound" NOT_FOUND "The file does not exist."
    NO_SUCH_RESOURCE "NoSuchResource" NOT_FOUND "The specified resource does not exist."
    OPERATION_DENIED "OperationDenied" FORBIDDEN "The operation is not available."
    ILLEGAL_STATUS "Forbidden.IllegalStatus" BAD_REQUEST "Status of the video is illegal."
    SESSION_REPEATED "SessionIdRepeated" BAD_REQUEST "The SessionId was used within the last seven days."
    ILLEGAL_STATUS_FOR_PLAYBACK "Forbidden.IllegalStatus" FORBIDDEN "Status of the video is illegal."
}

impl Error {
    /// A value that is not allowed.
    pub(crate) fn invalid(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { name: name.into(), reason: reason.into() }
    }

    /// A mandatory parameter that is missing: the two products say so differently.
    pub(crate) fn missing(product: Product, name: impl Into<String>) -> Self {
        match product {
            Product::Live => Self::MissingLive(name.into()),
            Product::Vod => Self::MissingVod(name.into()),
        }
    }

    /// The vendor's code.
    pub fn code(&self) -> String {
        let code = match self {
            Self::UnsupportedMethod => "UnsupportedHTTPMethod",
            Self::Format => "InvalidParameter.Format",
            Self::Unreadable(_) | Self::TooLarge { .. } | Self::Invalid { .. } => "InvalidParameter",
            Self::UnknownAction => "InvalidApi.NotFound",
            Self::UnknownVersion => "NoSuchVersion",
            Self::MissingPublic(name) => return format!("Missing{name}"),
            Self::MissingLive(name) => return format!("Missing{name}"),
            Self::MissingVod(_) => "MissingParameter",
            Self::IncompleteSignature(_) => "IncompleteSignature",
            Self::SignatureMethod => "InvalidSignatureMethod",
            Self::UnknownAccessKey => "InvalidAccessKeyId.NotFound",
            Self::InactiveAccessKey => "InvalidAccessKeyId.Inactive",
            Self::SignatureMismatch { .. } => "SignatureDoesNotMatch",
            Self::NonceUsed => "SignatureNonceUsed",
            Self::TimestampFormat => "InvalidTimeStamp.Format",
            Self::TimestampExpired => "InvalidTimeStamp.Expired",
            Self::Throttled => "Throttling.User",
            Self::Unsupported(_) => "UnsupportedOperation",
            Self::Vendor(known) | Self::VendorText(known, _) => known.code,
            Self::Busy => "ServiceUnAvailable",
            Self::Internal(_) => "InternalError",
        };
        code.to_owned()
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::UnknownAction | Self::UnknownAccessKey => StatusCode::NOT_FOUND,
            Self::Vendor(known) | Self::VendorText(known, _) => known.status,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<&'static Known> for Error {
    fn from(known: &'static Known) -> Self {
        Self::Vendor(known)
    }
}

impl From<crate::store::Error> for Error {
    fn from(error: crate::store::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_statuses_and_texts_are_the_vendors() {
        let table: [(Error, u16, &str, &str); 12] = [
            (
                Error::UnknownAction,
                404,
                "InvalidApi.NotFound",
                "Specified api is not found, please check your url and method.",
            ),
            (
                Error::MissingPublic("AccessKeyId"),
                400,
                "MissingAccessKeyId",
                "AccessKeyId is mandatory for this action.",
            ),
            (
                Error::missing(Product::Live, "DomainName"),
                400,
                "MissingDomainName",
                "DomainName is mandatory for this action.",
            ),
            (
                Error::missing(Product::Vod, "VideoId"),
                400,
                "MissingParameter",
                "The input parameter \"VideoId\" that is mandatory for processing this request is not supplied.",
            ),
            (
                Error::invalid("CycleDuration", "it must be between 300 and 21600"),
                400,
                "InvalidParameter",
                "The specified parameter \"CycleDuration\" is not valid: it must be between 300 and 21600.",
            ),
            (
                Error::SignatureMismatch { string_to_sign: "GET&%2F&x".into() },
                400,
                "SignatureDoesNotMatch",
                "Specified signature is not matched with our calculation. server string to sign is:GET&%2F&x",
            ),
            (Error::NonceUsed, 400, "SignatureNonceUsed", "Specified signature nonce was used already."),
            (
                Error::TimestampExpired,
                400,
                "InvalidTimeStamp.Expired",
                "Specified time stamp or date value is expired.",
            ),
            (Error::Throttled, 400, "Throttling.User", "Request was denied due to user flow control."),
            ((&VIDEO_NOT_FOUND).into(), 404, "InvalidVideo.NotFound", "The video does not exist."),
            (
                Error::VendorText(&ILLEGAL_STATUS_FOR_PLAYBACK, "Currently so.".into()),
                403,
                "Forbidden.IllegalStatus",
                "Currently so.",
            ),
            (
                Error::Internal("disk at /secret/path".into()),
                500,
                "InternalError",
                "The request processing has failed due to some unknown error.",
            ),
        ];
        for (error, status, code, text) in table {
            assert_eq!(error.status().as_u16(), status, "{code}");
            assert_eq!(error.code(), code);
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn the_vendors_rows_are_distinct_and_say_something() {
        for (index, row) in ALL.iter().enumerate() {
            assert!(row.status.is_client_error() && row.text.ends_with('.'), "{}", row.code);
            assert!(
                ALL[..index]
                    .iter()
                    .all(|other| (other.code, other.status, other.text) != (row.code, row.status, row.text)),
                "{}",
                row.code
            );
        }
    }
}
