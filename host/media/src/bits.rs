//! A bit reader for parameter sets: fixed widths and Exp-Golomb codes (ITU-T H.264 section 9.1).
//!
//! It reads bytes from which emulation prevention has been removed and knows no syntax element by name.

/// The bits ended before the element did, or an element is longer than any valid stream writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfBits;

/// Reads bits, most significant first.
#[derive(Debug)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) fn bit(&mut self) -> Result<bool, OutOfBits> {
        let byte = self.bytes.get(self.position / 8).ok_or(OutOfBits)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// Up to 32 bits as a number.
    pub(crate) fn bits(&mut self, count: u32) -> Result<u32, OutOfBits> {
        if count > 32 {
            return Err(OutOfBits);
        }
        let mut value = 0u32;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Ok(value)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<(), OutOfBits> {
        let position = self.position.checked_add(count).ok_or(OutOfBits)?;
        if position > self.bytes.len().saturating_mul(8) {
            return Err(OutOfBits);
        }
        self.position = position;
        Ok(())
    }

    /// `ue(v)`: at most 31 leading zeros, so the value fits in 32 bits.
    pub(crate) fn unsigned(&mut self) -> Result<u32, OutOfBits> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return Err(OutOfBits);
            }
        }
        let suffix = self.bits(zeros)?;
        Ok(((1u32 << zeros) - 1).wrapping_add(suffix))
    }

    /// `se(v)`.
    pub(crate) fn signed(&mut self) -> Result<i32, OutOfBits> {
        let code = i64::from(self.unsigned()?);
        let magnitude = (code + 1) / 2;
        let value = if code % 2 == 1 { magnitude } else { -magnitude };
        i32::try_from(value).map_err(|_| OutOfBits)
    }
}

/// Removes the `03` of every `00 00 03`, which is there only so that no start code appears inside a unit.
pub(crate) fn without_emulation_prevention(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes() {
        // 1 | 010 | 011 | 00100 | 00101, then padding.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut reader = BitReader::new(&bytes);
        let values: Vec<u32> = (0..5).map(|_| reader.unsigned().unwrap()).collect();
        assert_eq!(values, [0, 1, 2, 3, 4]);

        let mut reader = BitReader::new(&bytes);
        let values: Vec<i32> = (0..5).map(|_| reader.signed().unwrap()).collect();
        assert_eq!(values, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn endless_zeros_are_refused() {
        assert_eq!(BitReader::new(&[0; 64]).unsigned(), Err(OutOfBits));
        assert_eq!(BitReader::new(&[]).bit(), Err(OutOfBits));
        assert_eq!(BitReader::new(&[1]).skip(9), Err(OutOfBits));
    }

    #[test]
    fn emulation_prevention_goes() {
        assert_eq!(without_emulation_prevention(&[0, 0, 3, 1, 0, 0, 3, 3]), [0, 0, 1, 0, 0, 3]);
    }
}
