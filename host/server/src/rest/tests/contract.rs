//! The contract: the checked-in document, and the form of errors.

use std::path::Path;

use axum::http::Method;

use super::{ADMIN, Desk, code};
use crate::rest::document;
use crate::testkit::ask;

/// Set, the checked-in document is written anew instead of compared.
const UPDATE: &str = "UPDATE_OPENAPI";

#[test]
fn the_checked_in_document_is_what_the_handlers_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut text = serde_json::to_string_pretty(&document()).unwrap();
    text.push('\n');
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == text,
        "{} is out of date: run this test with {UPDATE}=1 and look at the diff",
        path.display()
    );
}

#[tokio::test]
async fn the_document_is_served_to_anybody() {
    let desk = Desk::new().await;
    let served = ask(&desk.router, Method::GET, "/v1/openapi.json", &[], "").await;
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.json(), serde_json::to_value(document()).unwrap());
}

#[test]
fn every_operation_says_what_it_does_and_what_errors_look_like() {
    let document = serde_json::to_value(document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            if path != "/v1/openapi.json" {
                let schema = &operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ErrorBody", "{method} {path}");
            }
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}

#[tokio::test]
async fn a_body_is_json_of_the_documented_form_and_size() {
    let desk = Desk::new().await;
    let bearer = format!("Bearer {ADMIN}");
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(70_000));
    let table = [
        ("application/json", "{}", 400, "invalid"),
        ("application/json", "", 400, "invalid"),
        ("application/json", "{\"name\":\"a\",", 400, "invalid"),
        ("application/json; charset=utf-8", "{\"nam\":\"a\"}", 400, "invalid"),
        ("application/x-www-form-urlencoded", "name=a", 415, "unsupported_media_type"),
        ("text/plain", "{}", 415, "unsupported_media_type"),
        ("application/json", &large, 413, "too_large"),
    ];
    for (media_type, body, status, expected) in table {
        let headers = [("authorization", bearer.as_str()), ("content-type", media_type)];
        let answered = ask(&desk.router, Method::POST, "/v1/tenants", &headers, body.to_owned()).await;
        assert_eq!((answered.status.as_u16(), code(&answered).as_str()), (status, expected), "{media_type}");
        assert!(answered.text().len() < 1000);
    }
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    for query in [
        "videos?limit=0",
        "videos?limit=1001",
        "videos?limit=-1",
        "videos?limit=x",
        "videos?page=2",
        "videos?status=good",
        "broadcasts?live=maybe",
        "decisions?hook=nowhere",
        "decisions?before=x",
        "deliveries?phase=lost",
        "events?since=yesterday",
    ] {
        let answered = desk.as_token(ADMIN, Method::GET, &format!("/v1/tenants/acme/{query}"), "").await;
        assert_eq!((answered.status.as_u16(), code(&answered).as_str()), (400, "invalid"), "{query}");
    }
}
