//! Hot swaps under load: publishers whose parts and callbacks are decided by a plugin that is swapped all the time, and
//! what the decision log says about it afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use http::Method;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::Server;
use crate::stage::Stage;
use crate::{encoder, guests};

/// What the log says.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Swaps that were made.
    pub swaps: u32,
    /// Decisions by the plugin.
    pub decisions: usize,
    /// Decisions that failed, or are not what their settings and version say.
    pub wrong: Vec<String>,
    /// Pairs of decisions of a stream of which the later one is by older settings.
    pub back: usize,
    /// How long calls took, sorted, in microseconds.
    pub elapsed_us: Vec<u64>,
}

impl Outcome {
    /// The time below which this share of the calls stayed.
    pub fn percentile(&self, percent: usize) -> u64 {
        let last = self.elapsed_us.len().saturating_sub(1);
        self.elapsed_us.get(last * percent / 100).copied().unwrap_or(0)
    }
}

/// A tenant of its own with `publishers` for `seconds`, decided by `groups`; swapped every `every`, or never.
///
/// # Errors
/// When the server refuses something.
pub async fn run(
    server: &Server,
    name: &str,
    clip: &Path,
    publishers: u32,
    seconds: u32,
    every: Option<Duration>,
) -> anyhow::Result<Outcome> {
    let stage = Stage::new(server, name).await?;
    let receiver = Receiver::start().await?;
    stage.record("live", "VOD_NO_TRANSCODE", 1, 1).await?;
    stage.callbacks(&receiver.url()).await?;
    for group in ["odd", "even"] {
        stage.group(group, &[]).await?;
    }
    // Two versions: the same code under two digests, so that an answer of either can be told by its record.
    let component = guests::component("template-by-stream")?;
    stage.plugin("groups", &component, &settings(1), "*").await?;
    let other = [component.as_slice(), &[0, 2, 1, b'x']].concat();
    reprise::client::rest::push_plugin(&stage.admin, &stage.name, "groups", &other, &settings(1).to_string()).await?;

    let mut encoders = Vec::new();
    for number in 0..publishers {
        encoders.push(encoder::publish(clip, &stage.push_url("live", &format!("cam{number}")))?);
    }
    let until = Instant::now() + Duration::from_secs(u64::from(seconds));
    let mut swaps = 0;
    while Instant::now() < until {
        let Some(every) = every else {
            tokio::time::sleep_until(until.into()).await;
            break;
        };
        let next = Instant::now() + every;
        swap(&stage, swaps).await?;
        swaps += 1;
        tokio::time::sleep_until(next.into()).await;
    }
    for encoder in encoders {
        encoder::finished(encoder).await?;
    }
    stage.settled().await?;
    let mut outcome = read(&stage).await?;
    outcome.swaps = swaps;
    Ok(outcome)
}

/// New settings and the other version in turn: each is one swap.
async fn swap(stage: &Stage, number: u32) -> anyhow::Result<()> {
    let plugin = format!("/v1/tenants/{}/plugins/groups", stage.name);
    if number.is_multiple_of(2) {
        // The first settings are revision 1.
        let body = settings(number / 2 + 2);
        stage.admin.call(Method::PUT, &format!("{plugin}/settings"), Some(&body)).await?;
    } else {
        let body = json!({"version": 1 + number / 2 % 2});
        stage.admin.call(Method::POST, &format!("{plugin}/activate"), Some(&body)).await?;
    }
    Ok(())
}

/// Settings that say their revision by the group they choose. The rule that never fits makes each a text of its own.
fn settings(revision: u32) -> Value {
    json!({"rules": [{"stream": format!("never-{revision}"), "group": "odd"}, {"group": group(revision.into())}]})
}

fn group(revision: u64) -> &'static str {
    if revision.is_multiple_of(2) { "even" } else { "odd" }
}

/// All decisions of the plugin, oldest first.
async fn read(stage: &Stage) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome { swaps: 0, decisions: 0, wrong: Vec::new(), back: 0, elapsed_us: Vec::new() };
    let groups: BTreeMap<String, String> = stage
        .vendor
        .call(crate::stage::VOD, "ListTranscodeTemplateGroup", &[])
        .await?
        .pointer("/TranscodeTemplateGroupList")
        .and_then(Value::as_array)
        .context("no groups")?
        .iter()
        .filter_map(|group| {
            Some((group["TranscodeTemplateGroupId"].as_str()?.to_owned(), group["Name"].as_str()?.to_owned()))
        })
        .collect();
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = stage.list(&format!("decisions?hook=template-group&after={after}&limit=1000")).await?;
        let Some(last) = page.last() else { break };
        after = last["id"].as_i64().context("no id")?;
        for decision in page {
            let made = &decision["provenance"];
            let revision = made["settings_revision"].as_u64().unwrap_or(0);
            let said = decision.pointer("/verdict/answered/template-group/group").and_then(Value::as_str);
            let said = said.and_then(|id| groups.get(id)).map(String::as_str);
            if said != Some(group(revision)) || !matches!(made["version"].as_u64(), Some(1 | 2)) {
                outcome.wrong.push(decision.to_string());
            }
            let stream = decision["stream"].as_str().unwrap_or_default().to_owned();
            let before = newest.insert(stream, revision).unwrap_or(0);
            outcome.back += usize::from(before > revision);
            outcome.elapsed_us.extend(made["elapsed_us"].as_u64());
            outcome.decisions += 1;
        }
    }
    outcome.elapsed_us.sort_unstable();
    Ok(outcome)
}
