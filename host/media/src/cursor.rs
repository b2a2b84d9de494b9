//! A byte reader over shared bytes that can only fail politely.
//!
//! It knows nothing of formats. Slices it hands out share the original allocation, so reading never copies.

use bytes::Bytes;

/// Fewer bytes were there than the format needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short;

/// Reads big-endian fields from the front of shared bytes.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    rest: Bytes,
}

impl Cursor {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<Bytes, Short> {
        if len > self.rest.len() {
            return Err(Short);
        }
        Ok(self.rest.split_to(len))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let bytes = self.take(N)?;
        <[u8; N]>::try_from(bytes.as_ref()).map_err(|_| Short)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u24(&mut self) -> Result<u32, Short> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// A signed 24-bit number, as composition offsets are written.
    pub(crate) fn i24(&mut self) -> Result<i32, Short> {
        let [a, b, c] = self.array()?;
        // The shift brings the sign bit of the 24 bits down from the top.
        Ok(i32::from_be_bytes([a, b, c, 0]) >> 8)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Short> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// An unsigned LEB128 number of at most 64 bits.
    pub(crate) fn varint(&mut self) -> Result<u64, Short> {
        let mut value = 0u64;
        // Ten groups of seven bits cover 64; an eleventh is an overlong form that nobody writes.
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Short)
    }

    pub(crate) fn rest(self) -> Bytes {
        self.rest
    }
}

/// Appends an unsigned LEB128 number.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_24_bits_keep_their_sign() {
        for (bytes, value) in [
            ([0, 0, 80], 80),
            ([0xff, 0xff, 0xff], -1),
            ([0x80, 0, 0], -(1 << 23)),
            ([0x7f, 0xff, 0xff], (1 << 23) - 1),
        ] {
            let mut cursor = Cursor::new(Bytes::copy_from_slice(&bytes));
            assert_eq!(cursor.i24(), Ok(value));
            assert_eq!(cursor.u8(), Err(Short));
        }
    }

    #[test]
    fn varints_return_and_overlong_ones_do_not() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(Cursor::new(out.into()).varint(), Ok(value));
        }
        assert_eq!(Cursor::new(vec![0x80; 32].into()).varint(), Err(Short));
        assert_eq!(Cursor::new(vec![0x80].into()).varint(), Err(Short));
    }
}
