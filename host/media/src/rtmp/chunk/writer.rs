//! Messages to chunks, for our replies: always with a full header, so that nothing is remembered.

use super::{DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE};

/// Splits messages into chunks.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    chunk_size: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// A writer with the default chunk size.
    pub fn new() -> Self {
        Self { chunk_size: DEFAULT_CHUNK_SIZE as usize }
    }

    /// The size of all following chunks; the caller has told the peer. Kept between 1 and 16,777,215.
    pub fn set_chunk_size(&mut self, size: u32) {
        self.chunk_size = size.clamp(1, MAX_CHUNK_SIZE) as usize;
    }

    /// Appends one message with time 0. `chunk_stream` must be 2 to 63 and the payload shorter than 16 MiB;
    /// both are ours to keep, since peers choose neither.
    pub fn write(&self, out: &mut Vec<u8>, chunk_stream: u8, type_id: u8, stream_id: u32, payload: &[u8]) {
        debug_assert!((2..64).contains(&chunk_stream) && payload.len() <= MAX_CHUNK_SIZE as usize);
        let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
        out.extend_from_slice(&[chunk_stream, 0, 0, 0, a, b, c, type_id]);
        out.extend_from_slice(&stream_id.to_le_bytes());
        for (index, part) in payload.chunks(self.chunk_size).enumerate() {
            if index > 0 {
                out.push(0xc0 | chunk_stream);
            }
            out.extend_from_slice(part);
        }
    }
}
