//! Components (`plugins/<sha256>.wasm`): shared by all who uploaded the same bytes. They come in through `plugins/uploads`,
//! hashed on their way, and get their name by rename. What a component carries as assets lies beside it, in
//! `plugins/assets/<sha256>/…`.

use std::io::{self, Write as _};
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
use reprise_lifecycle::time::Timestamp;
use sha2::{Digest, Sha256};

use super::{Files, sync};

/// Below the plugins' folder: what is coming in.
pub(super) const UPLOADS: &str = "uploads";

/// Below the plugins' folder: what components carry with them.
pub(super) const ASSETS: &str = "assets";

/// Whether a text is a digest as files are named by: 64 lower-case hex digits.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A component that is coming in. It leaves nothing behind unless it is placed.
#[derive(Debug)]
pub struct Incoming {
    uploads: Dir,
    name: String,
    file: cap_std::fs::File,
    hash: Sha256,
    bytes: u64,
}

impl Incoming {
    /// Appends.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// How many bytes came.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of what came.
    pub fn digest(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // One that was placed is not there any more; one that stays is swept at the next start.
        let _ = self.uploads.remove_file(&self.name);
    }
}

impl Files {
    /// Begins to take a component in.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn receive_component(&self) -> io::Result<Incoming> {
        let uploads = self.plugins.open_dir(UPLOADS)?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        let file = uploads.create(&name)?;
        Ok(Incoming { uploads, name, file, hash: Sha256::new(), bytes: 0 })
    }

    /// Gives a component that came in whole its name, durably.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn place_component(&self, incoming: &Incoming) -> io::Result<()> {
        incoming.file.sync_all()?;
        let _turn = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        incoming.uploads.rename(&incoming.name, &self.plugins, file_name(&incoming.digest()))?;
        sync(&self.plugins)
    }

    /// Keeps a component under its digest: one that is there is only made young again, so that no sweep takes it before
    /// it is known to be used; one that is damaged is mended.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_component(&self, digest: &str, bytes: &[u8]) -> io::Result<()> {
        let name = file_name(digest);
        let _turn = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        if self.plugins.read(&name).is_ok_and(|kept| kept == bytes) {
            return self
                .plugins
                .open_with(&name, cap_std::fs::OpenOptions::new().write(true))?
                .into_std()
                .set_modified(SystemTime::now());
        }
        Self::write_whole(&self.plugins, &name, bytes)
    }

    /// A component's bytes.
    ///
    /// # Errors
    /// `NotFound` when it is not there, `InvalidData` when it is not what its name says.
    pub fn read_component(&self, digest: &str) -> io::Result<Vec<u8>> {
        let bytes = self.plugins.read(file_name(digest))?;
        if hex::encode(Sha256::digest(&bytes)) != digest {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the component's file was changed"));
        }
        Ok(bytes)
    }

    /// Whether a component's file is there.
    ///
    /// # Errors
    /// When the disk does not tell.
    pub fn has_component(&self, digest: &str) -> io::Result<bool> {
        self.plugins.try_exists(file_name(digest))
    }

    /// A component's file with its length.
    ///
    /// # Errors
    /// `NotFound` when it is not there.
    pub fn open_component(&self, digest: &str) -> io::Result<(std::fs::File, u64)> {
        let file = self.plugins.open(file_name(digest))?.into_std();
        let length = file.metadata()?.len();
        Ok((file, length))
    }

    /// The digests of components that were not written to since `before`.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn components_before(&self, before: Timestamp) -> io::Result<Vec<String>> {
        let mut old = Vec::new();
        for entry in self.plugins.entries()? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let Some(digest) = name.strip_suffix(".wasm").filter(|digest| is_digest(digest)) else { continue };
            if self.is_component_older(digest, before) {
                old.push(digest.to_owned());
            }
        }
        Ok(old)
    }

    /// Removes a component with what came of it, unless it was written to since `before`. Says whether it did.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove_component(&self, digest: &str, before: Timestamp) -> io::Result<bool> {
        let _turn = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have come again since it was found to be old.
        if !self.is_component_older(digest, before) {
            return Ok(false);
        }
        gone(self.plugins.remove_dir_all(format!("{ASSETS}/{digest}")))?;
        gone(self.plugins.remove_file(format!("cache/{digest}")))?;
        gone(self.plugins.remove_file(file_name(digest)))?;
        Ok(true)
    }

    fn is_component_older(&self, digest: &str, before: Timestamp) -> bool {
        let Ok(metadata) = self.plugins.symlink_metadata(file_name(digest)) else { return false };
        let before = UNIX_EPOCH + Duration::from_millis(u64::try_from(before.0).unwrap_or(0));
        metadata.modified().is_ok_and(|modified| modified.into_std() < before)
    }
}

/// Removes what a crash left half taken in.
pub(super) fn sweep_uploads(plugins: &Dir) -> io::Result<()> {
    let uploads = plugins.open_dir(UPLOADS)?;
    for entry in uploads.entries()? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => uploads.remove_dir_all(entry.file_name())?,
            false => uploads.remove_file(entry.file_name())?,
        }
    }
    Ok(())
}

fn file_name(digest: &str) -> String {
    format!("{digest}.wasm")
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        (dir, files)
    }

    fn names(dir: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(dir.path().join("plugins/uploads")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_comes_in_is_placed_whole_or_leaves_nothing() {
        let (dir, files) = files();
        let mut incoming = files.receive_component().unwrap();
        incoming.write(b"ab").unwrap();
        incoming.write(b"c").unwrap();
        let digest = incoming.digest();
        assert_eq!((incoming.bytes(), digest.as_str()), (3, &*hex::encode(Sha256::digest(b"abc"))));
        files.place_component(&incoming).unwrap();
        drop(incoming);
        assert_eq!(files.read_component(&digest).unwrap(), b"abc");
        drop(files.receive_component().unwrap());
        assert_eq!(names(&dir), Vec::<String>::new());

        std::mem::forget(files.receive_component().unwrap());
        assert_eq!(names(&dir).len(), 1, "as a crash leaves it");
        drop(files);
        Files::open(dir.path()).unwrap();
        assert_eq!(names(&dir), Vec::<String>::new());
    }

    #[test]
    fn a_damaged_component_is_told_and_mended_and_only_old_ones_go() {
        let (dir, files) = files();
        let digest = hex::encode(Sha256::digest(b"abc"));
        files.keep_component(&digest, b"abc").unwrap();
        let path = dir.path().join(format!("plugins/{digest}.wasm"));
        std::fs::write(&path, "abd").unwrap();
        assert_eq!(files.read_component(&digest).unwrap_err().kind(), io::ErrorKind::InvalidData);
        files.keep_component(&digest, b"abc").unwrap();
        assert_eq!(files.read_component(&digest).unwrap(), b"abc");

        let at = |seconds: u64| Timestamp(i64::try_from(seconds * 1000).unwrap());
        let old = UNIX_EPOCH + Duration::from_secs(1_000);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert_eq!(files.components_before(at(1_000)).unwrap(), Vec::<String>::new());
        assert_eq!(files.components_before(at(1_001)).unwrap(), [digest.as_str()]);
        files.keep_component(&digest, b"abc").unwrap();
        assert!(!files.remove_component(&digest, at(1_001)).unwrap(), "it came again meanwhile");
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        std::fs::write(dir.path().join(format!("plugins/cache/{digest}")), "code").unwrap();
        std::fs::create_dir_all(dir.path().join(format!("plugins/assets/{digest}/a"))).unwrap();
        assert!(files.remove_component(&digest, at(1_001)).unwrap());
        for gone in [format!("{digest}.wasm"), format!("cache/{digest}"), format!("assets/{digest}")] {
            assert!(!dir.path().join("plugins").join(&gone).exists(), "{gone}");
        }
    }
}
