//! The command line. Data goes to standard output, everything else to standard error. Exit codes: 0 done, 1 failed,
//! 2 wrong usage, 3 something that this command looks for is missing or not in order (`doctor`, `demo --exit`), 141 the
//! reader of the output is gone.

#[macro_use]
mod out;

mod demo;
mod doctor;
mod plugin;
mod query;
mod serve;
mod tenant;
mod vendor;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::client::Rest;

/// Something looked for is missing or not in order.
const NOT_IN_ORDER: u8 = 3;

/// Records live streams and turns them into video on demand, by rules that each tenant ships as a WebAssembly plugin.
#[derive(Debug, Parser)]
#[command(name = "reprise", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    Serve(serve::Serve),
    /// See all of it at once: server, tenant, plugin, a live stream, callbacks, playback
    Demo(demo::Demo),
    /// Make, list and remove tenants
    Tenant(tenant::Tenant),
    /// Build, push and activate policy plugins
    Plugin(plugin::Plugin),
    /// Call an action of the vendor's API as its SDKs do
    Call(vendor::Call),
    /// Print a signed URL that an encoder can push to
    PushUrl(vendor::PushUrl),
    /// Check this machine: ffmpeg, disk, ports, sandbox
    Doctor(doctor::Doctor),
}

/// How to reach a running server.
#[derive(Clone, Args)]
struct Server {
    /// The server's HTTP address
    #[arg(long, env = "REPRISE_URL", default_value = "http://127.0.0.1:8080", global = true)]
    url: String,
    /// File with the bearer token; the server's data folder has the admin's
    #[arg(long, default_value = "./reprise-data/admin-token", global = true)]
    token_file: PathBuf,
    /// The bearer token itself; wins over the file
    #[arg(long, env = "REPRISE_TOKEN", hide_env_values = true, global = true)]
    token: Option<String>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Server {
    fn client(&self) -> anyhow::Result<Rest> {
        let token = match &self.token {
            Some(token) => token.clone(),
            None => std::fs::read_to_string(&self.token_file).with_context(|| {
                format!(
                    "cannot read the token file {}; start the server here first, or name a token with --token-file or REPRISE_TOKEN",
                    self.token_file.display()
                )
            })?,
        };
        Ok(Rest::new(&self.url, token.trim()))
    }
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    out::ended(|| match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Tenant(tenant) => tenant.run(),
        Command::Plugin(plugin) => plugin.run(),
        Command::Call(call) => call.run(),
        Command::PushUrl(push_url) => push_url.run(),
        Command::Doctor(doctor) => doctor.run(),
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_has_arguments_that_go_together() {
        super::Cli::command().debug_assert();
    }
}
