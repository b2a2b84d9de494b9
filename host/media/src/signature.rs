//! MPEG-7 video signatures (ISO/IEC 15938-3, Amd. 4): what a picture looks like in 380 comparisons of brightness,
//! which re-encoding, another size and another bitrate leave nearly as they are.
//!
//! [`Signature::read`] takes the binary form that ffmpeg's `signature` filter writes; [`Signature::duplicates`]
//! says which stretches two videos have in common. Both do a bounded amount of work whatever the bytes say. How a
//! signature is made, and of which videos, is for others.

mod matching;
mod read;

pub use matching::{Duplicates, SharedStretch};
pub use read::{MOST_FRAMES, SignatureError};

/// Elements of one picture's signature; each says whether one region is darker than another, the same, or brighter.
const ELEMENTS: usize = 380;

/// The most that two pictures can differ: every element from darker to brighter.
const MOST_DISTANCE: u32 = 2 * ELEMENTS as u32;

/// Words of 64 elements.
const WORDS: usize = ELEMENTS.div_ceil(64);

/// The signature of a whole video: pictures at an even pace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Pictures per second.
    pace: u32,
    /// Place of the first picture, in pictures from the video's beginning.
    first: u32,
    frames: Vec<Frame>,
}

/// One picture. A ternary element is two bits, "at least the same" and "brighter", so that the distance of two
/// elements is the number of bits in which they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    same: [u64; WORDS],
    brighter: [u64; WORDS],
    /// It has nothing to tell it by: black, white, a plain gradient.
    plain: bool,
}

impl Signature {
    /// How many pictures it has.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// When the picture `index` is seen, in milliseconds.
    fn at_ms(&self, index: usize) -> u64 {
        (u64::from(self.first) + index as u64) * 1000 / u64::from(self.pace)
    }
}

impl Frame {
    /// In how much two pictures differ, if that is at most `most`.
    fn distance(&self, other: &Frame, most: u32) -> Option<u32> {
        let mut sum = 0;
        // Unrelated pictures are past any useful limit after half of the words.
        for word in 0..WORDS {
            sum += (self.same[word] ^ other.same[word]).count_ones();
            sum += (self.brighter[word] ^ other.brighter[word]).count_ones();
            if sum > most {
                return None;
            }
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests;
