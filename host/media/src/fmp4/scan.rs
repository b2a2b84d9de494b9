//! Reading a part file back: what is whole, and up to where.
//!
//! A file that was cut or damaged anywhere is valid up to its last whole block before the damage; recovery is to
//! truncate there. Nothing is guessed and nothing is repaired. Declared sizes are checked against the file's length
//! and a limit before a byte is read for them, and only the init segment is ever held in memory.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use mp4_atom::{Atom, Decode, FourCC, Ftyp, Header, Mdat, Moof, Moov};

use super::trailer::{Trailer, looks_like};
use super::{ByteRange, FragmentEntry, MAX_INIT_BYTES, MAX_MDAT_BYTES, MAX_MOOF_BYTES, TRAILER_BYTES, read_tracks};
use crate::track::Tracks;

/// Bytes read at a time while a checksum is made.
const CHUNK_BYTES: usize = 64 * 1024;

const HEADER_BYTES: u64 = 8;

/// What a part file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// `ftyp` and `moov`, if they are whole.
    pub init: Option<ByteRange>,
    /// The tracks they declare.
    pub tracks: Tracks,
    /// The whole fragments, in order.
    pub fragments: Vec<FragmentEntry>,
    /// Where the last whole block ends: what to truncate the file to.
    pub valid_len: u64,
    /// Length of the file.
    pub file_len: u64,
}

impl Scan {
    /// Bytes behind the last whole block.
    pub fn lost_bytes(&self) -> u64 {
        self.file_len - self.valid_len
    }
}

/// Scans a part file from its beginning. With `verify` all media is read and checked against its checksum; without,
/// only headers and trailers are. Errors are those of the reader; damage is not an error.
pub fn scan<R: Read + Seek>(reader: &mut R, verify: bool) -> io::Result<Scan> {
    let file_len = reader.seek(SeekFrom::End(0))?;
    let mut walker = Walker { reader, file_len, verify };
    let mut scan = Scan { file_len, ..Scan::default() };
    let Some((init, tracks)) = walker.init()? else {
        return Ok(scan);
    };
    scan.valid_len = init.len + u64::from(TRAILER_BYTES);
    scan.init = Some(init);
    scan.tracks = tracks;
    let mut number = 1;
    while let Some(entry) = walker.fragment(scan.valid_len, number)? {
        scan.valid_len = entry.end_offset();
        scan.fragments.push(entry);
        let Some(next) = number.checked_add(1) else {
            break;
        };
        number = next;
    }
    Ok(scan)
}

struct Walker<'a, R> {
    reader: &'a mut R,
    file_len: u64,
    verify: bool,
}

impl<R: Read + Seek> Walker<'_, R> {
    /// The init block. It is small and everything hangs on it, so it is always verified.
    fn init(&mut self) -> io::Result<Option<(ByteRange, Tracks)>> {
        let Some(ftyp) = self.measure(0, Ftyp::KIND, MAX_INIT_BYTES)? else {
            return Ok(None);
        };
        let Some(moov) = self.measure(ftyp, Moov::KIND, MAX_INIT_BYTES)? else {
            return Ok(None);
        };
        let len = ftyp + moov;
        let Some(trailer) = self.trailer(len, 0, len)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        self.reader.seek(SeekFrom::Start(0))?;
        self.reader.by_ref().take(len).read_to_end(&mut bytes)?;
        if crc32c::crc32c(&bytes) != trailer.crc {
            return Ok(None);
        }
        let tracks = read_tracks(&bytes).ok();
        Ok(tracks.map(|tracks| (ByteRange { offset: 0, len }, tracks)))
    }

    /// The fragment at `offset`, if it is whole and the next in order.
    fn fragment(&mut self, offset: u64, number: u32) -> io::Result<Option<FragmentEntry>> {
        let Some(moof) = self.measure(offset, Moof::KIND, MAX_MOOF_BYTES)? else {
            return Ok(None);
        };
        let Some(mdat) = self.measure(offset + moof, Mdat::KIND, MAX_MDAT_BYTES)? else {
            return Ok(None);
        };
        let len = moof + mdat;
        let Some(trailer) = self.trailer(offset + len, number, len)? else {
            return Ok(None);
        };
        if self.verify && self.checksum(offset, len)? != Some(trailer.crc) {
            return Ok(None);
        }
        Ok(Some(trailer.entry(offset)))
    }

    /// Length of the box at `offset` with its header, if it is of this kind and wholly in the file.
    fn measure(&mut self, offset: u64, kind: FourCC, limit: u64) -> io::Result<Option<u64>> {
        let Some(bytes) = self.read::<{ HEADER_BYTES as usize }>(offset)? else {
            return Ok(None);
        };
        let Ok(header) = Header::decode(&mut bytes.as_slice()) else {
            return Ok(None);
        };
        let Some(size) = header.size else {
            return Ok(None);
        };
        let len = size as u64 + HEADER_BYTES;
        let fits = len <= limit && len <= self.file_len - offset;
        Ok((header.kind == kind && fits).then_some(len))
    }

    fn trailer(&mut self, offset: u64, number: u32, covered: u64) -> io::Result<Option<Trailer>> {
        let Some(bytes) = self.read::<{ TRAILER_BYTES as usize }>(offset)? else {
            return Ok(None);
        };
        let is_trailer = Header::decode(&mut bytes.as_slice()).is_ok_and(|header| looks_like(&header));
        let trailer = if is_trailer { Trailer::read(&bytes) } else { None };
        Ok(trailer.filter(|trailer| trailer.number == number && u64::from(trailer.covered) == covered))
    }

    /// Exactly `N` bytes at `offset`, if the file has them.
    fn read<const N: usize>(&mut self, offset: u64) -> io::Result<Option<[u8; N]>> {
        if self.file_len.saturating_sub(offset) < N as u64 {
            return Ok(None);
        }
        self.reader.seek(SeekFrom::Start(offset))?;
        let mut bytes = [0; N];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            // The file became shorter since it was measured: what is gone is damage, not an error.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// CRC-32C of a run of bytes, if the file has them.
    fn checksum(&mut self, offset: u64, len: u64) -> io::Result<Option<u32>> {
        self.reader.seek(SeekFrom::Start(offset))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        let (mut left, mut sum) = (len, 0);
        while left > 0 {
            let want = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            match self.reader.read(&mut chunk[..want]) {
                Ok(0) => return Ok(None),
                Ok(read) => {
                    sum = crc32c::crc32c_append(sum, &chunk[..read]);
                    left -= read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(sum))
    }
}

#[cfg(test)]
mod tests;
