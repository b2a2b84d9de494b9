//! Chapter 5.3: messages travel in chunks, interleaved over chunk streams.
//!
//! The reader copies a message's bytes once, into a buffer that grows as they arrive and never beyond the
//! declared length. It does not know what message types mean; it asks, at the start of each message,
//! whether the body is wanted, and lets unwanted bodies pass without keeping them.

mod header;
#[cfg(test)]
mod tests;
mod writer;

use bytes::Bytes;

use super::error::Error;
use header::{MAX_HEADER_BYTES, Parsed, RawHeader};

pub use writer::Writer;

/// Chunk size until a peer sets another (5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;

/// Largest chunk size that can matter: no message is longer (5.4.1).
pub const MAX_CHUNK_SIZE: u32 = 0x00ff_ffff;

/// What a message header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Absolute time in milliseconds, wrapping at 32 bits.
    pub timestamp: u32,
    /// Length of the body in bytes.
    pub length: u32,
    /// Message type (chapter 6 and 7.1).
    pub type_id: u8,
    /// Message stream, 0 for the connection itself.
    pub stream_id: u32,
}

/// A complete message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its header.
    pub header: Header,
    /// Its body; empty if the body was not wanted.
    pub payload: Bytes,
}

/// What to do with the body of a message that starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// Collect it and hand the message over.
    Keep,
    /// Let it pass; the message is never handed over.
    Skip,
}

/// How much a reader may hold.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Chunk streams with a remembered header.
    pub chunk_streams: usize,
    /// Length of one message.
    pub message_bytes: u32,
    /// Bytes of all unfinished messages.
    pub partial_bytes: usize,
}

/// Turns the bytes of a connection, in pieces of any size, into messages.
#[derive(Debug)]
pub struct Reader {
    bounds: Bounds,
    chunk_size: u32,
    streams: Vec<ChunkStream>,
    current: Option<Current>,
    /// The beginning of a chunk header whose rest has not arrived; always shorter than the longest header.
    stash: Vec<u8>,
    buffered: usize,
}

/// The chunk whose payload is being read.
#[derive(Clone, Copy, Debug)]
struct Current {
    index: usize,
    left: u32,
}

#[derive(Debug)]
struct ChunkStream {
    id: u32,
    /// The last message's header.
    header: Header,
    /// The timestamp field as it was last sent, absolute or difference; chunk type 3 repeats it.
    field: u32,
    /// Whether that field was sent in its extended form.
    extended: bool,
    partial: Option<Partial>,
}

/// A message that has begun.
#[derive(Debug)]
struct Partial {
    received: u32,
    kept: Option<Vec<u8>>,
}

impl Reader {
    /// A reader at the start of a connection's chunk stream.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            current: None,
            stash: Vec::new(),
            buffered: 0,
        }
    }

    /// How much may be held.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Changes how much may be held.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Applies a peer's Set Chunk Size to all following chunks; messages under way keep what they have.
    /// Zero is not a size and changes nothing; sizes beyond every message mean "never split".
    pub fn set_chunk_size(&mut self, size: u32) {
        if size != 0 {
            self.chunk_size = size.min(MAX_CHUNK_SIZE);
        }
    }

    /// Drops the unfinished message of a chunk stream (5.4.2).
    pub fn abort(&mut self, chunk_stream: u32) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == chunk_stream)
            && let Some(Partial { kept: Some(kept), .. }) = stream.partial.take()
        {
            self.buffered -= kept.len();
        }
    }

    /// Bytes held of unfinished messages and headers.
    pub fn buffered_bytes(&self) -> usize {
        self.buffered + self.stash.len()
    }

    /// Reads up to the end of the next wanted message. `None` means that `input` is used up. `admit` is
    /// asked once for each message, when its header is known.
    ///
    /// # Errors
    /// Input that breaks a rule of the chunk stream or a bound, or what `admit` returns. The reader is of
    /// no use afterwards.
    pub fn next_message(
        &mut self,
        input: &mut &[u8],
        mut admit: impl FnMut(&Header) -> Result<Intake, Error>,
    ) -> Result<Option<Message>, Error> {
        loop {
            let current = match self.current {
                Some(current) => current,
                None => match self.take_header(input) {
                    Some(raw) => self.begin_chunk(&raw, &mut admit)?,
                    None => return Ok(None),
                },
            };
            match self.take_payload(current, input)? {
                Progress::Message(message) => return Ok(Some(message)),
                Progress::ChunkEnd => {}
                Progress::InputEnd => return Ok(None),
            }
        }
    }

    /// Takes a chunk header, or puts aside what there is of it.
    fn take_header(&mut self, input: &mut &[u8]) -> Option<RawHeader> {
        if self.stash.is_empty() {
            if let Some(Parsed { header, used }) = self.parse(input) {
                advance(input, used);
                return Some(header);
            }
            self.stash.extend_from_slice(input);
            *input = &[];
            return None;
        }
        let stashed = self.stash.len();
        let mut joined = std::mem::take(&mut self.stash);
        let fresh = MAX_HEADER_BYTES.saturating_sub(stashed).min(input.len());
        joined.extend_from_slice(input.get(..fresh).unwrap_or_default());
        let parsed = self.parse(&joined);
        self.stash = joined;
        let Some(Parsed { header, used }) = parsed else {
            advance(input, fresh);
            return None;
        };
        // Looking for a repeated extended timestamp can stash bytes that turn out to be payload; those stay
        // in the stash and are read from there.
        self.stash.truncate(stashed);
        self.stash.drain(..used.min(stashed));
        advance(input, used.saturating_sub(stashed));
        Some(header)
    }

    fn parse(&self, bytes: &[u8]) -> Option<Parsed> {
        header::parse(bytes, |id| {
            let stream = self.streams.iter().find(|stream| stream.id == id)?;
            stream.extended.then_some(stream.field)
        })
    }

    /// Starts or continues a message.
    fn begin_chunk(
        &mut self,
        raw: &RawHeader,
        admit: &mut impl FnMut(&Header) -> Result<Intake, Error>,
    ) -> Result<Current, Error> {
        let index = self.find_or_add(raw)?;
        let Some(stream) = self.streams.get_mut(index) else {
            return Err(Error::NoPriorHeader { chunk_stream: raw.chunk_stream });
        };
        let received = match &stream.partial {
            Some(partial) => {
                stream.check_unchanged(raw)?;
                partial.received
            }
            None => {
                stream.start_message(raw);
                let Header { length, type_id, .. } = stream.header;
                if length > self.bounds.message_bytes {
                    let limit = self.bounds.message_bytes;
                    return Err(Error::MessageTooLong { type_id, length, limit });
                }
                let kept = match admit(&stream.header)? {
                    Intake::Keep => Some(Vec::new()),
                    Intake::Skip => None,
                };
                stream.partial = Some(Partial { received: 0, kept });
                0
            }
        };
        let left = self.chunk_size.min(stream.header.length - received);
        Ok(*self.current.insert(Current { index, left }))
    }

    fn find_or_add(&mut self, raw: &RawHeader) -> Result<usize, Error> {
        if let Some(index) = self.streams.iter().position(|stream| stream.id == raw.chunk_stream) {
            return Ok(index);
        }
        // Type 1 says everything but the message stream, and old encoders begin with it. Types 2 and 3 do
        // not say how long the message is.
        if raw.length_and_type.is_none() {
            return Err(Error::NoPriorHeader { chunk_stream: raw.chunk_stream });
        }
        if self.streams.len() >= self.bounds.chunk_streams {
            return Err(Error::TooManyChunkStreams { limit: self.bounds.chunk_streams });
        }
        self.streams.push(ChunkStream {
            id: raw.chunk_stream,
            header: Header::default(),
            field: 0,
            extended: false,
            partial: None,
        });
        Ok(self.streams.len() - 1)
    }

    /// Moves payload from the input to the message, and the message out when it is complete.
    fn take_payload(&mut self, current: Current, input: &mut &[u8]) -> Result<Progress, Error> {
        let Some(stream) = self.streams.get_mut(current.index) else {
            return Ok(Progress::InputEnd);
        };
        let Some(partial) = &mut stream.partial else {
            self.current = None;
            return Ok(Progress::ChunkEnd);
        };
        let mut left = current.left;
        while left > 0 {
            let source = if self.stash.is_empty() { *input } else { &self.stash };
            if source.is_empty() {
                self.current = Some(Current { left, ..current });
                return Ok(Progress::InputEnd);
            }
            let count = source.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if let Some(kept) = &mut partial.kept {
                self.buffered += count;
                if self.buffered > self.bounds.partial_bytes {
                    return Err(Error::TooMuchBuffered { limit: self.bounds.partial_bytes });
                }
                append(kept, source.get(..count).unwrap_or_default(), stream.header.length);
            }
            if self.stash.is_empty() {
                advance(input, count);
            } else {
                self.stash.drain(..count);
            }
            // `count` is at most `left`, which is a u32.
            let count = u32::try_from(count).unwrap_or(left);
            partial.received += count;
            left -= count;
        }
        self.current = None;
        if partial.received < stream.header.length {
            return Ok(Progress::ChunkEnd);
        }
        let header = stream.header;
        let Some(Partial { kept: Some(kept), .. }) = stream.partial.take() else {
            return Ok(Progress::ChunkEnd);
        };
        self.buffered -= kept.len();
        Ok(Progress::Message(Message { header, payload: Bytes::from(kept) }))
    }
}

/// What reading payload came to.
enum Progress {
    Message(Message),
    ChunkEnd,
    InputEnd,
}

impl ChunkStream {
    /// Updates the remembered header for a new message (5.3.1.2). Times wrap at 32 bits. A type 3 chunk that
    /// starts a message adds the last timestamp field once more, even if that was the absolute one of a
    /// type 0 chunk (5.3.1.2.4).
    fn start_message(&mut self, raw: &RawHeader) {
        if let Some((field, extended)) = raw.timestamp {
            self.field = field;
            self.extended = extended;
        }
        if let Some((length, type_id)) = raw.length_and_type {
            self.header.length = length;
            self.header.type_id = type_id;
        }
        match raw.stream_id {
            Some(stream_id) => {
                self.header.stream_id = stream_id;
                self.header.timestamp = self.field;
            }
            None => self.header.timestamp = self.header.timestamp.wrapping_add(self.field),
        }
    }

    /// A message under way goes on with type 3 chunks. Some senders repeat a fuller header, which is
    /// harmless as long as it says the same: length and type are fixed when a message starts.
    fn check_unchanged(&self, raw: &RawHeader) -> Result<(), Error> {
        match raw.length_and_type {
            Some(said) if said != (self.header.length, self.header.type_id) => {
                Err(Error::HeaderChanged { chunk_stream: self.id })
            }
            _ => Ok(()),
        }
    }
}

/// Appends to a buffer that at least doubles when it must grow, but never beyond the declared length: its
/// capacity stays within twice of what has arrived, and a complete message is not copied again.
fn append(buffer: &mut Vec<u8>, bytes: &[u8], declared: u32) {
    let needed = buffer.len() + bytes.len();
    if needed > buffer.capacity() {
        let declared = usize::try_from(declared).unwrap_or(usize::MAX);
        let target = needed.max(buffer.len() * 2).min(declared).max(needed);
        buffer.reserve_exact(target - buffer.len());
    }
    buffer.extend_from_slice(bytes);
}

fn advance(input: &mut &[u8], count: usize) {
    *input = input.get(count..).unwrap_or_default();
}
