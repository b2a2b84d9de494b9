//! Publishers by the dozen, and what they cost one process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use reprise_tests::encoder;
use serde_json::Value;
use tokio::process::{Child, Command};

/// What one stream costs.
pub(crate) struct Load {
    pub(crate) cpu_percent: f64,
    pub(crate) memory_kib: f64,
}

impl Load {
    /// Publishes `clip` to every URL at once and measures the process in the middle of it.
    pub(crate) async fn run(clip: &Path, urls: &[String], pid: u32, window: Duration) -> anyhow::Result<Self> {
        let before_kib = resident_kib(pid)?;
        let publishers = urls.iter().map(|url| encoder::publish(clip, url)).collect::<anyhow::Result<Vec<Child>>>()?;
        // Connecting and probing are over; what is measured is the steady state.
        tokio::time::sleep(Duration::from_secs(8)).await;
        let (ticks, started) = (cpu_ticks(pid)?, tokio::time::Instant::now());
        tokio::time::sleep(window).await;
        let used = (cpu_ticks(pid)? - ticks) as f64 / ticks_per_second()?;
        let share = used / started.elapsed().as_secs_f64();
        let memory_kib = (resident_kib(pid)?.saturating_sub(before_kib)) as f64 / urls.len() as f64;
        drop(publishers);
        Ok(Self { cpu_percent: share * 100.0 / urls.len() as f64, memory_kib })
    }
}

fn cpu_ticks(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().context("no stat")?.split_whitespace().collect();
    Ok(fields.get(11).context("no utime")?.parse::<u64>()? + fields.get(12).context("no stime")?.parse::<u64>()?)
}

fn ticks_per_second() -> anyhow::Result<f64> {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.context("no clock tick")?;
    Ok(ticks as f64)
}

fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).context("no size")?.parse()?)
}

/// A time of the native API: milliseconds, or RFC 3339 with milliseconds.
pub(crate) fn time_of(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let text = value.as_str()?;
        let (seconds, rest) = text.split_at_checked(19)?;
        let whole = reprise::api::times::parse(&format!("{seconds}Z"))?.0;
        let millis = rest.strip_prefix('.').and_then(|rest| rest.get(..3)).and_then(|ms| ms.parse::<i64>().ok());
        Some(whole + millis.unwrap_or(0))
    })
}

/// A running nginx-rtmp.
pub(crate) struct Nginx {
    pub(crate) url: String,
    pub(crate) worker: u32,
    _process: Child,
}

/// The worker outlives a master that is killed, so it goes with this too.
impl Drop for Nginx {
    fn drop(&mut self) {
        let worker = i32::try_from(self.worker).ok().map(nix::unistd::Pid::from_raw);
        if let Some(worker) = worker {
            let _ = nix::sys::signal::kill(worker, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// Starts nginx-rtmp as a recorder, if it is installed.
pub(crate) async fn nginx(scratch: &Path) -> anyhow::Result<Option<Nginx>> {
    let module = Path::new("/usr/lib/nginx/modules/ngx_rtmp_module.so");
    if !module.exists() {
        return Ok(None);
    }
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let folder = scratch.join("nginx");
    std::fs::create_dir_all(folder.join("record"))?;
    let config = format!(
        "load_module {};\ndaemon off;\nworker_processes 1;\nuser root;\npid {dir}/pid;\nerror_log {dir}/error.log;\n\
         events {{ worker_connections 512; }}\n\
         rtmp {{ server {{ listen 127.0.0.1:{port}; access_log off; application live {{ live on; record all; record_path {dir}/record; }} }} }}\n",
        module.display(),
        dir = folder.display()
    );
    std::fs::write(folder.join("nginx.conf"), config)?;
    let process = Command::new("nginx")
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run nginx")?;
    let master = process.id().context("nginx ended")?;
    let worker = reprise_tests::eventually("nginx's worker", async || {
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap_or_default();
        Ok(children.split_whitespace().next().and_then(|pid| pid.parse().ok()))
    })
    .await?;
    Ok(Some(Nginx { url: format!("rtmp://127.0.0.1:{port}/live"), worker, _process: process }))
}
