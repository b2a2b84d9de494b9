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

#[test]
fn a_killed_server_goes_on_with_its_rollouts_and_counts_each_decision_once() -> anyhow::Result<()> {
    crate::run(async {
        let mut server = Server::start("").await?;
        let stage = Stage::new(&server, "acme").await?;
        // A decision each second for every stream.
        stage.record("live", "VOD_NO_TRANSCODE", 1, 1).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 6).await?;
        let guest = guests::component("reprise-test-guests")?;
        stage.plugin("groups", &guest, &json!({"do": "echo"}), "*").await?;
        let bad = push(&stage, &guest, "trap").await?;
        let other = push(&stage, &guest, "use_default").await?;
        let (inside, outside) = streams(&stage);
        let streams = [&inside[..1], &outside[..]].concat();

        // Rates are of at least a thousand calls, so this many failures are forgiven and the next one is not.
        const FORGIVEN: i64 = 5;
        let rules = json!({"min_calls": 1000, "max_failure_permille": FORGIVEN});
        let canary = json!({"version": bad.0, "settings_revision": bad.1, "share_permille": SHARE, "rules": rules});
        let canary = post(&stage, "plugins/groups/canary", &canary).await?;
        let shadow = json!({"version": other.0, "settings_revision": other.1});
        let shadow = post(&stage, "plugins/groups/shadow", &shadow).await?;

        // Each time the server is gone in the middle of streams, with both rollouts at work.
        let mut seen = (0, 0);
        for is_first in [true, false] {
            let encoders = streams.iter().map(|stream| encoder::publish(&clip, &stage.push_url("live", stream)));
            let encoders = encoders.collect::<anyhow::Result<Vec<_>>>()?;
            let tried = until(&stage, &canary["id"], |rollout| {
                count(rollout, "/report/candidate/calls") > seen.0 || rollout["state"] != "running"
            })
            .await?;
            let followed = until(&stage, &shadow["id"], |rollout| count(rollout, "/report/total") > seen.1).await?;
            server.kill()?;
            assert!(!is_first || tried["state"] == "running", "{tried}");
            drop(encoders);
            server.launch().await?;
            seen = (count(&tried, "/report/candidate/calls"), count(&followed, "/report/total"));
        }
        publish(&stage, &clip, &streams).await?;

        let ended = until(&stage, &canary["id"], |rollout| rollout["state"] != "running").await?;
        assert_eq!(ended["state"], "rolled_back", "{ended}");
        let last = newest(&stage).await?;
        let followed = until(&stage, &shadow["id"], |rollout| rollout["cursor"].as_i64() >= Some(last)).await?;
        let listed = stage.list("decisions?plugin=groups&limit=1000").await?;
        let made = |is: &dyn Fn(&Value) -> bool| {
            let theirs = listed.iter().filter(|one| is(&one["provenance"])).filter_map(|one| one["id"].as_i64());
            let mut ids: Vec<i64> = theirs.collect();
            ids.sort_unstable();
            ids
        };
        // The canary has its own up to the one that ended it: failures from before and after the server's ends.
        let cursor = ended["cursor"].as_i64().context("no cursor")?;
        let tried = made(&|made| made["rollout"] == canary["id"]);
        let until_then = tried.iter().filter(|id| **id <= cursor).count();
        assert_eq!(count(&ended, "/report/candidate/calls"), i64::try_from(until_then)?, "{ended}");
        let breach = &ended["report"]["breach"];
        assert_eq!((count(breach, "/failures"), count(breach, "/calls")), (FORGIVEN + 1, FORGIVEN + 1), "{ended}");
        // The shadow has all that the active version answered, each once: it differs in every one.
        let answered = made(&|made| made["version"] == 1 && made["rollout"].is_null());
        let total = i64::try_from(answered.len())?;
        assert!(total > seen.1, "{followed}");
        assert_eq!(count(&followed, "/report/total"), total, "{followed}");
        assert_eq!(count(&followed, "/report/active/calls"), total, "{followed}");
        let differ = stage.list(&format!("rollouts/{}/differences?limit=1000", shadow["id"])).await?;
        let differ: Vec<i64> = differ.iter().filter_map(|one| one["decision"].as_i64()).collect();
        assert_eq!(differ, answered);
        assert_eq!(server.metric("reprise_policy_rollouts_running{kind=\"shadow\"}").await?, 1);
        assert_eq!(server.metric("reprise_policy_rollouts_running{kind=\"canary\"}").await?, 0);
        Ok(())
    })
}

/// A number in an answer; 0 if there is none.
fn count(shown: &Value, pointer: &str) -> i64 {
    shown.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
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
