//! Other people's programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Runs a program in a folder. All it says goes to stderr, since stdout is for the component's path.
///
/// # Errors
///
/// When it is not there, with `missing` as what to do then, or does not end well.
pub(super) fn run(command: &mut Command, folder: &Path, missing: &str) -> anyhow::Result<()> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.current_dir(folder).stdin(Stdio::null()).stdout(std::io::stderr());
    let status = match command.status() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("{name} is not installed; {missing}"),
        status => status.with_context(|| format!("cannot run {name}"))?,
    };
    if !status.success() {
        bail!("{name} failed: {status}");
    }
    Ok(())
}

/// What a program prints when it is asked for something about itself.
///
/// # Errors
///
/// When it is not there, with `missing` as what to do then, or does not end well.
pub(super) fn said(program: &str, asked: &str, missing: &str) -> anyhow::Result<String> {
    let output = match Command::new(program).arg(asked).stdin(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("{program} is not installed; {missing}"),
        output => output.with_context(|| format!("cannot run {program}"))?,
    };
    if !output.status.success() {
        bail!("{program} {asked} failed: {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Says what takes a while.
pub(super) fn step(what: &str) {
    eprintln!("{what}");
}

/// A folder as programs that run in it are to be told of it.
pub(super) fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))
}

/// A file that a program writes and we read once.
pub(super) struct Product(PathBuf);

impl Product {
    /// In the project's `build` folder, which is made.
    pub(super) fn new(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let build = folder.join("build");
        std::fs::create_dir_all(&build).with_context(|| format!("cannot make {}", build.display()))?;
        Ok(Self(build.join(format!("{name}.{}.tmp", std::process::id()))))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn read(&self) -> anyhow::Result<Vec<u8>> {
        std::fs::read(&self.0).with_context(|| format!("the tools did not write {}", self.0.display()))
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        // A file that was never written, or cannot go, is no reason to fail a build.
        let _ = std::fs::remove_file(&self.0);
    }
}
