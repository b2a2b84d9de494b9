//! Searching decisions over the API.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ADMIN, Desk, code};

fn ids(page: &Value) -> Vec<i64> {
    page["decisions"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn decisions_are_found_by_what_they_are_about() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    for broadcast in ["b1", "b2", "b3"] {
        let mut life = desk.world.broadcast("acme", broadcast).await;
        let video = life.part(0).await;
        life.decide(&video, &[]).await;
    }
    let search = async |query: &str| desk.get(&format!("/v1/tenants/acme/decisions?{query}")).await;
    for (query, expected) in [
        ("", vec![3, 2, 1]),
        ("after=0", vec![1, 2, 3]),
        ("after=2", vec![3]),
        ("broadcast=b2", vec![2]),
        ("stream=cam-b3", vec![3]),
        ("stream=*-b*", vec![3, 2, 1]),
        ("app=studio&domain=push.*.example", vec![3, 2, 1]),
        ("domain=other.example", vec![]),
        ("plugin=by-stream&version=1", vec![3, 2, 1]),
        ("plugin=by-stream&version=2", vec![]),
        ("applied=answer&hook=template-group", vec![3, 2, 1]),
        ("failed=true", vec![]),
        ("failure=trap", vec![]),
        ("rollout=1", vec![]),
        ("from=2027-01-01T00:00:00Z&to=2027-01-01T00:00:01Z", vec![3, 2, 1]),
        ("to=2027-01-01T00:00:00Z", vec![]),
        ("from=2027-01-01T08:00:01%2B08:00", vec![]),
    ] {
        assert_eq!(ids(&search(query).await), expected, "{query}");
    }
    let page = search("limit=2").await;
    assert_eq!((ids(&page), &page["next_before"], &page["next_after"]), (vec![3, 2], &json!(2), &Value::Null));
    let page = search("limit=2&after=0").await;
    assert_eq!((ids(&page), &page["next_before"], &page["next_after"]), (vec![1, 2], &Value::Null, &json!(2)));

    let one = desk.get("/v1/tenants/acme/decisions/2").await;
    assert_eq!((&one["broadcast"], &one["question"]["about"]), (&json!("b2"), &json!("a video")));
    assert_eq!(one["provenance"]["binding"], "default");
    for query in [
        "version=1",
        "before=1&after=1",
        "limit=0",
        "limit=1001",
        "hook=other",
        "failure=sleepy",
        "applied=no",
        "from=yesterday",
        &format!("stream={}", "*".repeat(257)),
    ] {
        let refused = desk.as_token(ADMIN, Method::GET, &format!("/v1/tenants/acme/decisions?{query}"), "").await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "invalid"), "{query}");
    }
}
