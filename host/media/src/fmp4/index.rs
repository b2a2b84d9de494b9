//! The list of a part's fragments in a compact form, for a file beside the part.
//!
//! It is a cache: whatever it says can be had again by [`super::scan()`], and an index that does not read back is
//! thrown away. What follows from the neighbouring entry is not stored, so an entry takes about fourteen bytes.

use bytes::Bytes;

use super::{ByteRange, FragmentEntry, Scan, TRAILER_BYTES};
use crate::cursor::{Cursor, Short, put_varint};
use crate::timeline::TimelinePosition;

const MAGIC: [u8; 4] = *b"RPI1";

/// The index of one part file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FragmentIndex {
    /// Where `ftyp` and `moov` are.
    pub init: ByteRange,
    /// All fragments, in order and without holes between them.
    pub fragments: Vec<FragmentEntry>,
}

/// The bytes are not an index. Nobody has to act: scan the part instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// Another kind or version of file.
    #[error("not a fragment index of this version")]
    Foreign,
    /// The checksum does not match, or the bytes end early.
    #[error("fragment index is damaged")]
    Damaged,
}

impl From<Short> for IndexError {
    fn from(_: Short) -> Self {
        Self::Damaged
    }
}

impl FragmentIndex {
    /// The index of a scanned part; `None` if not even its init segment is whole.
    pub fn from_scan(scan: &Scan) -> Option<Self> {
        Some(Self { init: scan.init?, fragments: scan.fragments.clone() })
    }

    /// Where the last fragment ends.
    pub fn end_offset(&self) -> u64 {
        self.fragments.last().map_or(self.media_offset(), FragmentEntry::end_offset)
    }

    fn media_offset(&self) -> u64 {
        self.init.offset + self.init.len + u64::from(TRAILER_BYTES)
    }

    /// Writes the index.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_varint(&mut out, self.init.len);
        put_varint(&mut out, self.fragments.len() as u64);
        let mut before = Before::default();
        for entry in &self.fragments {
            put_varint(&mut out, u64::from(entry.size));
            put_varint(&mut out, zigzag(entry.first_ms, before.end_ms));
            put_varint(&mut out, u64::from(entry.duration_ms) << 1 | u64::from(entry.keyframe));
            put_varint(&mut out, u64::from(entry.video_frames));
            put_varint(&mut out, u64::from(entry.audio_frames));
            put_varint(&mut out, zigzag(entry.ends.video_end_ms, before.ends.video_end_ms));
            put_varint(&mut out, zigzag(entry.ends.audio_end, before.ends.audio_end));
            put_varint(&mut out, zigzag(entry.ends.audio_rate.into(), before.ends.audio_rate.into()));
            before = Before { end_ms: entry.end_ms(), ends: entry.ends };
        }
        let sum = crc32c::crc32c(&out);
        out.extend(sum.to_be_bytes());
        out
    }

    /// Reads an index that [`FragmentIndex::to_bytes`] wrote.
    pub fn from_bytes(bytes: &Bytes) -> Result<Self, IndexError> {
        let body_len = bytes.len().checked_sub(4).ok_or(IndexError::Foreign)?;
        let (body, sum) = (bytes.slice(..body_len), bytes.slice(body_len..));
        let mut cursor = Cursor::new(body.clone());
        if cursor.array() != Ok(MAGIC) {
            return Err(IndexError::Foreign);
        }
        if Cursor::new(sum).u32()? != crc32c::crc32c(&body) {
            return Err(IndexError::Damaged);
        }
        let mut index = Self { init: ByteRange { offset: 0, len: cursor.varint()? }, fragments: Vec::new() };
        // The count is not trusted for memory: entries are pushed as their bytes are read.
        let count = cursor.varint()?;
        let mut before = Before::default();
        for number in 0..count {
            let offset = index.end_offset();
            let number = u32::try_from(number + 1).map_err(|_| IndexError::Damaged)?;
            let entry = read_entry(&mut cursor, offset, number, &before)?;
            before = Before { end_ms: entry.end_ms(), ends: entry.ends };
            index.fragments.push(entry);
        }
        if cursor.remaining() > 0 {
            return Err(IndexError::Damaged);
        }
        Ok(index)
    }
}

/// What the next entry is written relative to.
#[derive(Default)]
struct Before {
    end_ms: u64,
    ends: TimelinePosition,
}

fn read_entry(cursor: &mut Cursor, offset: u64, number: u32, before: &Before) -> Result<FragmentEntry, IndexError> {
    let size = small(cursor.varint()?)?;
    let first_ms = unzigzag(cursor.varint()?, before.end_ms);
    let timing = cursor.varint()?;
    Ok(FragmentEntry {
        offset,
        size,
        total_size: size.checked_add(TRAILER_BYTES).ok_or(IndexError::Damaged)?,
        number,
        first_ms,
        duration_ms: small(timing >> 1)?,
        keyframe: timing & 1 == 1,
        video_frames: small(cursor.varint()?)?,
        audio_frames: small(cursor.varint()?)?,
        ends: TimelinePosition {
            video_end_ms: unzigzag(cursor.varint()?, before.ends.video_end_ms),
            audio_end: unzigzag(cursor.varint()?, before.ends.audio_end),
            audio_rate: small(unzigzag(cursor.varint()?, before.ends.audio_rate.into()))?,
        },
    })
}

fn small(value: u64) -> Result<u32, IndexError> {
    u32::try_from(value).map_err(|_| IndexError::Damaged)
}

/// The signed distance from `before` as an unsigned number that is small when the distance is.
fn zigzag(value: u64, before: u64) -> u64 {
    let distance = value.wrapping_sub(before) as i64;
    (distance << 1 ^ distance >> 63) as u64
}

fn unzigzag(coded: u64, before: u64) -> u64 {
    let distance = (coded >> 1) as i64 ^ -((coded & 1) as i64);
    before.wrapping_add(distance as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(steps: Vec<(u32, u64, u32, bool, u32, u32)>) -> FragmentIndex {
        let mut index = FragmentIndex { init: ByteRange { offset: 0, len: 700 }, fragments: Vec::new() };
        for (size, first_ms, duration_ms, keyframe, frames, audio_rate) in steps {
            index.fragments.push(FragmentEntry {
                offset: index.end_offset(),
                size,
                total_size: size + TRAILER_BYTES,
                number: index.fragments.len() as u32 + 1,
                first_ms,
                duration_ms,
                keyframe,
                video_frames: frames,
                audio_frames: frames / 2,
                ends: TimelinePosition { video_end_ms: first_ms, audio_end: first_ms.wrapping_mul(44), audio_rate },
            });
        }
        index
    }

    proptest! {
        #[test]
        fn indexes_return(steps in proptest::collection::vec(
            (0u32..1 << 30, any::<u64>(), any::<u32>(), any::<bool>(), any::<u32>(), any::<u32>()), 0..20)
        ) {
            let index = index(steps);
            let bytes = Bytes::from(index.to_bytes());
            prop_assert_eq!(FragmentIndex::from_bytes(&bytes), Ok(index));
        }

        #[test]
        fn any_bytes_are_answered(mut bytes in proptest::collection::vec(any::<u8>(), 0..100), sealed: bool) {
            if sealed {
                bytes.splice(0..0, MAGIC);
                let sum = crc32c::crc32c(&bytes);
                bytes.extend(sum.to_be_bytes());
            }
            let _ = FragmentIndex::from_bytes(&bytes.into());
        }
    }

    #[test]
    fn damage_is_seen_and_entries_are_small() {
        let steps = (0..3600).map(|n| (120_000 + n as u32 % 777, n * 1000, 1000, n % 2 == 0, 25, 44_100)).collect();
        let bytes = index(steps).to_bytes();
        assert!(bytes.len() < 3600 * 15, "{}", bytes.len());
        for bit in (0..bytes.len() * 8).step_by(101) {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(FragmentIndex::from_bytes(&bad.into()).is_err(), "bit {bit}");
        }
        for len in (0..bytes.len()).step_by(97) {
            assert!(FragmentIndex::from_bytes(&Bytes::copy_from_slice(&bytes[..len])).is_err());
        }
    }
}
