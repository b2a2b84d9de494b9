//! The log of changes.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ADMIN, Desk, code, token_of};
use crate::store::changes::Change;
use crate::testkit::noon;

async fn change(desk: &Desk, tenant: &str, action: &'static str, plugin: &str, count: usize) {
    let detail = json!({"version": 1});
    let change = Change { tenant, actor: "admin", action, plugin: Some(plugin), detail };
    desk.world.store.log_changes(&change, count, noon().0).await;
}

fn ids(page: &Value) -> Vec<i64> {
    page["changes"].as_array().unwrap().iter().map(|change| change["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn changes_are_a_tenants_own_and_the_admins_all() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    desk.world.tenant("umbrella").await;
    change(&desk, "acme", "push", "groups", 2).await;
    change(&desk, "umbrella", "activate", "groups", 1).await;
    change(&desk, "acme", "activate", "shape", 1).await;
    change(&desk, "gone", "push", "groups", 1).await;
    for (query, expected) in [
        ("", vec![4, 2, 1]),
        ("?plugin=groups", vec![2, 1]),
        ("?action=activate", vec![4]),
        ("?action=rollback", vec![]),
        ("?action=roll-back-rollout", vec![]),
        ("?actor=admin", vec![4, 2, 1]),
        ("?actor=reprise", vec![]),
        ("?before=4", vec![2, 1]),
    ] {
        assert_eq!(ids(&desk.get(&format!("/v1/tenants/acme/changes{query}")).await), expected, "{query}");
    }
    let first = desk.get("/v1/tenants/acme/changes?limit=2").await;
    assert_eq!((ids(&first), &first["next_before"]), (vec![4, 2], &json!(2)));
    assert_eq!(
        first["changes"][0],
        json!({"id": 4, "tenant": "acme", "at": "2027-01-01T00:00:00.000Z", "actor": "admin", "action": "activate",
               "plugin": "shape", "detail": {"version": 1}})
    );
    assert_eq!(ids(&desk.get("/v1/changes").await), [5, 4, 3, 2, 1], "of a tenant that is gone too");
    let unknown = desk.as_token(ADMIN, Method::GET, "/v1/changes?action=bogus", "").await;
    assert_eq!((unknown.status.as_u16(), code(&unknown).as_str()), (400, "invalid"));
    let refused = desk.as_token(&token_of("acme"), Method::GET, "/v1/changes", "").await;
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (403, "forbidden"));
}
