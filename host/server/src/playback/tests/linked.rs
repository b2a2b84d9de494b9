//! A composed video from the moment it is linked until it has a file of its own and no links any more.

use std::path::PathBuf;

use axum::http::{Method, StatusCode};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::input::Input;
use reprise_lifecycle::question::GapRule;
use reprise_lifecycle::work::Removal;
use reprise_media::hls::check::check;
use tokio_util::sync::CancellationToken;

use super::Theatre;
use super::signed::{follow, key_for};
use crate::compose::{Composer, Piece, Request, drop_links};
use crate::ffmpeg::tools::Tools;
use crate::jobs::queue::{Claim, Queue};
use crate::testkit::{NOON_S, ask};

/// A video with a record and no file, linked to all of the theatre's part and then to four seconds of it again.
pub(super) async fn linked(theatre: &Theatre) -> (Composer, VideoId) {
    let video = theatre.world.broadcast("acme", "b2").await.part(0).await;
    let nowhere = PathBuf::from("/nonexistent");
    let tools = Tools { ffmpeg: nowhere.clone(), ffprobe: nowhere.clone(), helper: nowhere, strict: true };
    let composer = Composer::new(std::sync::Arc::clone(&theatre.world.files), tools, 1, Queue::new(1));
    let part = theatre.video.clone();
    let pieces = vec![Piece::whole(part.clone()), Piece { from_ms: 2_000, to_ms: Some(6_000), ..Piece::whole(part) }];
    composer.link(&video, &Request { pieces, gaps: GapRule::Cut }).await.unwrap();
    (composer, video)
}

#[tokio::test]
async fn it_plays_from_its_parts_and_then_from_its_file() {
    let theatre = Theatre::new().await;
    let (composer, video) = linked(&theatre).await;
    let get = async |file: &str| ask(&theatre.router, Method::GET, &format!("/media/{video}/{file}"), &[], "").await;

    for file in ["source.m3u8", "index.m3u8"] {
        let playlist = get(file).await;
        assert_eq!(playlist.header("cache-control"), "public, no-cache");
        let text = playlist.text();
        assert_eq!(text.lines().filter(|line| *line == "parts/00000.mp4").count(), 3 + 1, "{text}");
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    }
    let part = get("parts/00000.mp4").await;
    assert_eq!((part.status, part.body == theatre.source), (StatusCode::OK, true));
    assert_eq!(part.header("content-type"), "video/mp4");
    let path = format!("/media/{video}/parts/00000.mp4");
    let range = ask(&theatre.router, Method::GET, &path, &[("range", "bytes=5-9")], "").await;
    assert_eq!((range.status, range.body.len()), (StatusCode::PARTIAL_CONTENT, 5));
    for hidden in
        ["parts/00000.index", "parts/00001.mp4", "parts/.mp4", "parts/..%2fsource.mp4", "compose.json", "source.mp4"]
    {
        assert_eq!(get(hidden).await.status, StatusCode::NOT_FOUND, "{hidden}");
    }

    let facts = composer.build(&video, Claim { tenant: "acme", priority: 6 }, &CancellationToken::new()).await.unwrap();
    assert_eq!((facts.video_frames, facts.duration_ms), (10 + 4, 14_000));
    let playlist = get("source.m3u8").await;
    let checked = check(playlist.text()).unwrap();
    assert!(checked.segments.iter().all(|segment| segment.uri == "source.mp4" && !segment.discontinuity));
    assert_eq!(checked.duration_ms(), 14_000);
    assert_eq!(get("source.mp4").await.body.len() as u64, facts.bytes);
    // Who began with the links goes on with them.
    assert_eq!(get("parts/00000.mp4").await.status, StatusCode::OK);
    drop_links(&theatre.world.files, &video).unwrap();
    assert_eq!(get("parts/00000.mp4").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get("source.m3u8").await.body, playlist.body);
}

#[tokio::test]
async fn its_parts_are_gone_with_its_source() {
    let theatre = Theatre::new().await;
    let mut life = theatre.world.broadcast("acme", "b2").await;
    let video = life.part(0).await;
    let nowhere = PathBuf::from("/nonexistent");
    let tools = Tools { ffmpeg: nowhere.clone(), ffprobe: nowhere.clone(), helper: nowhere, strict: true };
    let composer = Composer::new(std::sync::Arc::clone(&theatre.world.files), tools, 1, Queue::new(1));
    let request = Request { pieces: vec![Piece::whole(theatre.video.clone())], gaps: GapRule::Cut };
    composer.link(&video, &request).await.unwrap();
    let path = format!("/media/{video}/parts/00000.mp4");
    assert_eq!(ask(&theatre.router, Method::GET, &path, &[], "").await.status, StatusCode::OK);
    // Recorded, and the files still there.
    life.put(Input::Remove { video: video.clone(), what: Removal::Source }).await;
    assert_eq!(ask(&theatre.router, Method::GET, &path, &[], "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn its_page_offers_its_file_once_there_is_one() {
    let theatre = Theatre::new().await;
    let mut life = theatre.world.broadcast("acme", "b2").await;
    life.part(0).await;
    let video = life.compose(GapRule::Cut).await;
    life.link().await;
    let page = async || ask(&theatre.router, Method::GET, &format!("/media/{video}/player.html"), &[], "").await;
    let first = page().await;
    assert!(first.text().contains("index.m3u8") && !first.text().contains("source.mp4"), "{}", first.text());
    life.build(None).await;
    assert!(page().await.text().contains("source.mp4"));
}

#[tokio::test]
async fn its_parts_are_signed_for_like_everything() {
    let theatre = Theatre::new().await;
    let (_, video) = linked(&theatre).await;
    theatre.sign_urls().await;
    let path = format!("/media/{video}/source.m3u8");
    let url = format!("{path}?auth_key={}", key_for(&path, NOON_S, "acme-play"));
    let playlist = ask(&theatre.router, Method::GET, &url, &[], "").await;
    assert_eq!(follow(&theatre.router, &path, playlist.text()).await, 4 + 2, "{}", playlist.text());
    let bare = ask(&theatre.router, Method::GET, &format!("/media/{video}/parts/00000.mp4"), &[], "").await;
    assert_eq!(bare.status, StatusCode::FORBIDDEN);
}
