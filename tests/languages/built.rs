//! Components of project folders, built once for each content of the folder.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

/// What tools and builds leave in a project's folder.
const NOT_SOURCES: [&str; 5] = ["node_modules", "build", "target", "__pycache__", "package-lock.json"];

/// One build at a time: what one of them installs, the next one finds whole.
static BUILDING: Mutex<()> = Mutex::new(());

/// The component of a folder in the workspace, by `reprise plugin build`. JavaScript and Python take a quarter of a minute
/// each, and a minute more when their tools are installed for the first time; so what was built is kept below `target`.
pub(crate) fn component(folder: &str, also: &[&str]) -> anyhow::Result<Vec<u8>> {
    kept(folder, &[&[folder], also].concat(), |output| {
        let built = Command::new(reprise_tests::server::binary()?)
            .args(["plugin", "build", folder, "--profile", "plugin", "--output"])
            .arg(output)
            .current_dir(super::root())
            .output()
            .context("cannot run the server; build it first: cargo build")?;
        anyhow::ensure!(built.status.success(), "{folder}: {}", String::from_utf8_lossy(&built.stderr));
        Ok(())
    })
}

/// What was built of these sources before, or what `build` leaves in a file.
pub(crate) fn kept(
    name: &str,
    sources: &[&str],
    build: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<u8>> {
    let root = super::root();
    let cache = root.join("target/tmp/languages");
    std::fs::create_dir_all(&cache)?;
    let cache = cache.canonicalize()?;
    let name = format!("{}-{:016x}", name.replace('/', "-"), content(&root, sources)?);
    let kept = cache.join(format!("{name}.wasm"));
    let _alone = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    if !kept.is_file() {
        let fresh = cache.join(format!("{name}.{}", std::process::id()));
        build(&fresh)?;
        // Whole or not at all, for whoever runs beside.
        std::fs::rename(&fresh, &kept)?;
    }
    Ok(std::fs::read(kept)?)
}

/// A number for all that the folders hold, and for the way they are built.
fn content(root: &Path, folders: &[&str]) -> anyhow::Result<u64> {
    let mut hasher = DefaultHasher::new();
    let build = ["host/server/src/cli/plugin/build", "host/server/src/cli/plugin/build.rs"];
    for folder in folders.iter().chain(&build) {
        let mut files = BTreeSet::new();
        gather(&root.join(folder), &mut files)?;
        for file in files {
            file.hash(&mut hasher);
            std::fs::read(&file)?.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

fn gather(path: &Path, files: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    if path.is_file() {
        files.insert(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !NOT_SOURCES.contains(&name.as_str()) {
            gather(&entry.path(), files)?;
        }
    }
    Ok(())
}
