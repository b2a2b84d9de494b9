//! `reprise plugin`: one file for each subject, all commands on one level.

mod author;
mod backtests;
mod bindings;
mod build;
mod decision;
mod decisions;
mod differing;
mod lab;
mod limits;
mod new;
mod plain;
mod quotas;
mod rollouts;
mod settings;
mod signing;
mod versions;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

pub(super) use self::build::build;
use super::Server;
use super::tenant::print_plain;

#[derive(Debug, Args)]
pub(super) struct Plugin {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: Server,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Author(author::Author),
    #[command(flatten)]
    Lab(lab::Author),
    #[command(flatten)]
    Versions(versions::Versions),
    #[command(flatten)]
    Signing(signing::Signing),
    #[command(flatten)]
    Bindings(bindings::Bindings),
    #[command(flatten)]
    Candidates(rollouts::Candidates),
    #[command(flatten)]
    Backtests(backtests::Backtests),
    #[command(flatten)]
    Settings(settings::Settings),
    #[command(flatten)]
    Limits(limits::Limits),
    #[command(flatten)]
    Quotas(quotas::Quotas),
    #[command(flatten)]
    Log(decisions::Log),
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Command::Author(author) = &self.command {
            author.run()?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Command::Lab(lab) = &self.command {
            return lab.run(self.json);
        }
        if let Command::Signing(signing) = &self.command
            && let Some(done) = signing.local()?
        {
            self.print(&done);
            return Ok(ExitCode::SUCCESS);
        }
        super::runtime()?.block_on(async {
            let api = self.server.client()?;
            if let Command::Log(log) = &self.command {
                log.run(&api, self.json).await?;
                return Ok(ExitCode::SUCCESS);
            }
            let answer = match &self.command {
                Command::Author(_) | Command::Lab(_) | Command::Log(_) => Value::Null,
                Command::Versions(versions) => {
                    let answer = versions.ask(&api).await?;
                    return Ok(self.show(&answer, &versions.lines(&answer)));
                }
                Command::Signing(signing) => signing.ask(&api).await?,
                Command::Bindings(bindings) => {
                    let answer = bindings.ask(&api).await?;
                    return Ok(self.show(&answer, &bindings.lines(&answer)));
                }
                Command::Candidates(candidates) => match candidates.ask(&api, self.json).await? {
                    Some(answer) => answer,
                    None => return Ok(ExitCode::SUCCESS),
                },
                Command::Backtests(backtests) => return backtests.run(&api, self.json).await,
                Command::Settings(settings) => settings.ask(&api).await?,
                Command::Limits(limits) => limits.ask(&api).await?,
                Command::Quotas(quotas) => quotas.ask(&api).await?,
            };
            self.print(&answer);
            Ok(ExitCode::SUCCESS)
        })
    }

    /// Prints lines of its own for people.
    fn show(&self, answer: &Value, lines: &[String]) -> ExitCode {
        if self.json {
            println!("{answer}")
        } else {
            println!("{}", lines.join("\n"))
        }
        ExitCode::SUCCESS
    }

    fn print(&self, answer: &Value) {
        if self.json {
            println!("{answer}");
        } else {
            print_plain(answer);
        }
    }
}
