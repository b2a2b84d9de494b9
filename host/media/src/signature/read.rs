//! The binary form of a signature.

use super::{ELEMENTS, Frame, Signature, WORDS};
use crate::bits::{BitReader, OutOfBits};

/// A day at five pictures a second; it takes 45 MB in memory.
pub const MOST_FRAMES: u32 = 24 * 3600 * 5;

/// Below this the comparisons are decided by noise. Measured: flat pictures and smooth gradients have 0 to 3, the
/// plainest real scenes 12.
const LEAST_CONFIDENCE: u32 = 8;

/// Everything that is neither of a segment nor of a frame.
const HEADER_BITS: usize = 32 + 1 + (32 + 16 + 16 + 32) + 32 + 16 + (1 + 32 + 32) + 32 + 1;

/// Of one coarse segment: first and last frame, a flag, first and last time, five histograms of words.
const SEGMENT_BITS: usize = 4 * 32 + 1 + 5 * 243;

/// Of one frame: a flag, its time, its confidence, five words, its elements in groups of five.
const FRAME_BITS: usize = 1 + 32 + 8 + 5 * 8 + (ELEMENTS / 5) * 8;

/// Why bytes are no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature ends too early")]
    Short,
    #[error("the signature has {0} pictures; at most {MOST_FRAMES}")]
    TooLong(u32),
    #[error("the signature's {0} is not supported")]
    Unsupported(&'static str),
    #[error("a picture of the signature is out of its place")]
    Uneven,
    #[error("an element of the signature is out of range")]
    Element,
}

impl From<OutOfBits> for SignatureError {
    fn from(_: OutOfBits) -> Self {
        Self::Short
    }
}

impl Signature {
    /// Reads a signature as ffmpeg writes it.
    ///
    /// # Errors
    /// When the bytes are not one, or it is too long.
    pub fn read(bytes: &[u8]) -> Result<Self, SignatureError> {
        let mut reader = BitReader::new(bytes);
        if reader.bits(32)? != 1 || !reader.bit()? {
            return Err(SignatureError::Unsupported("choice of regions"));
        }
        // The corners and the first frame of the region, which is the whole picture.
        reader.skip(32 + 16 + 16 + 32)?;
        let count = reader.bits(32)?;
        if count > MOST_FRAMES {
            return Err(SignatureError::TooLong(count));
        }
        let pace = reader.bits(16)?;
        if pace == 0 {
            return Err(SignatureError::Unsupported("time unit"));
        }
        reader.skip(1 + 32 + 32)?;
        let segments = reader.bits(32)? as usize;
        let coarse = segments.checked_mul(SEGMENT_BITS).ok_or(SignatureError::Short)?;
        reader.skip(coarse)?;
        if reader.bit()? {
            return Err(SignatureError::Unsupported("compression"));
        }
        // The count is a claim: nothing is reserved for more than the bytes can hold.
        if (bytes.len() * 8).saturating_sub(HEADER_BITS + coarse) / FRAME_BITS < count as usize {
            return Err(SignatureError::Short);
        }
        let mut frames = Vec::with_capacity(count as usize);
        let mut first = 0;
        for index in 0..count {
            let (at, frame) = frame(&mut reader)?;
            if index == 0 {
                first = at;
            }
            if first.checked_add(index) != Some(at) {
                return Err(SignatureError::Uneven);
            }
            frames.push(frame);
        }
        Ok(Self { pace, first, frames })
    }
}

fn frame(reader: &mut BitReader<'_>) -> Result<(u32, Frame), SignatureError> {
    if !reader.bit()? {
        return Err(SignatureError::Unsupported("frame without a time"));
    }
    let at = reader.bits(32)?;
    let plain = reader.bits(8)? < LEAST_CONFIDENCE;
    // The words are excerpts of the elements.
    reader.skip(5 * 8)?;
    let mut frame = Frame { same: [0; WORDS], brighter: [0; WORDS], plain };
    for group in 0..ELEMENTS / 5 {
        let mut digits = reader.bits(8)?;
        if digits >= 243 {
            return Err(SignatureError::Element);
        }
        for place in 0..5 {
            let element = group * 5 + place;
            let bit = 1 << (element % 64);
            match digits % 3 {
                0 => {}
                1 => frame.same[element / 64] |= bit,
                _ => {
                    frame.same[element / 64] |= bit;
                    frame.brighter[element / 64] |= bit;
                }
            }
            digits /= 3;
        }
    }
    Ok((at, frame))
}
