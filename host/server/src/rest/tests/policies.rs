//! Bindings, settings, state, limits and dry runs, as far as they need no component.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ADMIN, Desk, token_of};
use crate::testkit::{noon, plugin_version};

async fn desk() -> Desk {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    desk.world.store.push_plugin("acme", &plugin_version("p1", "callback"), noon()).await.unwrap();
    desk
}

#[tokio::test]
async fn limits_are_shown_to_their_tenant_and_set_by_the_admin_alone() {
    let desk = desk().await;
    let put = async |token: &str, path: &str, body: Value| {
        let answered = desk.as_token(token, Method::PUT, &format!("/v1/tenants/acme/{path}"), &body.to_string()).await;
        (answered.status.as_u16(), answered.json())
    };
    let configured = desk.get("/v1/tenants/acme/limits").await;
    assert_eq!((&configured["set"], &configured["effective"]["fuel"]), (&json!({}), &json!(25_000_000)));
    let (status, set) = put(ADMIN, "limits", json!({"fuel": 1000, "calls_per_second": 7})).await;
    assert_eq!(
        (status, &set["effective"]["fuel"], &set["effective"]["calls_per_second"]),
        (200, &json!(1000), &json!(7))
    );
    let (_, set) = put(ADMIN, "plugins/p1/limits", json!({"fuel": 2000})).await;
    assert_eq!((&set["set"], &set["effective"]["calls_per_second"]), (&json!({"fuel": 2000}), &json!(7)));
    let table = [
        (token_of("acme"), "limits", json!({"fuel": 1}), 403),
        (token_of("acme"), "plugins/p1/limits", json!({}), 403),
        (ADMIN.to_owned(), "limits", json!({"fuel": 0}), 400),
        (ADMIN.to_owned(), "limits", json!({"wall_ms": 30_001}), 400),
        (ADMIN.to_owned(), "limits", json!({"feul": 1}), 400),
        (ADMIN.to_owned(), "plugins/none/limits", json!({}), 404),
    ];
    for (token, path, body, expected) in table {
        assert_eq!(put(&token, path, body.clone()).await.0, expected, "{path} {body}");
    }
    let shown = desk.as_token(&token_of("acme"), Method::GET, "/v1/tenants/acme/plugins/p1/limits", "").await.json();
    assert_eq!((&shown["effective"]["fuel"], &shown["effective_scripted"]["fuel"]), (&json!(2000), &json!(2000)));
    put(ADMIN, "limits", json!({})).await;
    assert_eq!(desk.get("/v1/tenants/acme/limits").await, configured);
    let changes = desk.world.store.changes(Some("acme"), None, None, 100).await.unwrap();
    assert_eq!(changes.iter().filter(|change| change.action == "limits").count(), 3);
}

#[tokio::test]
async fn settings_state_and_bindings_of_a_plugin_are_shown() {
    let desk = desk().await;
    let of = |what: &str| format!("/v1/tenants/acme/plugins/p1/{what}");
    let settings = desk.get(&of("settings")).await;
    assert_eq!((&settings["revision"], &settings["settings"]), (&json!(1), &json!("{}")));
    assert_eq!(desk.get(&of("settings/history?limit=1")).await["revisions"], json!([settings]));
    assert_eq!(desk.get(&of("state")).await, json!({"revision": 0, "entries": {}}));
    assert_eq!(desk.get(&of("bindings")).await, json!({"bindings": []}));
    assert_eq!(desk.get("/v1/tenants/acme/bindings").await, json!({"bindings": []}));
    let cleared = desk.as_token(ADMIN, Method::DELETE, &of("state"), "").await;
    assert_eq!(cleared.json(), json!({"keys": 0}));
    for what in ["settings", "settings/history", "state", "bindings", "limits"] {
        let none = desk.as_token(ADMIN, Method::GET, &format!("/v1/tenants/acme/plugins/none/{what}"), "").await;
        assert_eq!(none.status.as_u16(), 404, "{what}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_or_rolled_back_is_told_why() {
    let desk = desk().await;
    let table = [
        ("none/ask", json!({"hook": "callback"}), 404, "plugin"),
        ("p1/ask", json!({"hook": "nowhere"}), 400, "template-group, compose-rules or callback"),
        ("p1/ask", json!({"hook": "callback", "who": 1}), 400, "unknown field"),
        ("p1/ask", json!({"hook": "callback", "question": {"tenant": 1}}), 400, "question: "),
        ("p1/ask", json!({"hook": "callback"}), 409, "give one"),
        ("p1/rollback", json!({}), 404, "binding"),
        ("none/rollback", json!({}), 404, "plugin"),
        ("p1/deactivate", json!({"name": "cup"}), 404, "binding"),
        ("p1/canary", json!({"version": 1}), 400, "share_permille: how many of a thousand streams?"),
        ("p1/canary", json!({"version": 1, "stream": ""}), 400, "a pattern has 1 to 255 bytes"),
        ("p1/canary", json!({"version": 1, "share_permille": 10}), 409, "no version of p1 is active"),
        ("p1/canary", json!({"version": 1, "stream": "cam-*"}), 409, "no version of p1 is active"),
    ];
    for (path, body, status, words) in table {
        let (found, answer) = desk.post(&format!("/v1/tenants/acme/plugins/{path}"), body.clone()).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(found == status && message.contains(words), "{path} {body}: {found} {answer}");
    }
}

#[tokio::test]
async fn a_roll_back_needs_no_body() {
    let desk = desk().await;
    let answered = desk.as_token(ADMIN, Method::POST, "/v1/tenants/acme/plugins/p1/rollback", "").await;
    assert_eq!(answered.status.as_u16(), 404, "there is no binding: {}", answered.json());
}

#[tokio::test]
async fn a_fleets_canary_names_its_share_and_a_period_its_beginning_first() {
    let desk = desk().await;
    let fleet = |kind: &str| json!({"plugin": "p1", "tenants": ["acme"], "kind": kind, "version": 1});
    let period = |from: &str| json!({"kind": "audit", "from": from, "to": "2027-01-02T00:00:00Z"});
    let table = [
        ("/v1/rollouts", fleet("canary"), 400, "share_permille: how many"),
        ("/v1/rollouts", fleet("shadow"), 409, "acme: no version of p1 is active"),
        (
            "/v1/rollouts",
            json!({"plugin": "none", "tenants": ["acme"], "kind": "shadow", "version": 1}),
            409,
            "acme: there is no such plugin or version",
        ),
        ("/v1/tenants/acme/backtests", period("2027-01-02T00:00:01Z"), 400, "from is after to"),
        ("/v1/tenants/acme/backtests", period("2027-01-02T00:00:00Z"), 202, ""),
    ];
    for (path, body, status, words) in table {
        let (found, answer) = desk.post(path, body.clone()).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(found == status && message.contains(words), "{path} {body}: {found} {answer}");
    }
}
