//! The box at the end of every block of a part file.
//!
//! A `uuid` box (ISO/IEC 14496-12 section 11.1) of fixed size. It carries two CRC-32C sums: one of the block before
//! it, and one of itself, so that a reader which trusts its disk can index a file without reading the media.

use mp4_atom::{Atom, Decode, Encode, ExtendedType, Uuid};

use super::{BoxError, FragmentEntry};
use crate::cursor::{Cursor, Short};
use crate::timeline::TimelinePosition;

/// Our own extended type, made once at random.
const EXTENDED_TYPE: [u8; 16] =
    [0xad, 0x15, 0xa9, 0x02, 0x5a, 0x5a, 0x46, 0x75, 0xb2, 0xa6, 0x28, 0xaa, 0xdb, 0x52, 0xd7, 0xde];

const VERSION: u8 = 1;
const FLAG_KEYFRAME: u8 = 1;
const PAYLOAD_BYTES: usize = 60;

/// Bytes of a trailer: box header, extended type, payload.
pub const TRAILER_BYTES: u32 = 8 + 16 + PAYLOAD_BYTES as u32;

/// What a trailer says. An init block has number 0 and no media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Trailer {
    pub(crate) number: u32,
    pub(crate) covered: u32,
    pub(crate) crc: u32,
    pub(crate) keyframe: bool,
    pub(crate) first_ms: u64,
    pub(crate) duration_ms: u32,
    pub(crate) video_frames: u32,
    pub(crate) audio_frames: u32,
    pub(crate) ends: TimelinePosition,
}

impl Trailer {
    /// Appends the trailer to a block.
    pub(crate) fn append(&self, out: &mut Vec<u8>) -> Result<(), BoxError> {
        let mut payload = Vec::with_capacity(PAYLOAD_BYTES);
        payload.extend([VERSION, if self.keyframe { FLAG_KEYFRAME } else { 0 }, 0, 0]);
        payload.extend(self.number.to_be_bytes());
        payload.extend(self.covered.to_be_bytes());
        payload.extend(self.crc.to_be_bytes());
        payload.extend(self.first_ms.to_be_bytes());
        payload.extend(self.duration_ms.to_be_bytes());
        payload.extend(self.video_frames.to_be_bytes());
        payload.extend(self.audio_frames.to_be_bytes());
        payload.extend(self.ends.video_end_ms.to_be_bytes());
        payload.extend(self.ends.audio_end.to_be_bytes());
        payload.extend(self.ends.audio_rate.to_be_bytes());
        payload.extend([0; 4]);
        let start = out.len();
        Uuid::Unknown(ExtendedType::new(&EXTENDED_TYPE), payload).encode(out)?;
        // The sum of the trailer itself goes last, over everything before it, box header included.
        let end = out.len() - 4;
        let sum = crc32c::crc32c(&out[start..end]);
        out.truncate(end);
        out.extend(sum.to_be_bytes());
        Ok(())
    }

    /// Reads a trailer; `None` if these bytes are not exactly one that we wrote.
    pub(crate) fn read(bytes: &[u8; TRAILER_BYTES as usize]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*sum) {
            return None;
        }
        let Ok(Uuid::Unknown(kind, payload)) = Uuid::decode(&mut bytes.as_slice()) else {
            return None;
        };
        if kind != ExtendedType::new(&EXTENDED_TYPE) {
            return None;
        }
        Self::read_payload(Cursor::new(payload.into())).ok().flatten()
    }

    fn read_payload(mut cursor: Cursor) -> Result<Option<Self>, Short> {
        let [version, flags, _, _] = cursor.array()?;
        if version != VERSION {
            return Ok(None);
        }
        Ok(Some(Self {
            keyframe: flags & FLAG_KEYFRAME != 0,
            number: cursor.u32()?,
            covered: cursor.u32()?,
            crc: cursor.u32()?,
            first_ms: cursor.u64()?,
            duration_ms: cursor.u32()?,
            video_frames: cursor.u32()?,
            audio_frames: cursor.u32()?,
            ends: TimelinePosition { video_end_ms: cursor.u64()?, audio_end: cursor.u64()?, audio_rate: cursor.u32()? },
        }))
    }

    /// The index entry of the fragment that begins at `offset`.
    pub(crate) fn entry(&self, offset: u64) -> FragmentEntry {
        FragmentEntry {
            offset,
            size: self.covered,
            total_size: self.covered.saturating_add(TRAILER_BYTES),
            number: self.number,
            first_ms: self.first_ms,
            duration_ms: self.duration_ms,
            keyframe: self.keyframe,
            video_frames: self.video_frames,
            audio_frames: self.audio_frames,
            ends: self.ends,
        }
    }
}

/// Whether a box of this kind and body size can be a trailer.
pub(crate) fn looks_like(header: &mp4_atom::Header) -> bool {
    header.kind == Uuid::KIND && header.size == Some(TRAILER_BYTES as usize - 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Trailer {
        Trailer {
            number: 7,
            covered: 123_456,
            crc: 0xdead_beef,
            keyframe: true,
            first_ms: 5_000_000_000,
            duration_ms: 999,
            video_frames: 25,
            audio_frames: 43,
            ends: TimelinePosition { video_end_ms: 5_000_000_999, audio_end: 1 << 40, audio_rate: 44_100 },
        }
    }

    #[test]
    fn trailers_return_and_no_flipped_bit_passes() {
        let mut bytes = Vec::new();
        sample().append(&mut bytes).unwrap();
        let bytes: [u8; TRAILER_BYTES as usize] = bytes.try_into().unwrap();
        assert_eq!(Trailer::read(&bytes), Some(sample()));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Trailer::read(&bad), None, "bit {bit}");
        }
    }
}
