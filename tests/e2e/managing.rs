//! What a tenant does with its videos afterwards: pictures with captions that players show, a search, a new title, and
//! a deletion that frees the disk.

use std::path::Path;

use anyhow::Context as _;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::{Stage, VOD};
use reprise_tests::{encoder, eventually};
use serde_json::{Value, json};

/// Media type and body of what is at `url`.
async fn get(url: &str) -> anyhow::Result<(String, Vec<u8>)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let answer = client.get(url.parse()?).await?;
    anyhow::ensure!(answer.status() == 200, "{url}: {}", answer.status());
    let kind = answer.headers().get("content-type").context("no type")?.to_str()?.to_owned();
    Ok((kind, answer.into_body().collect().await?.to_bytes().to_vec()))
}

/// Waits for an event that fits.
async fn told(receiver: &Receiver, what: &str, fits: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    eventually(what, async || Ok(receiver.received().iter().map(|one| one.event()).find(|event| fits(event)))).await
}

/// Bytes of all files below a folder.
fn bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.filter_map(Result::ok).map(size).sum()
}

#[test]
fn a_video_is_pictured_found_renamed_and_deleted() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("[storage]\ntrash_seconds = 0\nsweep_seconds = 1\n").await?;
        let stage = Stage::new(&server, "manage").await?;
        let receiver = Receiver::start().await?;
        stage.callbacks(&receiver.url()).await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "320x180", 5).await?;
        encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
        let videos = stage.settled().await?;
        let id = videos.first().and_then(|video| video["id"].as_str()).context("no video")?;
        let named = ("VideoId", id);

        let config = json!({"SnapshotType": "WebVttSnapshot", "SnapshotConfig": {
            "FrameType": "normal", "Count": "100", "Interval": "1", "SpecifiedOffsetTime": "0", "Width": "80",
            "SpriteSnapshotConfig": {"Columns": "2", "Lines": "2", "Color": "Black", "KeepCellPic": "delete"},
        }});
        let parameters = [("Name", "thumbs"), ("TemplateType", "Snapshot"), ("TemplateConfig", &config.to_string())];
        let template = stage.vendor.call(VOD, "AddVodTemplate", &parameters).await?;
        let template = template["VodTemplateId"].as_str().context("no template")?;
        let parameters = [named, ("SnapshotTemplateId", template), ("UserData", r#"{"Extend":{"mine":1}}"#)];
        let job = stage.vendor.call(VOD, "SubmitSnapshotJob", &parameters).await?;
        let job = job.pointer("/SnapshotJob/JobId").and_then(Value::as_str).context("no job")?;
        let event = told(&receiver, "the pictures", |event| event["SubType"] == "SpecifiedTime").await?;
        assert_eq!((&event["Status"], &event["Extend"]), (&json!("success"), &json!(r#"{"mine":1}"#)), "{event}");
        let kinds: Vec<(&Value, &Value)> = event["SnapshotInfos"]
            .as_array()
            .context("no series")?
            .iter()
            .map(|series| (&series["SnapshotType"], &series["SnapshotCount"]))
            .collect();
        // Two pictures by two on a sheet; a little over five seconds are five or six pictures.
        assert_eq!(kinds, [(&json!("WebVttSnapshot"), &json!(1)), (&json!("SpriteSnapshot"), &json!(2))]);
        let listed = [named, ("SnapshotType", "WebVttSnapshot")];
        let listed = stage.vendor.call(VOD, "ListSnapshots", &listed).await?;
        let url =
            listed.pointer("/MediaSnapshot/Snapshots/Snapshot/0/Url").and_then(Value::as_str).context("no URL")?;
        let (kind, captions) = get(url).await?;
        assert_eq!(kind, "text/vtt");
        let captions = String::from_utf8(captions)?;
        let places: Vec<&str> = captions.lines().filter(|line| line.contains("#xywh=")).collect();
        assert!((5..=6).contains(&places.len()), "{captions}");
        assert_eq!(places[..2], ["sheet-00001.jpg#xywh=0,0,80,46", "sheet-00001.jpg#xywh=80,0,80,46"], "{captions}");
        let (kind, sheet) = get(&stage.media_url(id, &format!("{job}/sheet-00002.jpg"))).await?;
        assert!(kind == "image/jpeg" && sheet.starts_with(&[0xff, 0xd8]));

        let title = [named, ("Title", "Final match"), ("Tags", "sport")];
        stage.vendor.call(VOD, "UpdateVideoInfo", &title).await?;
        told(&receiver, "the new title", |event| event["EventType"] == "MediaBaseChangeComplete").await?;
        let search =
            [("Match", "MediaSource in ('live') and (Title = 'final' or Tags = 'nothing')"), ("Fields", "Title")];
        let found = stage.vendor.call(VOD, "SearchMedia", &search).await?;
        assert_eq!((&found["Total"], &found["MediaList"][0]["MediaId"]), (&json!(1), &json!(id)), "{found}");

        let (media, trash) = (server.data().join("media"), server.data().join("trash"));
        assert!(bytes(&media) > 10_000);
        stage.vendor.call(VOD, "DeleteVideo", &[("VideoIds", id)]).await?;
        let event = told(&receiver, "the deletion", |event| event["EventType"] == "DeleteMediaComplete").await?;
        assert_eq!((&event["MediaId"], &event["DeleteType"]), (&json!(id), &json!("all")));
        eventually("the disk to be free", async || Ok((bytes(&media) + bytes(&trash) == 0).then_some(()))).await?;
        anyhow::ensure!(get(url).await.is_err(), "what is deleted plays no more");
        assert!(stage.videos().await?.is_empty());
        Ok(())
    })
}
