//! Where the programs are.

use std::path::{Path, PathBuf};

/// The programs that a run needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// Absolute, with links resolved: landlock grants execution to this one file.
    pub ffmpeg: PathBuf,
    pub ffprobe: PathBuf,
    /// Our own binary, for its `sandbox` command.
    pub helper: PathBuf,
    /// Refuse to run media without landlock and seccomp.
    pub strict: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    #[error("{name} is not in PATH; install ffmpeg (Debian: apt-get install ffmpeg)")]
    NotFound { name: &'static str },
}

/// Names the running binary even after an upgrade has replaced the file it was started from.
const SELF: &str = "/proc/self/exe";

impl Tools {
    /// Looks in `PATH`; the helper is the running binary.
    pub fn find() -> Result<Tools, ToolsError> {
        Ok(Tools {
            ffmpeg: in_path("ffmpeg")?,
            ffprobe: in_path("ffprobe")?,
            helper: PathBuf::from(SELF),
            strict: false,
        })
    }
}

fn in_path(name: &'static str) -> Result<PathBuf, ToolsError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter_map(|folder| folder.join(name).canonicalize().ok())
        .find(|file| is_program(file))
        .ok_or(ToolsError::NotFound { name })
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
