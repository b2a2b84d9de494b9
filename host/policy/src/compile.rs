//! Compiling, in a process of its own. Valid components of a few hundred kilobytes can ask the compiler for
//! gigabytes, and a failed allocation ends a process; so the process that ends is a child with limits on address
//! space, processor time and time of day. A JSON Schema is a tenant's too and can ask for as much, so settings are
//! checked there as well: see [`schema`](crate::schema).
//!
//! The child is our own program with a hidden sub-command. Both ends speak a private form over pipes:
//!
//! - in: a [`Job`], that is magic, kind, limits and two texts, each with its length;
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

/// Magic, kind, address space, processor seconds, lengths of both texts.
const JOB_BYTES: usize = 48;

/// Magic, state, length of what follows.
const RESULT_BYTES: usize = 17;

/// Kinds of jobs: a component and its schema are compiled and looked at; or settings are held against a schema.
const COMPILE: u64 = 0;
const SETTINGS: u64 = 1;

/// The child's states.
pub(crate) const DONE: u8 = 0;
const INVALID: u8 = 1;
const NO_SCHEMA: u8 = 2;

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
        Self::standard()
    }
}

impl CompileLimits {
    /// For a component of the standard class.
    pub fn standard() -> Self {
        Self {
            address_space_bytes: 512 << 20,
            cpu: Duration::from_secs(5),
            // Twice the processor time, for a machine that is busy with transcoding.
            wall: Duration::from_secs(10),
            // Machine code is 3 to 5 times the component, which has at most a megabyte.
            artefact_bytes: 16 << 20,
        }
    }

    /// For a component that carries a runtime: about twice what SpiderMonkey and CPython need, which is 14 to 18 s of
    /// a slow processor, 380 MiB, and 39 MB of machine code.
    pub fn scripted() -> Self {
        Self {
            address_space_bytes: 768 << 20,
            cpu: Duration::from_secs(40),
            // The child steps back for everything else that runs.
            wall: Duration::from_secs(180),
            artefact_bytes: 80 << 20,
        }
    }

    /// For settings and their schema, which are 64 KiB each.
    pub fn settings() -> Self {
        Self {
            address_space_bytes: 256 << 20,
            cpu: Duration::from_secs(1),
            wall: Duration::from_secs(5),
            artefact_bytes: 64 << 10,
        }
    }
}

/// Compiles a component that was found good by [`inspect`](crate::inspect), and sees whether the schema that it carries
/// is one. Blocks until the child has ended, at most for the limit on the time of day.
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
    let schema = inspection.schema.as_deref().unwrap_or_default();
    let job = Job { kind: COMPILE, first: component, second: schema.as_bytes() };
    match job.run(command, limits)? {
        (DONE, code) => Ok(Artefact::from_child(inspection.digest.clone(), inspection.class, code)),
        (NO_SCHEMA, message) => Err(CompileError::Schema(text(&message))),
        (INVALID, message) => Err(CompileError::Invalid(text(&message))),
        (state, _) => Err(CompileError::Crashed(format!("its state {state} is unknown"))),
    }
}

/// What the child is to do.
pub(crate) struct Job<'a> {
    kind: u64,
    first: &'a [u8],
    second: &'a [u8],
}

impl<'a> Job<'a> {
    /// Settings are to be held against a schema.
    pub(crate) fn settings(schema: &'a str, settings: &'a str) -> Self {
        Self { kind: SETTINGS, first: schema.as_bytes(), second: settings.as_bytes() }
    }

    /// Has a child do it: its state, and what it says to it.
    pub(crate) fn run(&self, command: &CompilerCommand, limits: &CompileLimits) -> Result<(u8, Vec<u8>), CompileError> {
        let mut job = Vec::with_capacity(JOB_BYTES + self.first.len() + self.second.len());
        job.extend_from_slice(MAGIC);
        let (address_space, cpu) = (limits.address_space_bytes, limits.cpu.as_secs().max(1));
        for word in [self.kind, address_space, cpu, self.first.len() as u64, self.second.len() as u64] {
            job.extend_from_slice(&word.to_le_bytes());
        }
        job.extend_from_slice(self.first);
        job.extend_from_slice(self.second);

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
        let mut ended = pipes::run(child, job, RESULT_BYTES as u64 + limits.artefact_bytes, limits.wall)
            .map_err(CompileError::Start)?;
        let Some(state) = read_result(&ended.stdout) else { return Err(blame(&ended, limits)) };
        ended.stdout.drain(..RESULT_BYTES);
        Ok((state, ended.stdout))
    }
}

fn text(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

/// The state, if the result is whole.
fn read_result(stdout: &[u8]) -> Option<u8> {
    let rest = stdout.strip_prefix(MAGIC)?;
    let (&state, rest) = rest.split_first()?;
    let (length, payload) = rest.split_at_checked(8)?;
    let length = u64::from_le_bytes(length.try_into().ok()?);
    (payload.len() as u64 == length).then_some(state)
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
