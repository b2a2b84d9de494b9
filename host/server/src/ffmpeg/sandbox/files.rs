//! Which files the boxed program can reach: landlock.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::{Layer, SandboxSpec};

/// The rights of Linux 6.12: everything on files, TCP, signals and abstract sockets out of the box. Older kernels
/// enforce the part they know.
const RIGHTS: ABI = ABI::V6;

/// Where shared libraries live. Nothing here is secret.
const LIBRARIES: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    // Encoders ask how many processors there are.
    "/sys/devices/system",
    "/dev/urandom",
];

/// The dynamic linker is started in the program's name.
const LINKERS: &[&str] = &[
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

pub(super) fn restrict(spec: &SandboxSpec, program: &Path) -> Layer {
    match try_restrict(spec, program) {
        Ok(RulesetStatus::FullyEnforced) => Layer::Enforced,
        Ok(RulesetStatus::PartiallyEnforced) => Layer::Partial("this kernel knows an older landlock".into()),
        Ok(_) => Layer::Missing("this kernel has no landlock".into()),
        Err(error) => Layer::Missing(error.to_string()),
    }
}

fn try_restrict(spec: &SandboxSpec, program: &Path) -> Result<RulesetStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let execute = BitFlags::from(AccessFs::Execute) | AccessFs::ReadFile;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RIGHTS))?
        // Handled and never granted: no address may be bound or dialled.
        .handle_access(AccessNet::from_all(RIGHTS))?
        .scope(Scope::from_all(RIGHTS))?
        .create()?
        .add_rules(path_beneath_rules(LIBRARIES, read))?
        .add_rules(path_beneath_rules(libraries_beside(program), read))?
        .add_rules(path_beneath_rules(LINKERS, execute))?
        .add_rules(path_beneath_rules([program], execute))?
        .add_rules(path_beneath_rules(["/dev/null"], read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(&spec.readable, read))?
        .add_rules(path_beneath_rules([&spec.work_dir], work()))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// In its own folder the program makes files and folders. It makes no links, devices or sockets, and starts nothing.
fn work() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
}

/// A build that an operator unpacked somewhere brings its libraries in `../lib`.
fn libraries_beside(program: &Path) -> Option<PathBuf> {
    let prefix = program.parent()?.parent()?;
    let real = prefix != Path::new("/");
    real.then(|| prefix.join("lib"))
}
