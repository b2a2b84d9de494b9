//! `reprise serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::app::{App, write_ready_file};
use crate::config::{Config, DEFAULT_TOML};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Configuration file (TOML); see --print-config
    #[arg(long)]
    config: Option<PathBuf>,
    /// Data folder
    #[arg(long)]
    data: Option<PathBuf>,
    /// HTTP listener; port 0 picks a free one
    #[arg(long)]
    http: Option<SocketAddr>,
    /// RTMP listener; port 0 picks a free one
    #[arg(long)]
    rtmp: Option<SocketAddr>,
    /// What URLs in answers and events begin with
    #[arg(long)]
    public_url: Option<String>,
    /// Written when both listeners accept: {"http","rtmp","pid"}
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// Print the default configuration with its documentation, and exit
    #[arg(long)]
    print_config: bool,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.print_config {
            print!("{DEFAULT_TOML}");
            return Ok(ExitCode::SUCCESS);
        }
        let mut config = Config::load(self.config.as_deref())?;
        config.data = self.data.unwrap_or(config.data);
        config.http = self.http.unwrap_or(config.http);
        config.rtmp = self.rtmp.unwrap_or(config.rtmp);
        config.public_url = self.public_url.unwrap_or(config.public_url);
        config.check()?;
        telemetry::start(&config.logs)?;
        let runtime = super::runtime()?;
        runtime.block_on(async {
            let stop = CancellationToken::new();
            stop_on_signals(stop.clone())?;
            let app = App::load(&config, stop).await?;
            tracing::info!(http = %app.http(), rtmp = %app.rtmp(), data = %config.data.display(), "serving");
            if let Some(path) = &self.ready_file {
                write_ready_file(path, app.http(), app.rtmp())?;
            }
            app.run().await;
            anyhow::Ok(())
        })?;
        // A name lookup in progress cannot be cancelled, and must not hold up the end.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        Ok(ExitCode::SUCCESS)
    }
}

/// The first SIGTERM or SIGINT stops gracefully, the second at once: what was not recorded is found at the next start.
pub(super) fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for turn in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if turn > 0 {
                std::process::exit(1);
            }
            stop.cancel();
        }
    });
    Ok(())
}
