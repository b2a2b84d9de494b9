//! One boxed child process, from start to end.
//!
//! A run ends in a value: done, or a [`Reason`] with the end of what the program said. The supervisor reads both pipes
//! for as long as the child lives, keeps a bounded amount, watches four things at once (the child's end, cancellation,
//! the wall clock, the absence of progress), and ends the whole process group: a signal, a grace period, a kill.
//! Nothing outlives the future: dropping it kills the group. It knows nothing of what the program makes.

mod launcher;
mod pipes;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::error::{Reason, complaint};
use super::limits::Limits;
use super::progress::Progress;
use super::sandbox::{self, SandboxSpec};
use pipes::{Activity, Tail};

/// One program to run in the box.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// Absolute path of ffmpeg or ffprobe.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Working directory, and the only place that can be written.
    pub work_dir: PathBuf,
    /// Files outside of it that can be read.
    pub readable: Vec<PathBuf>,
    pub limits: Limits,
    /// Our own binary.
    pub helper: PathBuf,
    pub strict: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Failed {
        reason: Reason,
        /// The exit code, if it came to one.
        exit: Option<i32>,
        /// At most the last [`STDERR_KEPT`] bytes.
        stderr_tail: String,
    },
}

/// Enough for the complaint and its context; a flood of messages must not become memory.
pub const STDERR_KEPT: usize = 64 * 1024;
/// Between asking a group to end and killing it. ffmpeg needs a moment to close files; nothing needs more.
const GRACE: Duration = Duration::from_secs(2);
/// How long pipes may stay open after the child's end, held by somebody it left behind.
const LEAK_GRACE: Duration = Duration::from_millis(500);
/// What ffmpeg, x264 and the dynamic linker say when the memory limit is hit. x265 says nothing and hangs, which the
/// absence of progress ends.
const OUT_OF_MEMORY: [&str; 3] =
    ["Cannot allocate memory", "x264 [error]: malloc of size", "failed to map segment from shared object"];
/// What ffmpeg says when the processor limit's signal asked it to end.
const CPU_MESSAGE: &str = "received signal 24";

/// Runs ffmpeg; `progress` is called with each block of its `-progress` output.
pub async fn run(spec: &RunSpec, cancel: &CancellationToken, progress: impl FnMut(Progress) + Send) -> Outcome {
    run_logged(spec, cancel, progress).await.0
}

/// Like [`run`], with the last [`STDERR_KEPT`] bytes of what ffmpeg said, also when it did its work.
pub async fn run_logged(
    spec: &RunSpec,
    cancel: &CancellationToken,
    progress: impl FnMut(Progress) + Send,
) -> (Outcome, String) {
    let command = match boxed(spec, false) {
        Ok(command) => command,
        Err(reason) => return (failed(reason), String::new()),
    };
    let activity = Activity::new();
    let watch = Watch::new(&spec.limits, cancel);
    let reader = |stdout| pipes::progress(stdout, &activity, progress);
    match supervise(command, watch, &activity, reader, None::<Nothing>).await {
        Err(reason) => (failed(reason), String::new()),
        Ok(ended) => {
            let said = ended.stderr.clone();
            (ended.outcome(), said)
        }
    }
}

/// Runs ffmpeg in the background on what `feed` writes to its standard input, which may take as long as a broadcast:
/// the clocks of `spec` start when `feed` is done and the input closed. An error of `feed` ends the run.
pub async fn run_fed<F>(
    spec: &RunSpec,
    cancel: &CancellationToken,
    progress: impl FnMut(Progress) + Send,
    feed: impl FnOnce(ChildStdin) -> F,
) -> Outcome
where
    F: Future<Output = Result<(), Reason>>,
{
    let command = match boxed(spec, true) {
        Ok(command) => command,
        Err(reason) => return failed(reason),
    };
    let activity = Activity::new();
    let watch = Watch::new(&spec.limits, cancel);
    let reader = |stdout| pipes::progress(stdout, &activity, progress);
    match supervise(command, watch, &activity, reader, Some(feed)).await {
        Err(reason) => failed(reason),
        Ok(ended) => ended.outcome(),
    }
}

/// A way of naming the feed of a child that reads nothing.
type Nothing = fn(ChildStdin) -> std::future::Ready<Result<(), Reason>>;

/// Runs a program and returns all it printed, if that is at most `most` bytes.
pub async fn collect(spec: &RunSpec, most: usize, cancel: &CancellationToken) -> (Outcome, Vec<u8>) {
    let command = match boxed(spec, false) {
        Ok(command) => command,
        Err(reason) => return (failed(reason), Vec::new()),
    };
    let activity = Activity::new();
    let mut printed = Vec::new();
    let watch = Watch::new(&spec.limits, cancel);
    let kept = &mut printed;
    let ended =
        supervise(command, watch, &activity, |stdout| pipes::all(stdout, &activity, kept, most), None::<Nothing>);
    let outcome = match ended.await {
        Err(reason) => failed(reason),
        Ok(ended) => ended.outcome(),
    };
    if printed.len() > most {
        let detail = format!("it printed more than {most} bytes");
        return (failed(Reason::Host { detail }), Vec::new());
    }
    (outcome, printed)
}

/// The command that runs `spec` inside the sandbox.
fn boxed(spec: &RunSpec, background: bool) -> Result<Command, Reason> {
    let limits = &spec.limits;
    let sandbox = SandboxSpec {
        parent_pid: std::process::id(),
        work_dir: spec.work_dir.clone(),
        readable: spec.readable.clone(),
        cpu_seconds: limits.cpu_seconds,
        memory_bytes: limits.memory_bytes,
        file_size_bytes: limits.file_size_bytes,
        strict: spec.strict,
        background,
    };
    let line = sandbox::command_line(&sandbox, &spec.program, &spec.args)
        .map_err(|error| Reason::Host { detail: error.to_string() })?;
    let mut command = Command::new(&spec.helper);
    command.args(line).env_clear();
    Ok(command)
}

/// What ends a run from outside.
struct Watch<'a> {
    wall: Duration,
    no_progress: Duration,
    cancel: &'a CancellationToken,
}

impl<'a> Watch<'a> {
    fn new(limits: &Limits, cancel: &'a CancellationToken) -> Self {
        Watch { wall: limits.wall, no_progress: limits.no_progress, cancel }
    }
}

/// A child that is gone.
struct Ended {
    status: ExitStatus,
    /// Why we ended it, if we did.
    by_us: Option<Reason>,
    stderr: String,
}

/// Starts `command` in a group of its own and stays with it until the group is gone.
async fn supervise<R, F, W, I>(
    mut command: Command,
    watch: Watch<'_>,
    activity: &Activity,
    stdout_reader: R,
    stdin_writer: Option<W>,
) -> Result<Ended, Reason>
where
    R: FnOnce(tokio::process::ChildStdout) -> F,
    F: Future<Output = ()>,
    W: FnOnce(ChildStdin) -> I,
    I: Future<Output = Result<(), Reason>>,
{
    let stdin = if stdin_writer.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let host = |error: std::io::Error| Reason::Host { detail: error.to_string() };
    let mut child = launcher::spawn(command).await.map_err(host)?;
    let mut group = Group::of(&child);
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(host(std::io::Error::other("the child has no pipes")));
    };
    let stdin = child.stdin.take();
    let fed = async {
        match stdin_writer.zip(stdin) {
            Some((write, stdin)) => write(stdin).await,
            None => Ok(()),
        }
    };
    let mut tail = Tail::new(STDERR_KEPT);
    let ended = {
        let drain = async {
            tokio::join!(stdout_reader(stdout), pipes::tail(stderr, &mut tail));
        };
        tokio::pin!(drain);
        let wait = until_end(&mut child, &group, &watch, activity, fed);
        tokio::pin!(wait);
        let mut drained = false;
        let ended = loop {
            tokio::select! {
                () = &mut drain, if !drained => drained = true,
                ended = &mut wait => break ended,
            }
        };
        // The leader has been waited for; whoever it left behind goes too.
        group.signal(Signal::SIGKILL);
        if !drained {
            // A pipe that stays open belongs to somebody who escaped the group; what was read so far has to do.
            let _leaked = timeout(LEAK_GRACE, drain).await;
        }
        ended
    };
    group.leader = None;
    let (status, by_us) = ended.map_err(host)?;
    Ok(Ended { status, by_us, stderr: tail.into_text() })
}

/// Waits for the child, or for a reason to end it and then for its end.
async fn until_end(
    child: &mut Child,
    group: &Group,
    watch: &Watch<'_>,
    activity: &Activity,
    fed: impl Future<Output = Result<(), Reason>>,
) -> std::io::Result<(ExitStatus, Option<Reason>)> {
    let overdue = async {
        if let Err(reason) = fed.await {
            return reason;
        }
        tokio::select! {
            () = sleep(watch.wall) => Reason::WallLimit { seconds: watch.wall.as_secs() },
            () = stalled(group, watch.no_progress, activity) => Reason::NoProgress {
                seconds: watch.no_progress.as_secs(),
            },
        }
    };
    let reason = tokio::select! {
        status = child.wait() => return Ok((status?, None)),
        () = watch.cancel.cancelled() => Reason::Cancelled,
        reason = overdue => reason,
    };
    group.signal(Signal::SIGTERM);
    if let Ok(status) = timeout(GRACE, child.wait()).await {
        return Ok((status?, Some(reason)));
    }
    group.signal(Signal::SIGKILL);
    Ok((child.wait().await?, Some(reason)))
}

/// Returns when neither the counters nor the bytes written have moved for `limit`. The bytes matter at the end of a
/// large file, when ffmpeg moves its index to the front for a while without a word.
async fn stalled(group: &Group, limit: Duration, activity: &Activity) {
    let mut written = group.bytes_written();
    let mut since = Instant::now();
    loop {
        sleep_until(since + limit).await;
        let seen = activity.last();
        let now_written = group.bytes_written();
        if seen > since {
            since = seen;
        } else if now_written > written {
            since = Instant::now();
        } else {
            return;
        }
        written = now_written;
    }
}

/// The child's process group. Dropped while it has a leader, it is killed.
struct Group {
    /// `None` once the leader has been waited for and its number may be another's.
    leader: Option<Pid>,
}

impl Group {
    fn of(child: &Child) -> Group {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        Group { leader: leader.map(Pid::from_raw) }
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // An error means that nobody is left.
            let _gone = killpg(leader, signal);
        }
    }

    /// Bytes that the child has written to files; `None` where the kernel does not say.
    fn bytes_written(&self) -> Option<u64> {
        let path = format!("/proc/{}/io", self.leader?);
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().find_map(|l| l.strip_prefix("write_bytes: "))?;
        line.trim().parse().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

impl Ended {
    fn outcome(self) -> Outcome {
        let exit = self.status.code();
        if self.by_us.is_none() && self.status.success() {
            return Outcome::Done;
        }
        let reason = match self.by_us {
            Some(reason) => reason,
            None => blame(self.status, &self.stderr),
        };
        Outcome::Failed { reason, exit, stderr_tail: self.stderr }
    }
}

/// Why a child that we did not touch ended badly.
fn blame(status: ExitStatus, stderr: &str) -> Reason {
    use std::os::unix::process::ExitStatusExt;
    let Some(code) = status.code() else {
        let signal = status.signal().unwrap_or(0);
        return match Signal::try_from(signal) {
            Ok(Signal::SIGXCPU) => Reason::CpuLimit,
            Ok(Signal::SIGXFSZ) => Reason::FileSize,
            _ => Reason::Signal { signal },
        };
    };
    if code == i32::from(sandbox::SETUP_FAILED) {
        let said = stderr.lines().find_map(|line| line.strip_prefix(sandbox::SETUP_FAILED_PREFIX));
        if let Some(detail) = said {
            return Reason::Sandbox { detail: detail.to_owned() };
        }
    }
    if stderr.contains(CPU_MESSAGE) {
        return Reason::CpuLimit;
    }
    let complaint = complaint(stderr, &[]);
    if complaint.contains("No space left on device") {
        Reason::DiskFull
    } else if OUT_OF_MEMORY.iter().any(|words| stderr.contains(words)) {
        Reason::MemoryLimit
    } else if stderr.contains("received signal") {
        // Somebody else asked it to end, such as the service manager stopping the host.
        Reason::Signal { signal: 15 }
    } else {
        Reason::Exit { code }
    }
}

fn failed(reason: Reason) -> Outcome {
    Outcome::Failed { reason, exit: None, stderr_tail: String::new() }
}

#[cfg(test)]
mod tests;
