//! Who may see what: the matrix of every documented route and every kind of token.

use std::cmp::Reverse;

use axum::http::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::openapi::OpenApi;

use super::{ADMIN, Desk, code, token_of};
use crate::config::Config;
use crate::rest::document;
use crate::store::backtests::Backtest;
use crate::store::bindings::Binding;
use crate::store::images::ImageRow;
use crate::store::plugins::PluginVersion;
use crate::store::rollouts::{Ending, Rollout};
use crate::store::signing::SigningKey;
use crate::testkit::noon;

/// Something of each kind that a tenant can have.
struct Things {
    broadcast: String,
    video: String,
    event: String,
    delivery: String,
    task: String,
    image: String,
    digest: String,
    key: String,
    decision: String,
    rollout: String,
    backtest: String,
}

/// A binding of a plugin's first version to every stream.
pub(super) fn binding(plugin: &str) -> Binding {
    Binding {
        plugin: plugin.to_owned(),
        name: "default".to_owned(),
        version: 1,
        settings_revision: 1,
        domain: "*".to_owned(),
        app: "*".to_owned(),
        stream: "*".to_owned(),
        priority: 0,
        failure_policy: "reject".to_owned(),
        activated_at: noon().0,
        activated_by: "admin".to_owned(),
    }
}

/// A rollout and a backtest that have ended.
async fn try_out(desk: &Desk, tenant: &str) -> (String, String) {
    let store = &desk.world.store;
    let rollout = Rollout {
        id: 0,
        tenant: tenant.to_owned(),
        plugin: "p1".to_owned(),
        binding: "default".to_owned(),
        kind: "shadow".to_owned(),
        fleet: None,
        version: 1,
        settings_revision: 1,
        base_version: 1,
        base_settings_revision: 1,
        share_permille: 1000,
        app: "*".to_owned(),
        stream: "*".to_owned(),
        rules: "{}".to_owned(),
        state: "stopped".to_owned(),
        reason: None,
        cursor: 0,
        report: "{}".to_owned(),
        started_at: noon().0,
        started_by: "admin".to_owned(),
        ended_at: Some(noon().0),
    };
    let id = store.start_rollouts(std::slice::from_ref(&rollout)).await.unwrap()[0];
    let rollout = Rollout { id, ..rollout };
    let ending = Ending { state: "stopped", reason: "it is over", actor: "admin", at: noon().0 };
    store.end_rollout(&rollout, None, ending).await.unwrap();
    let backtest = Backtest {
        id: 0,
        tenant: tenant.to_owned(),
        kind: "backtest".to_owned(),
        plugin: "p1".to_owned(),
        version: Some(1),
        settings_revision: Some(1),
        filter: "{}".to_owned(),
        state: "done".to_owned(),
        reason: None,
        report: "{}".to_owned(),
        started_at: noon().0,
        started_by: "admin".to_owned(),
        ended_at: None,
    };
    let backtest = store.begin_backtest(&backtest, 1, 9).await.unwrap();
    store.end_backtest(backtest, "done", None, noon().0).await.unwrap();
    (id.to_string(), backtest.to_string())
}

async fn furnish(desk: &Desk, tenant: &str) -> Things {
    desk.world.tenant(tenant).await;
    desk.world.receiver(tenant, &format!("https://hooks.{tenant}.example/in")).await;
    let id = format!("b-{tenant}");
    let mut life = desk.world.broadcast(tenant, &id).await;
    let video = life.part(0).await;
    life.decide(&video, &["mp4"]).await;
    let task = life.state.videos[&video].task().unwrap().id.to_string();
    let digest = hex::encode(Sha256::digest(tenant));
    desk.world.files.keep_component(&digest, tenant.as_bytes()).unwrap();
    let version = PluginVersion {
        plugin: "p1".to_owned(),
        digest: digest.clone(),
        bytes: 1,
        interface: "reprise:policy@0.1.0".to_owned(),
        hooks: "template-group,callback".to_owned(),
        class: "standard".to_owned(),
        settings: "{}".to_owned(),
        ..PluginVersion::default()
    };
    desk.world.store.push_plugin(tenant, &version, noon()).await.unwrap();
    desk.world.store.bind_plugin(tenant, &binding("p1"), "activate").await.unwrap();
    let key = SigningKey {
        name: format!("k-{tenant}"),
        public_key: tenant.to_owned(),
        created_at: noon().0,
        created_by: "admin".to_owned(),
        revoked_at: None,
    };
    let quotas = Config::parse("").unwrap().policies.quotas.into();
    desk.world.store.add_signing_key(tenant, &key, true, &quotas).await.unwrap();
    super::record_configs::add(desk, tenant, "").await;
    let image = ImageRow {
        id: format!("i-{tenant}"),
        format: "png".to_owned(),
        width: 1,
        height: 1,
        bytes: 1,
        created_at: noon().0,
    };
    desk.world.store.add_image(tenant, &image, 1).await.unwrap();
    let deliveries = desk.get(&format!("/v1/tenants/{tenant}/deliveries")).await;
    let decisions = desk.get(&format!("/v1/tenants/{tenant}/decisions")).await;
    let (rollout, backtest) = try_out(desk, tenant).await;
    Things {
        rollout,
        backtest,
        decision: decisions["decisions"][0]["id"].to_string(),
        broadcast: id,
        event: format!("evt_{video}"),
        video: video.to_string(),
        delivery: deliveries["deliveries"][0]["id"].to_string(),
        task,
        image: image.id,
        digest,
        key: key.name,
    }
}

/// Every documented route with its methods, the placeholders filled with these things of this tenant.
fn routes(document: &OpenApi, tenant: &str, things: &Things) -> Vec<(Method, String, String)> {
    let document = serde_json::to_value(document).unwrap();
    let mut routes = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        let path = template
            .replace("{tenant}", tenant)
            .replace("{broadcast}", &things.broadcast)
            .replace("{video}", &things.video)
            .replace("{event}", &things.event)
            .replace("{delivery}", &things.delivery)
            .replace("{task}", &things.task)
            .replace("{image}", &things.image)
            .replace("{decision}", &things.decision)
            .replace("{rollout}", &things.rollout)
            .replace("{backtest}", &things.backtest)
            .replace("{plugin}", "p1")
            .replace("{version}", "1")
            .replace("{digest}", &things.digest)
            .replace("{key}", &things.key)
            .replace("{app}", "studio")
            .replace("{stream}", "*");
        assert!(!path.contains('{'), "this test does not know how to fill {template}");
        for name in item.as_object().unwrap().keys() {
            let method = Method::from_bytes(name.to_ascii_uppercase().as_bytes()).unwrap();
            routes.push((method, path.clone(), template.clone()));
        }
    }
    // What takes things away comes last, and of that what lies deepest comes first.
    routes.sort_by_key(|(method, path, _)| (*method == Method::DELETE).then_some(Reverse(path.len())));
    assert!(routes.len() >= 20, "{routes:?}");
    routes
}

/// Whether this sets what a tenant only sees.
fn is_the_operators(method: &Method, template: &str) -> bool {
    *method == Method::PUT && (template.ends_with("/limits") || template.ends_with("/quotas"))
}

#[tokio::test]
async fn a_token_opens_its_own_tenants_paths_and_no_others() {
    let desk = Desk::new().await;
    let things = furnish(&desk, "acme").await;
    furnish(&desk, "umbrella").await;
    let mut opened = 0;
    for (method, path, template) in routes(&document(), "acme", &things) {
        let status = async |token: &str| desk.as_token(token, method.clone(), &path, "").await.status.as_u16();
        let what = format!("{method} {template}");
        if template == "/v1/openapi.json" {
            assert_eq!(status("").await, 200, "{what}");
            continue;
        }
        for token in
            ["", "nonsense", "AKacme.", "AKacme.wrong", "AKnobody.acme-secret", ".", "admin-toke", "admin-tokenx"]
        {
            let refused = desk.as_token(token, method.clone(), &path, "").await;
            assert_eq!(
                (refused.status.as_u16(), code(&refused).as_str()),
                (401, "unauthenticated"),
                "{what} {token:?}"
            );
            assert_eq!(refused.header("www-authenticate"), "Bearer");
        }
        let is_owners = template.contains("{tenant}") || template.starts_with("/v1/videos/");
        let foreign = if is_owners { 404 } else { 403 };
        assert_eq!(status(&token_of("umbrella")).await, foreign, "{what}");
        // With an empty body what changes things is refused for its body, which shows that it was let through.
        let own = status(&token_of("acme")).await;
        let is_tenant = template == "/v1/tenants/{tenant}" && method == Method::DELETE;
        let admin_only = !is_owners || is_tenant || is_the_operators(&method, &template);
        match (admin_only, &method) {
            (true, _) => assert_eq!(own, 403, "{what}"),
            (false, &Method::GET) => assert_eq!(own, 200, "{what}"),
            // It needs no body, and nothing is bound.
            (false, _) if template.ends_with("/rollback") => {
                let refused = desk.as_token(&token_of("acme"), method.clone(), &path, "").await.json();
                assert_eq!(refused["error"]["message"], "there is no such binding of this plugin", "{what}");
            }
            // What has ended already cannot be ended again.
            (false, _) => assert!(matches!(own, 200..=204 | 400 | 409), "{what}: {own}"),
        }
        if method == Method::GET {
            assert_eq!(status(ADMIN).await, 200, "{what}");
            opened += 1;
        }
    }
    assert!(opened >= 12, "{opened}");
}

#[tokio::test]
async fn nothing_of_another_tenant_is_reached_through_ones_own_path() {
    let desk = Desk::new().await;
    let acme = furnish(&desk, "acme").await;
    desk.world.tenant("umbrella").await;
    for (method, path, template) in routes(&document(), "umbrella", &acme) {
        // What a tail tells is read over a socket.
        let is_tail = template.ends_with("/tail");
        if !template.contains("{tenant}") || template == "/v1/tenants/{tenant}" || is_tail {
            continue;
        }
        let body = match template.as_str() {
            "/v1/tenants/{tenant}/redeliver" => format!("{{\"event_id\":\"{}\"}}", acme.event),
            "/v1/tenants/{tenant}/streams/kick" => r#"{"app":"studio","name":"cam-b-acme"}"#.to_owned(),
            path if path.ends_with("/{stream}") => r#"{"retention_days":1,"gaps":"cut","analyse":false}"#.to_owned(),
            path if path.ends_with("/rollouts/{rollout}") => r#"{"share_permille":1}"#.to_owned(),
            path if path.ends_with("/canary") => r#"{"version":1,"share_permille":1}"#.to_owned(),
            path if path.ends_with("/ask") => r#"{"hook":"template-group"}"#.to_owned(),
            path if path.ends_with("/shadow") => r#"{"version":1}"#.to_owned(),
            _ => "{}".to_owned(),
        };
        let answered = desk.as_token(&token_of("umbrella"), method.clone(), &path, &body).await;
        let names_a_thing = template.matches('{').count() > 1 || template.ends_with("/redeliver");
        // With an empty body it is the body that is refused.
        let taken_by = |ends: &[&str]| ends.iter().any(|end| template.ends_with(end));
        let upload = match method {
            Method::POST => taken_by(&["/backtests", "/plugins/{plugin}"]),
            Method::PUT => taken_by(&["/images", "/components/{digest}", "/signing-keys/{key}"]),
            _ => false,
        };
        match (names_a_thing, upload) {
            (_, true) => assert_eq!(answered.status.as_u16(), 400, "{method} {template}"),
            _ if is_the_operators(&method, &template) => {
                assert_eq!(answered.status.as_u16(), 403, "{method} {template}");
            }
            (true, false) => assert_eq!(answered.status.as_u16(), 404, "{method} {template}"),
            (false, false) => {
                assert_eq!(answered.status.as_u16(), 200, "{method} {template}");
                let lists: Vec<Value> = answered.json().as_object().unwrap().values().cloned().collect();
                let found = lists.iter().filter_map(Value::as_array).map(Vec::len).sum::<usize>();
                assert_eq!(found, 0, "{method} {template}: {lists:?}");
            }
        }
    }
    // Filters name things too.
    for query in [
        format!("decisions?video_id={}", acme.video),
        format!("decisions?broadcast={}", acme.broadcast),
        format!("decisions?event_id={}", acme.event),
        format!("events?video_id={}", acme.video),
        format!("events?before={}", acme.event),
        format!("deliveries?event_id={}", acme.event),
        format!("videos?broadcast={}", acme.broadcast),
    ] {
        let answered = desk.get(&format!("/v1/tenants/umbrella/{query}")).await;
        let entries = answered.as_object().unwrap().values().filter_map(Value::as_array).map(Vec::len).sum::<usize>();
        assert_eq!(entries, 0, "{query}");
    }
}

#[tokio::test]
async fn paths_that_do_not_exist_are_guarded_too() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let own = token_of("acme");
    for (token, path, status) in [
        ("", "/v1/nothing", 401),
        ("", "/v1/tenants/acme/nothing", 401),
        (own.as_str(), "/v1/nothing", 403),
        (own.as_str(), "/v1/tenants/acme/nothing", 404),
        (own.as_str(), "/v1/tenants/%61cme/videos", 404),
        (own.as_str(), "/v1/tenants/acme%2f..%2fumbrella/videos", 404),
        (own.as_str(), "/v1/tenants/acme/../umbrella/videos", 404),
        (own.as_str(), "/v1/tenants/ACME", 404),
        (ADMIN, "/v1/nothing", 404),
        (ADMIN, "/v1/tenants/nobody", 404),
        (ADMIN, "/v1/tenants/nobody/videos", 404),
        (ADMIN, "/v1/tenants/%61cme", 404),
        (ADMIN, "/v1/tenants/acme/deliveries/abc", 404),
        (ADMIN, "/v1/tenants/acme/deliveries/99999999999999999999", 404),
        (ADMIN, "/v1/tenants/acme/videos/%ff", 404),
    ] {
        let answered = desk.as_token(token, Method::GET, path, "").await;
        assert_eq!(answered.status.as_u16(), status, "{token} {path}");
        assert!(!code(&answered).is_empty(), "{path}: {answered:?}");
    }
    let wrong_method = desk.as_token(ADMIN, Method::PUT, "/v1/tenants", "").await;
    assert_eq!((wrong_method.status.as_u16(), code(&wrong_method).as_str()), (405, "method_not_allowed"));
}

#[tokio::test]
async fn a_key_that_is_switched_off_opens_nothing() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let status = async || desk.as_token(&token_of("acme"), Method::GET, "/v1/tenants/acme", "").await.status.as_u16();
    assert_eq!(status().await, 200);
    let removed = desk.as_token(ADMIN, Method::DELETE, "/v1/tenants/acme", "").await;
    assert_eq!(removed.status.as_u16(), 204);
    assert_eq!(status().await, 401);
}
