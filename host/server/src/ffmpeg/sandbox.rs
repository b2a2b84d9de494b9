//! The box around ffmpeg: a hidden command of our own binary that gives up rights and then becomes ffmpeg.
//!
//! `reprise sandbox --spec JSON -- PROGRAM ARGS…` applies the layers in order and calls `exec`, so the process that the
//! supervisor started, signals and waits for *is* ffmpeg. Doing this in a program of its own, not between `fork` and
//! `exec`, needs no unsafe code. It knows nothing of what the program does.
//!
//! The layers, from outside in: own user, network and IPC namespaces; resource limits; low priority; no new
//! privileges; death with the parent; landlock (read the system's libraries and the source, write the job's folder,
//! nothing else); seccomp (no sockets, no new processes, none of the calls that kernel exploits start from).
//! A layer that the host lacks is skipped unless the specification is strict; `reprise doctor` shows which work.

mod files;
mod resources;
mod syscalls;

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::sys::prctl;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

/// What the boxed program may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxSpec {
    /// Who started us; if it is gone before the death signal is armed, nobody would ever end the program.
    pub parent_pid: u32,
    /// Absolute. The working directory, and the only place that can be written.
    pub work_dir: PathBuf,
    /// Absolute. Files that may be read besides the system's libraries.
    pub readable: Vec<PathBuf>,
    pub cpu_seconds: u64,
    pub memory_bytes: u64,
    pub file_size_bytes: u64,
    /// Refuse to run if landlock or seccomp cannot be enforced.
    pub strict: bool,
    /// Run only on what nobody else wants of the processors and, as the kernel derives the one from the other, of the
    /// disk.
    #[serde(default)]
    pub background: bool,
}

/// Whether one layer works on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "detail")]
pub enum Layer {
    Enforced,
    /// Works with an older kernel's gaps.
    Partial(String),
    Missing(String),
}

/// All layers, for `reprise doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerReport {
    pub namespaces: Layer,
    pub resources: Layer,
    pub landlock: Layer,
    pub seccomp: Layer,
}

/// The program was not started, or is to be refused.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("sandbox arguments are not --spec JSON -- PROGRAM ARGS")]
    Usage,
    #[error("sandbox specification is not valid: {0}")]
    Spec(#[from] serde_json::Error),
    #[error("the parent is gone")]
    Orphaned,
    #[error("cannot {what}: {source}")]
    Privileges { what: &'static str, source: nix::Error },
    #[error("layer {name} is not enforced ({layer:?}) and the sandbox is strict")]
    Strict { name: &'static str, layer: Layer },
    #[error("cannot start {program:?}: {source}")]
    Exec { program: PathBuf, source: std::io::Error },
    #[error("cannot ask the helper: {0}")]
    Helper(std::io::Error),
}

/// Exit code of a sandbox that could not be set up; no code of ffmpeg's.
pub const SETUP_FAILED: u8 = 119;
/// Starts the message on stderr that goes with [`SETUP_FAILED`].
pub const SETUP_FAILED_PREFIX: &str = "sandbox: ";
const PROBE: &str = "--probe";

/// The hidden command: `args` are those after the word `sandbox`. Returns only if the program was not started.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if args.first().is_some_and(|first| first == PROBE) {
        return print_layers();
    }
    let Err(error) = start(args);
    // The supervisor keeps the end of stderr; there is no other place to say it.
    eprintln!("{SETUP_FAILED_PREFIX}{error}");
    ExitCode::from(SETUP_FAILED)
}

/// The arguments that make our own binary run `program` with `args` inside the box.
pub fn command_line(spec: &SandboxSpec, program: &Path, args: &[OsString]) -> Result<Vec<OsString>, SandboxError> {
    let mut line: Vec<OsString> = vec!["sandbox".into(), "--spec".into()];
    line.push(serde_json::to_string(spec)?.into());
    line.push("--".into());
    line.push(program.into());
    line.extend_from_slice(args);
    Ok(line)
}

/// Asks `helper` (our own binary) which layers work here. Blocks for some milliseconds.
pub fn probe_layers(helper: &Path) -> Result<LayerReport, SandboxError> {
    let output = Command::new(helper).args(["sandbox", PROBE]).env_clear().output().map_err(SandboxError::Helper)?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn start(args: Vec<OsString>) -> Result<Infallible, SandboxError> {
    let mut args = args.into_iter();
    let mut next = || args.next().ok_or(SandboxError::Usage);
    if next()? != "--spec" {
        return Err(SandboxError::Usage);
    }
    let spec = next()?.into_string().map_err(|_| SandboxError::Usage)?;
    let spec: SandboxSpec = serde_json::from_str(&spec)?;
    if next()? != "--" {
        return Err(SandboxError::Usage);
    }
    let program = PathBuf::from(next()?);
    let report = enter(&spec, &program)?;
    if spec.strict {
        require("landlock", report.landlock)?;
        require("seccomp", report.seccomp)?;
    }
    let source =
        Command::new(&program).args(args).current_dir(&spec.work_dir).env_clear().envs(environment(&spec)).exec();
    Err(SandboxError::Exec { program, source })
}

/// Applies all layers to this process. The order matters: entering a user namespace disarms the death signal, and
/// landlock and seccomp forbid what the others need.
fn enter(spec: &SandboxSpec, program: &Path) -> Result<LayerReport, SandboxError> {
    let oom = resources::end_first();
    let namespaces = resources::own_namespaces();
    let resources = resources::limit(spec, namespaces == Layer::Enforced, oom);
    prctl::set_no_new_privs().map_err(|source| SandboxError::Privileges { what: "give up new privileges", source })?;
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|source| SandboxError::Privileges { what: "die with the parent", source })?;
    if nix::unistd::getppid().as_raw().unsigned_abs() != spec.parent_pid {
        return Err(SandboxError::Orphaned);
    }
    let landlock = files::restrict(spec, program);
    let seccomp = syscalls::restrict();
    Ok(LayerReport { namespaces, resources, landlock, seccomp })
}

fn require(name: &'static str, layer: Layer) -> Result<(), SandboxError> {
    match layer {
        Layer::Enforced | Layer::Partial(_) => Ok(()),
        layer @ Layer::Missing(_) => Err(SandboxError::Strict { name, layer }),
    }
}

/// Nothing of the server's environment reaches the program: it may hold secrets, and ffmpeg reads some of it.
fn environment(spec: &SandboxSpec) -> [(&'static str, OsString); 6] {
    let work_dir = || spec.work_dir.clone().into_os_string();
    [
        ("PATH", "/usr/bin:/bin".into()),
        ("LC_ALL", "C".into()),
        ("HOME", work_dir()),
        ("TMPDIR", work_dir()),
        ("AV_LOG_FORCE_NOCOLOR", "1".into()),
        // Each arena reserves 64 MiB of address space, which the memory limit counts.
        ("MALLOC_ARENA_MAX", "2".into()),
    ]
}

fn print_layers() -> ExitCode {
    let spec = SandboxSpec {
        parent_pid: nix::unistd::getppid().as_raw().unsigned_abs(),
        work_dir: std::env::temp_dir(),
        readable: Vec::new(),
        cpu_seconds: 10,
        memory_bytes: 4 << 30,
        file_size_bytes: 1 << 20,
        strict: false,
        background: false,
    };
    let text = enter(&spec, Path::new("/nonexistent")).and_then(|report| Ok(serde_json::to_string(&report)?));
    match text {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{SETUP_FAILED_PREFIX}{error}");
            ExitCode::from(SETUP_FAILED)
        }
    }
}
