//! Audio messages: FLV 10.1 annex E.4.2 and Enhanced RTMP v2, "Enhanced Audio".
//!
//! The rate, size and channel bits of a legacy tag are ignored: for AAC they are fixed and often wrong, and the
//! codec header has the truth.

use bytes::Bytes;

use super::{AudioCodec, FlvError, PACKET_MULTITRACK_AUDIO, UnsupportedCodec, skip_modex, unwrap_tracks};
use crate::cursor::Cursor;

/// What an audio message holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioPacket {
    /// A codec header: for AAC an `AudioSpecificConfig`.
    Header {
        /// Whose header it is.
        codec: AudioCodec,
        /// The header's bytes.
        record: Bytes,
    },
    /// One coded frame without any transport framing.
    Frame {
        /// The codec of the frame.
        codec: AudioCodec,
        /// The frame's bytes.
        data: Bytes,
    },
    /// The encoder says that the sequence ends. More may follow.
    End,
    /// Nothing to record: an empty body, a channel layout, another track.
    Ignored,
    /// A codec that cannot be recorded; the publisher should be refused by this name.
    Unsupported {
        /// The codec's name.
        codec: UnsupportedCodec,
    },
}

const FORMAT_ENHANCED: u8 = 9;
const FORMAT_AAC: u8 = 10;

/// Reads the body of an audio message. Any bytes are accepted; an empty body is normal and ignored.
pub fn parse_audio(body: Bytes) -> Result<AudioPacket, FlvError> {
    let mut cursor = Cursor::new(body);
    let Ok(first) = cursor.u8() else {
        return Ok(AudioPacket::Ignored);
    };
    match first >> 4 {
        FORMAT_ENHANCED => enhanced(cursor, first),
        FORMAT_AAC => Ok(legacy_aac(cursor)),
        other => Ok(AudioPacket::Unsupported { codec: UnsupportedCodec::Audio(other) }),
    }
}

fn legacy_aac(mut cursor: Cursor) -> AudioPacket {
    match cursor.u8() {
        Ok(0) => header(cursor),
        Ok(1) => frame(cursor),
        // Some encoders send the format byte alone to keep the connection warm.
        _ => AudioPacket::Ignored,
    }
}

fn enhanced(mut cursor: Cursor, first: u8) -> Result<AudioPacket, FlvError> {
    const SEQUENCE_START: u8 = 0;
    const CODED_FRAMES: u8 = 1;
    const SEQUENCE_END: u8 = 2;

    let packet_type = skip_modex(&mut cursor, first & 0x0f)?;
    let Some(packet) = unwrap_tracks(cursor, packet_type, PACKET_MULTITRACK_AUDIO)? else {
        return Ok(AudioPacket::Ignored);
    };
    if &packet.four_cc != b"mp4a" {
        return Ok(AudioPacket::Unsupported { codec: UnsupportedCodec::FourCc(packet.four_cc) });
    }
    let cursor = Cursor::new(packet.body);
    Ok(match packet.packet_type {
        SEQUENCE_START => header(cursor),
        CODED_FRAMES => frame(cursor),
        SEQUENCE_END => AudioPacket::End,
        _ => AudioPacket::Ignored,
    })
}

fn header(cursor: Cursor) -> AudioPacket {
    match cursor.rest() {
        record if record.is_empty() => AudioPacket::Ignored,
        record => AudioPacket::Header { codec: AudioCodec::Aac, record },
    }
}

fn frame(cursor: Cursor) -> AudioPacket {
    match cursor.rest() {
        data if data.is_empty() => AudioPacket::Ignored,
        data => AudioPacket::Frame { codec: AudioCodec::Aac, data },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<AudioPacket, FlvError> {
        parse_audio(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn bodies() {
        use AudioPacket::{End, Ignored};
        let unsupported = |codec| AudioPacket::Unsupported { codec };
        let header = |record| AudioPacket::Header { codec: AudioCodec::Aac, record: Bytes::from_static(record) };
        let frame = |data| AudioPacket::Frame { codec: AudioCodec::Aac, data: Bytes::from_static(data) };
        let table: &[(&str, &[u8], AudioPacket)] = &[
            ("empty", b"", Ignored),
            ("format byte alone", b"\xaf", Ignored),
            ("header", b"\xaf\0\x12\x10", header(b"\x12\x10")),
            ("empty header", b"\xaf\0", Ignored),
            ("frame", b"\xaf\x01abc", frame(b"abc")),
            ("empty frame", b"\xaf\x01", Ignored),
            ("unknown packet type", b"\xaf\x07abc", Ignored),
            ("mp3", b"\x2fabc", unsupported(UnsupportedCodec::Audio(2))),
            ("enhanced header", b"\x90mp4a\x12\x10", header(b"\x12\x10")),
            ("enhanced frame", b"\x91mp4aabc", frame(b"abc")),
            ("enhanced end", b"\x92mp4a", End),
            ("channel layout", b"\x94mp4a\x01\x02", Ignored),
            ("opus", b"\x90Opusx", unsupported(UnsupportedCodec::FourCc(*b"Opus"))),
            ("modex", b"\x97\x02abc\x01mp4axy", frame(b"xy")),
            ("multitrack, default track", b"\x95\x01mp4a\0xy", frame(b"xy")),
            ("multitrack, other track", b"\x95\x01mp4a\x02xy", Ignored),
        ];
        for (name, bytes, expected) in table {
            assert_eq!(parse(bytes).as_ref(), Ok(expected), "{name}");
        }
        assert_eq!(parse(b"\x91mp"), Err(FlvError::Truncated));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
