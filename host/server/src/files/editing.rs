//! The files of editing: images (`images/<tenant>/<image id>.<png|jpg>`), materials that are pinned while they are used,
//! and the source that comes of them. Everything appears whole or not at all.

use std::io;
use std::path::PathBuf;

use reprise_lifecycle::id::VideoId;

use super::{Files, SOURCE, SOURCE_INDEX, make_folder, sync, sync_tree};

const IMAGES: &str = "images";

impl Files {
    /// Writes an image. Its name comes of our own id and a fixed extension.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_image(&self, tenant: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        make_folder(&self.dir, &format!("{IMAGES}/{tenant}"))?;
        let images = self.dir.open_dir(IMAGES)?;
        sync(&self.dir)?;
        sync(&images)?;
        Files::write_whole(&images.open_dir(tenant)?, name, bytes)
    }

    /// A tenant's images.
    ///
    /// # Errors
    /// `NotFound` when there are none.
    pub fn images(&self, tenant: &str) -> io::Result<cap_std::fs::Dir> {
        self.dir.open_dir(format!("{IMAGES}/{tenant}"))
    }

    /// Removes an image; one that is not there is gone already.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_image(&self, tenant: &str, name: &str) -> io::Result<()> {
        match self.dir.remove_file(format!("{IMAGES}/{tenant}/{name}")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Gives a file of a video (`source.mp4`) a second name in an attempt's folder, so that it stays while the attempt
    /// runs even if the video is removed. The folder must not be one that a program writes to.
    ///
    /// # Errors
    /// `NotFound` when the video has no such file.
    pub fn pin_video(&self, video: &str, file: &str, attempt: &str, name: &str) -> io::Result<PathBuf> {
        let from = self.media.open_dir(video)?;
        self.pin(&from, file, attempt, name)
    }

    /// Like [`Files::pin_video`], for an image.
    ///
    /// # Errors
    /// `NotFound` when there is no such image.
    pub fn pin_image(&self, tenant: &str, file: &str, attempt: &str) -> io::Result<PathBuf> {
        let from = self.images(tenant)?;
        self.pin(&from, file, attempt, file)
    }

    /// Moves a finished source out of an attempt into its video's folder, with its index, synced before and after. Files
    /// that are there already came from an earlier attempt whose record was lost, and give way. A video whose folder is not
    /// there was removed meanwhile, and does not come back.
    ///
    /// # Errors
    /// When a file cannot be synced or moved, or the video has no folder.
    pub fn publish_source(&self, attempt: &str, folder: &str, video: &VideoId) -> io::Result<()> {
        let from = self.work.open_dir(attempt)?.open_dir(folder)?;
        sync_tree(&from)?;
        let to = self.video(video)?;
        // An index of another file is known by the length it says, so readers are never misled in between.
        for name in [SOURCE_INDEX, SOURCE] {
            from.rename(name, &to, name)?;
        }
        sync(&to)
    }

    fn pin(&self, from: &cap_std::fs::Dir, file: &str, attempt: &str, name: &str) -> io::Result<PathBuf> {
        let to = self.work.open_dir(attempt)?;
        if !from.symlink_metadata(file)?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        from.hard_link(file, &to, name)?;
        Ok(self.root.join("work").join(attempt).join(name))
    }
}
