//! The files that a policy was built with: unpacked at its push, below the plugins' folder, under the component's
//! digest. A guest names them by paths; the handle they are read through cannot be left.

use std::io::{self, Read};
use std::sync::Arc;

use cap_std::fs::Dir;
use reprise_policy::{Assets, MAX_ASSET_PATH_PARTS, MAX_ASSETS, MAX_ASSETS_BYTES, NoAssets};

/// The largest file that is read, which all of a component's files together do not pass.
const MAX_BYTES: u64 = MAX_ASSETS_BYTES as u64;

/// A component's files.
#[derive(Debug)]
struct Unpacked {
    dir: Dir,
}

/// The files of a component; none if it came without.
pub(super) fn of(plugins: &Dir, digest: &str) -> Arc<dyn Assets> {
    match plugins.open_dir(format!("assets/{digest}")) {
        Ok(dir) => Arc::new(Unpacked { dir }),
        Err(_) => NoAssets::shared(),
    }
}

impl Assets for Unpacked {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.dir.open(path).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        // What cannot be listed is not there for the guest.
        let _ = list(&self.dir, "", 0, &mut paths);
        paths.sort();
        paths
    }
}

/// Lists as many files as are accepted at a push, in folders as deep. More is none of ours.
fn list(dir: &Dir, prefix: &str, depth: usize, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in dir.entries()? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < MAX_ASSET_PATH_PARTS {
            list(&entry.open_dir()?, &format!("{prefix}{name}/"), depth + 1, paths)?;
        } else if kind.is_file() && paths.len() < MAX_ASSETS {
            paths.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn files_are_read_by_their_paths_and_nothing_outside_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("assets/d1/rules")).unwrap();
        std::fs::write(folder.path().join("assets/d1/rules/cup.json"), "{}").unwrap();
        std::fs::write(folder.path().join("assets/d1/a.txt"), "a").unwrap();
        std::fs::write(folder.path().join("secret"), "hush").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("assets/d1/link")).unwrap();
        let plugins = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let files = of(&plugins, "d1");
        assert_eq!(files.paths(), ["a.txt", "rules/cup.json"]);
        assert_eq!(files.read("rules/cup.json").as_deref(), Some(b"{}".as_slice()));
        for outside in ["../../secret", "/etc/hostname", "link", "rules", "", "none", "rules/../../../secret"] {
            assert_eq!(files.read(outside), None, "{outside}");
        }
        assert!(of(&plugins, "d2").paths().is_empty());
    }
}
