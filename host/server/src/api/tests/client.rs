//! A client that signs as the vendor's own do: V1 with everything in the query or in a form, V3 with a query and
//! signed headers.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::Method;
use http::HeaderMap;
use reprise_lifecycle::time::Timestamp;
use serde_json::Value;

use super::Api;
use crate::api::signature::{v1, v3};
use crate::api::times;
use crate::testkit::{Answered, ask};

pub(super) const LIVE: &str = "2016-11-01";
pub(super) const VOD: &str = "2017-03-21";

const HOST: &str = "127.0.0.1:8080";

static NONCE: AtomicU64 = AtomicU64::new(0);

/// What is to be asked and how it is signed; tests spoil one thing at a time.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) version: &'a str,
    pub(super) action: &'a str,
    pub(super) params: Vec<(&'a str, &'a str)>,
    pub(super) tenant: &'a str,
    pub(super) secret: Option<&'a str>,
    pub(super) nonce: String,
    pub(super) at: Timestamp,
    pub(super) format: Option<&'a str>,
}

impl Api {
    /// A request of `acme` as it should be.
    pub(super) fn ask<'a>(&self, version: &'a str, action: &'a str, params: &[(&'a str, &'a str)]) -> Ask<'a> {
        Ask {
            version,
            action,
            params: params.to_vec(),
            tenant: "acme",
            secret: None,
            nonce: format!("nonce-{}", NONCE.fetch_add(1, Ordering::Relaxed)),
            at: self.now(),
            format: Some("JSON"),
        }
    }

    /// What `acme` is answered, which must be a success; asked as current clients do.
    pub(super) async fn good(&self, version: &str, action: &str, params: &[(&str, &str)]) -> Value {
        let answered = self.v3(&self.ask(version, action, params)).await;
        assert_eq!(answered.status, 200, "{action}: {}", answered.text());
        let mut answer = answered.json();
        let id = answer.as_object_mut().unwrap().remove("RequestId").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 36);
        answer
    }

    /// The status and code with which `acme` is refused; asked as classic clients do.
    pub(super) async fn bad(&self, version: &str, action: &str, params: &[(&str, &str)]) -> (u16, String) {
        refusal(&self.v1(&self.ask(version, action, params)).await)
    }

    /// Sends with V1, everything in the query, with POST and an empty body.
    pub(super) async fn v1(&self, asked: &Ask<'_>) -> Answered {
        let query = form(&asked.v1_params("POST"));
        ask(&self.router, Method::POST, &format!("/?{query}"), &[("host", HOST)], "").await
    }

    /// Sends with V1, everything in a form.
    pub(super) async fn v1_form(&self, asked: &Ask<'_>) -> Answered {
        let body = form(&asked.v1_params("POST"));
        let headers = [("host", HOST), ("content-type", "application/x-www-form-urlencoded")];
        ask(&self.router, Method::POST, "/", &headers, body).await
    }

    /// Sends with V1 and GET.
    pub(super) async fn v1_get(&self, asked: &Ask<'_>) -> Answered {
        let query = form(&asked.v1_params("GET"));
        ask(&self.router, Method::GET, &format!("/?{query}"), &[("host", HOST)], "").await
    }

    /// Sends with V3.
    pub(super) async fn v3(&self, asked: &Ask<'_>) -> Answered {
        let query = form(&asked.params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>());
        let headers = asked.v3_headers(&query, HOST);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ask(&self.router, Method::POST, &format!("/?{query}"), &headers, "").await
    }
}

impl Ask<'_> {
    fn key_id(&self) -> String {
        format!("AK{}", self.tenant)
    }

    fn secret(&self) -> String {
        self.secret.map_or_else(|| format!("{}-secret", self.tenant), str::to_owned)
    }

    /// Public and business parameters with the signature.
    pub(super) fn v1_params(&self, method: &str) -> Vec<(String, String)> {
        let (at, key_id) = (times::format(self.at), self.key_id());
        let mut params = vec![
            ("Action", self.action),
            ("Version", self.version),
            ("AccessKeyId", &key_id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureType", ""),
            ("SignatureNonce", &self.nonce),
            ("Timestamp", &at),
            ("RegionId", "cn-shanghai"),
        ];
        params.extend(self.format.map(|format| ("Format", format)));
        params.extend(&self.params);
        let signature = v1::sign(&v1::string_to_sign(method, params.iter().copied()), &self.secret());
        params.push((v1::SIGNATURE, &signature));
        params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The headers of a request with this query and no body, `Authorization` last.
    pub(super) fn v3_headers(&self, query: &str, host: &str) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("host", host.to_owned()),
            ("accept", "application/json".to_owned()),
            ("x-acs-action", self.action.to_owned()),
            ("x-acs-version", self.version.to_owned()),
            ("x-acs-date", times::format(self.at)),
            ("x-acs-signature-nonce", self.nonce.clone()),
            ("x-acs-credentials-provider", "static_ak".to_owned()),
            (v3::CONTENT_SHA256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned()),
        ];
        let mut map = HeaderMap::new();
        for (name, value) in &headers {
            map.insert(*name, value.parse().unwrap());
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let request = v3::Signed { method: "POST", path: "/", query, headers: &map, body: b"" };
        let authorization = v3::authorize(request, &names.join(";"), &self.key_id(), &self.secret());
        headers.push(("authorization", authorization));
        headers
    }
}

/// Pairs as a query or a form writes them: a space as `+`.
pub(super) fn form(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The status and code of an error in JSON, after checking that it has the vendor's shape.
pub(super) fn refusal(answered: &Answered) -> (u16, String) {
    assert!(answered.status.as_u16() >= 400, "{}", answered.text());
    assert_eq!(answered.header("content-type"), "application/json;charset=utf-8");
    let error = answered.json();
    for member in ["RequestId", "HostId", "Code", "Message"] {
        assert!(error[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {error}");
    }
    (answered.status.as_u16(), error["Code"].as_str().unwrap().to_owned())
}
