//! What is said of record configs beyond the vendor's fields.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ADMIN, Desk, code};
use crate::store::record_configs::RecordConfig;

/// Adds a rule of the app `studio`.
pub(super) async fn add(desk: &Desk, tenant: &str, stream: &str) {
    let config = RecordConfig {
        domain: format!("play.{tenant}.example"),
        app: "studio".to_owned(),
        stream: stream.to_owned(),
        group_id: "g1".to_owned(),
        cycle_s: 300,
        delay_s: 180,
        auto_compose: false,
        compose_group_id: None,
        on_demand: 0,
        extra: "{}".to_owned(),
        created_at: 1,
    };
    assert!(desk.world.store.add_record_config(tenant, &config).await.unwrap());
}

async fn desk() -> Desk {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    for stream in ["", "cam"] {
        add(&desk, "acme", stream).await;
    }
    desk
}

async fn put(desk: &Desk, path: &str, body: &Value) -> (u16, Value) {
    let path = format!("/v1/tenants/acme/record-configs/{path}");
    let answered = desk.as_token(ADMIN, Method::PUT, &path, &body.to_string()).await;
    (answered.status.as_u16(), answered.json())
}

#[tokio::test]
async fn settings_are_kept_with_their_rule_and_survive_its_update() {
    let desk = desk().await;
    let none = json!({ "retention_days": 0, "gaps": "cut", "analyse": false });
    let all = json!({ "app": "studio", "stream": "*", "settings": none });
    assert_eq!(desk.get("/v1/tenants/acme/record-configs/studio/*").await, all);
    let kept = json!({ "retention_days": 30, "gaps": "slate", "analyse": true });
    assert_eq!(put(&desk, "studio/cam", &kept).await, (200, kept.clone()));
    let cam = json!({ "app": "studio", "stream": "cam", "settings": kept });
    assert_eq!(desk.get("/v1/tenants/acme/record-configs/studio/cam").await, cam);
    assert_eq!(desk.get("/v1/tenants/acme/record-configs").await, json!({ "record_configs": [all, cam] }));

    let store = &desk.world.store;
    let config = store.record_config("acme", "play.acme.example", "studio", "cam").await.unwrap().unwrap();
    assert!(store.update_record_config("acme", &RecordConfig { cycle_s: 600, ..config }).await.unwrap());
    assert_eq!(desk.get("/v1/tenants/acme/record-configs/studio/cam").await, cam);
}

#[tokio::test]
async fn what_a_change_leaves_out_stays() {
    let desk = desk().await;
    let mut expected = json!({ "retention_days": 0, "gaps": "cut", "analyse": false });
    for change in [
        json!({ "gaps": "hold" }),
        json!({ "retention_days": 30 }),
        json!({ "analyse": true }),
        json!({ "retention_days": 7, "gaps": "slate" }),
        json!({}),
    ] {
        for (field, value) in change.as_object().unwrap() {
            expected[field] = value.clone();
        }
        assert_eq!(put(&desk, "studio/cam", &change).await, (200, expected.clone()), "{change}");
        let shown = desk.get("/v1/tenants/acme/record-configs/studio/cam").await;
        assert_eq!(shown["settings"], expected, "{change}");
    }
    let other = desk.get("/v1/tenants/acme/record-configs/studio/*").await;
    assert_eq!(other["settings"], json!({ "retention_days": 0, "gaps": "cut", "analyse": false }));
}

#[tokio::test]
async fn what_is_not_there_or_makes_no_sense_is_refused() {
    let desk = desk().await;
    let good = json!({ "retention_days": 1, "gaps": "hold", "analyse": false });
    for path in ["studio/other", "stage/*"] {
        assert_eq!(put(&desk, path, &good).await.0, 404, "{path}");
        let path = format!("/v1/tenants/acme/record-configs/{path}");
        assert_eq!(code(&desk.as_token(ADMIN, Method::GET, &path, "").await), "not_found");
    }
    for bad in [
        json!({ "retention_days": 1, "gaps": "loop", "analyse": false }),
        json!({ "retention_days": 36_501, "gaps": "cut", "analyse": false }),
        json!({ "retention_days": -1, "gaps": "cut", "analyse": false }),
        json!({ "retention_days": 1, "gaps": "cut", "analyse": false, "more": 1 }),
        json!({ "retention_days": 36_501 }),
        json!({ "gaps": "loop" }),
    ] {
        assert_eq!(put(&desk, "studio/cam", &bad).await.0, 400, "{bad}");
    }
}
