//! Video messages: FLV 10.1 annex E.4.3 and Enhanced RTMP v2, "Enhanced Video".
//!
//! It does not decide whether a stream may start here; it only passes on the encoder's keyframe mark.

use bytes::Bytes;

use super::{FlvError, PACKET_MULTITRACK_VIDEO, UnsupportedCodec, VideoCodec, skip_modex, unwrap_tracks};
use crate::cursor::Cursor;

/// What a video message holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoPacket {
    /// A codec header: the body of an `avcC` or `hvcC` box.
    Header {
        /// Whose header it is.
        codec: VideoCodec,
        /// The decoder configuration record, ISO/IEC 14496-15.
        record: Bytes,
    },
    /// One coded picture, as length-prefixed NAL units.
    Frame {
        /// The codec of the picture.
        codec: VideoCodec,
        /// Whether decoding may start here.
        keyframe: bool,
        /// Presentation time minus decode time, in milliseconds.
        composition_ms: i32,
        /// The NAL units.
        data: Bytes,
    },
    /// The encoder says that the sequence ends. More may follow.
    End,
    /// Nothing to record: an empty body, metadata, a seek command, another track.
    Ignored,
    /// A codec that cannot be recorded; the publisher should be refused by this name.
    Unsupported {
        /// The codec's name.
        codec: UnsupportedCodec,
    },
}

const FRAME_KEY: u8 = 1;
/// A keyframe made by the server side; never seen from encoders, and decodable like any other.
const FRAME_GENERATED_KEY: u8 = 4;
const FRAME_COMMAND: u8 = 5;

const CODEC_AVC: u8 = 7;
/// Not registered by anybody, yet what Chinese encoders and networks sent for HEVC before Enhanced RTMP.
const CODEC_HEVC_LEGACY: u8 = 12;

/// Reads the body of a video message. Any bytes are accepted; an empty body is normal and ignored.
pub fn parse_video(body: Bytes) -> Result<VideoPacket, FlvError> {
    let mut cursor = Cursor::new(body);
    let Ok(first) = cursor.u8() else {
        return Ok(VideoPacket::Ignored);
    };
    if first & 0x80 != 0 { enhanced(cursor, first) } else { legacy(cursor, first) }
}

fn legacy(mut cursor: Cursor, first: u8) -> Result<VideoPacket, FlvError> {
    let (frame_type, codec_id) = (first >> 4, first & 0x0f);
    let codec = match codec_id {
        CODEC_AVC => VideoCodec::Avc,
        CODEC_HEVC_LEGACY => VideoCodec::Hevc,
        // A lone command byte carries no codec worth refusing.
        _ if frame_type == FRAME_COMMAND => return Ok(VideoPacket::Ignored),
        other => {
            return Ok(VideoPacket::Unsupported { codec: UnsupportedCodec::Video(other) });
        }
    };
    if frame_type == FRAME_COMMAND || cursor.remaining() == 0 {
        return Ok(VideoPacket::Ignored);
    }
    let packet_type = cursor.u8()?;
    match packet_type {
        0 => {
            cursor.u24()?;
            Ok(header(codec, cursor))
        }
        1 => {
            let composition_ms = cursor.i24()?;
            Ok(frame(codec, frame_type, composition_ms, cursor))
        }
        2 => Ok(VideoPacket::End),
        _ => Ok(VideoPacket::Ignored),
    }
}

fn enhanced(mut cursor: Cursor, first: u8) -> Result<VideoPacket, FlvError> {
    const SEQUENCE_START: u8 = 0;
    const CODED_FRAMES: u8 = 1;
    const SEQUENCE_END: u8 = 2;
    const CODED_FRAMES_X: u8 = 3;
    const METADATA: u8 = 4;

    let frame_type = first >> 4 & 0x07;
    let packet_type = skip_modex(&mut cursor, first & 0x0f)?;
    if packet_type == METADATA || frame_type == FRAME_COMMAND {
        return Ok(VideoPacket::Ignored);
    }
    let Some(packet) = unwrap_tracks(cursor, packet_type, PACKET_MULTITRACK_VIDEO)? else {
        return Ok(VideoPacket::Ignored);
    };
    let codec = match &packet.four_cc {
        b"avc1" => VideoCodec::Avc,
        b"hvc1" => VideoCodec::Hevc,
        other => {
            return Ok(VideoPacket::Unsupported { codec: UnsupportedCodec::FourCc(*other) });
        }
    };
    let mut cursor = Cursor::new(packet.body);
    match packet.packet_type {
        SEQUENCE_START => Ok(header(codec, cursor)),
        CODED_FRAMES => {
            let composition_ms = cursor.i24()?;
            Ok(frame(codec, frame_type, composition_ms, cursor))
        }
        CODED_FRAMES_X => Ok(frame(codec, frame_type, 0, cursor)),
        SEQUENCE_END => Ok(VideoPacket::End),
        _ => Ok(VideoPacket::Ignored),
    }
}

/// An empty header is what some encoders send first; the real one follows.
fn header(codec: VideoCodec, cursor: Cursor) -> VideoPacket {
    match cursor.rest() {
        record if record.is_empty() => VideoPacket::Ignored,
        record => VideoPacket::Header { codec, record },
    }
}

fn frame(codec: VideoCodec, frame_type: u8, composition_ms: i32, cursor: Cursor) -> VideoPacket {
    let data = cursor.rest();
    if data.is_empty() {
        return VideoPacket::Ignored;
    }
    let keyframe = matches!(frame_type, FRAME_KEY | FRAME_GENERATED_KEY);
    VideoPacket::Frame { codec, keyframe, composition_ms, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<VideoPacket, FlvError> {
        parse_video(Bytes::copy_from_slice(bytes))
    }

    fn frame(codec: VideoCodec, keyframe: bool, composition_ms: i32, data: &'static [u8]) -> VideoPacket {
        VideoPacket::Frame { codec, keyframe, composition_ms, data: Bytes::from_static(data) }
    }

    fn header(codec: VideoCodec, record: &'static [u8]) -> VideoPacket {
        VideoPacket::Header { codec, record: Bytes::from_static(record) }
    }

    #[test]
    fn bodies() {
        use VideoCodec::{Avc, Hevc};
        use VideoPacket::{End, Ignored};
        let unsupported = |codec| VideoPacket::Unsupported { codec };
        let table: &[(&str, &[u8], VideoPacket)] = &[
            ("empty", b"", Ignored),
            ("avc header", b"\x17\0\0\0\0\x01\x64", header(Avc, b"\x01\x64")),
            ("avc header without a record", b"\x17\0\0\0\0", Ignored),
            ("avc keyframe", b"\x17\x01\0\0\x50abc", frame(Avc, true, 80, b"abc")),
            ("avc delta, offset -1", b"\x27\x01\xff\xff\xffabc", frame(Avc, false, -1, b"abc")),
            ("avc frame without data", b"\x27\x01\0\0\0", Ignored),
            ("avc end", b"\x17\x02\0\0\0", End),
            ("avc first byte alone", b"\x17", Ignored),
            ("avc unknown packet type", b"\x17\x09\0\0\0x", Ignored),
            ("seek command", b"\x57\0", Ignored),
            ("seek command, no codec", b"\x50\0", Ignored),
            ("legacy hevc header", b"\x1c\0\0\0\0\x01", header(Hevc, b"\x01")),
            ("legacy hevc frame", b"\x2c\x01\0\0\x28ab", frame(Hevc, false, 40, b"ab")),
            ("sorenson", b"\x12abc", unsupported(UnsupportedCodec::Video(2))),
            ("hvc1 start", b"\x90hvc1\x01\x02", header(Hevc, b"\x01\x02")),
            ("hvc1 coded frames", b"\x91hvc1\0\0\x50ab", frame(Hevc, true, 80, b"ab")),
            ("hvc1 coded frames x", b"\xa3hvc1ab", frame(Hevc, false, 0, b"ab")),
            ("hvc1 end", b"\x92hvc1", End),
            ("avc1 by four cc", b"\xa1avc1\0\0\0ab", frame(Avc, false, 0, b"ab")),
            ("metadata", b"\x94hvc1anything", Ignored),
            ("enhanced command", b"\xd1\0", Ignored),
            ("av1", b"\x90av01\x81", unsupported(UnsupportedCodec::FourCc(*b"av01"))),
            ("modex then frame", b"\x97\x02abc\x03hvc1xy", frame(Hevc, true, 0, b"xy")),
            ("two modex", b"\x97\0a\x07\0b\x13hvc1xy", frame(Hevc, true, 0, b"xy")),
            ("multitrack, one track", b"\x96\x03hvc1\0xy", frame(Hevc, true, 0, b"xy")),
            ("multitrack, other track only", b"\x96\x03hvc1\x01xy", Ignored),
            (
                "multitrack, many tracks, second is the default",
                b"\x96\x13hvc1\x01\0\0\x02zz\0\0\0\x02xy",
                frame(Hevc, true, 0, b"xy"),
            ),
            ("multitrack, many codecs", b"\x96\x23av01\x01\0\0\x01zhvc1\0\0\0\x02xy", frame(Hevc, true, 0, b"xy")),
        ];
        for (name, bytes, expected) in table {
            assert_eq!(parse(bytes).as_ref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn truncated_bodies_are_errors() {
        let modifiers = [&b"\x97"[..], &b"\0a\x07".repeat(MANY)].concat();
        const MANY: usize = 1000;
        for (bytes, expected) in [
            (&b"\x17\x01\0"[..], FlvError::Truncated),
            (b"\x17\0\0", FlvError::Truncated),
            (b"\x91hvc", FlvError::Truncated),
            (b"\x91hvc1\0", FlvError::Truncated),
            (b"\x97\xff\xff\xff", FlvError::Truncated),
            (b"\x96\x13hvc1\x01\xff\xff\xffzz", FlvError::Truncated),
            (&modifiers, FlvError::TooManyModifiers),
        ] {
            assert_eq!(parse(bytes), Err(expected), "{bytes:02x?}");
        }
    }

    #[test]
    fn names_of_refused_codecs() {
        for (codec, name) in [
            (UnsupportedCodec::Video(4), "On2 VP6"),
            (UnsupportedCodec::Video(9), "video codec 9"),
            (UnsupportedCodec::Audio(11), "Speex"),
            (UnsupportedCodec::FourCc(*b"av01"), "av01"),
            (UnsupportedCodec::FourCc(*b"\0\n\xff\""), "\\x00\\n\\xff\\\""),
        ] {
            assert_eq!(codec.to_string(), name);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
