//! Recorded questions put again: to another version, or to the very ones that answered them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use http::Method;
use reprise_lifecycle::decision::FailureKind;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::differing;
use super::versions::{Signed, read_settings};
use crate::cli::NOT_IN_ORDER;
use crate::client::Rest;
use crate::client::components;
use crate::client::rest::{is_unanswered, segment};

/// How often a running one is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long nobody may answer: a server that takes up its broadcasts again is there sooner.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where to see which decisions there are.
const LOOK: &str = "`reprise plugin decisions` shows which there are";

/// Which recorded decisions.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only decisions made at or after this time, as in 2027-01-01T00:00:00Z
    #[arg(long)]
    from: Option<String>,
    /// Only decisions made at or before this time
    #[arg(long)]
    to: Option<String>,
    /// Only decisions at this hook
    #[arg(long, value_parser = ["template-group", "compose-rules", "callback"])]
    hook: Option<String>,
    /// Only decisions about this stream
    #[arg(long)]
    stream: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Backtests {
    /// Put the recorded questions of a period to a version and show what would have come out differently; exit code 3 if
    /// anything would, 1 if there is no such question or none can be compared
    Backtest {
        /// The plugin's name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// The candidate; the newest by default
        #[arg(long, conflicts_with_all = ["file", "signature", "key"])]
        version: Option<u32>,
        /// A component to try: it is pushed as a new version that nothing uses
        #[arg(long)]
        file: Option<PathBuf>,
        #[command(flatten)]
        signed: Signed,
        /// Settings to try: a JSON file; the newest revision by default
        #[arg(long)]
        settings: Option<PathBuf>,
        #[command(flatten)]
        which: Which,
    },
    /// Ask every recorded question of the version that answered it; exit code 3 if one does not say exactly the same
    /// again, 1 if there is no such question or none can be compared
    Audit {
        /// The plugin's name; all of the tenant's by default
        name: Option<String>,
        /// The tenant
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        which: Which,
    },
}

impl Backtests {
    /// Begins, waits for the end and prints the report.
    pub(super) async fn run(&self, api: &Rest, json: bool) -> anyhow::Result<ExitCode> {
        let (tenant, body) = match self {
            Self::Backtest { name, tenant, version, file, signed, settings, which } => {
                // Before a component is pushed for nothing.
                which.check()?;
                let mut body = which.body("backtest");
                let settings = settings.as_deref().map(read_settings).transpose()?;
                let version = match file {
                    None => version.map_or(Value::Null, Value::from),
                    Some(file) => {
                        let component =
                            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                        let signature = signed.signature(&component)?;
                        let push = components::Push {
                            tenant,
                            plugin: name,
                            component: &component,
                            settings: settings.as_deref(),
                            signature: signature.as_deref(),
                            key: signed.key_name.as_deref(),
                        };
                        let pushed = components::push(api, push, |_| {}).await?;
                        eprintln!("{} is version {} of {name}; nothing uses it", file.display(), pushed["version"]);
                        pushed["version"].clone()
                    }
                };
                (body["plugin"], body["version"], body["settings"]) = (json!(name), version, json!(settings));
                (tenant, body)
            }
            Self::Audit { name, tenant, which } => {
                which.check()?;
                let mut body = which.body("audit");
                body["plugin"] = json!(name);
                (tenant, body)
            }
        };
        let base = format!("/v1/tenants/{}/backtests", segment(tenant)?);
        let begun = api.call(Method::POST, &base, Some(&body)).await?;
        let path = format!("{base}/{}", begun["id"]);
        let mut ended = wait(api, &path).await?;
        let differences = differing::first(api, &path).await?;
        let outcome = outcome(&ended);
        if json {
            ended["first_differences"] = Value::from(differences);
            println!("{ended}");
        } else if !matches!(outcome, Outcome::Nothing) {
            differing::print_backtest(tenant, &ended, &differences);
        }
        match outcome {
            Outcome::Same => Ok(ExitCode::SUCCESS),
            Outcome::Differs => Ok(ExitCode::from(NOT_IN_ORDER)),
            Outcome::Unknown => bail!("none of these decisions could be compared, for the reasons above"),
            Outcome::Nothing => bail!("no decisions in that period: nothing was asked again; {LOOK}"),
            Outcome::CutOff => bail!("it is {}: {}", text(&ended["state"]), text(&ended["reason"])),
        }
    }
}

/// How one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All comes out as it did.
    Same,
    /// Something does not.
    Differs,
    /// There was nothing to ask, which must not look like success.
    Nothing,
    /// Nor must it when nothing that was said can be compared.
    Unknown,
    /// It did not come to its end.
    CutOff,
}

fn outcome(ended: &Value) -> Outcome {
    let report = &ended["report"];
    let counted = |field: &str| report[field].as_u64().unwrap_or(0);
    // A call that answered then and is too slow now, or has no such hook, is no difference that two runs would agree on;
    // but it does not come out as it did.
    let by_chance = |when: &str| {
        let kinds = FailureKind::ALL.into_iter().filter(|kind| !kind.is_reproducible());
        kinds.map(|kind| report[when]["failures"][kind.name()].as_u64().unwrap_or(0)).sum::<u64>()
    };
    if ended["state"] != "done" {
        Outcome::CutOff
    } else if counted("total") == 0 {
        Outcome::Nothing
    } else if counted("differences") > 0 || by_chance("now") > by_chance("then") {
        Outcome::Differs
    } else if counted("same") == 0 {
        Outcome::Unknown
    } else {
        Outcome::Same
    }
}

impl Which {
    /// Refuses a period that holds nothing.
    fn check(&self) -> anyhow::Result<()> {
        let instant = |flag: &str, given: &Option<String>| {
            let parsed = given.as_deref().map(|text| OffsetDateTime::parse(text, &Rfc3339)).transpose();
            parsed.with_context(|| format!("--{flag} must be a time like 2027-01-01T00:00:00Z"))
        };
        match (instant("from", &self.from)?, instant("to", &self.to)?) {
            (Some(from), Some(to)) if from > to => bail!("--from is after --to: no decision is in such a period"),
            _ => Ok(()),
        }
    }

    fn body(&self, kind: &str) -> Value {
        json!({"kind": kind, "from": self.from, "to": self.to, "hook": self.hook, "stream": self.stream})
    }
}

/// Shows progress until it ends. Ctrl-C stops the backtest, not only the waiting for it. A server that is started again
/// goes on with it, and so does this.
async fn wait(api: &Rest, path: &str) -> anyhow::Result<Value> {
    let (mut shown, mut unanswered) = (u64::MAX, None::<Instant>);
    loop {
        match api.call(Method::GET, path, None).await {
            Ok(now) => {
                unanswered = None;
                let counts =
                    (now["report"]["done"].as_u64().unwrap_or(0), now["report"]["total"].as_u64().unwrap_or(0));
                // There is nothing to show before they are counted.
                if let (done, total @ 1..) = counts
                    && done != shown
                {
                    eprintln!("{done} of {total} decisions, {} differ", now["report"]["differences"]);
                    shown = done;
                }
                if now["state"] != "running" {
                    return Ok(now);
                }
            }
            Err(error) if is_unanswered(&error) && unanswered.is_none_or(|since| since.elapsed() < PATIENCE) => {
                if unanswered.is_none() {
                    eprintln!("{error:#}; trying again for {} s", PATIENCE.as_secs());
                }
                unanswered.get_or_insert_with(Instant::now);
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            _ = tokio::signal::ctrl_c() => {
                api.call(Method::POST, &format!("{path}/stop"), None).await?;
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: Backtests,
    }

    #[test]
    fn only_a_run_that_compared_something_can_be_the_same() {
        let failures = |then: Value, now: Value| json!({"then": {"failures": then}, "now": {"failures": now}});
        let none = || failures(json!({}), json!({}));
        for (state, [total, same, differences], said, expected) in [
            ("done", [4, 3, 0], none(), Outcome::Same),
            ("done", [4, 3, 1], none(), Outcome::Differs),
            ("done", [0, 0, 0], none(), Outcome::Nothing),
            ("done", [4, 0, 0], none(), Outcome::Unknown),
            ("done", [4, 3, 0], failures(json!({}), json!({"deadline": 1})), Outcome::Differs),
            ("done", [4, 3, 0], failures(json!({"deadline": 1}), json!({"deadline": 1})), Outcome::Same),
            ("done", [4, 4, 0], failures(json!({}), json!({"trap": 4})), Outcome::Same),
            ("stopped", [0, 0, 0], none(), Outcome::CutOff),
            ("failed", [4, 3, 1], none(), Outcome::CutOff),
        ] {
            let mut report = said;
            (report["total"], report["same"], report["differences"]) = (total.into(), same.into(), differences.into());
            let ended = json!({"state": state, "report": report});
            assert_eq!(outcome(&ended), expected, "{ended}");
        }
    }

    #[test]
    fn a_period_begins_before_it_ends() {
        for (from, to, problem) in [
            (Some("2027-01-02T00:00:00Z"), Some("2027-01-01T00:00:00Z"), "--from is after --to"),
            (Some("2027-01-01T01:00:00+02:00"), Some("2027-01-01T00:00:00Z"), ""),
            (Some("2027-01-01T00:00:00Z"), Some("2027-01-01T00:00:00Z"), ""),
            (Some("2027-01-02T00:00:00Z"), None, ""),
            (Some("yesterday"), None, "--from must be a time like"),
            (None, Some("2027-01-02"), "--to must be a time like"),
        ] {
            let (from, to) = (from.map(str::to_owned), to.map(str::to_owned));
            let checked = Which { from, to, hook: None, stream: None }.check();
            let said = checked.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(said.starts_with(problem) && said.is_empty() == problem.is_empty(), "{said}");
        }
    }

    #[test]
    fn a_file_to_try_is_signed_as_a_push_is() {
        for (given, fits) in [
            ("--file p.wasm --key ci.pem --key-name ci", true),
            ("--file p.wasm --signature p.wasm.sig", true),
            ("--file p.wasm --signature p.wasm.sig --key ci.pem", false),
            ("--file p.wasm --key-name ci", false),
            ("--version 2 --key ci.pem", false),
            ("--version 2", true),
        ] {
            let line = "x backtest p --tenant acme".split(' ').chain(given.split(' '));
            assert_eq!(Line::try_parse_from(line).is_ok(), fits, "{given}");
        }
    }

    /// Answers one connection after the other; or, where there is no answer, hangs up.
    async fn answering(answers: Vec<Option<(&'static str, Value)>>) -> anyhow::Result<Rest> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move {
            for answer in answers {
                let (mut connection, _) = listener.accept().await?;
                let _ = connection.read(&mut [0; 4096]).await?;
                let Some((status, body)) = answer else { continue };
                let body = body.to_string();
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                connection.write_all(format!("{head}{body}").as_bytes()).await?;
            }
            std::io::Result::Ok(())
        });
        Ok(Rest::new(&url, "t"))
    }

    #[tokio::test]
    async fn a_server_that_is_started_again_is_waited_for() {
        let (running, done) = (json!({"state": "running"}), json!({"state": "done"}));
        let api = answering(vec![Some(("200 OK", running)), None, None, Some(("200 OK", done.clone()))]).await.unwrap();
        assert_eq!(wait(&api, "/backtest").await.unwrap(), done);
        let gone = json!({"error": {"message": "there is no such backtest"}});
        let api = answering(vec![None, Some(("404 Not Found", gone))]).await.unwrap();
        assert_eq!(wait(&api, "/backtest").await.unwrap_err().to_string(), "there is no such backtest");
    }
}
