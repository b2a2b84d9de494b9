//! What components carry with them (`plugins/assets/<sha256>/…`): written whole beside, then there by rename. Who reads it
//! may rely on all of it being there, or nothing.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::PoisonError;

use super::components::{ASSETS, UPLOADS};
use super::{Files, make_folder, sync, sync_tree};

impl Files {
    /// Unpacks the files of a component. Files that are there already came from the same bytes.
    ///
    /// # Errors
    /// When the disk refuses; nothing is there then.
    pub fn unpack_assets(&self, digest: &str, files: &[(&str, &[u8])]) -> io::Result<()> {
        let assets = self.plugins.open_dir(ASSETS)?;
        let _turn = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        if files.is_empty() || assets.is_dir(digest) {
            return Ok(());
        }
        let uploads = self.plugins.open_dir(UPLOADS)?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        make_folder(&uploads, &name)?;
        let folder = uploads.open_dir(&name)?;
        let written = files.iter().try_for_each(|(path, bytes)| {
            if let Some(parent) = Path::new(path).parent() {
                folder.create_dir_all(parent)?;
            }
            folder.create(path)?.write_all(bytes)
        });
        let placed = written.and_then(|()| sync_tree(&folder)).and_then(|()| uploads.rename(&name, &assets, digest));
        if placed.is_err() {
            // What stays is swept at the next start.
            let _ = uploads.remove_dir_all(&name);
        }
        placed.and_then(|()| sync(&assets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_there_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        let plugins = dir.path().join("plugins");
        files.unpack_assets("d1", &[]).unwrap();
        assert!(!plugins.join("assets/d1").exists());
        files.unpack_assets("d1", &[("a.txt", b"a"), ("rules/cups/one.json", b"{}")]).unwrap();
        assert_eq!(std::fs::read(plugins.join("assets/d1/rules/cups/one.json")).unwrap(), b"{}");
        files.unpack_assets("d1", &[("a.txt", b"other")]).unwrap();
        assert_eq!(std::fs::read(plugins.join("assets/d1/a.txt")).unwrap(), b"a", "what is there stays");

        // Paths are checked where components are inspected; the handle cannot be left in any case.
        for outside in ["../../../secret", "/tmp/secret"] {
            assert!(files.unpack_assets("d2", &[("a.txt", b"a"), (outside, b"x")]).is_err(), "{outside}");
        }
        assert!(!plugins.join("assets/d2").exists() && !dir.path().join("secret").exists());
        assert_eq!(std::fs::read_dir(plugins.join("uploads")).unwrap().count(), 0);

        std::fs::create_dir_all(plugins.join("uploads/left/over")).unwrap();
        drop(files);
        Files::open(dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(plugins.join("uploads")).unwrap().count(), 0, "as a crash leaves it");
    }
}
