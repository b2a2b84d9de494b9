//! One part's file: append and sync, cut to what is whole, seal. Everything here blocks; it runs on blocking
//! threads. An error of a sync is final for the file: a second sync could succeed without the data.

use std::io::{self, Seek, SeekFrom, Write};

use cap_std::fs::{Dir, File, OpenOptions};
use reprise_lifecycle::id::VideoId;
use reprise_media::fmp4::{FragmentIndex, Scan, scan};

use crate::files::{self, Files};

/// An open part file, positioned at its end.
#[derive(Debug)]
pub(super) struct PartFile {
    dir: Dir,
    file: File,
    len: u64,
}

impl PartFile {
    /// A new file with these first bytes. One that is there already holds nothing that was promised to anybody:
    /// its part had no record.
    pub(super) fn create(files: &Files, video: &VideoId, init: &[u8]) -> io::Result<Self> {
        let dir = files.make_video(video)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = dir.open_with(files::SOURCE, &options)?;
        let mut part = Self { dir, file, len: 0 };
        part.append(init)?;
        files::sync(&part.dir)?;
        Ok(part)
    }

    /// A file that an earlier publisher, or an earlier run of the server, left open: checked against its
    /// checksums and cut to what is whole. `None` when there is none.
    pub(super) fn reopen(files: &Files, video: &VideoId) -> io::Result<Option<(Self, Scan)>> {
        let opened = files.video(video).and_then(|dir| {
            let mut options = OpenOptions::new();
            options.read(true).write(true);
            let file = dir.open_with(files::SOURCE, &options)?;
            Ok((dir, file))
        });
        let (dir, mut file) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let scan = scan(&mut file, true)?;
        if scan.lost_bytes() > 0 {
            tracing::warn!(video.id = %video, lost_bytes = scan.lost_bytes(), "a part's file was cut to what is whole");
            file.set_len(scan.valid_len)?;
            file.sync_all()?;
        }
        file.seek(SeekFrom::Start(scan.valid_len))?;
        let len = scan.valid_len;
        Ok(Some((Self { dir, file, len }, scan)))
    }

    /// Bytes that are synced.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends and syncs.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The file is complete: it is read back by its headers, and its index is written beside it.
    pub(super) fn seal(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let scan = scan(&mut self.file, false)?;
        if scan.valid_len != self.len {
            let what = format!("{} bytes were written but {} read back whole", self.len, scan.valid_len);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        // A disk without room for the index must not keep the recording from being whole.
        if let Err(error) = write_index(&self.dir, &scan) {
            tracing::warn!(error = %error, "the index of a part was not written; the part is scanned when it plays");
        }
        Ok(())
    }
}

/// Writes the index of a complete part. It only saves a scan, so a part without it plays all the same.
pub(super) fn write_index(dir: &Dir, scan: &Scan) -> io::Result<()> {
    match FragmentIndex::from_scan(scan) {
        Some(index) => Files::write_whole(dir, files::SOURCE_INDEX, &index.to_bytes()),
        None => Ok(()),
    }
}
