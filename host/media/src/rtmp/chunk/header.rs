//! Chapter 5.3.1: basic header, message header and extended timestamp of one chunk.

/// The longest header: three bytes of basic header, eleven of message header, four of extended timestamp.
pub(super) const MAX_HEADER_BYTES: usize = 18;

/// The value of the 24-bit timestamp field that announces an extended one.
const EXTENDED: u32 = 0x00ff_ffff;

/// The fields that one chunk header carries; absent ones are those of the previous header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawHeader {
    pub(super) chunk_stream: u32,
    /// Types 0 to 2: the timestamp or the difference to the last, and whether it came in extended form.
    pub(super) timestamp: Option<(u32, bool)>,
    /// Types 0 and 1.
    pub(super) length_and_type: Option<(u32, u8)>,
    /// Type 0, where the timestamp is absolute.
    pub(super) stream_id: Option<u32>,
}

/// A header and the number of bytes it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) header: RawHeader,
    pub(super) used: usize,
}

/// Parses a header at the front of `bytes`; `None` if more bytes are needed, which is never so with
/// [`MAX_HEADER_BYTES`] or more. `extended_field` tells the timestamp field that a chunk stream last sent in
/// extended form, if it did.
///
/// After such a field, type 3 chunks repeat it by the specification and in most encoders, but not in all. So
/// the next four bytes are compared with it: a payload that begins with just those bytes is one in 2^32.
pub(super) fn parse(bytes: &[u8], extended_field: impl FnOnce(u32) -> Option<u32>) -> Option<Parsed> {
    let mut cursor = Cursor(bytes);
    let [first] = cursor.array()?;
    let chunk_stream = match first & 0x3f {
        0 => 64 + cursor.little(1)?,
        1 => 64 + cursor.little(2)?,
        id => u32::from(id),
    };
    let format = first >> 6;
    let mut timestamp = None;
    let mut length_and_type = None;
    let mut stream_id = None;
    if format < 3 {
        timestamp = Some((cursor.big24()?, false));
    }
    if format < 2 {
        let length = cursor.big24()?;
        let [type_id] = cursor.array()?;
        length_and_type = Some((length, type_id));
    }
    if format == 0 {
        stream_id = Some(cursor.little(4)?);
    }
    match timestamp {
        Some((EXTENDED, _)) => timestamp = Some((u32::from_be_bytes(cursor.array()?), true)),
        Some(_) => {}
        None => {
            if let Some(field) = extended_field(chunk_stream)
                && starts_with(cursor.0, field.to_be_bytes())?
            {
                cursor.array::<4>()?;
            }
        }
    }
    Some(Parsed {
        header: RawHeader { chunk_stream, timestamp, length_and_type, stream_id },
        used: bytes.len() - cursor.0.len(),
    })
}

/// Whether `bytes` start with `expected`; `None` while that is open. The first byte that differs decides, so
/// that a short payload without a repeated timestamp does not wait for bytes that may never come.
fn starts_with(bytes: &[u8], expected: [u8; 4]) -> Option<bool> {
    if bytes.iter().zip(&expected).any(|(a, b)| a != b) {
        return Some(false);
    }
    (bytes.len() >= expected.len()).then_some(true)
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn big24(&mut self) -> Option<u32> {
        let [a, b, c] = self.array()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    /// `count` bytes, least significant first.
    fn little(&mut self, count: usize) -> Option<u32> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken.iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
    }
}
