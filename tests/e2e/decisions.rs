//! A tenant's policy decides, per stream; one that fails falls back, and the log says why.

use anyhow::Context as _;
use reprise_tests::server::Server;
use reprise_tests::stage::{Stage, template};
use reprise_tests::{encoder, guests};
use serde_json::json;

#[test]
fn two_streams_get_their_groups_and_a_trapping_policy_falls_back() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "policy").await?;
        let small = stage.group("small", &[template("LD", "mp4", 160, 150)]).await?;
        let large = stage.group("large", &[template("SD", "mp4", 240, 250)]).await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        let settings = json!({"rules": [
            {"stream": "lobby-*", "group": "small"},
            {"stream": "stage-*", "min_height": 100, "group": "large"},
        ]});
        stage.plugin("groups", &guests::component("template-by-stream")?, &settings, "*-1").await?;
        stage.plugin("broken", &guests::component("reprise-test-guests")?, &json!({"do": "trap"}), "broken").await?;

        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "320x180", 2).await?;
        for stream in ["lobby-1", "stage-1", "broken"] {
            encoder::finished(encoder::publish(&clip, &stage.push_url("live", stream))?).await?;
        }
        let videos = stage.settled().await?;
        let mut seen = Vec::new();
        for video in &videos {
            let id = video["id"].as_str().context("no id")?;
            let found = stage.list(&format!("decisions?video_id={id}&hook=template-group")).await?;
            let decision = found.first().context("no decision")?.clone();
            let provenance = &decision["provenance"];
            assert!(provenance["digest"].as_str().is_some_and(|digest| digest.len() == 64), "{decision}");
            assert!(provenance["fuel"].as_u64().is_some_and(|fuel| fuel > 0), "{decision}");
            let group = stage.vendor.call("2017-03-21", "GetVideoInfo", &[("VideoId", id)]).await?;
            let group =
                group.pointer("/Video/TemplateGroupId").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
            let stream = video["stream"]["name"].as_str().or(video["stream"].as_str()).context("no stream")?.to_owned();
            seen.push((stream, group, decision["applied"].as_str().unwrap_or_default().to_owned()));
        }
        seen.sort();
        let expected = [
            ("broken".to_owned(), "VOD_NO_TRANSCODE".to_owned(), "fallback".to_owned()),
            ("lobby-1".to_owned(), small, "answer".to_owned()),
            ("stage-1".to_owned(), large, "answer".to_owned()),
        ];
        assert_eq!(seen, expected);
        Ok(())
    })
}
