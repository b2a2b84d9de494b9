//! Namespaces, resource limits and priority.

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};

use super::{Layer, SandboxSpec};

/// Seconds between the signal that asks a program to end for its processor time and the one that makes it.
const CPU_GRACE_SECONDS: u64 = 5;
/// Segments of a playlist are opened one after the other; twenty outputs and the libraries need far fewer.
const OPEN_FILES: u64 = 256;
/// Threads of twenty encoders. Counted per user, so it is set only inside a user namespace of our own, where nobody
/// else counts.
const THREADS: u64 = 512;
/// Encoding gives way to recording: what is not recorded now is lost, what is not encoded now is late.
const NICE: i32 = 10;
/// The kernel ends the highest first.
const OOM_FIRST: &str = "1000";
/// What is encoded before it is needed gives way to what somebody waits for.
const NICE_BACKGROUND: i32 = 19;

/// Leaves the host's network, System V IPC and user ids. Where user namespaces are switched off, seccomp still denies
/// sockets.
pub(super) fn own_namespaces() -> Layer {
    let flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
    match unshare(flags) {
        Ok(()) => Layer::Enforced,
        Err(error) => Layer::Missing(format!("unshare: {error}")),
    }
}

/// Puts this process in front where the kernel must end one for want of memory: an encode is made again, a recording is
/// not. Done first, as long as `/proc` is ours to write.
pub(super) fn end_first() -> std::io::Result<()> {
    std::fs::write("/proc/self/oom_score_adj", OOM_FIRST)
}

/// Sets the limits and the priority. `own_users` says whether the process count is ours alone, `oom` what came of
/// [`end_first`].
pub(super) fn limit(spec: &SandboxSpec, own_users: bool, oom: std::io::Result<()>) -> Layer {
    let cpu = spec.cpu_seconds.max(1);
    let mut limits = vec![
        (Resource::RLIMIT_AS, spec.memory_bytes, spec.memory_bytes),
        (Resource::RLIMIT_CPU, cpu, cpu + CPU_GRACE_SECONDS),
        (Resource::RLIMIT_FSIZE, spec.file_size_bytes, spec.file_size_bytes),
        (Resource::RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
        // A core file would be a tenant's pictures on the host's disk.
        (Resource::RLIMIT_CORE, 0, 0),
    ];
    if own_users {
        limits.push((Resource::RLIMIT_NPROC, THREADS, THREADS));
    }
    let mut missing: Vec<String> = Vec::new();
    missing.extend(oom.err().map(|error| format!("oom_score_adj: {error}")));
    for (resource, soft, hard) in limits {
        if let Err(error) = setrlimit(resource, soft, hard) {
            missing.push(format!("{resource:?}: {error}"));
        }
    }
    if let Err(error) = rustix::process::nice(if spec.background { NICE_BACKGROUND } else { NICE }) {
        missing.push(format!("nice: {error}"));
    }
    if missing.is_empty() { Layer::Enforced } else { Layer::Missing(missing.join(", ")) }
}
