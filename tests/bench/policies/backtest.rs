//! How fast recorded decisions are put to a candidate and audited: real decisions of `callback-fields` in a catalogue on
//! disk, asked again by as many threads as there are cores.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use reprise::config::Config;
use reprise::files::Files;
use reprise::policies::backtest::report::Report;
use reprise::policies::backtest::{Backtests, NewBacktest, NewCandidate};
use reprise::policies::{Activation, Policies, Push, Pushed};
use reprise::store::Store;
use reprise::store::backtests::Recorded;
use reprise::store::decisions::LoggedDecision;
use reprise::store::journal::Append;
use reprise::store::seal::Seal;
use reprise::store::tenants::{NewTenant, TenantKeys};
use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::id::{BroadcastId, TenantId};
use reprise_lifecycle::question::{CallbackQuestion, StreamKey};
use reprise_lifecycle::record::{Opening, RecordRules};
use reprise_lifecycle::time::Timestamp;
use reprise_tests::{guests, server};
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// The decisions are asked for as fast as the machine allows, which no live stream does.
const UNHURRIED: &str = "[policies]\ncalls_per_second = 1000000\ncalls_burst = 1000000\nwait_ms = 60000\n";

const SETTINGS: &str = r#"{"drop": ["SnapshotComplete"], "fields": {"Region": "eu"}}"#;
const OTHER_SETTINGS: &str = r#"{"drop": ["StreamTranscodeComplete"], "fields": {"Region": "eu"}}"#;

/// Types of events, in turn.
const TYPES: [&str; 4] = ["FileUploadComplete", "SnapshotComplete", "StreamTranscodeComplete", "TranscodeComplete"];

pub(crate) async fn run(count: u32) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let files = Arc::new(Files::open(dir.path())?);
    let store = Store::open(&files.catalogue(), Seal::from_key([7; 32])).await?;
    let config = Config::parse(UNHURRIED)?;
    let policies = Policies::new(&config.policies, store.clone(), Arc::clone(&files), [9; 32])?;
    let policies = Arc::new(policies.with_compiler(server::binary()?));
    tenant(&store).await?;
    let push = Push {
        plugin: "fields".to_owned(),
        component: Pushed::Bytes(guests::component("callback-fields")?),
        settings: Some(SETTINGS.to_owned()),
        signature: None,
        actor: "bench".to_owned(),
    };
    policies.push("acme", push).await?;
    policies.activate("acme", "fields", Activation::default(), "bench").await?;

    let asking = (0..count).map(|number| {
        let policies = Arc::clone(&policies);
        async move {
            let chained = policies.callback(event(number), Some(&stream())).await;
            let (question, decision) = chained.steps.into_iter().next().context("nobody was asked")?;
            anyhow::Ok(LoggedDecision { question, decision, video: None, at: i64::from(number) })
        }
    });
    let decisions: Vec<anyhow::Result<LoggedDecision>> = futures_util::stream::iter(asking).buffered(4).collect().await;
    record(&store, decisions.into_iter().collect::<anyhow::Result<_>>()?).await?;

    let threads = std::thread::available_parallelism()?.get();
    let backtests = Backtests::new(store.clone(), policies, threads, CancellationToken::new());
    println!("{count} recorded decisions of callback-fields, {threads} threads");
    let candidate = NewCandidate { settings: Some(OTHER_SETTINGS.to_owned()), ..NewCandidate::default() };
    for (name, candidate) in [("backtest, other settings", Some(candidate)), ("audit", None)] {
        let new = NewBacktest { plugin: Some("fields".to_owned()), candidate, filter: Recorded::default() };
        let report = ended(&store, &backtests, new).await?;
        anyhow::ensure!(report.done == u64::from(count), "{} of {count} were asked", report.done);
        println!(
            "  {name:<26} {:>7} decisions/s, {:>6.1} µs of a core each, {} came out the same",
            report.done * 1000 / report.wall_ms.max(1),
            report.cpu_us as f64 / report.done.max(1) as f64,
            report.agreement.same
        );
    }
    Ok(())
}

async fn ended(store: &Store, backtests: &Backtests, new: NewBacktest) -> anyhow::Result<Report> {
    let id = backtests.begin("acme", new, "bench").await?.id;
    loop {
        let row = store.backtest("acme", id).await?.context("it went away")?;
        match row.state.as_str() {
            "running" => tokio::time::sleep(Duration::from_millis(20)).await,
            "done" => return Ok(serde_json::from_str(&row.report)?),
            state => anyhow::bail!("it is {state}: {}", row.reason.unwrap_or_default()),
        }
    }
}

async fn tenant(store: &Store) -> anyhow::Result<()> {
    let secret = || SecretString::from("hush");
    let new = NewTenant {
        name: "acme".to_owned(),
        push_domain: "push.acme".to_owned(),
        play_domain: "play.acme".to_owned(),
        push_auth: true,
        keys: TenantKeys { push_key: secret(), play_key: secret(), webhook_secret: secret() },
        access_key_id: "AKacme".to_owned(),
        access_key_secret: secret(),
    };
    store.create_tenant(&new, Timestamp(0)).await?;
    Ok(())
}

/// Records decisions as those of one broadcast.
async fn record(store: &Store, decisions: Vec<LoggedDecision>) -> anyhow::Result<()> {
    let opening = Opening {
        tenant: TenantId::new("acme"),
        stream: stream(),
        play_domain: "play.acme".to_owned(),
        push_args: Vec::new(),
        rules: RecordRules::default(),
    };
    let records = Broadcast::open(opening, "203.0.113.9:4711".to_owned(), Timestamp(0));
    let after = Broadcast::fold(BroadcastId::new("b1"), &records)?.context("no broadcast")?;
    let append = Append {
        after: &after,
        first_seq: 0,
        records: &records,
        events: Vec::new(),
        notices: Vec::new(),
        decisions,
        shape: false,
    };
    store.append(&[append]).await?;
    Ok(())
}

fn stream() -> StreamKey {
    StreamKey { domain: "push.acme".to_owned(), app: "live".to_owned(), name: "cam1".to_owned() }
}

/// An event with a body as the vendor's.
fn event(number: u32) -> CallbackQuestion {
    let kind = TYPES[number as usize % TYPES.len()];
    let body = json!({
        "EventType": kind,
        "EventTime": "2026-01-01T00:00:00Z",
        "VideoId": format!("{number:032x}"),
        "Status": "success",
        "FileUrl": format!("http://play.acme/media/{number:032x}/source.mp4"),
        "Size": number,
    });
    CallbackQuestion {
        tenant: "acme".to_owned(),
        stream: Some(stream()),
        play_domain: None,
        event_id: format!("evt_{number}"),
        event_type: kind.to_owned(),
        url: "https://hooks.example/in".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string(),
    }
}
