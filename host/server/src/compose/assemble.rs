//! Carrying out the plan of a file: copies by the kernel, and the few bytes of each fragment that change.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use cap_std::fs::Dir;
use reprise_media::compose::{Assembly, Op};
use reprise_media::fmp4::{FragmentEntry, Shift, TRAILER_BYTES, rebase};
use tokio_util::sync::CancellationToken;

use super::Error;
use super::part::read_moof;

/// Bytes copied before cancellation is looked at again: a fraction of a second on a slow disk.
const CHUNK_BYTES: u64 = 32 << 20;

/// Files that are read, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources(Vec<(Arc<Dir>, String)>);

impl Sources {
    /// Adds a file and says its number.
    pub(super) fn add(&mut self, dir: &Arc<Dir>, name: String) -> usize {
        self.0.push((Arc::clone(dir), name));
        self.0.len() - 1
    }

    pub(super) fn open(&self, number: usize) -> io::Result<File> {
        let (dir, name) = self.0.get(number).ok_or(io::ErrorKind::NotFound)?;
        Ok(dir.open(name)?.into_std())
    }
}

/// Writes an assembly to `out`, from its beginning.
pub(super) fn write(
    assembly: &Assembly,
    sources: &Sources,
    out: &mut File,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let mut writer = Writer { sources, open: None, out, cancel };
    writer.out.write_all(&assembly.init)?;
    for op in &assembly.ops {
        match op {
            Op::Copy { file, offset, len } => writer.copy(*file, *offset, *len)?,
            Op::Rebase { file, entry, moved, shift } => writer.rebase(*file, entry, moved, shift)?,
        }
    }
    Ok(())
}

struct Writer<'a> {
    sources: &'a Sources,
    /// Runs come file by file, so one is open at a time however many there are.
    open: Option<(usize, File)>,
    out: &'a mut File,
    cancel: &'a CancellationToken,
}

impl Writer<'_> {
    fn source(&mut self, number: usize) -> io::Result<&mut File> {
        let open = match self.open.take() {
            Some(open) if open.0 == number => open,
            _ => (number, self.sources.open(number)?),
        };
        Ok(&mut self.open.insert(open).1)
    }

    /// Copies bytes; between two files on one disk the kernel does it by itself (`copy_file_range`).
    fn copy(&mut self, number: usize, offset: u64, len: u64) -> Result<(), Error> {
        self.source(number)?.seek(SeekFrom::Start(offset))?;
        let Some((_, source)) = &mut self.open else { return Ok(()) };
        let mut left = len;
        while left > 0 {
            if self.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let want = left.min(CHUNK_BYTES);
            let copied = io::copy(&mut (&*source).take(want), &mut &*self.out)?;
            if copied != want {
                return Err(Error::Media("a part is shorter than its index says".to_owned()));
            }
            left -= copied;
        }
        Ok(())
    }

    fn rebase(
        &mut self,
        number: usize,
        entry: &FragmentEntry,
        moved: &FragmentEntry,
        shift: &Shift,
    ) -> Result<(), Error> {
        let source = self.source(number)?;
        let mut moof = read_moof(source, entry.range())?;
        let mut trailer = [0; TRAILER_BYTES as usize];
        source.seek(SeekFrom::Start(entry.offset + u64::from(entry.size)))?;
        source.read_exact(&mut trailer)?;
        let trailer =
            rebase(entry, moved, shift, &mut moof, &trailer).map_err(|error| Error::Media(error.to_string()))?;
        self.out.write_all(&moof)?;
        let head = moof.len() as u64;
        self.copy(number, entry.offset + head, u64::from(entry.size) - head)?;
        self.out.write_all(&trailer)?;
        Ok(())
    }
}
