//! The server under test: the built binary, a data folder, ports that stay the same over restarts.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use reprise::client::Rest;

use crate::{eventually, http};

/// A server process with its folder.
#[derive(Debug)]
pub struct Server {
    dir: tempfile::TempDir,
    config: String,
    child: Option<Child>,
    /// HTTP address.
    pub http: String,
    /// RTMP address.
    pub rtmp: String,
}

/// The built binary; tests lie beside it.
///
/// # Errors
/// When it is not built.
pub fn binary() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    // Tests lie in `deps` beside it, benches next to it.
    let folder = here.parent().context("tests do not lie in a target folder")?;
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let binary = profile.join("reprise");
    anyhow::ensure!(binary.exists(), "{} is not built: run `cargo build` first", binary.display());
    Ok(binary)
}

impl Server {
    /// Starts a server on free ports. `config` is laid over limits that suit tests.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(config: &str) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut server = Self {
            dir,
            config: config.to_owned(),
            child: None,
            http: "127.0.0.1:0".to_owned(),
            rtmp: "127.0.0.1:0".to_owned(),
        };
        server.launch().await?;
        Ok(server)
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A folder for whatever the test makes.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the process again on the same ports and data, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn launch(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        let ready = self.ready_file();
        let text = eventually("the server to become ready", async || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok()).flatten() {
                anyhow::bail!("the server ended with {status}:\n{}", self.log());
            }
            Ok(std::fs::read_to_string(&ready).ok())
        })
        .await?;
        let ready: serde_json::Value = serde_json::from_str(&text)?;
        self.http = ready["http"].as_str().context("no http address")?.to_owned();
        self.rtmp = ready["rtmp"].as_str().context("no rtmp address")?.to_owned();
        Ok(())
    }

    /// Starts the process and waits for nothing.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        let file = self.dir.path().join("config.toml");
        let base = "[limits]\nmin_cycle_seconds = 1\nmin_break_seconds = 1\ndisk_reserve_mib = 16\n\
                    [callbacks]\nallow_private = [\"127.0.0.0/8\"]\n";
        std::fs::write(&file, format!("{base}{}", self.config))?;
        let ready = self.ready_file();
        let _ = std::fs::remove_file(&ready);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("server.log"))?;
        let child = Command::new(binary()?)
            .arg("serve")
            .args(["--http", &self.http, "--rtmp", &self.rtmp])
            .arg("--config")
            .arg(&file)
            .arg("--data")
            .arg(self.data())
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("the server does not start")?;
        self.child = Some(child);
        Ok(())
    }

    fn ready_file(&self) -> PathBuf {
        self.dir.path().join("ready.json")
    }

    /// Kills the process as a power failure of the process would: no warning, no time.
    ///
    /// # Errors
    /// When there is no process.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the server is not running")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// The process.
    ///
    /// # Errors
    /// When there is none.
    pub fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("the server is not running")?.id())
    }

    /// Whether the process is alive.
    pub fn alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Asks the process to stop and gives its exit code.
    ///
    /// # Errors
    /// When there is no process, or it does not stop.
    pub async fn terminate(&mut self) -> anyhow::Result<Option<i32>> {
        let mut child = self.child.take().context("the server is not running")?;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        let status = eventually("the server to stop", async || Ok(child.try_wait()?)).await?;
        Ok(status.code())
    }

    /// The admin's client.
    ///
    /// # Errors
    /// When the token cannot be read.
    pub fn admin(&self) -> anyhow::Result<Rest> {
        let token = std::fs::read_to_string(self.data().join("admin-token"))?;
        Ok(Rest::new(&format!("http://{}", self.http), token.trim()))
    }

    /// The value of a metric, by its name with its labels.
    ///
    /// # Errors
    /// When the server does not tell it.
    pub async fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let text = http::text(&format!("http://{}/metrics", self.http)).await?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no {name} in:\n{text}"))?.parse()?)
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- server log ---\n{}", self.log());
        }
    }
}
