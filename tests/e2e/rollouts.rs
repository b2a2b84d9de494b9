//! A bad version on a share of the streams, a different one in the shadow, and the past asked again.

use std::process::Output;

use anyhow::Context as _;
use http::Method;
use reprise::client::rest::push_plugin;
use reprise::policies::rollout::share::place;
use reprise_lifecycle::question::StreamKey;
use reprise_tests::server::{self, Server};
use reprise_tests::stage::Stage;
use reprise_tests::{encoder, eventually, guests};
use serde_json::{Value, json};

const SHARE: u16 = 500;

#[test]
fn a_bad_version_goes_by_itself_and_the_past_can_be_asked_again() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "acme").await?;
        stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 2).await?;
        let guest = guests::component("reprise-test-guests")?;
        stage.plugin("groups", &guest, &json!({"do": "echo"}), "*").await?;
        let bad = push(&stage, &guest, "trap").await?;
        let other = push(&stage, &guest, "use_default").await?;
        let (inside, outside) = streams(&stage);

        let canary = json!({
            "version": bad.0, "settings_revision": bad.1, "share_permille": SHARE, "rules": {"max_failure_permille": 0},
        });
        let canary = post(&stage, "plugins/groups/canary", &canary).await?;
        publish(&stage, &clip, &[&inside[..], &outside[..]].concat()).await?;
        let ended = until(&stage, &canary["id"], |rollout| rollout["state"] != "running").await?;
        assert_eq!(ended["state"], "rolled_back", "{ended}");
        assert_eq!(ended["report"]["breach"]["rule"], "max_failure_permille", "{ended}");
        assert!(answered_by(&stage, &outside).await?.iter().all(|version| *version == 1), "outside the share");
        assert!(answered_by(&stage, &inside).await?.contains(&bad.0), "inside the share");
        let before = answered_by(&stage, &inside).await?.len();
        publish(&stage, &clip, &inside).await?;
        let after = answered_by(&stage, &inside).await?;
        assert!(after.len() > before && after[..after.len() - before].iter().all(|version| *version == 1), "{after:?}");

        // The other version differs in every answer: the report has exactly the decisions that were made meanwhile.
        let first = newest(&stage).await?;
        let shadow = json!({"version": other.0, "settings_revision": other.1});
        let shadow = post(&stage, "plugins/groups/shadow", &shadow).await?;
        publish(&stage, &clip, &outside).await?;
        let last = newest(&stage).await?;
        let followed = until(&stage, &shadow["id"], |rollout| rollout["cursor"].as_i64() >= Some(last)).await?;
        let listed = stage.list("decisions?plugin=groups&limit=1000").await?;
        let mut made: Vec<i64> = listed.iter().filter_map(|one| one["id"].as_i64()).filter(|id| *id > first).collect();
        made.sort_unstable();
        let differ = stage.list(&format!("rollouts/{}/differences", shadow["id"])).await?;
        let differ: Vec<i64> = differ.iter().filter_map(|one| one["decision"].as_i64()).collect();
        assert_eq!(differ, made, "{followed}");
        assert!(!made.is_empty());

        // Every answer so far is given again to the last unit of fuel, those of the bad version too.
        let audit = cli(&server, &["audit", "groups", "--tenant", "acme", "--json"])?;
        let report: Value = serde_json::from_slice(&audit.stdout)?;
        assert_eq!(audit.status.code(), Some(0), "{report}");
        assert_eq!(report["report"]["total"], report["report"]["same"], "{report}");
        assert_eq!(report["report"]["total"].as_u64(), Some(listed.len() as u64), "{report}");
        // The bad version would have failed wherever it was not the one that answered.
        let version = bad.0.to_string();
        let settings = server.scratch().join("trap.json");
        std::fs::write(&settings, r#"{"do": "trap"}"#)?;
        let settings = settings.to_str().context("a path")?;
        let backtest = ["backtest", "groups", "--tenant", "acme", "--version", &version, "--settings", settings];
        let printed = cli(&server, &backtest)?;
        let text = String::from_utf8_lossy(&printed.stdout);
        assert_eq!(printed.status.code(), Some(3), "{text}");
        assert!(text.contains("+ failed (trap)") && text.contains("decisions/s"), "{text}");
        // Promoted, the candidate answers for all streams.
        post(&stage, &format!("rollouts/{}/promote", shadow["id"]), &Value::Null).await?;
        publish(&stage, &clip, &outside).await?;
        assert_eq!(answered_by(&stage, &outside).await?[0], other.0);
        Ok(())
    })
}

/// Pushes the guest with other settings, and gives the version and the settings' revision.
async fn push(stage: &Stage, guest: &[u8], deed: &str) -> anyhow::Result<(i64, i64)> {
    let pushed = push_plugin(&stage.admin, &stage.name, "groups", guest, &json!({"do": deed}).to_string()).await?;
    pushed["version"].as_i64().zip(pushed["settings_revision"].as_i64()).with_context(|| pushed.to_string())
}

/// Two streams inside the share and two outside.
fn streams(stage: &Stage) -> (Vec<String>, Vec<String>) {
    let key = |name: &String| StreamKey { domain: stage.push_domain.clone(), app: "live".into(), name: name.clone() };
    let names = (0..100).map(|number| format!("cam{number}"));
    let (mut inside, mut outside): (Vec<_>, Vec<_>) =
        names.partition(|name| place(&stage.name, "groups", "default", &key(name)) < SHARE);
    inside.truncate(2);
    outside.truncate(2);
    (inside, outside)
}

async fn publish(stage: &Stage, clip: &std::path::Path, streams: &[String]) -> anyhow::Result<()> {
    let publish = |stream: &String| encoder::publish(clip, &stage.push_url("live", stream));
    let encoders = streams.iter().map(publish).collect::<anyhow::Result<Vec<_>>>()?;
    for one in encoders {
        encoder::finished(one).await?;
    }
    stage.settled().await.map(drop)
}

/// The versions that decided about these streams' parts, newest first.
async fn answered_by(stage: &Stage, streams: &[String]) -> anyhow::Result<Vec<i64>> {
    let listed = stage.list("decisions?hook=template-group&plugin=groups&limit=1000").await?;
    let theirs = listed.iter().filter(|one| streams.iter().any(|stream| one["stream"] == stream.as_str()));
    Ok(theirs.filter_map(|one| one.pointer("/provenance/version").and_then(Value::as_i64)).collect())
}

async fn newest(stage: &Stage) -> anyhow::Result<i64> {
    let listed = stage.list("decisions?plugin=groups&limit=1").await?;
    listed.first().and_then(|one| one["id"].as_i64()).context("no decision")
}

async fn post(stage: &Stage, path: &str, body: &Value) -> anyhow::Result<Value> {
    stage.admin.call(Method::POST, &format!("/v1/tenants/{}/{path}", stage.name), Some(body)).await
}

async fn until(stage: &Stage, id: &Value, is: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let path = format!("/v1/tenants/{}/rollouts/{id}", stage.name);
    eventually("the rollout", async || {
        let rollout = stage.admin.call(Method::GET, &path, None).await?;
        Ok(is(&rollout).then_some(rollout))
    })
    .await
}

fn cli(server: &Server, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = std::process::Command::new(server::binary()?);
    command.arg("plugin").args(arguments).args(["--url", &format!("http://{}", server.http)]);
    Ok(command.arg("--token-file").arg(server.data().join("admin-token")).output()?)
}
