//! The two edits that broadcasters make of a recording: an advertisement goes in, and the stretches without play come
//! out.

use std::path::Path;

use anyhow::Context as _;
use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::{Stage, VOD};
use reprise_tests::{encoder, eventually, media};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// A clip that shows each colour for its seconds, with a tone.
async fn colours(path: &Path, size: &str, shots: &[(&str, u32)], tone: u32) -> anyhow::Result<()> {
    let sources: Vec<String> = (0..)
        .zip(shots)
        .map(|(n, (colour, seconds))| format!("color=c={colour}:s={size}:r=25:d={seconds}[c{n}];"))
        .collect();
    let labels: String = (0..shots.len()).map(|n| format!("[c{n}]")).collect();
    let picture = format!("{}{labels}concat=n={}", sources.concat(), shots.len());
    let seconds: u32 = shots.iter().map(|(_, seconds)| seconds).sum();
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", &picture])
        .args(["-f", "lavfi", "-i", &format!("sine=f={tone}:r=44100:d={seconds}")])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "25", "-sc_threshold", "0"])
        .args(["-pix_fmt", "yuv420p", "-c:a", "aac"])
        .arg(path)
        .status()
        .await?;
    anyhow::ensure!(made.success(), "ffmpeg could not make the clip");
    Ok(())
}

/// The colour in the middle of the picture at a moment: `r`, `g` or `b`, whichever is far above the others.
async fn colour(url: &str, at: f64) -> anyhow::Result<char> {
    let output = Command::new("ffmpeg")
        // From the beginning: ffmpeg does not seek in playlists of byte ranges.
        .args(["-v", "error", "-nostdin", "-i", url, "-ss", &at.to_string(), "-frames:v", "1"])
        .args(["-vf", "crop=2:2", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .await?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let pixel = output.stdout.get(..3).with_context(|| format!("no picture at {at} s of {url}"))?;
    let far = |n: usize| (0..3).all(|other| other == n || pixel[n] > pixel[other].saturating_add(100));
    Ok((0..3).find(|n| far(*n)).and_then(|n| "rgb".chars().nth(n)).unwrap_or('?'))
}

/// What each packet of the picture holds.
async fn packets(url: &str) -> anyhow::Result<Vec<String>> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=data_hash", "-show_data_hash", "md5"])
        .args(["-of", "csv=p=0", url])
        .output()
        .await?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

/// Records a clip as a stream, and gives its video.
async fn recorded(stage: &Stage, clip: &Path, stream: &str) -> anyhow::Result<String> {
    encoder::finished(encoder::publish(clip, &stage.push_url("live", stream))?).await?;
    let videos = stage.settled().await?;
    let video = videos.iter().find(|video| video["stream"]["name"] == stream).context("no video")?;
    assert_eq!(video["status"], "ready", "{video}");
    Ok(video["id"].as_str().context("no id")?.to_owned())
}

/// Produces a timeline, and gives its video once that is over.
async fn produced(stage: &Stage, timeline: &Value) -> anyhow::Result<(String, Value)> {
    let timeline = timeline.to_string();
    let metadata = r#"{"Title":"the edit"}"#;
    let parameters = [("Timeline", timeline.as_str()), ("MediaMetadata", metadata)];
    let asked = stage.vendor.call(VOD, "ProduceEditingProjectVideo", &parameters).await?;
    let id = asked["MediaId"].as_str().context("no MediaId")?.to_owned();
    let project = asked["ProjectId"].as_str().context("no ProjectId")?.to_owned();
    let shown = eventually("the production to end", async || {
        let shown = stage.vendor.call(VOD, "GetEditingProject", &[("ProjectId", &project)]).await?;
        Ok((shown["Project"]["Status"] != "Producing").then(|| shown["Project"].clone()))
    })
    .await?;
    assert_eq!(shown["Status"], "Produced", "{shown}");
    eventually("the video to be ready", async || {
        let info = stage.vendor.call(VOD, "GetVideoInfo", &[("VideoId", &id)]).await?;
        Ok((info["Video"]["Status"] == "Normal").then_some((id.clone(), info["Video"].clone())))
    })
    .await
}

fn clip(video: &str, from: f64, to: f64) -> Value {
    json!({ "MediaId": video, "In": from, "Out": to.to_string() })
}

fn joined(clips: &[Value]) -> Value {
    json!({ "VideoTracks": [{ "VideoTrackClips": clips }] })
}

#[test]
fn an_advertisement_goes_in_and_empty_stretches_come_out() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "edit").await?;
        let receiver = Receiver::start().await?;
        stage.callbacks(&receiver.url()).await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        let (game, ad) = (server.scratch().join("game.mp4"), server.scratch().join("ad.mp4"));
        colours(&game, "320x180", &[("lime", 4), ("blue", 6)], 440).await?;
        colours(&ad, "160x180", &[("red", 3)], 880).await?;
        let game = recorded(&stage, &game, "game").await?;
        let ad = recorded(&stage, &ad, "ad").await?;

        let inserted = joined(&[clip(&game, 0.0, 4.0), clip(&ad, 0.0, 3.0), clip(&game, 4.0, 99.0)]);
        let (id, info) = produced(&stage, &inserted).await?;
        assert_eq!(info["Title"], "the edit");
        let seconds = info["Duration"].as_f64().context("no Duration")?;
        assert!((12.8..13.2).contains(&seconds), "{info}");
        // As a file and as byte ranges of it.
        for file in ["source.mp4", "source.m3u8"] {
            let url = stage.media_url(&id, file);
            let decoded = media::decode(&url).await?;
            assert_eq!(decoded.height, 180);
            assert!((320..=330).contains(&decoded.video), "{file} has {} pictures", decoded.video);
            for (at, expected) in [(0.5, 'g'), (3.5, 'g'), (4.5, 'r'), (6.5, 'r'), (7.5, 'b'), (12.5, 'b')] {
                assert_eq!(colour(&url, at).await?, expected, "{file} at {at} s");
            }
        }
        let told = eventually("the event", async || {
            let all = receiver.received();
            Ok(all.iter().map(|one| one.event()).find(|event| event["EventType"] == "ProduceMediaComplete"))
        })
        .await?;
        assert_eq!((&told["Status"], &told["MediaId"]), (&json!("success"), &json!(id)), "{told}");

        let play = joined(&[clip(&game, 1.0, 3.0), clip(&game, 6.0, 8.0)]);
        let (cut, _) = produced(&stage, &play).await?;
        let url = stage.media_url(&cut, "source.mp4");
        let decoded = media::decode(&url).await?;
        assert!((98..=102).contains(&decoded.video), "{} pictures", decoded.video);
        for (at, expected) in [(0.2, 'g'), (1.8, 'g'), (2.2, 'b'), (3.8, 'b')] {
            assert_eq!(colour(&url, at).await?, expected, "at {at} s");
        }

        // The cuts lie on keyframes: every picture is one of the recording, bit by bit, so nothing was encoded.
        let (source, result) = (packets(&stage.media_url(&game, "source.mp4")).await?, packets(&url).await?);
        assert_eq!(result, [&source[25..75], &source[150..200]].concat());

        // An edit can be edited, and drawn on.
        let logo = server.scratch().join("logo.png");
        let image = image(&server, &stage, &logo).await?;
        let drawn = json!({
            "VideoTracks": [{ "VideoTrackClips": [{ "MediaId": id, "Out": 2, "Effects": [
                { "Type": "Text", "Content": "':=,%{pts}[]\\", "X": 0.1, "Y": 0.8, "FontSize": 20 } ] }] }],
            "ImageTracks": [{ "ImageTrackClips": [
                { "ImageId": image, "X": 0.25, "Y": 0.25, "Width": 0.5, "Height": 0.5, "TimelineIn": 1 } ] }]
        });
        let (drawn, _) = produced(&stage, &drawn).await?;
        let url = stage.media_url(&drawn, "source.mp4");
        assert_eq!((colour(&url, 0.5).await?, colour(&url, 1.5).await?), ('g', 'r'));
        Ok(())
    })
}

/// Uploads a red picture, and gives its id.
async fn image(server: &Server, stage: &Stage, path: &Path) -> anyhow::Result<String> {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "color=c=red:s=64x36", "-frames:v", "1"])
        .arg(path)
        .status()
        .await?;
    anyhow::ensure!(made.success(), "ffmpeg could not make the picture");
    let bytes = std::fs::read(path)?;
    let (id, secret) = &stage.access_key;
    let head = format!(
        "PUT /v1/tenants/{}/images HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {id}.{secret}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        stage.name,
        server.http,
        bytes.len()
    );
    let mut socket = tokio::net::TcpStream::connect(&server.http).await?;
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(&bytes).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let body = answer.split_once("\r\n\r\n").context("no body")?.1;
    let body: Value = serde_json::from_str(body).with_context(|| answer.clone())?;
    Ok(body["image_id"].as_str().context("no image_id")?.to_owned())
}

#[test]
fn a_production_that_was_killed_ends_the_same() -> anyhow::Result<()> {
    crate::run(async {
        let mut server = Server::start("").await?;
        let stage = Stage::new(&server, "killed").await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        let game = server.scratch().join("game.mp4");
        colours(&game, "320x180", &[("lime", 2), ("blue", 2)], 440).await?;
        let game = recorded(&stage, &game, "game").await?;
        // Long enough to be caught at it, and quieter in the middle, so that it has to be encoded.
        let mut clips = vec![clip(&game, 0.0, 4.0); 60];
        clips[30]["Effects"] = json!([{ "Type": "Volume", "Gain": "0.5" }]);
        let timeline = joined(&clips).to_string();
        let asked = stage.vendor.call(VOD, "ProduceEditingProjectVideo", &[("Timeline", &timeline)]).await?;
        let id = asked["MediaId"].as_str().context("no MediaId")?.to_owned();
        let work = server.data().join("work");
        let begun = work.join(format!("{id}-0")).join("result.mp4");
        eventually("the encoder to begin", async || Ok(begun.exists().then_some(()))).await?;
        server.kill()?;
        assert!(!server.data().join("media").join(&id).join("source.mp4").exists(), "it was not whole");
        server.launch().await?;
        eventually("the video to be ready", async || {
            let info = stage.vendor.call(VOD, "GetVideoInfo", &[("VideoId", &id)]).await?;
            Ok((info["Video"]["Status"] == "Normal").then_some(()))
        })
        .await?;
        let decoded = media::decode(&stage.media_url(&id, "source.mp4")).await?;
        assert!((5990..=6010).contains(&decoded.video), "240 seconds at 25 frames: {}", decoded.video);
        for left in [format!("{id}-0"), format!("{id}-0-in")] {
            assert!(!work.join(&left).exists(), "{left} is left of an attempt");
        }
        let file = server.data().join("media").join(&id);
        let names: Vec<_> =
            std::fs::read_dir(&file)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
        assert!(names.iter().all(|name| name != "parts"), "{names:?}");
        Ok(())
    })
}
