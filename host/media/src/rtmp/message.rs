//! Chapters 5.4, 6.2 and 7.1: what the message types are, and the bodies that are not AMF.

use bytes::{Buf, Bytes};

use super::chunk::{Header, Message};
use super::error::Error;

/// Message types by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1: the size of the sender's following chunks.
    SetChunkSize,
    /// 2: forget the unfinished message of a chunk stream.
    Abort,
    /// 3: so many bytes have been received.
    Acknowledgement,
    /// 4: pings and stream events.
    UserControl,
    /// 5: acknowledge after so many bytes.
    WindowAckSize,
    /// 6: limit the output.
    SetPeerBandwidth,
    /// 8.
    Audio,
    /// 9.
    Video,
    /// 15 and 18: data, in AMF3 and AMF0 form.
    Data,
    /// 17 and 20: a command, in AMF3 and AMF0 form.
    Command,
    /// 22: several messages in one.
    Aggregate,
    /// Shared objects and everything unknown.
    Other,
}

impl Kind {
    /// The kind of a message type.
    pub fn of(type_id: u8) -> Self {
        match type_id {
            id::SET_CHUNK_SIZE => Kind::SetChunkSize,
            id::ABORT => Kind::Abort,
            id::ACKNOWLEDGEMENT => Kind::Acknowledgement,
            id::USER_CONTROL => Kind::UserControl,
            id::WINDOW_ACK_SIZE => Kind::WindowAckSize,
            id::SET_PEER_BANDWIDTH => Kind::SetPeerBandwidth,
            id::AUDIO => Kind::Audio,
            id::VIDEO => Kind::Video,
            id::DATA_AMF3 | id::DATA_AMF0 => Kind::Data,
            id::COMMAND_AMF3 | id::COMMAND_AMF0 => Kind::Command,
            id::AGGREGATE => Kind::Aggregate,
            _ => Kind::Other,
        }
    }
}

/// Message type numbers.
pub mod id {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message.
    pub const ABORT: u8 = 2;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control Message.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// Set Peer Bandwidth.
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// Data in AMF3 form.
    pub const DATA_AMF3: u8 = 15;
    /// Command in AMF3 form.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data in AMF0 form.
    pub const DATA_AMF0: u8 = 18;
    /// Command in AMF0 form.
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate.
    pub const AGGREGATE: u8 = 22;
}

/// The single 32-bit field of Set Chunk Size, Abort, Acknowledgement or Window Acknowledgement Size. The
/// first bit of a chunk size must be zero and is not looked at.
///
/// # Errors
/// [`Error::ControlTooShort`].
pub fn control_field(message: &Message) -> Result<u32, Error> {
    let type_id = message.header.type_id;
    let bytes = message.payload.first_chunk().ok_or(Error::ControlTooShort { type_id })?;
    let value = u32::from_be_bytes(*bytes);
    Ok(match Kind::of(type_id) {
        Kind::SetChunkSize => value & 0x7fff_ffff,
        _ => value,
    })
}

/// User control events that we send or answer.
pub mod user_control {
    /// A stream is ready for use; four bytes of message stream.
    pub const STREAM_BEGIN: u16 = 0;
    /// The server's ping; four bytes of time.
    pub const PING_REQUEST: u16 = 6;
    /// The answer, with the same four bytes.
    pub const PING_RESPONSE: u16 = 7;

    /// The body of an event with one 32-bit argument.
    pub fn body(event: u16, argument: u32) -> [u8; 6] {
        let [a, b] = event.to_be_bytes();
        let [c, d, e, f] = argument.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// An event and its first argument; `None` if the body is shorter, which some events are by nature.
    pub fn parse(body: &[u8]) -> Option<(u16, u32)> {
        let (event, rest) = body.split_first_chunk()?;
        Some((u16::from_be_bytes(*event), u32::from_be_bytes(*rest.first_chunk()?)))
    }
}

/// The messages of an aggregate (7.1.6), each a view into its body.
///
/// Times in the body are relative to the first of them, which stands for the time of the aggregate. A body
/// that ends inside a message yields what was complete before.
#[derive(Clone, Debug)]
pub struct Aggregate {
    rest: Bytes,
    header: Header,
    first_timestamp: Option<u32>,
}

impl Aggregate {
    /// Bytes before each body: type, length, time with its high byte last, message stream.
    const HEADER_BYTES: usize = 11;
    /// Bytes after each body: its length once more.
    const TRAILER_BYTES: usize = 4;

    /// The messages inside `message`.
    pub fn new(message: Message) -> Self {
        Self { rest: message.payload, header: message.header, first_timestamp: None }
    }
}

impl Iterator for Aggregate {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let head: [u8; Self::HEADER_BYTES] = *self.rest.first_chunk()?;
        let [type_id, l0, l1, l2, t1, t2, t3, t0, ..] = head;
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        let timestamp = u32::from_be_bytes([t0, t1, t2, t3]);
        self.rest.advance(Self::HEADER_BYTES);
        let size = usize::try_from(length).ok()?;
        if size > self.rest.len() {
            self.rest.clear();
            return None;
        }
        let payload = self.rest.split_to(size);
        self.rest.advance(Self::TRAILER_BYTES.min(self.rest.len()));
        let first = *self.first_timestamp.get_or_insert(timestamp);
        let offset = timestamp.wrapping_sub(first);
        Some(Message {
            header: Header {
                timestamp: self.header.timestamp.wrapping_add(offset),
                length,
                type_id,
                stream_id: self.header.stream_id,
            },
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(type_id: u8, timestamp: u32, body: &[u8]) -> Vec<u8> {
        let [t0, t1, t2, t3] = timestamp.to_be_bytes();
        let mut bytes = vec![type_id, 0, 0, body.len() as u8, t1, t2, t3, t0, 0, 0, 0];
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(&(body.len() as u32 + 11).to_be_bytes());
        bytes
    }

    fn unpack(timestamp: u32, body: Vec<u8>) -> Vec<(u8, u32, Vec<u8>)> {
        let header = Header { timestamp, length: body.len() as u32, type_id: id::AGGREGATE, stream_id: 1 };
        let payload = Bytes::from(body);
        Aggregate::new(Message { header, payload })
            .map(|m| (m.header.type_id, m.header.timestamp, m.payload.to_vec()))
            .collect()
    }

    #[test]
    fn times_are_moved_to_the_time_of_the_aggregate() {
        let body = [part(9, 500, b"v"), part(8, 510, b"au"), part(9, 540, b"")].concat();
        let want = vec![(9, 2000, b"v".to_vec()), (8, 2010, b"au".to_vec()), (9, 2040, vec![])];
        assert_eq!(unpack(2000, body), want);
    }

    #[test]
    fn times_wrap_inside_and_outside() {
        let body = [part(9, u32::MAX, b"a"), part(9, 9, b"b")].concat();
        assert_eq!(unpack(u32::MAX - 4, body.clone()).last().unwrap().1, 5);
        assert_eq!(unpack(7, body).last().unwrap().1, 17);
    }

    #[test]
    fn a_cut_body_yields_what_was_complete() {
        let body = [part(9, 0, b"one"), part(9, 1, b"two")].concat();
        for cut in 0..body.len() {
            let parts = unpack(0, body.get(..cut).unwrap().to_vec());
            let want = usize::from(cut >= 14) + usize::from(cut >= 18 + 14);
            assert_eq!(parts.len(), want, "cut at {cut}");
        }
    }

    #[test]
    fn short_controls_are_errors_and_short_user_controls_are_nothing() {
        let message =
            Message { header: Header { type_id: 1, ..Header::default() }, payload: Bytes::from_static(&[0, 0, 1]) };
        assert_eq!(control_field(&message), Err(Error::ControlTooShort { type_id: 1 }));
        assert_eq!(user_control::parse(&[0, 6, 0, 0, 0]), None);
        assert_eq!(user_control::parse(&user_control::body(6, 77)), Some((6, 77)));
    }
}
