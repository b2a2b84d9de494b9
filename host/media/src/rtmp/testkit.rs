//! The other side of the wire, for tests: a client that can say anything, right or wrong.
//!
//! [`Script`] collects bytes chunk by chunk, so that a test reads like a trace. It checks nothing and knows
//! no state but the chunk size; [`Reply`] reads what a server answered.

use super::amf0::{self, Value};
use super::chunk::{Bounds, Header, Intake, Message, Reader};
use super::command::Command;
use super::handshake::PACKET_BYTES;
use super::message::{Kind, id};

/// The chunk stream on which [`Script::video`] sends.
pub const VIDEO_CHUNK_STREAM: u32 = 6;
/// The chunk stream on which [`Script::audio`] sends.
pub const AUDIO_CHUNK_STREAM: u32 = 4;

/// Bytes of a client in the making.
#[derive(Clone, Debug)]
pub struct Script {
    bytes: Vec<u8>,
    chunk_size: usize,
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Script {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { bytes: Vec::new(), chunk_size: 128 }
    }

    /// Handshake, `connect` to `live`, `createStream` and `publish` of a stream name (a query may follow it).
    pub fn publisher(stream: &str) -> Self {
        Self::new().handshake().connect("live", "rtmp://push.example.org/live").create_stream().publish(stream)
    }

    /// The bytes so far.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// C0, C1 and C2.
    #[must_use]
    pub fn handshake(self) -> Self {
        self.raw(&[3]).raw(&[0; 8]).raw(&[0xc1; PACKET_BYTES - 8]).raw(&[0xc2; PACKET_BYTES])
    }

    /// A type 0 chunk: absolute time, length, type, message stream. A time of 0xffffff or more is sent in
    /// the extended form.
    #[must_use]
    pub fn chunk0(self, csid: u32, timestamp: u32, length: u32, type_id: u8, stream: u32, part: &[u8]) -> Self {
        let chunk = self.basic(0, csid).time(timestamp).big24(length).raw(&[type_id]);
        chunk.raw(&stream.to_le_bytes()).extended(timestamp).raw(part)
    }

    /// A type 1 chunk: time difference, length, type.
    #[must_use]
    pub fn chunk1(self, csid: u32, delta: u32, length: u32, type_id: u8, part: &[u8]) -> Self {
        self.basic(1, csid).time(delta).big24(length).raw(&[type_id]).extended(delta).raw(part)
    }

    /// A type 2 chunk: time difference.
    #[must_use]
    pub fn chunk2(self, csid: u32, delta: u32, part: &[u8]) -> Self {
        self.basic(2, csid).time(delta).extended(delta).raw(part)
    }

    /// A type 3 chunk. Where an extended time is to be repeated, `part` begins with it.
    #[must_use]
    pub fn chunk3(self, csid: u32, part: &[u8]) -> Self {
        self.basic(3, csid).raw(part)
    }

    /// A whole message: a type 0 chunk and as many type 3 chunks as the chunk size asks for, with the
    /// extended time repeated.
    #[must_use]
    pub fn message(self, csid: u32, timestamp: u32, type_id: u8, stream: u32, body: &[u8]) -> Self {
        let mut parts = body.chunks(self.chunk_size);
        let length = body.len() as u32;
        let mut script = self.chunk0(csid, timestamp, length, type_id, stream, parts.next().unwrap_or_default());
        for part in parts {
            script = script.basic(3, csid).extended(timestamp).raw(part);
        }
        script
    }

    /// A protocol control message.
    #[must_use]
    pub fn control(self, type_id: u8, body: &[u8]) -> Self {
        self.message(2, 0, type_id, 0, body)
    }

    /// Set Chunk Size, obeyed by what follows if it is a size that makes sense.
    #[must_use]
    pub fn set_chunk_size(self, size: u32) -> Self {
        let mut script = self.control(id::SET_CHUNK_SIZE, &size.to_be_bytes());
        if size != 0 {
            script.chunk_size = size as usize;
        }
        script
    }

    /// A command on a message stream.
    #[must_use]
    pub fn command(self, stream: u32, name: &str, transaction: f64, arguments: &[Value]) -> Self {
        let body = command_body(name, transaction, arguments);
        self.message(3, 0, id::COMMAND_AMF0, stream, &body)
    }

    /// `connect`.
    #[must_use]
    pub fn connect(self, app: &str, tc_url: &str) -> Self {
        self.connect_with(app, tc_url, Vec::new())
    }

    /// `connect` with more properties.
    #[must_use]
    pub fn connect_with(self, app: &str, tc_url: &str, more: Vec<(&str, Value)>) -> Self {
        let usual = vec![
            ("app", text(app)),
            ("type", text("nonprivate")),
            ("flashVer", text("FMLE/3.0 (compatible; testkit)")),
            ("tcUrl", text(tc_url)),
        ];
        self.command(0, "connect", 1.0, &[object(usual.into_iter().chain(more).collect())])
    }

    /// `createStream`, which a fresh connection answers with 1.
    #[must_use]
    pub fn create_stream(self) -> Self {
        self.command(0, "createStream", 4.0, &[Value::Null])
    }

    /// `publish` on message stream 1.
    #[must_use]
    pub fn publish(self, stream: &str) -> Self {
        self.command(1, "publish", 5.0, &[Value::Null, text(stream), text("live")])
    }

    /// A video message on message stream 1.
    #[must_use]
    pub fn video(self, timestamp: u32, body: &[u8]) -> Self {
        self.message(VIDEO_CHUNK_STREAM, timestamp, id::VIDEO, 1, body)
    }

    /// An audio message on message stream 1.
    #[must_use]
    pub fn audio(self, timestamp: u32, body: &[u8]) -> Self {
        self.message(AUDIO_CHUNK_STREAM, timestamp, id::AUDIO, 1, body)
    }

    /// A data message on message stream 1.
    #[must_use]
    pub fn data(self, values: &[Value]) -> Self {
        let mut body = Vec::new();
        for value in values {
            amf0::encode(value, &mut body);
        }
        self.message(AUDIO_CHUNK_STREAM, 0, id::DATA_AMF0, 1, &body)
    }

    fn basic(self, format: u8, csid: u32) -> Self {
        let format = format << 6;
        match csid {
            2..64 => self.raw(&[format | csid as u8]),
            64..320 => self.raw(&[format, (csid - 64) as u8]),
            _ => self.raw(&[format | 1]).raw(&((csid.saturating_sub(64)) as u16).to_le_bytes()),
        }
    }

    fn big24(self, value: u32) -> Self {
        let [_, a, b, c] = value.to_be_bytes();
        self.raw(&[a, b, c])
    }

    fn time(self, value: u32) -> Self {
        self.big24(value.min(0x00ff_ffff))
    }

    fn extended(self, value: u32) -> Self {
        if value >= 0x00ff_ffff { self.raw(&value.to_be_bytes()) } else { self }
    }
}

/// The body of a command.
pub fn command_body(name: &str, transaction: f64, arguments: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    amf0::encode_string(name, &mut body);
    amf0::encode(&Value::Number(transaction), &mut body);
    for argument in arguments {
        amf0::encode(argument, &mut body);
    }
    body
}

/// A text value.
pub fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// An object value.
pub fn object(properties: Vec<(&str, Value)>) -> Value {
    Value::Object(properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Reads the server's answers, in pieces of any size.
#[derive(Debug)]
pub struct Replies {
    handshake_left: usize,
    reader: Reader,
}

/// One message of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A command.
    Command {
        /// Its message stream.
        stream: u32,
        /// What it says.
        command: Command,
    },
    /// Anything else.
    Other(Message),
}

impl Reply {
    /// The `code` of a status, a result or an error; empty if there is none.
    pub fn code(&self) -> &str {
        let Reply::Command { command, .. } = self else {
            return "";
        };
        let code = command.argument(1).and_then(|info| info.get("code"));
        code.and_then(Value::as_str).unwrap_or_default()
    }

    /// The name of a command; empty for other messages.
    pub fn name(&self) -> &str {
        match self {
            Reply::Command { command, .. } => &command.name,
            Reply::Other(_) => "",
        }
    }
}

impl Default for Replies {
    fn default() -> Self {
        Self::new()
    }
}

impl Replies {
    /// Expects the server's handshake first.
    pub fn new() -> Self {
        let bounds = Bounds { chunk_streams: 64, message_bytes: 1 << 20, partial_bytes: 1 << 20 };
        Self { handshake_left: 1 + 2 * PACKET_BYTES, reader: Reader::new(bounds) }
    }

    /// The messages that these bytes complete. Bytes that are not RTMP end the list.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Reply> {
        let skip = self.handshake_left.min(bytes.len());
        self.handshake_left -= skip;
        let mut input = bytes.get(skip..).unwrap_or_default();
        let mut replies = Vec::new();
        while let Ok(Some(message)) = self.reader.next_message(&mut input, |_: &Header| Ok(Intake::Keep)) {
            if let (id::SET_CHUNK_SIZE, Some(size)) = (message.header.type_id, message.payload.first_chunk()) {
                self.reader.set_chunk_size(u32::from_be_bytes(*size));
            }
            replies.push(reply(message));
        }
        replies
    }
}

fn reply(message: Message) -> Reply {
    let stream = message.header.stream_id;
    match Kind::of(message.header.type_id) {
        Kind::Command => match Command::decode(&message.payload, amf0::Limits::default()) {
            Ok(command) => Reply::Command { stream, command },
            Err(_) => Reply::Other(message),
        },
        _ => Reply::Other(message),
    }
}
