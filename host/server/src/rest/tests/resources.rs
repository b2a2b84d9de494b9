//! What each resource says and does.

use std::time::Duration;

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reprise_lifecycle::id::{BroadcastId, JobId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::{MediaFacts, Stretch};
use reprise_lifecycle::question::GapRule;
use reprise_lifecycle::record::{EndCause, LeaveCause, WorkFailure, WorkResult};
use reprise_lifecycle::work::{AnalysisKind, AnalysisResult, Request};
use serde_json::{Value, json};

use super::{ADMIN, Desk, code, token_of};
use crate::ingest::publishers::tests::who;
use crate::store::plugins::PluginVersion;
use crate::testkit::noon;
use crate::url_auth::verify;

#[tokio::test]
async fn a_tenant_is_made_shown_switched_and_removed() {
    let desk = Desk::new().await;
    let new = json!({"name": "acme", "push_domain": "Push.Acme.example", "play_domain": "play.acme.example"});
    let (status, made) = desk.post("/v1/tenants", new.clone()).await;
    assert_eq!(status, 201, "{made}");
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    assert_eq!((text("tenant"), text("push_domain")), ("acme".to_owned(), "push.acme.example".to_owned()));
    let token = format!("{}.{}", text("access_key_id"), text("access_key_secret"));
    assert!(
        text("access_key_secret").len() == 64 && text("push_key").len() == 32 && text("push_key") != text("play_key")
    );
    let secret = text("webhook_secret").strip_prefix("whsec_").map(|secret| STANDARD.decode(secret).unwrap().len());
    assert_eq!(secret, Some(32));

    let shown = desk.as_token(&token, Method::GET, "/v1/tenants/acme", "").await;
    assert_eq!(shown.header("cache-control"), "no-store");
    let shown = shown.json();
    assert_eq!(
        (&shown["push_auth"], &shown["url_auth"], &shown["auth_validity_seconds"]),
        (&json!(true), &json!(false), &json!(1800))
    );
    let secrets = [text("access_key_secret"), text("push_key"), text("play_key"), text("webhook_secret")];
    assert!(!secrets.iter().any(|secret| shown.to_string().contains(secret)), "shown once");
    let changed = desk.as_token(&token, Method::PATCH, "/v1/tenants/acme", "{\"url_auth\":true}").await.json();
    assert_eq!((&changed["push_auth"], &changed["url_auth"]), (&json!(true), &json!(true)));
    assert_eq!(desk.get("/v1/tenants").await["tenants"][0], changed);

    for (field, value) in [("name", "acme"), ("push_domain", "push.acme.example"), ("play_domain", "push.acme.example")]
    {
        let mut other = json!({"name": "other", "push_domain": "a.example", "play_domain": "b.example"});
        other[field] = json!(value);
        let (status, body) = desk.post("/v1/tenants", other).await;
        assert_eq!((status, &body["error"]["code"]), (409, &json!("conflict")), "{field}");
    }
    let (_, unsigned) = desk
        .post(
            "/v1/tenants",
            json!({"name": "b", "push_domain": "a.example", "play_domain": "b.example", "push_auth": false}),
        )
        .await;
    assert_eq!(unsigned["tenant"], "b");
    assert_eq!(desk.get("/v1/tenants/b").await["push_auth"], json!(false));
    let removed = desk.as_token(ADMIN, Method::DELETE, "/v1/tenants/acme", "").await;
    assert_eq!((removed.status.as_u16(), removed.body.len()), (204, 0));
    assert_eq!(desk.as_token(ADMIN, Method::GET, "/v1/tenants/acme", "").await.status.as_u16(), 404);
    // Its name can be had again, for as long as nothing is kept that was its own.
    let acme = json!({"name": "acme", "push_domain": "push.acme.example", "play_domain": "play.acme.example"});
    assert_eq!(desk.post("/v1/tenants", acme.clone()).await.0, 201);
    let signed = desk.as_token(ADMIN, Method::PATCH, "/v1/tenants/acme", r#"{"require_signature": true}"#).await;
    assert_eq!(signed.status.as_u16(), 200);
    assert_eq!(desk.as_token(ADMIN, Method::DELETE, "/v1/tenants/acme", "").await.status.as_u16(), 204);
    let (status, body) = desk.post("/v1/tenants", acme).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("conflict")));
}

#[tokio::test]
async fn names_and_domains_are_checked() {
    let desk = Desk::new().await;
    for (name, push, play) in [
        ("Acme", "a.example", "b.example"),
        ("", "a.example", "b.example"),
        ("../x", "a.example", "b.example"),
        ("acme", "10.0.0.1", "b.example"),
        ("acme", "a.example:1935", "b.example"),
        ("acme", "a.example", "b_.example"),
        ("acme", "a.example", "A.example"),
    ] {
        let (status, body) =
            desk.post("/v1/tenants", json!({"name": name, "push_domain": push, "play_domain": play})).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("invalid")), "{name} {push} {play}");
    }
}

#[tokio::test]
async fn a_tenant_with_videos_stays() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    desk.world.broadcast("acme", "b1").await.part(0).await;
    let refused = desk.as_token(ADMIN, Method::DELETE, "/v1/tenants/acme", "").await;
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (409, "conflict"));
}

#[tokio::test]
async fn a_broadcast_shows_its_parts_gaps_and_watermark() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let mut life = desk.world.broadcast("acme", "b1").await;
    let fresh = desk.get("/v1/tenants/acme/broadcasts/b1").await;
    assert_eq!((&fresh["publishing"], &fresh["watermark_ms"]), (&json!("live"), &Value::Null));
    let video = life.part(0).await;
    life.put(Input::gone(1, LeaveCause::Disconnected)).await;
    life.put(Input::PublishAsked { client: "203.0.113.9:4712".to_owned() }).await;
    life.put(Input::PartOpening { epoch: 2, video: None, audio: None, first_ms: 10_000 }).await;
    desk.world.broadcast("acme", "b2").await.put(Input::gone(1, LeaveCause::Unpublished)).await;

    let shown = desk.get("/v1/tenants/acme/broadcasts/b1").await;
    assert_eq!((&shown["reconnects"], &shown["parts"], &shown["settled"]), (&json!(1), &json!(2), &json!(false)));
    let (first, second) = (&shown["part_list"][0], &shown["part_list"][1]);
    assert_eq!((&first["state"], &first["video_id"]), (&json!("closed"), &json!(video.as_str())));
    assert_eq!((&first["duration_ms"], &first["video"]["width"]), (&json!(10_000), &json!(320)));
    assert_eq!(
        (&second["state"], &second["video_id"], &second["first_ms"]),
        (&json!("open"), &Value::Null, &json!(10_000))
    );
    assert_eq!(shown["breaks"][0]["from"], "2027-01-01T00:00:00.000Z");
    // A closed part is synced whole; what is being written is as far as its recorder says.
    assert_eq!(shown["watermark_ms"], json!(10_000));
    desk.watermarks.set(&BroadcastId::new("b1"), 12_500);
    assert_eq!(desk.get("/v1/tenants/acme/broadcasts/b1").await["watermark_ms"], json!(12_500));

    let all = desk.get("/v1/tenants/acme/broadcasts").await;
    assert_eq!(all["broadcasts"].as_array().unwrap().len(), 2);
    let live = desk.get("/v1/tenants/acme/broadcasts?live=true").await;
    assert_eq!((live["broadcasts"].as_array().unwrap().len(), &live["broadcasts"][0]["id"]), (1, &json!("b1")));

    assert_eq!(desk.get("/v1/tenants/acme/broadcasts/b1").await["end_cause"], Value::Null);
    life.put(Input::End { cause: EndCause::Storage }).await;
    assert_eq!(desk.get("/v1/tenants/acme/broadcasts/b1").await["end_cause"], "storage");
}

#[tokio::test]
async fn a_composed_video_shows_its_gaps_and_has_no_file_at_first() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let mut life = desk.world.broadcast("acme", "b1").await;
    let part = life.part(0).await;
    let (cause, media_ms) = (LeaveCause::Disconnected, Some(10_000));
    life.put(Input::PublisherGone { epoch: 1, cause, media_ms, last_media_at: None }).await;
    life.now = noon().plus_ms(5_500);
    life.put(Input::PublishAsked { client: "203.0.113.9:4712".to_owned() }).await;
    life.part(10_000).await;
    let video = life.compose(GapRule::Hold).await;
    let gap = json!({"from": "2027-01-01T00:00:00.000Z", "to": "2027-01-01T00:00:05.500Z", "duration_ms": 5_500});
    let with = |name: &str, value: u64| {
        let mut gap = gap.clone();
        gap[name] = json!(value);
        json!([gap])
    };
    assert_eq!(desk.get("/v1/tenants/acme/broadcasts/b1").await["breaks"], with("media_ms", 10_000));

    let path = format!("/v1/tenants/acme/videos/{video}");
    life.link().await;
    let shown = desk.get(&path).await;
    assert_eq!((&shown["gaps"], &shown["gap_rule"]), (&with("at_ms", 10_000), &json!("hold")));
    assert_eq!(shown["recorded_to"], "2027-01-01T00:00:05.500Z");
    let file = format!("http://vod.example/media/{video}/source.mp4");
    assert_eq!((&shown["status"], &shown["urls"]["source_mp4"]), (&json!("uploading"), &Value::Null));
    assert!(shown["urls"]["source_hls"].as_str().unwrap().ends_with("source.m3u8"));
    life.build(None).await;
    assert_eq!(desk.get(&path).await["urls"]["source_mp4"], file);

    let mut other = desk.world.broadcast("acme", "b2").await;
    other.part(0).await;
    let lost = other.compose(GapRule::Cut).await;
    other.link().await;
    other.build(Some(WorkFailure { code: "Bad".to_owned(), message: "no keyframe".to_owned() })).await;
    let lost = desk.get(&format!("/v1/tenants/acme/videos/{lost}")).await;
    assert_eq!((&lost["status"], &lost["urls"]), (&json!("produce_failed"), &Value::Null));

    let plain = desk.get(&format!("/v1/tenants/acme/videos/{part}")).await;
    assert_eq!((&plain["gaps"], &plain["gap_rule"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_video_shows_what_an_analysis_found() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let mut life = desk.world.broadcast("acme", "b1").await;
    let video = life.part(0).await;
    let path = format!("/v1/tenants/acme/videos/{video}");
    assert_eq!(desk.get(&path).await["analysis"], Value::Null);
    let job = JobId::new("j1");
    let (kind, request) = (AnalysisKind::Facts, Request::default());
    life.put(Input::AnalysisAsked { video: video.clone(), job: job.clone(), kind, request }).await;
    let facts = MediaFacts {
        blacks: vec![Stretch { from_ms: 1000, to_ms: 2500 }],
        scenes_ms: vec![1000, 2500],
        loudness_lufs: Some(-23.1),
        cover_ms: Some(5000),
        ..MediaFacts::default()
    };
    let result = WorkResult::Done(AnalysisResult::Facts(facts));
    life.put(Input::AnalysisFinished { video: video.clone(), job, result }).await;
    assert_eq!(
        desk.get(&path).await["analysis"],
        json!({
            "silences": [], "blacks": [{"from_ms": 1000, "to_ms": 2500}], "freezes": [], "scenes_ms": [1000, 2500],
            "loudness_lufs": -23.1, "true_peak_dbfs": null, "loudness_range_lu": null, "cover_ms": 5000
        })
    );
}

#[tokio::test]
async fn a_video_shows_what_it_holds_and_where_it_plays() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let mut life = desk.world.broadcast("acme", "b1").await;
    let video = life.part(0).await;
    let other = life.part(10_000).await;
    life.decide(&video, &["m3u8", "mp4"]).await;
    let job = life.rendition(&video, 1, &[("movie.mp4", b"movie")]).await;
    let covers = life.covers(&video, 2).await;

    let path = format!("/v1/tenants/acme/videos/{video}");
    let shown = desk.get(&path).await;
    assert_eq!(
        (&shown["status"], &shown["template_group"], &shown["part"]),
        (&json!("ready"), &json!("g1"), &json!(0))
    );
    assert_eq!(
        (&shown["facts"]["video_frames"], &shown["facts"]["audio"]["sample_rate"]),
        (&json!(250), &json!(44_100))
    );
    assert_eq!(shown["urls"]["source_hls"], format!("http://vod.example/media/{video}/source.m3u8"));
    assert_eq!(shown["urls"]["cover"], format!("http://vod.example/media/{video}/{covers}/c-00001.jpg"));
    let (first, second) = (&shown["renditions"][0], &shown["renditions"][1]);
    assert_eq!((&first["status"], &first["url"], &first["format"]), (&json!("pending"), &Value::Null, &json!("m3u8")));
    assert_eq!((&second["status"], &second["job"], &second["width"]), (&json!("done"), &json!(job), &json!(320)));
    assert_eq!(second["url"], format!("http://vod.example/media/{video}/{job}/movie.mp4"));
    assert_eq!(shown["snapshots"][0]["urls"].as_array().unwrap().len(), 2);

    desk.world.store.set_tenant_switches("acme", None, Some(true)).await.unwrap();
    let signed = desk.get(&path).await;
    let (url, key) = signed["urls"]["source_mp4"].as_str().unwrap().split_once("?auth_key=").unwrap();
    let path_of_url = url.strip_prefix("http://vod.example").unwrap();
    let now_s = crate::clock::now().0 / 1000;
    verify(path_of_url, Some(key), &["acme-play"], 1800, now_s + 3500).unwrap();
    verify(path_of_url, Some(key), &["acme-play"], 1800, now_s + 3700).unwrap_err();
    assert!(signed["snapshots"][0]["urls"][1].as_str().unwrap().contains("?auth_key="));

    let page = desk.get("/v1/tenants/acme/videos?limit=1").await;
    let next = desk.get("/v1/tenants/acme/videos?limit=1&offset=1").await;
    assert_eq!((&page["total"], page["videos"].as_array().unwrap().len()), (&json!(2), 1));
    let mut listed = [&page["videos"][0]["id"], &next["videos"][0]["id"]].map(|id| id.as_str().unwrap().to_owned());
    let mut expected = [video.to_string(), other.to_string()];
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    for (query, count) in
        [("status=ready", 1), ("status=failed", 0), ("stream=cam-b1", 2), ("app=other", 0), ("broadcast=b1", 2)]
    {
        assert_eq!(desk.get(&format!("/v1/tenants/acme/videos?{query}")).await["total"], json!(count), "{query}");
    }
}

#[tokio::test]
async fn a_decision_tells_why() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let mut life = desk.world.broadcast("acme", "b1").await;
    let mut videos = Vec::new();
    for part in 0..3 {
        let video = life.part(part * 10_000).await;
        life.decide(&video, &["mp4"]).await;
        videos.push(video);
    }
    let told = desk.get(&format!("/v1/tenants/acme/decisions?video_id={}&hook=template-group", videos[1])).await;
    let decision = &told["decisions"][0];
    assert_eq!((told["decisions"].as_array().unwrap().len(), &told["next_before"]), (1, &Value::Null));
    assert_eq!((&decision["question"]["about"], &decision["applied"]), (&json!("a video"), &json!("answer")));
    assert_eq!(decision["verdict"]["answered"]["template-group"]["group"], "g1");
    let made = &decision["provenance"];
    assert_eq!(
        (&made["fuel"], &made["elapsed_us"], &made["log"][0]),
        (&json!(12_345), &json!(678), &json!("chose g1"))
    );
    assert_eq!(made["digest"], "d".repeat(64));

    let page = desk.get("/v1/tenants/acme/decisions?limit=2").await;
    let rest = desk.get(&format!("/v1/tenants/acme/decisions?limit=2&before={}", page["next_before"])).await;
    assert_eq!((page["decisions"].as_array().unwrap().len(), rest["decisions"].as_array().unwrap().len()), (2, 1));
    for (query, count) in
        [("failed=true", 0), ("plugin=by-stream", 3), ("plugin=other", 0), ("stream=cam-b1", 3), ("hook=callback", 0)]
    {
        let found = desk.get(&format!("/v1/tenants/acme/decisions?{query}")).await;
        assert_eq!(found["decisions"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn events_and_deliveries_are_listed_and_sent_again() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    desk.world.receiver("acme", "https://hooks.acme.example/in").await;
    let mut life = desk.world.broadcast("acme", "b1").await;
    let (first, second) = (life.part(0).await, life.part(10_000).await);

    let page = desk.get("/v1/tenants/acme/events?limit=1").await;
    assert_eq!(page["events"][0]["id"], format!("evt_{second}"), "newest first");
    assert_eq!(page["events"][0]["body"]["VideoId"], second.as_str());
    let rest = desk.get(&format!("/v1/tenants/acme/events?before={}", page["next_before"].as_str().unwrap())).await;
    assert_eq!(rest["events"].as_array().unwrap().len(), 1);
    assert_eq!(desk.get(&format!("/v1/tenants/acme/events/evt_{first}")).await["kind"], "FileUploadComplete");
    assert_eq!(desk.get("/v1/tenants/acme/events?kind=Other").await["events"], json!([]));

    let listed = desk.get("/v1/tenants/acme/deliveries?phase=pending").await;
    let delivery = listed["deliveries"][1].clone();
    assert_eq!((&delivery["event_id"], &delivery["app_id"]), (&json!(format!("evt_{first}")), &json!("app-1000000")));
    assert_eq!(desk.get("/v1/tenants/acme/deliveries?phase=exhausted").await["deliveries"], json!([]));
    let path = format!("/v1/tenants/acme/deliveries/{}", delivery["id"]);
    let detail = desk.get(&path).await;
    assert_eq!((&detail["body"]["VideoId"], &detail["attempts"]), (&json!(first.as_str()), &json!([])));

    let again = desk.as_token(&token_of("acme"), Method::POST, &format!("{path}/redeliver"), "").await;
    assert_eq!((again.status.as_u16(), again.json()), (202, json!({"redelivered": 1})));
    tokio::time::timeout(Duration::from_secs(5), desk.due.notified()).await.expect("the worker is woken");
    let (status, all) = desk.post("/v1/tenants/acme/redeliver", json!({"event_id": format!("evt_{second}")})).await;
    assert_eq!((status, all), (202, json!({"redelivered": 1})));
    let (status, none) = desk.post("/v1/tenants/acme/redeliver", json!({"dead_letters": true})).await;
    assert_eq!((status, none), (202, json!({"redelivered": 0})));
    for (body, expected) in [
        (json!({}), 400),
        (json!({"event_id": "x", "dead_letters": true}), 400),
        (json!({"dead_letters": false}), 400),
        (json!({"event_id": "evt_unknown"}), 404),
    ] {
        assert_eq!(desk.post("/v1/tenants/acme/redeliver", body.clone()).await.0, expected, "{body}");
    }
}

#[tokio::test]
async fn plugins_are_listed_with_what_is_active() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    for (plugin, settings) in [("a", "{}"), ("b", "{}"), ("a", "{\"x\":1}")] {
        let version = PluginVersion {
            plugin: plugin.to_owned(),
            digest: "d".repeat(64),
            bytes: 10,
            interface: "reprise:policy@0.1.0".to_owned(),
            hooks: "template-group,callback".to_owned(),
            settings: settings.to_owned(),
            ..PluginVersion::default()
        };
        desk.world.store.push_plugin("acme", &version, noon()).await.unwrap();
    }
    let listed = desk.get("/v1/tenants/acme/plugins").await;
    assert_eq!((&listed["plugins"][0]["name"], &listed["plugins"][1]["name"]), (&json!("a"), &json!("b")));
    let newest = &listed["plugins"][0]["versions"][0];
    assert_eq!(
        (&newest["version"], &newest["settings_revision"], &newest["hooks"][1]),
        (&json!(2), &json!(2), &json!("callback"))
    );
    assert_eq!(
        (&listed["plugins"][0]["active"], &desk.get("/v1/tenants/acme/plugins/b").await["active"]),
        (&Value::Null, &Value::Null)
    );
    let (status, off) = desk.post("/v1/tenants/acme/plugins/a/deactivate", json!({})).await;
    assert_eq!((status, off), (200, json!({"was_active": false, "bindings": 0})));
    for (path, body, expected) in [
        ("plugins/c/deactivate", json!({}), 404),
        ("plugins/c/activate", json!({}), 404),
        ("plugins/a/activate", json!({"version": 9}), 404),
        ("plugins/a/activate", json!({"failure_policy": "shrug"}), 400),
        // Its component's file is not in the data folder.
        ("plugins/a/activate", json!({}), 500),
    ] {
        assert_eq!(desk.post(&format!("/v1/tenants/acme/{path}"), body).await.0, expected, "{path}");
    }
}

#[tokio::test]
async fn a_component_that_is_none_is_refused() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let push = async |name: &str, component: &str, settings: &str| {
        let body = json!({"component_base64": component, "settings": settings});
        let (status, body) = desk.post(&format!("/v1/tenants/acme/plugins/{name}"), body).await;
        (status, body["error"]["code"].as_str().unwrap().to_owned())
    };
    let not_wasm = STANDARD.encode(b"not wasm");
    let core_module = STANDARD.encode(b"\0asm\x01\0\0\0");
    for (name, component, settings, status, code) in [
        ("p1", not_wasm.as_str(), "{}", 422, "refused"),
        ("p1", &core_module, "{}", 422, "refused"),
        ("p1", "", "{}", 422, "refused"),
        ("p1", "***", "{}", 400, "invalid"),
        ("P1", &not_wasm, "{}", 400, "invalid"),
        ("p1", &not_wasm, &"x".repeat(70_000), 413, "too_large"),
        ("p1", &"A".repeat(5_000_000), "{}", 413, "too_large"),
    ] {
        assert_eq!(push(name, component, settings).await, (status, code.to_owned()), "{name}");
    }
    assert_eq!(desk.get("/v1/tenants/acme/plugins").await["plugins"], json!([]), "nothing is kept");
}

#[tokio::test]
async fn publishers_are_listed_and_streams_forbidden() {
    let desk = Desk::new().await;
    for tenant in ["acme", "umbrella"] {
        desk.world.tenant(tenant).await;
    }
    let _entries = ["acme", "umbrella"].map(|tenant| desk.publishers.enter(who(tenant, "cam"), 1).unwrap());
    let listed = desk.get("/v1/tenants/acme/streams").await;
    let stream = json!({"domain": "push.acme.example", "app": "studio", "name": "cam"});
    assert_eq!(listed["streams"].as_array().unwrap().len(), 1);
    assert_eq!((&listed["streams"][0]["stream"], &listed["streams"][0]["broadcast_id"]), (&stream, &Value::Null));
    let kick = "/v1/tenants/acme/streams/kick";
    let once = desk.post(kick, json!({"app": "studio", "name": "nobody"})).await;
    assert_eq!(once, (200, json!({"was_online": false, "forbidden_until": null})));
    let (status, forbidden) = desk.post(kick, json!({"app": "studio", "name": "nobody", "forbid_seconds": 60})).await;
    assert!(status == 200 && forbidden["forbidden_until"].is_string(), "{forbidden}");
    let (status, _) = desk.post(kick, json!({"app": "studio", "name": "x".repeat(256), "forbid_seconds": 60})).await;
    assert_eq!(status, 400, "nothing can be published under this");
    let (status, body) = desk.post(kick, json!({"app": "studio", "name": "cam", "forbid_seconds": 0})).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("invalid")));
}
