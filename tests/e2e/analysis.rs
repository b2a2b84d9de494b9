//! Media analysis from the vendor's API down to ffmpeg, and a policy that decides by what it finds.

use anyhow::Context as _;
use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::{Stage, VOD};
use reprise_tests::{encoder, eventually};
use serde_json::{Value, json};

/// Asks for a video's fingerprint and waits for the event that tells what it found.
async fn fingerprint(stage: &Stage, receiver: &Receiver, video: &str) -> anyhow::Result<Value> {
    let parameters = [("MediaId", video), ("Types", "AIMediaDNA"), ("UserData", r#"{"Extend":"from the test"}"#)];
    let asked = stage.vendor.call(VOD, "SubmitAIJob", &parameters).await?;
    let job = asked["AIJobList"]["AIJob"][0]["JobId"].as_str().context("no job")?;
    let event = eventually("the fingerprint", async || {
        let events = receiver.received();
        Ok(events.iter().map(|one| one.event()).find(|event| event["JobId"] == job && event["Data"].is_string()))
    })
    .await?;
    let listed = stage.vendor.call(VOD, "ListAIJob", &[("JobIds", job)]).await?;
    let listed = &listed["AIJobList"]["AIJob"][0];
    assert_eq!((&listed["Status"], &listed["Data"]), (&json!("success"), &event["Data"]), "{listed}");
    Ok(event)
}

fn found(event: &Value) -> anyhow::Result<Value> {
    Ok(serde_json::from_str::<Value>(event["Data"].as_str().context("no data")?)?["VideoDNA"].clone())
}

#[test]
fn a_recording_is_found_again_within_its_tenant_only() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "320x180", 8).await?;
        let receiver = Receiver::start().await?;
        let (mine, theirs) = (Stage::new(&server, "mine").await?, Stage::new(&server, "theirs").await?);
        for stage in [&mine, &theirs] {
            stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
            stage.callbacks(&receiver.url()).await?;
        }
        let pushed = [mine.push_url("live", "one"), mine.push_url("live", "two"), theirs.push_url("live", "one")];
        let encoders = pushed.iter().map(|url| encoder::publish(&clip, url)).collect::<anyhow::Result<Vec<_>>>()?;
        for running in encoders {
            encoder::finished(running).await?;
        }
        let (mut videos, foreign) = (mine.settled().await?, theirs.settled().await?);
        videos.extend(foreign);
        let ids: Vec<&str> = videos.iter().filter_map(|video| video["id"].as_str()).collect();
        let [first, second, foreign] = ids[..] else { anyhow::bail!("three videos, not {ids:?}") };

        assert_eq!(found(&fingerprint(&theirs, &receiver, foreign).await?)?, json!([]));
        assert_eq!(
            found(&fingerprint(&mine, &receiver, first).await?)?,
            json!([]),
            "of another tenant nothing is found"
        );
        let event = fingerprint(&mine, &receiver, second).await?;
        let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let told = ["EventType", "Status", "MediaId", "Code", "Message", "Extend"].map(field);
        assert_eq!(told, ["AIMediaDNAComplete", "success", second, "0", "OK", "from the test"], "{event}");
        let duplicates = found(&event)?;
        assert_eq!((&duplicates[0]["PrimaryKey"], duplicates.as_array().map(Vec::len)), (&json!(first), Some(1)));
        let number = |path: &str| duplicates.pointer(path).and_then(Value::as_str).unwrap_or_default().parse::<f64>();
        assert!(number("/0/Similarity")? >= 0.99, "{duplicates}");
        assert_eq!((number("/0/Detail/0/Input/Start")?, number("/0/Detail/0/Duplication/Start")?), (0.0, 0.0));
        assert!((7.0..=8.4).contains(&number("/0/Detail/0/Input/Duration")?), "{duplicates}");
        let result = mine.vendor.call(VOD, "GetMediaDNAResult", &[("MediaId", second)]).await?;
        assert_eq!(result["DNAResult"]["VideoDNA"], duplicates);

        // What is taken out is found no more, and its file goes with the next fingerprint.
        mine.vendor.call(VOD, "SubmitMediaDNADeleteJob", &[("MediaId", first)]).await?;
        assert_eq!(found(&fingerprint(&mine, &receiver, second).await?)?, json!([]));
        let signatures = |video: &str| -> anyhow::Result<usize> {
            let folders = std::fs::read_dir(server.data().join("media").join(video))?;
            let signed = folders
                .filter(|folder| folder.as_ref().is_ok_and(|folder| folder.path().join("signature.bin").is_file()));
            Ok(signed.count())
        };
        assert_eq!(signatures(first)?, 0, "the forgotten file is gone");
        assert!(signatures(second)? >= 1);

        let refused = mine.vendor.call(VOD, "SubmitAIJob", &[("MediaId", first), ("Types", "AIVideoTag")]).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("OperationDenied")));
        Ok(())
    })
}
