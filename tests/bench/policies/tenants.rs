//! Thousands of tenants with a component each on one node.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use http::Method;
use reprise::client::Rest;
use reprise::client::rest::push_plugin;
use reprise_lifecycle::question::Hook;
use reprise_policy::sample;
use reprise_tests::guests;
use reprise_tests::server::Server;
use serde_json::json;

use crate::percentile;

/// The policy that every tenant has.
const PLUGIN: &str = "template-by-stream";

/// Later calls of each tenant.
const LATER: usize = 3;

/// Measures; what was made is kept in a folder if one is given, and taken from there the next time, because making it is
/// a compile for each tenant.
pub(crate) async fn run(count: usize, kept: Option<&Path>) -> anyhow::Result<()> {
    let mut server = Server::start("").await?;
    match kept.filter(|kept| kept.exists()) {
        Some(kept) => {
            server.terminate().await?;
            std::fs::remove_dir_all(server.data())?;
            copy(kept, &server.data())?;
        }
        None => {
            make(&server.admin()?, count).await?;
            server.terminate().await?;
            if let Some(kept) = kept {
                copy(&server.data(), kept)?;
            }
        }
    }
    let began = Instant::now();
    server.launch().await?;
    let started = began.elapsed();
    let api = server.admin()?;
    let idle = resident(&server)?;
    let (mut first, mut first_wall) = calls(&api, count).await?;
    let warm = resident(&server)?;
    let (mut later, mut later_wall) = (Vec::new(), Vec::new());
    for _ in 0..LATER {
        // The newest half is in memory if so many fit; all are asked.
        let (took, wall) = calls(&api, count).await?;
        later.extend(took);
        later_wall.extend(wall);
    }
    for times in [&mut first, &mut first_wall, &mut later, &mut later_wall] {
        times.sort_unstable();
    }
    println!("{count} tenants, a component each ({} KiB)", guests::component(PLUGIN)?.len() >> 10);
    println!(
        "  start until ready {} ms; resident {idle} MiB idle, {warm} MiB after all were asked, {} MiB at the end",
        started.as_millis(),
        resident(&server)?
    );
    for (name, inside, outside) in [("first call", &first, &first_wall), ("later calls", &later, &later_wall)] {
        println!(
            "  {name:<12} in the guest p50 {} µs, p99 {} µs; over HTTP p50 {} µs, p99 {} µs",
            percentile(inside, 50),
            percentile(inside, 99),
            percentile(outside, 50),
            percentile(outside, 99)
        );
    }
    Ok(())
}

async fn make(api: &Rest, count: usize) -> anyhow::Result<()> {
    let component = guests::component(PLUGIN)?;
    let began = Instant::now();
    for number in 0..count {
        let name = format!("t{number}");
        let domains = json!({"name": name, "push_domain": format!("push.{name}.example"), "play_domain": format!("play.{name}.example")});
        api.call(Method::POST, "/v1/tenants", Some(&domains)).await?;
        // A custom section of its own makes it a component of its own.
        let text = format!("{number:08}");
        let own = [component.as_slice(), &[0, 10, 1, b'n'], text.as_bytes()].concat();
        push_plugin(api, &name, "groups", &own, r#"{"rules":[]}"#).await?;
        api.call(Method::POST, &format!("/v1/tenants/{name}/plugins/groups/activate"), Some(&json!({}))).await?;
        if number % 100 == 99 {
            eprintln!("  {} tenants after {} s", number + 1, began.elapsed().as_secs());
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().context("cannot run cp")?;
    anyhow::ensure!(copied.success(), "{} cannot be copied to {}", from.display(), to.display());
    Ok(())
}

/// One call of every tenant's policy: the time in the guest, and the whole time.
async fn calls(api: &Rest, count: usize) -> anyhow::Result<(Vec<u64>, Vec<u64>)> {
    let hook = Hook::TemplateGroup;
    let body = json!({"hook": hook.name(), "question": sample::question(hook)});
    let (mut inside, mut outside) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for number in 0..count {
        let began = Instant::now();
        let said = api.call(Method::POST, &format!("/v1/tenants/t{number}/plugins/groups/ask"), Some(&body)).await?;
        anyhow::ensure!(said["verdict"]["answered"].is_object(), "t{number} got {said}");
        inside.push(said["elapsed_us"].as_u64().unwrap_or(0));
        outside.push(u64::try_from(began.elapsed().as_micros())?);
    }
    Ok((inside, outside))
}

/// Resident memory of the server in MiB.
fn resident(server: &Server) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? >> 10)
}
