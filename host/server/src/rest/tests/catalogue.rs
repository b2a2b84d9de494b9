//! Components by digest, versions and signing keys, as honest and other tenants use them.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ADMIN, Desk, code, token_of};
use crate::store::plugins::PluginVersion;
use crate::testkit::{Answered, ask, noon};

const BYTES: &[u8] = b"no component, but bytes with a digest";

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn component(tenant: &str, digest: &str) -> String {
    format!("/v1/tenants/{tenant}/components/{digest}")
}

async fn put(desk: &Desk, tenant: &str, digest: &str, bytes: &[u8]) -> Answered {
    let bearer = format!("Bearer {}", token_of(tenant));
    let headers = [("authorization", bearer.as_str())];
    ask(&desk.router, Method::PUT, &component(tenant, digest), &headers, bytes.to_vec()).await
}

async fn own(desk: &Desk, tenant: &str, method: Method, path: &str, body: &str) -> Answered {
    desk.as_token(&token_of(tenant), method, &format!("/v1/tenants/{tenant}/{path}"), body).await
}

fn outcome(answered: &Answered) -> (u16, String) {
    (answered.status.as_u16(), code(answered))
}

fn message(answered: &Answered) -> String {
    answered.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

async fn desk(config: &str) -> Desk {
    let desk = Desk::with(config).await;
    for tenant in ["acme", "umbrella"] {
        desk.world.tenant(tenant).await;
    }
    desk
}

#[tokio::test]
async fn a_component_is_uploaded_once_and_known_to_who_uploaded_it() {
    let desk = desk("").await;
    let digest = digest(BYTES);
    let head = async |tenant: &str| {
        own(&desk, tenant, Method::HEAD, &format!("components/{digest}"), "").await.status.as_u16()
    };
    assert_eq!(head("acme").await, 404);
    let first = put(&desk, "acme", &digest, BYTES).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!((&first.json()["digest"], &first.json()["bytes"]), (&json!(digest), &json!(BYTES.len())));
    assert_eq!(first.json()["uploaded_by"], "key:AKacme");
    assert_eq!(put(&desk, "acme", &digest, BYTES).await.status, 200, "again changes nothing");
    assert_eq!(std::fs::read(desk.world.dir.path().join(format!("plugins/{digest}.wasm"))).unwrap(), BYTES);

    // The other tenant is not told that it exists, cannot push it, and uploads it like anybody.
    assert_eq!((head("acme").await, head("umbrella").await), (200, 404));
    let push = json!({"digest": digest}).to_string();
    let foreign = own(&desk, "umbrella", Method::POST, "plugins/p1", &push).await;
    assert_eq!(outcome(&foreign), (404, "not_found".to_owned()));
    let unknown =
        own(&desk, "umbrella", Method::POST, "plugins/p1", &json!({"digest": "0".repeat(64)}).to_string()).await;
    assert_eq!((foreign.status, foreign.body), (unknown.status, unknown.body), "as if nobody had it");
    assert_eq!(put(&desk, "umbrella", &digest, BYTES).await.status, 201);
    let known = own(&desk, "umbrella", Method::POST, "plugins/p1", &push).await;
    assert_eq!(outcome(&known), (422, "refused".to_owned()), "it is looked at now");

    // A file that is damaged on the disk is not pushed; uploading mends it.
    std::fs::write(desk.world.dir.path().join(format!("plugins/{digest}.wasm")), "damaged").unwrap();
    assert_eq!(own(&desk, "acme", Method::POST, "plugins/p1", &push).await.status, 404);
    assert_eq!(put(&desk, "acme", &digest, BYTES).await.status, 200);
    assert_eq!(own(&desk, "acme", Method::POST, "plugins/p1", &push).await.status, 422);
    let changes = desk.world.store.changes(None, None, None, 10).await.unwrap();
    let told: Vec<_> = changes.iter().map(|change| (&*change.tenant, &*change.action, &*change.actor)).collect();
    assert_eq!(told, [("umbrella", "upload", "key:AKumbrella"), ("acme", "upload", "key:AKacme")]);
}

#[tokio::test]
async fn a_body_that_is_not_what_its_path_says_leaves_nothing() {
    let desk = desk("[policies.quotas]\nuploads_per_hour = 6\ncomponent_mib = 1\n").await;
    let good = digest(BYTES);
    let large = vec![0; (1 << 20) + 1];
    let table: [(&str, &[u8], u16, &str); 6] = [
        (&good, b"other bytes", 400, "invalid"),
        (&good, b"", 400, "invalid"),
        (&good.to_uppercase(), BYTES, 400, "invalid"),
        ("..%2f..%2fcatalogue.db", BYTES, 400, "invalid"),
        (&digest(&large), &large, 409, "quota"),
        (&digest(&large[1..]), &large[1..], 201, ""),
    ];
    for (digest, bytes, status, expected) in table {
        let answered = put(&desk, "acme", digest, bytes).await;
        assert_eq!(outcome(&answered), (status, expected.to_owned()), "{digest}: {}", bytes.len());
    }
    let uploads = std::fs::read_dir(desk.world.dir.path().join("plugins/uploads")).unwrap().count();
    assert_eq!(uploads, 0);
    assert_eq!(desk.as_token(ADMIN, Method::GET, &component("acme", &good), "").await.status, 404);

    let bearer = format!("Bearer {}", token_of("acme"));
    let headers = [("authorization", bearer.as_str()), ("content-length", "99999999")];
    let announced = ask(&desk.router, Method::PUT, &component("acme", &good), &headers, BYTES.to_vec()).await;
    assert_eq!(outcome(&announced), (413, "too_large".to_owned()), "before a byte is read");
    assert_eq!(put(&desk, "acme", &good, &vec![0; 35 << 20]).await.status, 413);
    assert_eq!(put(&desk, "acme", &good, b"6th").await.status, 400);
    let over = put(&desk, "acme", &good, BYTES).await;
    assert_eq!(outcome(&over), (429, "quota".to_owned()), "refused ones count too");
    assert_eq!(over.header("retry-after"), "600");
    assert!(message(&over).starts_with("6 of 6 uploads"), "{}", message(&over));
    assert_eq!(put(&desk, "umbrella", &good, BYTES).await.status, 201, "the other tenant does not notice");
}

#[tokio::test]
async fn quotas_are_shown_with_what_is_used_and_set_by_the_admin_alone() {
    let desk = desk("[policies.quotas]\nuploads_per_hour = 1\n").await;
    let show = async |tenant: &str| own(&desk, tenant, Method::GET, "quotas", "").await.json();
    let configured = json!({
        "set": {},
        "plugins": {"limit": 50, "used": 0},
        "versions_per_plugin": {"limit": 100, "used": 0},
        "component_bytes": {"limit": 512 << 20, "used": 0},
        "uploads_per_hour": {"limit": 1, "used": 0},
        "signing_keys": {"limit": 8, "used": 0},
    });
    assert_eq!(show("acme").await, configured);
    assert_eq!(put(&desk, "acme", &digest(BYTES), BYTES).await.status, 201);
    assert_eq!(outcome(&put(&desk, "acme", &digest(BYTES), BYTES).await), (429, "quota".to_owned()));
    let set = async |token: &str, body: Value| {
        desk.as_token(token, Method::PUT, "/v1/tenants/acme/quotas", &body.to_string()).await
    };
    let table = [
        (token_of("acme"), json!({"uploads_per_hour": 100}), 403),
        (token_of("umbrella"), json!({}), 404),
        (ADMIN.to_owned(), json!({"uploads_per_hour": -1}), 400),
        (ADMIN.to_owned(), json!({"uploads_per_day": 1}), 400),
        (ADMIN.to_owned(), json!({"uploads_per_hour": 2, "component_mib": 3, "plugins": null}), 200),
    ];
    for (token, body, status) in table {
        assert_eq!(set(&token, body.clone()).await.status.as_u16(), status, "{body}");
    }
    let shown = show("acme").await;
    assert_eq!(shown["set"], json!({"uploads_per_hour": 2, "component_mib": 3}));
    assert_eq!(shown["uploads_per_hour"], json!({"limit": 2, "used": 1}));
    assert_eq!(shown["component_bytes"], json!({"limit": 3 << 20, "used": BYTES.len()}));
    assert_eq!(shown["plugins"], configured["plugins"]);
    assert_eq!(show("umbrella").await, configured);
    assert_eq!(put(&desk, "acme", &digest(BYTES), BYTES).await.status, 200, "it holds from the next upload on");
    assert_eq!(set(ADMIN, json!({})).await.json()["uploads_per_hour"], json!({"limit": 1, "used": 2}));
}

#[tokio::test]
async fn a_push_says_which_component_and_who_signed_it() {
    let desk = desk("").await;
    let (secret, stranger) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
    let add = async |tenant: &str, name: &str, key: &SigningKey| {
        let body = json!({"public_key": STANDARD.encode(key.verifying_key().as_bytes())}).to_string();
        own(&desk, tenant, Method::PUT, &format!("signing-keys/{name}"), &body).await.status.as_u16()
    };
    assert_eq!((add("acme", "ci", &secret).await, add("umbrella", "theirs", &stranger).await), (201, 201));
    let sign = |key: &SigningKey, bytes: &[u8]| STANDARD.encode(key.sign(bytes).to_bytes());
    let base64 = STANDARD.encode(BYTES);
    let push = async |mut body: Value| {
        if body.get("digest").is_none() && body.get("none").is_none() {
            body["component_base64"] = json!(base64);
        }
        body.as_object_mut().unwrap().remove("none");
        own(&desk, "acme", Method::POST, "plugins/p1", &body.to_string()).await
    };
    let good = sign(&secret, BYTES);
    // The bytes are no component, so that a good signature gets as far as their inspection and no further.
    let table = [
        (json!({"none": 0}), 400, "either"),
        (json!({"digest": digest(BYTES), "component_base64": base64}), 400, "either"),
        (json!({"key": "ci"}), 400, "no signature"),
        (json!({"signature": good, "key": "ci"}), 422, "component is refused"),
        (json!({"signature": good}), 422, "component is refused"),
        (json!({"signature": "AAAA", "key": "ci"}), 400, "64 bytes"),
        (json!({"signature": good, "key": "nobody"}), 422, "no signing key"),
        (json!({"signature": sign(&secret, b"other bytes"), "key": "ci"}), 422, "does not fit"),
        (json!({"signature": sign(&stranger, BYTES), "key": "theirs"}), 422, "no signing key"),
        (json!({"signature": sign(&stranger, BYTES)}), 422, "does not fit"),
    ];
    for (body, status, why) in table {
        let answered = push(body.clone()).await;
        assert_eq!(answered.status.as_u16(), status, "{body}: {answered:?}");
        assert!(message(&answered).contains(why), "{body}: {}", message(&answered));
    }

    let switch = async |token: &str, on: bool| {
        let body = json!({"require_signature": on}).to_string();
        desk.as_token(token, Method::PATCH, "/v1/tenants/acme", &body).await
    };
    assert_eq!(switch(&token_of("acme"), true).await.json()["require_signature"], json!(true));
    assert_eq!(outcome(&switch(&token_of("acme"), false).await), (403, "forbidden".to_owned()));
    let unsigned = push(json!({})).await;
    assert_eq!(outcome(&unsigned), (409, "conflict".to_owned()));
    assert!(message(&unsigned).contains("plugin sign"), "{}", message(&unsigned));
    assert_eq!(push(json!({"signature": good})).await.status, 422, "signed it is looked at");
    assert_eq!(add("acme", "mine", &stranger).await, 409, "nobody lets himself in with a key of his own");
    let revoked = own(&desk, "acme", Method::DELETE, "signing-keys/ci", "").await;
    assert_eq!(revoked.status, 204);
    assert!(message(&push(json!({"signature": good, "key": "ci"})).await).contains("no signing key"));
    let listed = own(&desk, "acme", Method::GET, "signing-keys", "").await.json();
    assert!(listed["signing_keys"][0]["revoked_at"].is_string(), "{listed}");
    assert_eq!(switch(ADMIN, false).await.json()["require_signature"], json!(false));
    assert_eq!(push(json!({})).await.status, 422);
}

#[tokio::test]
async fn keys_are_checked_and_seen_by_their_tenant_alone() {
    let desk = desk("").await;
    let good = STANDARD.encode(SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes());
    let body = |key: &str| json!({"public_key": key}).to_string();
    for (name, key, status) in [
        ("ci", good.as_str(), 201),
        ("ci", &good, 200),
        ("CI", &good, 400),
        ("-ci", &good, 400),
        ("weak", &STANDARD.encode([0; 32]), 400),
        ("none", "nonsense", 400),
    ] {
        let answered = own(&desk, "acme", Method::PUT, &format!("signing-keys/{name}"), &body(key)).await;
        assert_eq!(answered.status.as_u16(), status, "{name}: {answered:?}");
    }
    for (tenant, method, status) in [
        ("umbrella", Method::GET, 404),
        ("umbrella", Method::DELETE, 404),
        ("acme", Method::GET, 200),
        ("acme", Method::DELETE, 204),
        ("acme", Method::DELETE, 404),
        ("acme", Method::GET, 200),
    ] {
        let answered = own(&desk, tenant, method.clone(), "signing-keys/ci", "").await;
        assert_eq!(answered.status.as_u16(), status, "{tenant} {method}");
    }
}

#[tokio::test]
async fn versions_are_shown_given_out_and_removed() {
    let desk = desk("").await;
    let digest = digest(BYTES);
    assert_eq!(put(&desk, "acme", &digest, BYTES).await.status, 201);
    let version = PluginVersion {
        plugin: "p1".to_owned(),
        digest: digest.clone(),
        bytes: BYTES.len().try_into().unwrap(),
        interface: "reprise:policy@0.2.0".to_owned(),
        hooks: "template-group,callback".to_owned(),
        class: "scripted".to_owned(),
        uses: "state,wasi".to_owned(),
        schema: Some("{\"type\":\"object\"}".to_owned()),
        settings: "{}".to_owned(),
        ..PluginVersion::default()
    };
    desk.world.store.push_plugin("acme", &version, noon()).await.unwrap();
    let one = "plugins/p1/versions/1";
    let shown = own(&desk, "acme", Method::GET, one, "").await.json();
    for (field, expected) in [
        ("digest", json!(digest)),
        ("hooks", json!(["template-group", "callback"])),
        ("class", json!("scripted")),
        ("uses", json!(["state", "wasi"])),
        ("schema", json!({"type": "object"})),
        ("pushed_by", json!("admin")),
        ("pushed_at", json!("2027-01-01T00:00:00.000Z")),
        ("signed_by", Value::Null),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    let listed = own(&desk, "acme", Method::GET, "plugins/p1/versions", "").await.json();
    let mut in_listings = shown.clone();
    for field in ["schema", "settings"] {
        in_listings.as_object_mut().unwrap().remove(field).unwrap();
    }
    assert_eq!(listed["versions"], json!([in_listings]), "what may be long is shown of one only");

    let given = own(&desk, "acme", Method::GET, &format!("{one}/component"), "").await;
    assert_eq!((given.status.as_u16(), given.body.as_slice()), (200, BYTES));
    let tag = format!("\"{digest}\"");
    assert_eq!(given.header("etag"), tag);
    assert_eq!(given.header("content-disposition"), "attachment; filename=\"p1-v1.wasm\"");
    let bearer = format!("Bearer {}", token_of("acme"));
    let headers = [("authorization", bearer.as_str()), ("if-none-match", tag.as_str())];
    let path = format!("/v1/tenants/acme/{one}/component");
    let known = ask(&desk.router, Method::GET, &path, &headers, "").await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));

    for (tenant, path) in [
        ("umbrella", "plugins/p1/versions"),
        ("umbrella", one),
        ("umbrella", "plugins/p1/versions/1/component"),
        ("acme", "plugins/p1/versions/2"),
        ("acme", "plugins/p1/versions/x"),
        ("acme", "plugins/p2/versions"),
    ] {
        assert_eq!(own(&desk, tenant, Method::GET, path, "").await.status, 404, "{tenant} {path}");
    }

    desk.world.store.bind_plugin("acme", &super::access::binding("p1"), "activate").await.unwrap();
    for path in [one, "plugins/p1"] {
        let used = own(&desk, "acme", Method::DELETE, path, "").await;
        assert_eq!(outcome(&used), (409, "conflict".to_owned()), "{path}");
        assert!(message(&used).contains("binding `default`"), "{}", message(&used));
        assert_eq!(own(&desk, "umbrella", Method::DELETE, path, "").await.status, 404);
    }
    desk.world.store.unbind_plugin("acme", "p1", None, "admin", 0).await.unwrap();
    for (path, status) in [(one, 204), (one, 404), ("plugins/p1", 204), ("plugins/p1", 404)] {
        assert_eq!(own(&desk, "acme", Method::DELETE, path, "").await.status, status, "{path}");
    }
}
