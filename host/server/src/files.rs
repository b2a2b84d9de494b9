//! Where files live. Everything below the data folder is reached through directory handles that cannot be left
//! (cap-std), by names that we made ourselves: ids and fixed words, never a tenant's text.
//!
//! ```text
//! catalogue.db  admin-token  master-key  lock
//! plugins/<sha256>.wasm  plugins/cache/…  plugins/assets/<sha256>/…  plugins/uploads/…
//! media/<video id>/source.mp4         the recording; source.index beside it once it is closed
//! media/<video id>/<job id>/…         one rendition, or one series of pictures; appears by rename
//! images/<tenant>/<image id>.png      pictures for editing; or .jpg
//! work/<attempt>/…                    one attempt of a job; swept at start
//! trash/<time>-<video id>-<n>/…       what was removed, until its grace is over
//! ```

mod assets;
pub mod components;
mod editing;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::time::Timestamp;

/// The recording's file in its video's folder.
pub const SOURCE: &str = "source.mp4";

/// The fragment index beside a closed recording.
pub const SOURCE_INDEX: &str = "source.index";

/// The catalogue's file name.
pub const CATALOGUE: &str = "catalogue.db";

/// Only the owner may look into the data folder: it holds keys and tenants' media.
const FOLDER_MODE: u32 = 0o700;

/// Only the owner may read a key.
const KEY_MODE: u32 = 0o600;

/// The data folder, opened.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    dir: Dir,
    media: Dir,
    work: Dir,
    trash: Dir,
    plugins: Dir,
    /// Held while a component gets or loses its name, so that a sweep never takes one that is just coming again.
    components: Mutex<()>,
    _lock: cap_std::fs::File,
}

impl Files {
    /// Opens the data folder, making what is missing, and takes its lock.
    ///
    /// # Errors
    /// When the folder cannot be made or read, or another server holds it (`WouldBlock`).
    pub fn open(root: &Path) -> io::Result<Self> {
        Dir::create_ambient_dir_all(root, ambient_authority())?;
        let root = root.canonicalize()?;
        let dir = Dir::open_ambient_dir(&root, ambient_authority())?;
        let lock = lock(&dir)?;
        for name in ["media", "work", "trash", "plugins", "plugins/cache", "plugins/uploads", "plugins/assets"] {
            make_folder(&dir, name)?;
        }
        let (media, work, plugins) = (dir.open_dir("media")?, dir.open_dir("work")?, dir.open_dir("plugins")?);
        let trash = dir.open_dir("trash")?;
        components::sweep_uploads(&plugins)?;
        sync(&dir)?;
        Ok(Self { root, dir, media, work, trash, plugins, components: Mutex::default(), _lock: lock })
    }

    /// The data folder's absolute path, for the programs that need one (SQLite, ffmpeg).
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The catalogue's absolute path.
    pub fn catalogue(&self) -> PathBuf {
        self.root.join(CATALOGUE)
    }

    /// All videos' folders.
    pub fn media(&self) -> &Dir {
        &self.media
    }

    /// What was removed and is yet to be deleted.
    pub fn trash(&self) -> &Dir {
        &self.trash
    }

    /// The plugins' folder.
    pub fn plugins(&self) -> &Dir {
        &self.plugins
    }

    /// The absolute path of a file in a video's folder, for ffmpeg's sandbox.
    pub fn media_path(&self, video: &VideoId, file: &str) -> PathBuf {
        self.root.join("media").join(video.as_str()).join(file)
    }

    /// A video's folder, made durable if it is new.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn make_video(&self, video: &VideoId) -> io::Result<Dir> {
        make_folder(&self.media, video.as_str())?;
        sync(&self.media)?;
        self.media.open_dir(video.as_str())
    }

    /// A video's folder.
    ///
    /// # Errors
    /// When it is not there.
    pub fn video(&self, video: &VideoId) -> io::Result<Dir> {
        self.media.open_dir(video.as_str())
    }

    /// When a video's recording was last written, if it is there.
    pub fn written_at(&self, video: &VideoId) -> Option<Timestamp> {
        let modified = self.video(video).and_then(|dir| dir.metadata(SOURCE)?.modified()).ok()?;
        let since = modified.into_std().duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok().map(Timestamp)
    }

    /// A fresh folder for one attempt of a job; an older one of that name is removed first.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn fresh_work(&self, attempt: &str) -> io::Result<PathBuf> {
        match self.work.remove_dir_all(attempt) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        make_folder(&self.work, attempt)?;
        Ok(self.work_path(attempt))
    }

    /// The absolute path of an attempt's folder.
    pub fn work_path(&self, attempt: &str) -> PathBuf {
        self.root.join("work").join(attempt)
    }

    /// Removes an attempt's folder with all in it.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove_work(&self, attempt: &str) -> io::Result<()> {
        match self.work.remove_dir_all(attempt) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes every attempt's folder: at start nothing is running.
    ///
    /// # Errors
    /// When the folder cannot be listed or one cannot be removed.
    pub fn sweep_work(&self) -> io::Result<()> {
        for entry in self.work.entries()? {
            self.work.remove_dir_all(entry?.file_name())?;
        }
        Ok(())
    }

    /// Moves a finished folder from an attempt into its video's folder, synced before and after. One that is
    /// there already came from an earlier attempt whose record was lost, and gives way. A video whose folder is not
    /// there was removed meanwhile, and does not come back.
    ///
    /// # Errors
    /// When a file cannot be synced, the folder cannot be moved, or the video has none.
    pub fn publish(&self, attempt: &str, folder: &str, video: &VideoId, name: &str) -> io::Result<()> {
        let from = self.work.open_dir(attempt)?;
        sync_tree(&from.open_dir(folder)?)?;
        let to = self.video(video)?;
        match to.remove_dir_all(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        from.rename(folder, &to, name)?;
        sync(&to)
    }

    /// The secret in `name`, made by `make` when it is not there yet. Written whole or not at all.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub fn secret(&self, name: &str, make: impl FnOnce() -> io::Result<String>) -> io::Result<String> {
        match self.dir.read_to_string(name) {
            Ok(secret) => return Ok(secret.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let secret = make()?;
        let fresh = format!("{name}.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(KEY_MODE);
        let mut file = self.dir.open_with(&fresh, &options)?;
        io::Write::write_all(&mut file, secret.as_bytes())?;
        file.sync_all()?;
        self.dir.rename(&fresh, &self.dir, name)?;
        sync(&self.dir)?;
        Ok(secret)
    }

    /// Writes `bytes` to `name` in `dir`, whole or not at all, and synced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_whole(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
        let fresh = format!("{name}.new");
        let mut file = dir.create(&fresh)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        dir.rename(&fresh, dir, name)?;
        sync(dir)
    }

    /// Free bytes on the disk of the data folder.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let stat = nix::sys::statvfs::statvfs(&self.root)?;
        Ok(stat.blocks_available() * stat.fragment_size())
    }
}

fn lock(dir: &Dir) -> io::Result<cap_std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(KEY_MODE);
    let file = dir.open_with("lock", &options)?;
    let file = file.into_std();
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => {
            io::Error::new(io::ErrorKind::WouldBlock, "another reprise server holds this data folder")
        }
        std::fs::TryLockError::Error(error) => error,
    })?;
    Ok(cap_std::fs::File::from_std(file))
}

fn make_folder(dir: &Dir, name: &str) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE);
    dir.create_dir_with(name, &builder)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// When the disk refuses.
pub fn sync(dir: &Dir) -> io::Result<()> {
    dir.open(".")?.sync_all()
}

fn sync_tree(dir: &Dir) -> io::Result<()> {
    for entry in dir.entries()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.open_dir()?)?;
        } else {
            entry.open()?.sync_all()?;
        }
    }
    sync(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let first = Files::open(dir.path()).unwrap();
        assert_eq!(Files::open(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(first);
        Files::open(dir.path()).unwrap();
    }

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        let first = files.secret("admin-token", || Ok("one".into())).unwrap();
        let second = files.secret("admin-token", || Ok("two".into())).unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("one", "one"));
        let mode = std::fs::metadata(dir.path().join("admin-token")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_finished_folder_appears_whole_and_can_appear_again() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        let video = VideoId::new("v1");
        files.make_video(&video).unwrap();
        for text in ["first", "again"] {
            let work = files.fresh_work("a1").unwrap();
            std::fs::create_dir(work.join("job")).unwrap();
            std::fs::write(work.join("job/index.m3u8"), text).unwrap();
            files.publish("a1", "job", &video, "j1").unwrap();
            let read = files.video(&video).unwrap().read_to_string("j1/index.m3u8").unwrap();
            assert_eq!(read, text);
        }
    }

    #[test]
    fn a_removed_video_does_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        let work = files.fresh_work("a1").unwrap();
        std::fs::create_dir(work.join("job")).unwrap();
        let error = files.publish("a1", "job", &VideoId::new("v1"), "j1").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!dir.path().join("media/v1").exists());
    }
}
