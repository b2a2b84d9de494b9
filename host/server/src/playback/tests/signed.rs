//! Signed URLs: what a signature is good for, and how playlists and captions hand it on.

use axum::Router;
use axum::http::{Method, StatusCode};
use reprise_lifecycle::id::JobId;
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::WorkResult;
use reprise_lifecycle::work::{PictureFacts, PictureKind, PicturesPlan, Request};

use super::{Theatre, encoded, open};
use crate::files::SOURCE;
use crate::playback::path_of;
use crate::testkit::{NOON_S, ask};
use crate::url_auth::{Terms, sign};

pub(super) fn key_for(path: &str, timestamp_s: i64, key: &str) -> String {
    sign(path, Terms { timestamp_s, rand: "r4nd", uid: "u1" }, key)
}

#[tokio::test]
async fn a_signature_is_for_one_path_key_and_time() {
    let theatre = Theatre::new().await;
    theatre.sign_urls().await;
    let path = theatre.path("source.mp4");
    let other = theatre.path("source.m3u8");
    // The domain's validity of 1800 s is added to the timestamp.
    let table = [
        (Some(key_for(&path, NOON_S, "acme-play")), 200, ""),
        (Some(key_for(&path, NOON_S - 1800, "acme-play")), 200, ""),
        (Some(key_for(&path, NOON_S - 1801, "acme-play")), 403, "denied by req auth: expired timestamp="),
        (Some(key_for(&other, NOON_S, "acme-play")), 403, "denied by req auth: invalid md5hash="),
        (Some(key_for(&path, NOON_S, "acme-push")), 403, "denied by req auth: invalid md5hash="),
        (Some("nonsense".to_owned()), 403, "denied by req auth: malformed auth_key"),
        (None, 403, "denied by req auth: no auth_key"),
    ];
    for (key, status, why) in table {
        let url = key.as_ref().map_or(path.clone(), |key| format!("{path}?auth_key={key}"));
        let answered = ask(&theatre.router, Method::GET, &url, &[], "").await;
        assert_eq!(answered.status.as_u16(), status, "{key:?}");
        assert!(answered.header("x-tengine-error").starts_with(why), "{key:?}: {answered:?}");
        let control = if status == 200 { "private, max-age=31536000, immutable" } else { "no-store" };
        assert_eq!(answered.header("cache-control"), control, "{key:?}");
    }
    for file in ["source.m3u8", "index.m3u8", "player.html"] {
        assert_eq!(theatre.get(file, &[]).await.status, StatusCode::FORBIDDEN, "{file}");
    }
}

#[tokio::test]
async fn the_path_is_hashed_as_it_was_asked_for() {
    let theatre = Theatre::new().await;
    theatre.sign_urls().await;
    let id = theatre.video.to_string();
    let encoded = format!("/media/%{:02x}{}/source.mp4", id.as_bytes()[0], &id[1..]);
    let plain = theatre.path("source.mp4");
    let ask_with = async |path: &str, signed: &str| {
        let url = format!("{path}?x=1&auth_key={}", key_for(signed, NOON_S, "acme-play"));
        ask(&theatre.router, Method::GET, &url, &[], "").await.status.as_u16()
    };
    assert_eq!(ask_with(&encoded, &encoded).await, 200);
    assert_eq!(ask_with(&encoded, &plain).await, 403);
    // A proxy takes the public prefix away, and URLs are signed with it.
    let behind = open(&theatre.world, "https://vod.example/tv/");
    for (signed, status) in [(format!("/tv{plain}"), 200), (plain.clone(), 200), (format!("/fm{plain}"), 403)] {
        let url = format!("{plain}?auth_key={}", key_for(&signed, NOON_S, "acme-play"));
        assert_eq!(ask(&behind, Method::GET, &url, &[], "").await.status.as_u16(), status, "{signed}");
    }
    assert_eq!(
        (path_of("http://h"), path_of("http://h/"), path_of("http://h/a/b/"), path_of("")),
        ("", "", "/a/b", "")
    );
}

/// Follows every URI of a signed playlist, playlists in it included, and gives the number of files that played.
pub(super) async fn follow(router: &Router, base: &str, text: &str) -> usize {
    let folder = &base[..=base.rfind('/').unwrap()];
    let mut played = 0;
    for line in text.lines() {
        let uri = match line.find("URI=\"") {
            Some(at) => line[at + 5..].split('"').next().unwrap(),
            None if line.starts_with('#') || line.is_empty() => continue,
            None => line,
        };
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let unsigned = ask(router, Method::GET, &format!("{folder}{path}"), &[], "").await;
        assert_eq!(unsigned.status, StatusCode::FORBIDDEN, "{uri}");
        assert!(query.starts_with(&format!("auth_key={NOON_S}-r4nd-u1-")), "same life, same terms: {uri}");
        let full = format!("{folder}{path}?{query}");
        let answered = ask(router, Method::GET, &full, &[], "").await;
        assert_eq!(answered.status, StatusCode::OK, "{uri}");
        played += 1;
        if path.ends_with(".m3u8") {
            played += Box::pin(follow(router, &format!("{folder}{path}"), answered.text())).await;
        }
    }
    played
}

#[tokio::test]
async fn a_signed_playlist_hands_its_life_on() {
    let theatre = Theatre::new().await;
    let mut life = theatre.world.broadcast("acme", "b2").await;
    let video = life.part(0).await;
    theatre.world.files.make_video(&video).unwrap().write(SOURCE, &theatre.source).unwrap();
    life.decide(&video, &["m3u8"]).await;
    let files = encoded();
    let borrowed: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    life.rendition(&video, 0, &borrowed).await;
    theatre.sign_urls().await;
    let segments = files.len() - 2;
    for (file, expected) in [("source.m3u8", 4), ("index.m3u8", 1 + 1 + segments)] {
        let path = format!("/media/{video}/{file}");
        let url = format!("{path}?auth_key={}", key_for(&path, NOON_S, "acme-play"));
        let playlist = ask(&theatre.router, Method::GET, &url, &[], "").await;
        assert_eq!(playlist.status, StatusCode::OK, "{file}");
        assert_eq!(playlist.header("cache-control"), "private, no-cache");
        assert_eq!(follow(&theatre.router, &path, playlist.text()).await, expected, "{file}: {}", playlist.text());
    }
}

#[tokio::test]
async fn captions_and_what_they_name_are_signed_alike() {
    let theatre = Theatre::new().await;
    let mut life = theatre.world.broadcast("acme", "b2").await;
    let video = life.part(0).await;
    let (job, settings) = (JobId::new("pictures"), "{}".to_owned());
    let plan = PicturesPlan { kind: PictureKind::WebVtt, settings };
    let asked = Input::PicturesAsked { video: video.clone(), job: job.clone(), plan, request: Request::default() };
    life.put(asked).await;
    let captions = "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nsheet-00001.jpg#xywh=0,0,80,60\n";
    life.write(&video, "pictures", &[("00001.vtt", captions.as_bytes()), ("sheet-00001.jpg", b"jpeg")]);
    let path = |file: &str| format!("/media/{video}/pictures/{file}");
    let get = async |path: &str| ask(&theatre.router, Method::GET, path, &[], "").await;
    assert_eq!(get(&path("00001.vtt")).await.status, StatusCode::NOT_FOUND, "its record is not committed");
    let facts =
        PictureFacts { kind: PictureKind::WebVtt, pattern: "pictures/{SnapshotCount}.vtt".to_owned(), count: 1 };
    life.put(Input::PicturesFinished { video: video.clone(), job, result: WorkResult::Done(vec![facts]) }).await;
    let plain = get(&path("00001.vtt")).await;
    assert_eq!((plain.header("content-type"), plain.text()), ("text/vtt", captions));

    theatre.sign_urls().await;
    assert_eq!(get(&path("00001.vtt")).await.status, StatusCode::FORBIDDEN);
    let signed = format!("{}?auth_key={}", path("00001.vtt"), sign(&path("00001.vtt"), Terms::at(NOON_S), "acme-play"));
    let text = get(&signed).await.text().to_owned();
    let (name, rectangle) = text.lines().last().unwrap().split_once('#').unwrap();
    assert_eq!(rectangle, "xywh=0,0,80,60");
    let picture = get(&path(name)).await;
    assert_eq!((picture.status, picture.header("content-type")), (StatusCode::OK, "image/jpeg"));
}
