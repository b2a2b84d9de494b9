//! One audio or video message of a publisher.
//!
//! The body of an RTMP audio or video message is the body of an FLV tag (Adobe Flash Video File Format 10.1,
//! annex E.4; Veovera Enhanced RTMP v2 for FourCC codecs, ModEx and multitrack). This module splits a body into
//! codec headers and frames. It does not look inside the headers (that is [`crate::track`]), keeps no state and
//! knows no timestamps. A frame's bytes share the allocation of the message.

use std::fmt;

use bytes::Bytes;

use crate::cursor::{Cursor, Short};

pub mod audio;
pub mod video;

pub use audio::{AudioPacket, parse_audio};
pub use video::{VideoPacket, parse_video};

/// The largest number of ModEx prefixes one packet may carry. Each is at least three bytes, so a large body could
/// otherwise keep the parser busy with nothing; the specification defines one kind.
const MAX_MODEX: usize = 16;

/// The largest number of tracks looked at in one multitrack packet; the first track is the one that is recorded.
const MAX_TRACKS: usize = 64;

/// A video codec that can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264, ISO/IEC 14496-10.
    Avc,
    /// H.265, ISO/IEC 23008-2.
    Hevc,
}

/// An audio codec that can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// AAC, ISO/IEC 14496-3.
    Aac,
}

/// The name of a codec that cannot be recorded, as the publisher announced it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UnsupportedCodec {
    /// `CodecID` of a legacy video tag.
    Video(u8),
    /// `SoundFormat` of a legacy audio tag.
    Audio(u8),
    /// The FourCC of an enhanced tag.
    FourCc([u8; 4]),
}

impl fmt::Display for UnsupportedCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Video(id) => match video_name(*id) {
                Some(name) => f.write_str(name),
                None => write!(f, "video codec {id}"),
            },
            Self::Audio(id) => match audio_name(*id) {
                Some(name) => f.write_str(name),
                None => write!(f, "sound format {id}"),
            },
            Self::FourCc(code) => write!(f, "{}", code.escape_ascii()),
        }
    }
}

/// The message is not what its own first bytes say. The encoder is at fault; the message is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlvError {
    /// The body ends inside a field.
    #[error("message body ends inside a field")]
    Truncated,
    /// More ModEx prefixes than 16.
    #[error("message carries too many modifier extensions")]
    TooManyModifiers,
}

impl From<Short> for FlvError {
    fn from(_: Short) -> Self {
        Self::Truncated
    }
}

/// Packet types that audio and video share in Enhanced RTMP.
const PACKET_MULTITRACK_VIDEO: u8 = 6;
const PACKET_MULTITRACK_AUDIO: u8 = 5;
const PACKET_MODEX: u8 = 7;

/// What an enhanced packet turns out to hold once ModEx and multitrack wrappers are off.
struct Enhanced {
    packet_type: u8,
    four_cc: [u8; 4],
    body: Bytes,
}

/// Takes ModEx prefixes off; returns the packet type behind them. Their content (a nanosecond offset) is finer
/// than the millisecond clock of the recording, so it is skipped.
fn skip_modex(cursor: &mut Cursor, first_type: u8) -> Result<u8, FlvError> {
    let mut packet_type = first_type;
    for _ in 0..MAX_MODEX {
        if packet_type != PACKET_MODEX {
            return Ok(packet_type);
        }
        let mut size = usize::from(cursor.u8()?) + 1;
        if size == 256 {
            size = usize::from(cursor.u16()?) + 1;
        }
        cursor.take(size)?;
        packet_type = cursor.u8()? & 0x0f;
    }
    Err(FlvError::TooManyModifiers)
}

/// Reads the FourCC, or unwraps a multitrack packet to its default track. `None` means that the packet has nothing
/// for the default track (id 0), which is normal.
fn unwrap_tracks(mut cursor: Cursor, packet_type: u8, multitrack: u8) -> Result<Option<Enhanced>, FlvError> {
    const ONE_TRACK: u8 = 0;
    const MANY_TRACKS_MANY_CODECS: u8 = 2;
    if packet_type != multitrack {
        let four_cc = cursor.array()?;
        return Ok(Some(Enhanced { packet_type, four_cc, body: cursor.rest() }));
    }
    let kinds = cursor.u8()?;
    let (layout, packet_type) = (kinds >> 4, kinds & 0x0f);
    let mut four_cc = [0; 4];
    if layout != MANY_TRACKS_MANY_CODECS {
        four_cc = cursor.array()?;
    }
    for _ in 0..MAX_TRACKS {
        if cursor.remaining() == 0 {
            break;
        }
        if layout == MANY_TRACKS_MANY_CODECS {
            four_cc = cursor.array()?;
        }
        let track = cursor.u8()?;
        let body = if layout == ONE_TRACK {
            cursor.take(cursor.remaining())?
        } else {
            let size = cursor.u24()? as usize;
            cursor.take(size)?
        };
        if track == 0 {
            return Ok(Some(Enhanced { packet_type, four_cc, body }));
        }
    }
    Ok(None)
}

fn video_name(id: u8) -> Option<&'static str> {
    Some(match id {
        2 => "Sorenson H.263",
        3 => "Screen video",
        4 => "On2 VP6",
        5 => "On2 VP6 with alpha",
        6 => "Screen video 2",
        13 => "AV1 (legacy id 13)",
        _ => return None,
    })
}

fn audio_name(id: u8) -> Option<&'static str> {
    Some(match id {
        0 | 3 => "linear PCM",
        1 => "ADPCM",
        2 | 14 => "MP3",
        4..=6 => "Nellymoser",
        7 => "G.711 A-law",
        8 => "G.711 mu-law",
        11 => "Speex",
        13 => "Opus (legacy id 13)",
        _ => return None,
    })
}
