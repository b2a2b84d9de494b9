//! Playback as viewers see it, over a real catalogue and real files.

use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode};
use reprise_lifecycle::id::{BroadcastId, GroupId, TaskId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::{OutputFacts, TaskPlan, WorkResult};
use reprise_lifecycle::work::{Removal, Request};
use reprise_media::fmp4::{FragmentIndex, scan};
use reprise_media::hls::check::check;

use self::signed::key_for;
use super::{Playback, router};
use crate::files::{SOURCE, SOURCE_INDEX};
use crate::testkit::{Answered, NOON_S, World, ask, noon, recording};

mod linked;
mod signed;
mod zero_based;

struct Theatre {
    world: World,
    router: Router,
    video: VideoId,
    source: Vec<u8>,
}

impl Theatre {
    /// One recorded part of tenant `acme`, without renditions.
    async fn new() -> Self {
        let world = World::new().await;
        world.tenant("acme").await;
        let video = world.broadcast("acme", "b1").await.part(0).await;
        let source = recording(10);
        world.files.make_video(&video).unwrap().write(SOURCE, &source).unwrap();
        let router = open(&world, "http://vod.example");
        Self { world, router, video, source }
    }

    async fn sign_urls(&self) {
        self.world.store.set_tenant_switches("acme", None, Some(true)).await.unwrap();
    }

    fn path(&self, file: &str) -> String {
        format!("/media/{}/{file}", self.video)
    }

    async fn get(&self, file: &str, headers: &[(&str, &str)]) -> Answered {
        ask(&self.router, Method::GET, &self.path(file), headers, "").await
    }
}

fn open(world: &World, public_url: &str) -> Router {
    let playback = Playback::new(world.store.clone(), Arc::clone(&world.files), public_url, noon);
    router(Arc::new(playback))
}

#[tokio::test]
async fn the_source_is_sent_whole_in_ranges_and_not_again() {
    let theatre = Theatre::new().await;
    let (size, file) = (theatre.source.len(), &theatre.source);
    let whole = theatre.get("source.mp4", &[]).await;
    assert_eq!((whole.status, &whole.body), (StatusCode::OK, file));
    assert_eq!(whole.header("content-type"), "video/mp4");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("content-length"), size.to_string());
    assert_eq!(whole.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    let tag = whole.header("etag").to_owned();
    assert!(tag.starts_with(&format!("\"{}-", theatre.video)), "{tag}");

    let head = ask(&theatre.router, Method::HEAD, &theatre.path("source.mp4"), &[("range", "bytes=0-1")], "").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), size.to_string());

    let end = size - 1;
    let table = [
        ("bytes=0-99".to_owned(), 206, format!("bytes 0-99/{size}"), &file[..100]),
        ("bytes=100-".to_owned(), 206, format!("bytes 100-{end}/{size}"), &file[100..]),
        ("bytes=-50".to_owned(), 206, format!("bytes {}-{end}/{size}", size - 50), &file[size - 50..]),
        (format!("bytes={end}-99999999999999999999999"), 206, format!("bytes {end}-{end}/{size}"), &file[end..]),
        (format!("bytes={size}-"), 416, format!("bytes */{size}"), b"range not satisfiable\n".as_slice()),
        ("bytes=1-2,4-5".to_owned(), 200, String::new(), file),
        ("bytes=x".to_owned(), 200, String::new(), file),
    ];
    for (range, status, content_range, body) in table {
        let part = theatre.get("source.mp4", &[("range", &range)]).await;
        assert_eq!((part.status.as_u16(), part.header("content-range")), (status, content_range.as_str()), "{range}");
        assert_eq!(part.body, body, "{range}");
        if status != 416 {
            assert_eq!(part.header("content-length"), body.len().to_string(), "{range}");
        }
    }
    let again = theatre.get("source.mp4", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (StatusCode::NOT_MODIFIED, 0, tag.as_str()));
    let resumed = theatre.get("source.mp4", &[("range", "bytes=5-"), ("if-range", &tag)]).await;
    assert_eq!(resumed.status, StatusCode::PARTIAL_CONTENT);
    let changed = theatre.get("source.mp4", &[("range", "bytes=5-"), ("if-range", "\"other\"")]).await;
    assert_eq!(changed.status, StatusCode::OK);
}

#[tokio::test]
async fn a_file_larger_than_every_buffer_arrives_whole() {
    let theatre = Theatre::new().await;
    let large: Vec<u8> = (0..3_000_001u32).map(|n| ((n * 31) >> 3) as u8).collect();
    theatre.world.files.video(&theatre.video).unwrap().write(SOURCE, &large).unwrap();
    assert!(theatre.get("source.mp4", &[]).await.body == large);
    let part = theatre.get("source.mp4", &[("range", "bytes=65530-2000000")]).await;
    assert!(part.body == large[65530..=2_000_000]);
}

#[tokio::test]
async fn only_what_the_catalogue_knows_exists() {
    let theatre = Theatre::new().await;
    let (files, video) = (&theatre.world.files, &theatre.video);
    // On the disk, but in no record.
    files.make_video(&VideoId::new("stranger")).unwrap().write(SOURCE, b"x").unwrap();
    let dir = files.video(video).unwrap();
    dir.create_dir("unfinished").unwrap();
    dir.write("unfinished/a.mp4", b"x").unwrap();
    dir.write(SOURCE_INDEX, b"x").unwrap();
    std::fs::write(theatre.world.dir.path().join("media/top.mp4"), b"x").unwrap();
    let paths = [
        "/media/stranger/source.mp4".to_owned(),
        "/media/stranger/source.m3u8".to_owned(),
        format!("/media/{video}/unfinished/a.mp4"),
        format!("/media/{video}/source.index"),
        format!("/media/{video}/x/source.index"),
        format!("/media/{video}/"),
        format!("/media/{video}"),
        "/media/".to_owned(),
        // Ways out.
        format!("/media/{video}/..%2f{video}/source.mp4"),
        format!("/media/{video}/../top.mp4"),
        format!("/media/{video}/%2e%2e/top.mp4"),
        format!("/media/{video}/..%2ftop.mp4"),
        "/media/..%2f/source.mp4".to_owned(),
        "/media/%2e%2e/source.mp4".to_owned(),
        format!("/media/..%2fmedia%2f{video}/source.mp4"),
        format!("/media/{video}/%00/a.mp4"),
        format!("/media/{video}/./source.mp4"),
        format!("/media/{video}/unfinished%2fa.mp4"),
        format!("/media/{video}/..%5c/a.mp4"),
        format!("/media/{video}%00/source.mp4"),
        format!("/media/{video}/a/%c0%ae%c0%ae.mp4"),
    ];
    for path in paths {
        let answered = ask(&theatre.router, Method::GET, &path, &[], "").await;
        assert!(matches!(answered.status.as_u16(), 400 | 404), "{path}: {answered:?}");
    }
}

#[tokio::test]
async fn a_link_out_of_the_videos_folder_is_not_followed() {
    let theatre = Theatre::new().await;
    let mut life = theatre.world.broadcast("acme", "b2").await;
    let video = life.part(0).await;
    life.decide(&video, &["mp4"]).await;
    let job = life.rendition(&video, 0, &[("a.mp4", b"movie")]).await;
    let folder = theatre.world.dir.path().join("media").join(video.as_str()).join(&job);
    std::fs::write(theatre.world.dir.path().join("secret"), b"secret").unwrap();
    std::os::unix::fs::symlink("../../../secret", folder.join("b.mp4")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.join("c.mp4")).unwrap();
    std::fs::create_dir(folder.join("d.mp4")).unwrap();
    let status = async |file: &str| {
        ask(&theatre.router, Method::GET, &format!("/media/{video}/{job}/{file}"), &[], "").await.status.as_u16()
    };
    assert_eq!(status("a.mp4").await, 200);
    for bad in ["b.mp4", "c.mp4", "d.mp4", "e.mp4"] {
        assert!(matches!(status(bad).await, 404 | 500), "{bad}");
    }
}

#[tokio::test]
async fn the_source_plays_as_hls_with_and_without_its_index() {
    let theatre = Theatre::new().await;
    let dir = theatre.world.files.video(&theatre.video).unwrap();
    let scanned = theatre.get("source.m3u8", &[]).await;
    assert_eq!(scanned.header("content-type"), "application/vnd.apple.mpegurl");
    assert_eq!(scanned.header("cache-control"), "public, no-cache");
    let playlist = check(scanned.text()).unwrap();
    assert_eq!((playlist.duration_ms(), playlist.segments[0].uri.as_str()), (10_000, SOURCE));
    assert!(playlist.segments.len() > 1 && playlist.independent);
    let last = playlist.segments.last().unwrap().range;
    assert_eq!(last.offset + last.len, theatre.source.len() as u64, "the segments cover the file");

    let index = FragmentIndex::from_scan(&scan(&mut std::io::Cursor::new(&theatre.source), true).unwrap()).unwrap();
    let sidecars = [index.to_bytes(), b"RPI1 damaged".to_vec(), other_files_index()];
    for sidecar in sidecars {
        dir.write(SOURCE_INDEX, sidecar).unwrap();
        // Another server, so that nothing is remembered.
        let router = open(&theatre.world, "");
        let again = ask(&router, Method::GET, &theatre.path("source.m3u8"), &[], "").await;
        assert_eq!(again.text(), scanned.text());
    }
    let held = scanned.header("etag");
    assert_eq!(theatre.get("source.m3u8", &[("if-none-match", held)]).await.status, StatusCode::NOT_MODIFIED);
    // With no rendition, what plays is the source.
    assert_eq!(theatre.get("index.m3u8", &[]).await.text(), scanned.text());
    // What is remembered is not read again.
    dir.remove_file(SOURCE).unwrap();
    assert_eq!(theatre.get("source.m3u8", &[]).await.text(), scanned.text());
}

/// An index that is whole, but of a longer file.
fn other_files_index() -> Vec<u8> {
    let longer = recording(12);
    FragmentIndex::from_scan(&scan(&mut std::io::Cursor::new(longer), false).unwrap()).unwrap().to_bytes()
}

#[tokio::test]
async fn a_source_with_nothing_in_it_is_not_there() {
    let theatre = Theatre::new().await;
    let dir = theatre.world.files.video(&theatre.video).unwrap();
    for nothing in [b"".as_slice(), b"not a movie", &recording(0)] {
        dir.write(SOURCE, nothing).unwrap();
        assert_eq!(theatre.get("source.m3u8", &[]).await.status, StatusCode::NOT_FOUND);
    }
}

/// Two seconds of a real encoder's HLS: names and bytes of its files, the playlist first.
fn encoded() -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let args = "-v error -f lavfi -i testsrc=s=160x120:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -preset ultrafast \
                -g 25 -pix_fmt yuv420p -c:a aac -f hls -hls_time 1 -hls_list_size 0 -hls_playlist_type vod \
                -hls_segment_type fmp4 -hls_fmp4_init_filename init.mp4 -hls_segment_filename seg-%05d.m4s index.m3u8";
    let status = Command::new("ffmpeg")
        .args(args.split_whitespace())
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let mut names: Vec<String> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_by_key(|name| (name != "index.m3u8", name.clone()));
    names.into_iter().map(|name| (name.clone(), std::fs::read(dir.path().join(&name)).unwrap())).collect()
}

#[tokio::test]
async fn renditions_and_pictures_join_as_they_finish() {
    let theatre = Theatre::new().await;
    let mut life = theatre.world.broadcast("acme", "b2").await;
    let video = life.part(0).await;
    theatre.world.files.make_video(&video).unwrap().write(SOURCE, &theatre.source).unwrap();
    life.decide(&video, &["m3u8", "mp4"]).await;
    let get = async |path: String| ask(&theatre.router, Method::GET, &path, &[], "").await;
    let index = format!("/media/{video}/index.m3u8");
    assert!(get(index.clone()).await.text().contains(SOURCE), "nothing is finished yet");

    let files = encoded();
    let borrowed: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let hls = life.rendition(&video, 0, &borrowed).await;
    let mp4 = life.rendition(&video, 1, &[("movie.mp4", b"movie")]).await;
    let covers = life.covers(&video, 2).await;

    let master = get(index).await;
    assert!(master.text().contains(&format!("\n{hls}/index.m3u8\n")), "{}", master.text());
    assert!(
        master.text().contains("RESOLUTION=160x120") && master.text().contains("CODECS=\"avc1."),
        "{}",
        master.text()
    );
    assert!(!master.text().contains(&mp4), "{}", master.text());
    // Transcoded by hand again and again, it names the newest, and no viewer waits for all of them to be read.
    for number in 0..45 {
        let templates = vec![life.state.videos[&video].tasks[0].outputs[0].template.clone()];
        let plan = TaskPlan { group: GroupId::new("g1"), templates, cover: false };
        let (task, request) = (TaskId::new(format!("t{number:02}")), Request::default());
        life.put(Input::TaskAsked { video: video.clone(), task, plan, request }).await;
        let output = life.state.videos[&video].tasks.last().unwrap().outputs[0].clone();
        life.write(&video, output.job.as_str(), &borrowed);
        let done = life.state.videos[&video].tasks[0].outputs[0].finished.as_ref().unwrap().result.done().unwrap();
        let facts = OutputFacts { file: format!("{}/index.m3u8", output.job), ..done.clone() };
        let (job, result) = (output.job, WorkResult::Done(facts));
        life.put(Input::OutputFinished { video: video.clone(), job, result, started_at: noon() }).await;
    }
    let text = get(format!("/media/{video}/index.m3u8")).await.text().to_owned();
    assert_eq!(text.matches("#EXT-X-STREAM-INF").count(), 40, "{text}");
    let declared: u64 = attribute(master.text(), "BANDWIDTH=").parse().unwrap();
    let largest = files.iter().filter(|(name, _)| name.ends_with(".m4s")).map(|(_, bytes)| bytes.len()).max().unwrap();
    assert!(
        (largest as u64 * 6..=largest as u64 * 10).contains(&declared),
        "{declared} for {largest} bytes in about 1 s"
    );

    let types = [
        (format!("{hls}/index.m3u8"), "application/vnd.apple.mpegurl"),
        (format!("{hls}/init.mp4"), "video/mp4"),
        (format!("{hls}/seg-00000.m4s"), "video/iso.segment"),
        (format!("{mp4}/movie.mp4"), "video/mp4"),
        (format!("{covers}/c-00002.jpg"), "image/jpeg"),
    ];
    for (path, media_type) in types {
        let answered = get(format!("/media/{video}/{path}")).await;
        assert_eq!((answered.status, answered.header("content-type")), (StatusCode::OK, media_type), "{path}");
    }
    // A job's files belong to its own video, even if a folder of that name is in another's.
    let other = theatre.world.files.video(&theatre.video).unwrap();
    other.create_dir(&mp4).unwrap();
    other.write(format!("{mp4}/movie.mp4"), b"x").unwrap();
    assert_eq!(get(format!("/media/{}/{mp4}/movie.mp4", theatre.video)).await.status, StatusCode::NOT_FOUND);
}

fn attribute<'a>(text: &'a str, name: &str) -> &'a str {
    let at = text.find(name).unwrap() + name.len();
    text[at..].split([',', '\n']).next().unwrap()
}

#[tokio::test]
async fn any_site_may_play() {
    let theatre = Theatre::new().await;
    let path = theatre.path("source.mp4");
    let asked = [("origin", "https://elsewhere.example"), ("access-control-request-method", "GET")];
    let preflight = ask(&theatre.router, Method::OPTIONS, &path, &asked, "").await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert!(preflight.header("access-control-allow-headers").contains("Range"));
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    for file in ["source.mp4", "source.m3u8", "nothing/here.mp4"] {
        let answered = theatre.get(file, &asked).await;
        assert_eq!(answered.header("access-control-allow-origin"), "*", "{file}");
        for exposed in ["Content-Range", "Accept-Ranges", "Content-Length", "ETag"] {
            assert!(answered.header("access-control-expose-headers").contains(exposed), "{file}: {exposed}");
        }
    }
    let posted = ask(&theatre.router, Method::POST, &path, &[], "").await;
    assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_page_plays_and_runs_nothing() {
    let theatre = Theatre::new().await;
    let page = theatre.get("player.html", &[]).await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(page.text().contains("<source src=\"source.mp4\" type=\"video/mp4\">"), "{}", page.text());
    assert!(page.text().contains("<title>cam-b1</title>"), "{}", page.text());
    theatre.sign_urls().await;
    let path = theatre.path("player.html");
    let url = format!("{path}?auth_key={}", key_for(&path, NOON_S, "acme-play"));
    let page = ask(&theatre.router, Method::GET, &url, &[], "").await;
    let source = page.text().split("src=\"source.mp4").nth(1).unwrap().split('"').next().unwrap();
    let media = ask(&theatre.router, Method::GET, &theatre.path(&format!("source.mp4{source}")), &[], "").await;
    assert_eq!(media.status, StatusCode::OK, "{source}");
}

#[tokio::test]
async fn viewers_beyond_the_limit_are_told_to_come_back() {
    let theatre = Theatre::new().await;
    let playback = Playback::new(theatre.world.store.clone(), Arc::clone(&theatre.world.files), "", noon);
    let held = Arc::clone(&playback.open_files).acquire_many_owned(super::MAX_OPEN_FILES as u32).await.unwrap();
    let router = router(Arc::new(playback));
    let path = theatre.path("source.mp4");
    let busy = ask(&router, Method::GET, &path, &[], "").await;
    assert_eq!((busy.status, busy.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    drop(held);
    // Each answer gives its place back when it is read.
    for _ in 0..super::MAX_OPEN_FILES + 10 {
        assert_eq!(ask(&router, Method::GET, &path, &[("range", "bytes=0-0")], "").await.status.as_u16(), 206);
    }
}

#[tokio::test]
async fn a_deleted_source_plays_no_more_though_its_file_is_there() {
    let theatre = Theatre::new().await;
    assert_eq!(theatre.get("source.mp4", &[]).await.status, StatusCode::OK);
    let handle = theatre.world.driver().await;
    let remove = Input::Remove { video: theatre.video.clone(), what: Removal::Source };
    handle.submit(&BroadcastId::new("b1"), remove).await.unwrap();
    for file in ["source.mp4", "source.m3u8", "index.m3u8"] {
        assert_eq!(theatre.get(file, &[]).await.status, StatusCode::NOT_FOUND, "{file}");
    }
}
