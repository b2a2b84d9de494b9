//! Answers in the vendor's two forms, JSON and XML. Every answer, good or bad, carries a `RequestId`.
//!
//! It does not know what an action answers: that is one JSON object, and XML is the same object written otherwise.

mod xml;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::error::Error;

/// What an action answers, without the `RequestId`.
pub(crate) type Answer = Map<String, Value>;

/// The members of a `json!` object, which is how answers are written down.
pub(crate) fn fields(value: Value) -> Answer {
    match value {
        Value::Object(fields) => fields,
        _ => Answer::new(),
    }
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    /// The vendor's default for V1 requests that do not say.
    Xml,
}

impl Format {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            _ if text.eq_ignore_ascii_case("json") => Some(Self::Json),
            _ if text.eq_ignore_ascii_case("xml") => Some(Self::Xml),
            _ => None,
        }
    }

    /// Client libraries read an XML error only with exactly this type.
    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        })
    }
}

/// Names one request in its answer and in the logs: an upper-case UUID.
pub(crate) fn request_id() -> String {
    let mut buffer = Uuid::encode_buffer();
    Uuid::new_v4().hyphenated().encode_upper(&mut buffer).to_owned()
}

/// The answer of a request that was carried out.
pub(crate) fn success(format: Format, action: &str, request_id: &str, mut answer: Answer) -> Response {
    answer.insert("RequestId".to_owned(), request_id.into());
    write(format, StatusCode::OK, &format!("{action}Response"), answer)
}

/// The answer of a request that was refused. `host` is what the client called us.
pub(crate) fn failure(format: Format, request_id: &str, host: &str, error: &Error) -> Response {
    let answer = fields(json!({
        "RequestId": request_id,
        "HostId": host,
        "Code": error.code(),
        "Message": error.to_string(),
    }));
    write(format, error.status(), "Error", answer)
}

fn write(format: Format, status: StatusCode, root: &str, answer: Answer) -> Response {
    let text = match format {
        Format::Json => Value::Object(answer).to_string(),
        Format::Xml => xml::document(root, &answer),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, format.content_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn text(response: Response) -> (u16, String, String) {
        let status = response.status().as_u16();
        let kind = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn both_forms_say_the_same() {
        let answer = || {
            let value = json!({"PageNum": 1, "List": {"Item": [{"Name": "a&b"}, {"Name": "c"}]}, "Plain": ["x", "y"]});
            value.as_object().unwrap().clone()
        };
        assert_eq!(
            text(success(Format::Json, "Do", "ID", answer())).await,
            (
                200,
                "application/json;charset=utf-8".to_owned(),
                r#"{"List":{"Item":[{"Name":"a&b"},{"Name":"c"}]},"PageNum":1,"Plain":["x","y"],"RequestId":"ID"}"#
                    .to_owned()
            )
        );
        assert_eq!(
            text(success(Format::Xml, "Do", "ID", answer())).await,
            (
                200,
                "text/xml;charset=utf-8".to_owned(),
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><DoResponse><List><Item><Name>a&amp;b</Name></Item>\
                 <Item><Name>c</Name></Item></List><PageNum>1</PageNum><Plain>x</Plain><Plain>y</Plain>\
                 <RequestId>ID</RequestId></DoResponse>"
                    .to_owned()
            )
        );
    }

    #[tokio::test]
    async fn errors_name_request_and_host() {
        let (status, kind, body) = text(failure(Format::Json, "ID", "h:1", &Error::UnknownAccessKey)).await;
        assert_eq!((status, kind.as_str()), (404, "application/json;charset=utf-8"));
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({"RequestId": "ID", "HostId": "h:1", "Code": "InvalidAccessKeyId.NotFound",
                   "Message": "Specified access key is not found."})
        );
        let (_, kind, body) = text(failure(Format::Xml, "ID", "h:1", &Error::Throttled)).await;
        assert_eq!(kind, "text/xml;charset=utf-8");
        assert_eq!(
            body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>Throttling.User</Code><HostId>h:1</HostId>\
             <Message>Request was denied due to user flow control.</Message><RequestId>ID</RequestId></Error>"
        );
    }

    #[test]
    fn request_ids_are_upper_case_uuids() {
        let id = request_id();
        assert!(id.len() == 36 && !id.contains(|c: char| c.is_ascii_lowercase()), "{id}");
        assert_ne!(id, request_id());
    }
}
