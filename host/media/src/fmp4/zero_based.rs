//! A part file as a file of its own, with a timeline that begins at zero.
//!
//! Decode times run on over the parts of a broadcast, so a part that is played alone would begin late and be taken for
//! longer than it is. The file keeps its times, by which parts are joined; who hands it out moves each fragment with
//! [`rebase()`], which changes neither sizes nor places. So any range of the moved file follows from the same range of
//! the file and from what moves in the fragments that it touches, and the moved file is a whole part file again.

use super::rebase::rebase;
use super::trailer::Trailer;
use super::{BoxError, ByteRange, FragmentEntry, FragmentIndex, Shift, TRAILER_BYTES, TrackStarts};

/// How a part file is moved to zero, and where its fragments are: eight bytes for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZeroBased {
    shift: Shift,
    /// Where each fragment begins, and where the last one ends.
    bounds: Vec<u64>,
}

/// What moves in one fragment: its `moof` and its trailer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedFragment {
    moof_at: u64,
    moof: Vec<u8>,
    trailer_at: u64,
    trailer: Vec<u8>,
}

impl ZeroBased {
    /// A part with this index, whose tracks begin at `starts` and whose sound has `audio_rate` samples per second.
    /// `None` if it begins at zero as it is, or holds nothing.
    pub fn new(index: &FragmentIndex, starts: &TrackStarts, audio_rate: u32) -> Option<Self> {
        let first = index.fragments.first()?;
        let shift = Shift::to_zero(first.first_ms, starts, audio_rate);
        if shift.is_none() {
            return None;
        }
        let begins = index.fragments.iter().map(|entry| entry.offset);
        Some(Self { shift, bounds: begins.chain([index.end_offset()]).collect() })
    }

    /// How many fragments there are.
    pub fn fragments(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The first fragment that ends behind `position`, with its trailer.
    pub fn fragment_from(&self, position: u64) -> Option<ByteRange> {
        let next = self.bounds.partition_point(|bound| *bound <= position).max(1);
        let (offset, end) = (*self.bounds.get(next - 1)?, *self.bounds.get(next)?);
        Some(ByteRange { offset, len: end - offset })
    }

    /// Moves the fragment in `range`, which has this `moof` and this trailer.
    ///
    /// # Errors
    /// When the bytes are not those of a fragment of this place.
    pub fn fragment(
        &self,
        range: ByteRange,
        mut moof: Vec<u8>,
        trailer: &[u8; TRAILER_BYTES as usize],
    ) -> Result<MovedFragment, BoxError> {
        let size = range.len.checked_sub(u64::from(TRAILER_BYTES)).and_then(|size| u32::try_from(size).ok());
        let size = size.ok_or(BoxError::ForeignFragment)?;
        let found = Trailer::read(trailer).ok_or(BoxError::ForeignFragment)?;
        let entry = FragmentEntry { size, ..found.entry(range.offset) };
        let moved = self.shift.entry(&entry, entry.offset, entry.number);
        let trailer = rebase(&entry, &moved, &self.shift, &mut moof, trailer)?;
        Ok(MovedFragment { moof_at: range.offset, moof, trailer_at: range.offset + u64::from(size), trailer })
    }
}

impl MovedFragment {
    /// Puts what moves into `chunk`, the file's bytes from `position` on, as far as it lies there.
    pub fn put(&self, position: u64, chunk: &mut [u8]) {
        put(chunk, position, self.moof_at, &self.moof);
        put(chunk, position, self.trailer_at, &self.trailer);
    }
}

fn put(chunk: &mut [u8], position: u64, at: u64, bytes: &[u8]) {
    // Where they begin in each other; at most one of the two is not zero.
    let (Ok(skipped), Ok(into)) =
        (usize::try_from(position.saturating_sub(at)), usize::try_from(at.saturating_sub(position)))
    else {
        return;
    };
    let (Some(bytes), Some(chunk)) = (bytes.get(skipped..), chunk.get_mut(into..)) else { return };
    let len = bytes.len().min(chunk.len());
    chunk[..len].copy_from_slice(&bytes[..len]);
}
