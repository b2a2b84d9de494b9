//! Compiling, in a process of its own. Valid components of a few hundred kilobytes can ask the compiler for
//! gigabytes, and a failed allocation ends a process; so the process that ends is a child with limits on address
//! space, processor time and time of day.
//!
//! The child is our own program with a hidden sub-command. Both ends speak a private form over pipes:
//!
//! - in: `Job`, that is magic, limits and the component;
//! - out: magic, one byte that says how it went, the length, then the machine code or a message.
//!
//! A result counts only if it is whole, so nothing depends on how the child ends after it.

pub(crate) mod child;
mod pipes;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::artefact::Artefact;
use crate::error::CompileError;
use crate::inspect::Inspection;

/// Begins the child's input and output.
const MAGIC: &[u8; 8] = b"rpscmp\x00\x01";

/// Magic, address space, processor seconds, length of the component.
const JOB_BYTES: usize = 32;

/// Magic, state, length of what follows.
const RESULT_BYTES: usize = 17;

/// The child's states.
const COMPILED: u8 = 0;
const INVALID: u8 = 1;

/// How the child is started: our own program, and the arguments that bring it to
/// [`compile_child_main`](crate::compile_child_main).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// What compiling one component may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Address space of the child, our own program's mappings included.
    pub address_space_bytes: u64,
    /// Processor time of the child.
    pub cpu: Duration,
    /// Time of day.
    pub wall: Duration,
    /// Size of the machine code.
    pub artefact_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            address_space_bytes: 512 << 20,
            cpu: Duration::from_secs(5),
            // Twice the processor time, for a machine that is busy with transcoding.
            wall: Duration::from_secs(10),
            // Machine code is 3 to 5 times the component, which has at most a megabyte.
            artefact_bytes: 16 << 20,
        }
    }
}

/// Compiles a component that was found good by [`inspect`](crate::inspect). Blocks until the child has ended,
/// at most for the limit on the time of day.
///
/// # Errors
///
/// When it is not valid, too much for the limits, or the child cannot be run.
pub fn compile(
    component: &[u8],
    inspection: &Inspection,
    command: &CompilerCommand,
    limits: &CompileLimits,
) -> Result<Artefact, CompileError> {
    let mut job = Vec::with_capacity(JOB_BYTES + component.len());
    job.extend_from_slice(MAGIC);
    job.extend_from_slice(&limits.address_space_bytes.to_le_bytes());
    job.extend_from_slice(&limits.cpu.as_secs().max(1).to_le_bytes());
    job.extend_from_slice(&(component.len() as u64).to_le_bytes());
    job.extend_from_slice(component);

    let child = Command::new(&command.program)
        .args(&command.args)
        // What compiles tenants' code has no business with our environment, where secrets may be.
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(CompileError::Start)?;
    let ended = pipes::run(child, job, RESULT_BYTES as u64 + limits.artefact_bytes, limits.wall)
        .map_err(CompileError::Start)?;
    match read_result(&ended.stdout) {
        Some((COMPILED, code)) => Ok(Artefact::from_child(inspection.digest.clone(), code.to_vec())),
        Some((INVALID, message)) => Err(CompileError::Invalid(String::from_utf8_lossy(message).into_owned())),
        _ => Err(blame(&ended, limits)),
    }
}

/// State and payload, if the result is whole.
fn read_result(stdout: &[u8]) -> Option<(u8, &[u8])> {
    let rest = stdout.strip_prefix(MAGIC)?;
    let (&state, rest) = rest.split_first()?;
    let (length, payload) = rest.split_at_checked(8)?;
    let length = u64::from_le_bytes(length.try_into().ok()?);
    (payload.len() as u64 == length).then_some((state, payload))
}

/// Why there is no result.
fn blame(ended: &pipes::Ended, limits: &CompileLimits) -> CompileError {
    use std::os::unix::process::ExitStatusExt;

    use nix::sys::signal::Signal;

    let limit_ms = u64::try_from(limits.cpu.as_millis()).unwrap_or(u64::MAX);
    if ended.stdout.len() as u64 >= RESULT_BYTES as u64 + limits.artefact_bytes {
        return CompileError::TooLarge { limit_bytes: limits.artefact_bytes };
    }
    if ended.killed {
        return CompileError::TooLong { limit_ms: u64::try_from(limits.wall.as_millis()).unwrap_or(u64::MAX) };
    }
    let detail = ended.stderr_line();
    match ended.status.signal().and_then(|signal| Signal::try_from(signal).ok()) {
        Some(Signal::SIGXCPU | Signal::SIGKILL) => CompileError::TooLong { limit_ms },
        // A failed allocation aborts; so does a stack that ran over, which is the same advice to the author.
        Some(Signal::SIGABRT) => CompileError::TooMuchMemory { limit_mib: limits.address_space_bytes >> 20, detail },
        _ => CompileError::Crashed(format!("{}: {detail}", ended.status)),
    }
}
