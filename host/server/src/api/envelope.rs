//! What every request carries around its business parameters: method, form of the answer, action, version, key,
//! time, nonce and signature, wherever a client puts them. V1 has them as parameters of query or form, V3 as
//! headers.
//!
//! It reads and does not judge: no store, no clock. The order in which requests are judged is in `dispatch`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use super::error::Error;
use super::reply::Format;
use super::signature::{v1, v3};

/// A template list or a timeline is some kilobytes of JSON; a mebibyte is generous and still small to hold.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A body of that size arrives within this over any line that is worth waiting for.
const BODY_DEADLINE: Duration = Duration::from_secs(20);

/// Far more than any action has; lists are bounded again where they are read.
const MAX_PARAMS: usize = 1000;

/// The string to sign is sent back on a mismatch; beyond this length nobody compares it by eye, and a refused
/// request must not cost a mebibyte of answer.
const MAX_ECHOED_CHARS: usize = 16 * 1024;

/// Longest host name that is repeated in an answer.
const MAX_HOST_CHARS: usize = 255;

/// One request, taken apart.
#[derive(Debug)]
pub(crate) struct Envelope {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
    params: BTreeMap<String, String>,
    scheme: Scheme,
}

/// How a request is signed.
#[derive(Debug)]
enum Scheme {
    V1,
    V3(Result<v3::Authorization, v3::Refused>),
}

/// What can be said of a request before it is read: enough to refuse it in the form its client understands.
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) format: Format,
    pub(crate) host: String,
}

impl Preview {
    pub(crate) fn of(parts: &http::request::Parts) -> Self {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let in_query = || {
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .find(|(name, _)| name == "Format")
                .and_then(|(_, value)| Format::parse(&value))
        };
        let format = if is_v3(&parts.headers) { Some(Format::Json) } else { in_query() };
        Self { format: format.unwrap_or(Format::Xml), host: host.chars().take(MAX_HOST_CHARS).collect() }
    }
}

impl Envelope {
    /// Reads a request.
    ///
    /// # Errors
    /// When it is too large, too slow or cannot be taken apart.
    pub(crate) async fn read(parts: http::request::Parts, body: Body) -> Result<Self, Error> {
        let body = tokio::time::timeout(BODY_DEADLINE, collect(body))
            .await
            .map_err(|_| Error::Unreadable("its body did not arrive in time"))??;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let mut params = Params::default();
        params.add_form(query.as_bytes())?;
        let scheme = match authorization(&parts.headers) {
            Some(authorization) => Scheme::V3(authorization),
            None => Scheme::V1,
        };
        match content_type(&parts.headers) {
            Some("application/x-www-form-urlencoded") => params.add_form(&body)?,
            Some("application/json") if matches!(scheme, Scheme::V3(_)) && !body.is_empty() => {
                params.add_json(&body)?
            }
            _ => {}
        }
        Ok(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query,
            headers: parts.headers,
            body,
            params: params.0,
            scheme,
        })
    }

    /// The form of the answer, as asked for.
    ///
    /// # Errors
    /// [`Error::Format`] when there is no such form.
    pub(crate) fn format(&self) -> Result<Format, Error> {
        match (&self.scheme, self.param("Format")) {
            (Scheme::V3(_), _) => Ok(Format::Json),
            (Scheme::V1, None) => Ok(Format::Xml),
            (Scheme::V1, Some(format)) => Format::parse(format).ok_or(Error::Format),
        }
    }

    /// The action's name.
    pub(crate) fn action(&self) -> Result<&str, Error> {
        self.public("Action", "x-acs-action").ok_or(Error::MissingPublic("Action"))
    }

    /// The API's version.
    pub(crate) fn version(&self) -> Result<&str, Error> {
        self.public("Version", "x-acs-version").ok_or(Error::MissingPublic("Version"))
    }

    /// Who signed.
    pub(crate) fn access_key_id(&self) -> Result<&str, Error> {
        match &self.scheme {
            Scheme::V1 => self.param("AccessKeyId").ok_or(Error::MissingPublic("AccessKeyId")),
            Scheme::V3(Ok(authorization)) => Ok(&authorization.access_key_id),
            Scheme::V3(Err(refused)) => Err(refused.clone().into()),
        }
    }

    /// When the client says it signed, as it says it.
    pub(crate) fn timestamp(&self) -> Result<&str, Error> {
        self.public("Timestamp", "x-acs-date").ok_or(Error::MissingPublic("Timestamp"))
    }

    /// The nonce.
    pub(crate) fn nonce(&self) -> Result<&str, Error> {
        self.public("SignatureNonce", "x-acs-signature-nonce").ok_or(Error::MissingPublic("SignatureNonce"))
    }

    /// Whether the signature fits the secret.
    ///
    /// # Errors
    /// What is missing or wrong; a mismatch says what should have been signed.
    pub(crate) fn verify(&self, secret: &str) -> Result<(), Error> {
        match &self.scheme {
            Scheme::V1 => self.verify_v1(secret),
            Scheme::V3(Err(refused)) => Err(refused.clone().into()),
            Scheme::V3(Ok(authorization)) => {
                let request = v3::Signed {
                    method: self.method.as_str(),
                    path: &self.path,
                    query: &self.query,
                    headers: &self.headers,
                    body: &self.body,
                };
                authorization.verify(request, secret).map_err(Error::from)
            }
        }
    }

    /// The business parameters, for the action.
    pub(crate) fn into_params(self) -> BTreeMap<String, String> {
        self.params
    }

    fn verify_v1(&self, secret: &str) -> Result<(), Error> {
        let signature = self.param(v1::SIGNATURE).ok_or(Error::IncompleteSignature("Signature is missing"))?;
        let method = self.param("SignatureMethod").ok_or(Error::IncompleteSignature("SignatureMethod is missing"))?;
        if !method.eq_ignore_ascii_case("HMAC-SHA1") {
            return Err(Error::SignatureMethod);
        }
        if self.param("SignatureVersion") != Some("1.0") {
            return Err(Error::IncompleteSignature("SignatureVersion must be 1.0"));
        }
        let params = self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let string_to_sign = v1::string_to_sign(self.method.as_str(), params);
        if v1::fits(&string_to_sign, signature, secret) { Ok(()) } else { Err(mismatch(&string_to_sign)) }
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A public value: a header in V3, where unsigned parameters of the same name mean nothing; a parameter in V1.
    fn public(&self, param: &str, header: &str) -> Option<&str> {
        match self.scheme {
            Scheme::V1 => self.param(param),
            Scheme::V3(_) => {
                let value = self.headers.get(header)?.to_str().ok()?.trim();
                Some(value).filter(|value| !value.is_empty())
            }
        }
    }
}

impl From<v3::Refused> for Error {
    fn from(refused: v3::Refused) -> Self {
        match refused {
            v3::Refused::Incomplete(why) => Self::IncompleteSignature(why),
            v3::Refused::Body => Self::IncompleteSignature("x-acs-content-sha256 is not the hash of the body"),
            v3::Refused::Mismatch { string_to_sign } => mismatch(&string_to_sign),
        }
    }
}

fn mismatch(string_to_sign: &str) -> Error {
    let end = string_to_sign.floor_char_boundary(MAX_ECHOED_CHARS);
    Error::SignatureMismatch { string_to_sign: string_to_sign[..end].to_owned() }
}

fn is_v3(headers: &HeaderMap) -> bool {
    authorization(headers).is_some()
}

fn authorization(headers: &HeaderMap) -> Option<Result<v3::Authorization, v3::Refused>> {
    v3::Authorization::parse(headers.get(AUTHORIZATION)?.to_str().ok()?)
}

/// The media type without its parameters.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

async fn collect(body: Body) -> Result<Bytes, Error> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLarge { limit_bytes: MAX_BODY_BYTES }),
        Err(_) => Err(Error::Unreadable("its body ended early")),
    }
}

#[derive(Default)]
struct Params(BTreeMap<String, String>);

impl Params {
    fn add_form(&mut self, text: &[u8]) -> Result<(), Error> {
        for (name, value) in form_urlencoded::parse(text) {
            self.add(name.into_owned(), value.into_owned())?;
        }
        Ok(())
    }

    /// A JSON body of a V3 request: its members are the parameters, and lists become `Name.1`, `Name.2` as in a form.
    fn add_json(&mut self, text: &[u8]) -> Result<(), Error> {
        let Ok(Value::Object(members)) = serde_json::from_slice(text) else {
            return Err(Error::Unreadable("its body is not a JSON object"));
        };
        members.into_iter().try_for_each(|(name, value)| self.add_value(name, value))
    }

    fn add_value(&mut self, name: String, value: Value) -> Result<(), Error> {
        match value {
            Value::Null => Ok(()),
            Value::String(text) => self.add(name, text),
            Value::Bool(_) | Value::Number(_) => self.add(name, value.to_string()),
            Value::Array(items) => {
                (1..).zip(items).try_for_each(|(index, item)| self.add_value(format!("{name}.{index}"), item))
            }
            Value::Object(members) => {
                members.into_iter().try_for_each(|(member, item)| self.add_value(format!("{name}.{member}"), item))
            }
        }
    }

    /// A parameter given twice would mean one thing to the signature and another to the action.
    fn add(&mut self, name: String, value: String) -> Result<(), Error> {
        if self.0.len() >= MAX_PARAMS {
            return Err(Error::Unreadable("it has too many parameters"));
        }
        if self.0.contains_key(&name) {
            return Err(Error::invalid(name, "it is given more than once"));
        }
        self.0.insert(name, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Result<Envelope, Error> {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, body) = request.body(Body::from(body.to_owned())).unwrap().into_parts();
        Envelope::read(parts, body).await
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    const V3: (&str, &str) = ("authorization", "ACS3-HMAC-SHA256 Credential=key,SignedHeaders=host,Signature=00");

    #[tokio::test]
    async fn parameters_come_from_query_and_form() {
        let envelope = read("POST", "/?Action=Do&a=b+c%2F", &[FORM], "d=%E4%B8%AD&e=").await.unwrap();
        assert_eq!(envelope.action().unwrap(), "Do");
        let params = envelope.into_params();
        let pairs: Vec<_> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("Action", "Do"), ("a", "b c/"), ("d", "中"), ("e", "")]);
        // What is no form is no parameter.
        assert!(read("POST", "/", &[], "d=1").await.unwrap().into_params().is_empty());
    }

    #[tokio::test]
    async fn a_json_body_is_flattened_as_a_form_would_be() {
        let json = ("content-type", "application/json; charset=utf-8");
        let body = r#"{"A":"x","B":3,"C":true,"D":["p","q"],"E":[{"F":"1"}],"G":null}"#;
        let params = read("POST", "/?Z=1", &[json, V3], body).await.unwrap().into_params();
        let pairs: Vec<_> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [("A", "x"), ("B", "3"), ("C", "true"), ("D.1", "p"), ("D.2", "q"), ("E.1.F", "1"), ("Z", "1")]
        );
        assert!(matches!(read("POST", "/", &[json, V3], "[]").await, Err(Error::Unreadable(_))));
    }

    #[tokio::test]
    async fn a_v3_request_is_read_from_its_headers_only() {
        let headers = [V3, ("x-acs-action", "Real"), ("x-acs-version", "2017-03-21")];
        let envelope = read("POST", "/?Action=Fake&Version=1&Format=XML", &headers, "").await.unwrap();
        assert_eq!(envelope.action().unwrap(), "Real");
        assert_eq!(envelope.version().unwrap(), "2017-03-21");
        assert_eq!(envelope.access_key_id().unwrap(), "key");
        assert_eq!(envelope.format().unwrap(), Format::Json);
        assert!(matches!(envelope.timestamp(), Err(Error::MissingPublic("Timestamp"))));
    }

    #[tokio::test]
    async fn the_form_of_the_answer_is_asked_for() {
        for (uri, format) in [("/", Format::Xml), ("/?Format=json", Format::Json), ("/?Format=XML", Format::Xml)] {
            assert_eq!(read("GET", uri, &[], "").await.unwrap().format().unwrap(), format);
        }
        let envelope = read("GET", "/?Format=yaml", &[], "").await.unwrap();
        assert!(matches!(envelope.format(), Err(Error::Format)));
    }

    #[tokio::test]
    async fn too_much_of_anything_is_refused() {
        let large = "x".repeat(MAX_BODY_BYTES + 1);
        assert!(matches!(read("POST", "/", &[FORM], &large).await, Err(Error::TooLarge { .. })));
        let many: String = (0..=MAX_PARAMS).map(|i| format!("p{i}=1&")).collect();
        assert!(matches!(read("POST", "/", &[FORM], &many).await, Err(Error::Unreadable(_))));
        assert!(matches!(read("POST", "/?a=1", &[FORM], "a=2").await, Err(Error::Invalid { .. })));
    }

    #[tokio::test]
    async fn missing_parts_of_a_v1_signature_are_named() {
        let table = [
            ("/", "MissingAccessKeyId"),
            ("/?AccessKeyId=k", "IncompleteSignature"),
            ("/?AccessKeyId=k&Signature=s", "IncompleteSignature"),
            ("/?AccessKeyId=k&Signature=s&SignatureMethod=HMAC-SHA256", "InvalidSignatureMethod"),
            ("/?AccessKeyId=k&Signature=s&SignatureMethod=Hmac-SHA1", "IncompleteSignature"),
            ("/?AccessKeyId=k&Signature=s&SignatureMethod=Hmac-SHA1&SignatureVersion=1.0", "SignatureDoesNotMatch"),
        ];
        for (uri, code) in table {
            let envelope = read("GET", uri, &[], "").await.unwrap();
            let error = envelope.access_key_id().and_then(|_| envelope.verify("secret")).unwrap_err();
            assert_eq!(error.code(), code, "{uri}");
        }
    }
}
