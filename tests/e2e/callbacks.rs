//! Events reach their receivers: in full, signed, after an outage too, and one tenant's dead receiver is nobody
//! else's business.

use std::collections::{BTreeMap, BTreeSet};

use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::{Stage, template};
use reprise_tests::{encoder, eventually, guests};
use serde_json::json;

#[test]
fn a_receiver_that_was_down_gets_everything_and_others_notice_nothing() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let (down, well) = (Stage::new(&server, "down").await?, Stage::new(&server, "well").await?);
        let (mut dead, alive) = (Receiver::start().await?, Receiver::start().await?);
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 2).await?;
        for (stage, receiver) in [(&down, &dead), (&well, &alive)] {
            let group = stage.group("one", &[template("LD", "mp4", 128, 100)]).await?;
            stage.record("live", &group, 60, 1).await?;
            stage.callbacks(&receiver.url()).await?;
        }
        dead.down().await;
        for stage in [&down, &well] {
            encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
        }
        let expected: BTreeSet<&str> = [
            "AddLiveRecordVideoComplete",
            "FileUploadComplete",
            "VideoAnalysisComplete",
            "SnapshotComplete",
            "StreamTranscodeComplete",
            "TranscodeComplete",
        ]
        .into();
        let kinds = |receiver: &Receiver| -> BTreeSet<String> {
            let events = receiver.received();
            events.iter().filter_map(|one| one.event()["EventType"].as_str().map(str::to_owned)).collect()
        };
        let complete = |receiver: &Receiver| kinds(receiver).iter().map(String::as_str).eq(expected.iter().copied());
        eventually("the other tenant's events", async || Ok(complete(&alive).then_some(()))).await?;
        assert!(dead.received().is_empty());

        dead.up().await?;
        eventually("the events of the outage", async || Ok(complete(&dead).then_some(()))).await?;
        down.settled().await?;
        let told = down.list("events?limit=1000").await?.len();
        let ids: BTreeSet<String> = dead.received().iter().map(|one| one.id()).collect();
        assert_eq!(ids.len(), told, "every event arrived, each under its own id");
        Ok(())
    })
}

#[test]
fn a_policy_adds_fields_and_drops_events() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "shape").await?;
        let receiver = Receiver::start().await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        stage.callbacks(&receiver.url()).await?;
        let settings = json!({"drop": ["SnapshotComplete"], "fields": {"Region": "eu"}, "headers": {"X-Team": "vod"}});
        stage.plugin("fields", &guests::component("callback-fields")?, &settings, "*").await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 2).await?;
        encoder::finished(encoder::publish(&clip, &stage.push_url("live", "cam01"))?).await?;
        stage.settled().await?;
        let expected: BTreeMap<&str, &str> = [
            ("AddLiveRecordVideoComplete", "delivered"),
            ("FileUploadComplete", "delivered"),
            ("SnapshotComplete", "dropped"),
            ("VideoAnalysisComplete", "delivered"),
        ]
        .into();
        eventually("all deliveries to end", async || {
            let deliveries = stage.list("deliveries?limit=100").await?;
            let phases: BTreeMap<&str, &str> = deliveries
                .iter()
                .filter_map(|one| Some((one["event_type"].as_str().or(one["kind"].as_str())?, one["phase"].as_str()?)))
                .collect();
            Ok((phases == expected).then_some(()))
        })
        .await?;
        let received = receiver.received();
        assert_eq!(received.len(), 3);
        for one in received {
            assert_eq!(one.event()["Region"], "eu");
            assert_eq!(one.headers.get("x-team").and_then(|value| value.to_str().ok()), Some("vod"));
        }
        Ok(())
    })
}
