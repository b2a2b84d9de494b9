//! One function for each target. Each feeds arbitrary bytes to a parser and states what must hold beside
//! "it does not panic": the same result however the input is divided, bounded memory, round trips.

#[path = "targets/sequence.rs"]
mod sequence;

use reprise_media::rtmp::Error;
use reprise_media::rtmp::amf0::{self, Value};
use reprise_media::rtmp::chunk::{Bounds, Intake, Message, Reader};
use reprise_media::rtmp::handshake::{Handshake, PACKET_BYTES};

pub use sequence::rtmp_session_sequence;

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// The targets by name: a folder of the corpus each.
pub const ALL: [(&str, Target); 4] = [
    ("amf0_decode", amf0_decode),
    ("rtmp_chunk_stream", rtmp_chunk_stream),
    ("rtmp_handshake", rtmp_handshake),
    ("rtmp_session_sequence", rtmp_session_sequence),
];

/// The first byte is the size of the pieces, the rest is input.
pub fn rtmp_handshake(data: &[u8]) {
    let Some((step, input)) = data.split_first() else {
        return;
    };
    let mut handshake = Handshake::new([*step; 32]);
    let mut send = Vec::new();
    let mut fed = 0;
    for piece in pieces(input, *step) {
        let mut rest = piece;
        let Ok(done) = handshake.receive(&mut rest, &mut send) else {
            assert_ne!(input.first(), Some(&3), "only another version is an error");
            return;
        };
        fed += piece.len() - rest.len();
        assert_eq!(done, fed == 1 + 2 * PACKET_BYTES);
        assert!(handshake.buffered_bytes() <= PACKET_BYTES);
        let answered = fed > PACKET_BYTES;
        assert_eq!(send.len(), if answered { 1 + 2 * PACKET_BYTES } else { 0 });
        if done {
            return;
        }
        assert!(rest.is_empty());
    }
}

/// The first byte is the size of the pieces, the rest is input.
pub fn rtmp_chunk_stream(data: &[u8]) {
    let Some((step, input)) = data.split_first() else {
        return;
    };
    assert_eq!(read_chunks(input, *step), read_chunks(input, 0));
}

/// Reads a chunk stream as a session would, and what ended it.
fn read_chunks(input: &[u8], step: u8) -> (Vec<Message>, Option<Error>) {
    let bounds = Bounds { chunk_streams: 16, message_bytes: 1 << 16, partial_bytes: 1 << 17 };
    let mut reader = Reader::new(bounds);
    let mut seen = Vec::new();
    for piece in pieces(input, step) {
        let mut rest = piece;
        loop {
            // Every fourth type is let pass, so that both ways are taken.
            let admit = |type_id: u8| {
                if type_id % 4 == 3 { Intake::Skip } else { Intake::Keep }
            };
            match reader.next_message(&mut rest, |header| Ok(admit(header.type_id))) {
                Ok(Some(message)) => {
                    assert_eq!(message.payload.len(), message.header.length as usize);
                    let field = message.payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
                    match (message.header.type_id, field) {
                        (1, Some(size)) => reader.set_chunk_size(size),
                        (2, Some(chunk_stream)) => reader.abort(chunk_stream),
                        _ => seen.push(message),
                    }
                }
                Ok(None) => break,
                Err(error) => return (seen, Some(error)),
            }
        }
        assert!(rest.is_empty(), "all input is taken");
        assert!(reader.buffered_bytes() <= input.len().min(bounds.partial_bytes + 18));
    }
    let bytes: usize = seen.iter().map(|message| message.payload.len()).sum();
    assert!(bytes <= input.len(), "nothing is made up");
    (seen, None)
}

/// A body. What decodes stays within the limits and encodes to something that decodes to the same.
pub fn amf0_decode(data: &[u8]) {
    let limits = amf0::Limits::default();
    let Ok(values) = amf0::decode_all(data, limits) else {
        return;
    };
    let (count, depth) = measure(&values);
    assert!(count <= limits.properties && depth <= limits.depth);
    let encoded = encode_all(&values);
    // Replacement characters may be longer than the bytes they replace.
    let wide = amf0::Limits { name_bytes: usize::MAX, ..limits };
    let again = amf0::decode_all(&encoded, wide).expect("our own encoding decodes");
    assert_eq!(encode_all(&again), encoded);
}

fn encode_all(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        amf0::encode(value, &mut out);
    }
    out
}

/// Values at all levels, and the deepest level of containers.
fn measure(values: &[Value]) -> (usize, usize) {
    let mut count = 0;
    let mut deepest = 0;
    let mut open: Vec<(&Value, usize)> = values.iter().map(|value| (value, 1)).collect();
    while let Some((value, depth)) = open.pop() {
        count += 1;
        match value {
            Value::Object(properties) | Value::EcmaArray(properties) => {
                deepest = deepest.max(depth);
                open.extend(properties.iter().map(|(_, value)| (value, depth + 1)));
            }
            Value::StrictArray(items) => {
                deepest = deepest.max(depth);
                open.extend(items.iter().map(|value| (value, depth + 1)));
            }
            _ => {}
        }
    }
    (count, deepest)
}

/// The input in pieces of `step` bytes; 0 is all at once.
fn pieces(input: &[u8], step: u8) -> impl Iterator<Item = &[u8]> {
    input.chunks(if step == 0 { input.len().max(1) } else { usize::from(step) })
}
