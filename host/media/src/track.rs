//! What a codec header says about its track.
//!
//! A header is read once, when it arrives, and kept in a canonical form: two headers that configure a decoder
//! alike are equal, so that a repeated header is not a new part. Frames are not looked at here.

use bytes::Bytes;

use crate::cursor::Short;
use crate::flv::{AudioCodec, VideoCodec};

pub mod aac;
pub mod avc;
pub mod hevc;
mod vui;

/// The largest picture side that is recorded. It bounds what a decoder of ours may have to allocate, and is above
/// every camera and encoder in use (8K is 7680 wide).
pub const MAX_PICTURE_SIDE: u32 = 8192;

/// The largest codec header that is read. Real ones are below 1 KiB; each becomes part of every init segment.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;

/// The codec configuration of a video track. Equality is that of the decoder configuration.
#[derive(Debug, Clone)]
pub struct VideoConfig {
    /// The codec.
    pub codec: VideoCodec,
    /// Width in pixels after cropping, 1 to [`MAX_PICTURE_SIDE`].
    pub width: u16,
    /// Height in pixels after cropping, 1 to [`MAX_PICTURE_SIDE`].
    pub height: u16,
    /// Frames per second as the parameter set declares them, if it does.
    pub fps: Option<f64>,
    /// `profile_idc`.
    pub profile: u8,
    /// `level_idc` (H.264: ten times the level, HEVC: thirty times).
    pub level: u8,
    /// Bits of a luma sample.
    pub bit_depth: u8,
    /// 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// The body of an `avcC` or `hvcC` box (ISO/IEC 14496-15) in canonical form.
    pub record: Bytes,
}

impl VideoConfig {
    /// Reads the codec header of a video track.
    pub fn parse(codec: VideoCodec, record: &Bytes) -> Result<Self, TrackError> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(TrackError::TooLarge);
        }
        match codec {
            VideoCodec::Avc => avc::parse(record),
            VideoCodec::Hevc => hevc::parse(record),
        }
    }

    /// The codec's name as RFC 6381 spells it, for the `CODECS` attribute of a playlist.
    pub fn codec_string(&self) -> String {
        match self.codec {
            VideoCodec::Avc => avc::codec_string(&self.record),
            VideoCodec::Hevc => hevc::codec_string(&self.record),
        }
    }
}

impl PartialEq for VideoConfig {
    fn eq(&self, other: &Self) -> bool {
        self.codec == other.codec && self.record == other.record
    }
}

impl Eq for VideoConfig {}

/// The codec configuration of an audio track. Equality is that of the decoder configuration.
#[derive(Debug, Clone)]
pub struct AudioConfig {
    /// The codec.
    pub codec: AudioCodec,
    /// Samples per second that the decoder puts out; also the timescale of the track.
    pub sample_rate: u32,
    /// Number of channels; 0 if only the frames tell.
    pub channels: u8,
    /// `audioObjectType` of what is heard: 2 LC, 5 HE-AAC, 29 HE-AAC v2.
    pub object_type: u8,
    /// Samples that one frame decodes to: 1024 or 960, doubled by declared spectral band replication.
    pub frame_samples: u32,
    /// The `AudioSpecificConfig` (ISO/IEC 14496-3).
    pub record: Bytes,
}

impl AudioConfig {
    /// Reads the codec header of an audio track.
    pub fn parse(codec: AudioCodec, record: &Bytes) -> Result<Self, TrackError> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(TrackError::TooLarge);
        }
        match codec {
            AudioCodec::Aac => aac::parse(record),
        }
    }

    /// The codec's name as RFC 6381 spells it, for the `CODECS` attribute of a playlist.
    pub fn codec_string(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }
}

impl PartialEq for AudioConfig {
    fn eq(&self, other: &Self) -> bool {
        self.codec == other.codec && self.record == other.record
    }
}

impl Eq for AudioConfig {}

/// The tracks of a file: at most one of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracks {
    /// The video track.
    pub video: Option<VideoConfig>,
    /// The audio track.
    pub audio: Option<AudioConfig>,
}

impl Tracks {
    /// Whether a file with these tracks can take everything that a publisher with `session` sends.
    pub fn can_carry(&self, session: &Tracks) -> bool {
        (session.video.is_none() || session.video == self.video)
            && (session.audio.is_none() || session.audio == self.audio)
    }

    /// The `CODECS` attribute of a playlist, RFC 6381.
    pub fn codecs(&self) -> String {
        let names =
            [self.video.as_ref().map(VideoConfig::codec_string), self.audio.as_ref().map(AudioConfig::codec_string)];
        names.into_iter().flatten().collect::<Vec<_>>().join(",")
    }
}

/// A codec header that cannot be used. The publisher's encoder must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrackError {
    /// The header ends inside a field.
    #[error("codec header ends inside a field")]
    Truncated,
    /// The header is longer than [`MAX_RECORD_BYTES`].
    #[error("codec header is longer than {MAX_RECORD_BYTES} bytes")]
    TooLarge,
    /// The header's version is not 1.
    #[error("codec header has version {0}, not 1")]
    Version(u8),
    /// The header carries no sequence parameter set.
    #[error("codec header carries no sequence parameter set")]
    NoParameterSet,
    /// The sequence parameter set breaks its grammar.
    #[error("sequence parameter set is not valid")]
    ParameterSet,
    /// The picture has no area or exceeds [`MAX_PICTURE_SIDE`].
    #[error("picture of {width}x{height} is outside 1 to {MAX_PICTURE_SIDE}")]
    PictureSize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// NAL units must be prefixed by 1, 2 or 4 bytes of length.
    #[error("length prefix of {0} bytes is not valid")]
    LengthSize(u8),
    /// The sampling rate is reserved, zero or above what AAC allows.
    #[error("sampling rate is not valid")]
    SampleRate,
    /// An object type that is not AAC.
    #[error("audio object type {0} is not supported")]
    ObjectType(u8),
}

impl From<Short> for TrackError {
    fn from(_: Short) -> Self {
        Self::Truncated
    }
}

/// What a sequence parameter set says, whichever codec it is of.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Picture {
    width: u32,
    height: u32,
    fps: Option<f64>,
    chroma_format: u8,
    bit_depth_luma: u8,
    bit_depth_chroma: u8,
}

impl Picture {
    /// The size as 16-bit numbers, if it is one that is recorded.
    fn checked_size(&self) -> Result<(u16, u16), TrackError> {
        let range = 1..=MAX_PICTURE_SIDE;
        let error = TrackError::PictureSize { width: self.width, height: self.height };
        if !range.contains(&self.width) || !range.contains(&self.height) {
            return Err(error);
        }
        let narrow = |side| u16::try_from(side).map_err(|_| error);
        Ok((narrow(self.width)?, narrow(self.height)?))
    }
}

#[cfg(test)]
pub(crate) mod samples {
    //! Headers made by ffmpeg 5.1 with libx264, libx265 and its AAC encoder.
    use super::*;
    /// 320x240 at 25 fps, High.
    pub(crate) const AVC: &str =
        "0164000dffe100196764000dacd94141fb011000000300100000030320f142996001000668ebe3cb22c0fdf8f800";
    /// 1920x1080 (cropped from 1088) at 30000/1001 fps, Main.
    pub(crate) const AVC_MAIN: &str =
        "014d4028ffe10018674d4028eca03c0113f2e022000007d20001d4c01e30632c01000568ebe3cb20";
    /// 322x242 at 24 fps, High 4:4:4 with scaling matrices.
    pub(crate) const AVC_444: &str =
        "01f4000dffe1001a67f4000d919b282a10f1f1f808800000030080000018078a14cb01000868ebe3c44c000440fff8f800";
    /// 1920x1080 interlaced at 25 fps, High.
    pub(crate) const AVC_INTERLACED: &str =
        "01640028ffe1001a67640028acd94078044fde0220000003002000000643e2c5b2c001000668fba3cb22c0fdf8f800";
    /// 640x360 at 50 fps, Main 10.
    pub(crate) const HEVC: &str = "0102200000009000000000005af000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003005a959809a10001002b42010102200000030090000003000003005aa005020169365959a4932bc05a020000030002000003006410a2000100074401c172b46240";
    /// 642x362 (cropped) at 24 fps, Main, with scaling lists.
    pub(crate) const HEVC_SCALED: &str = "0101600000009000000000003ff000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003f959809a10001002c42010101600000030090000003000003003fa005120171c9265959a49395e02d010000030001000003001808a2000100074401c172b46240";
    /// 44.1 kHz stereo LC, with an explicit "no SBR".
    pub(crate) const AAC: &str = "121056e500";

    pub(crate) fn bytes(hex: &str) -> Bytes {
        let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    pub(crate) fn video(hex: &str) -> VideoConfig {
        VideoConfig::parse(VideoCodec::Avc, &bytes(hex)).unwrap()
    }

    pub(crate) fn audio(hex: &str) -> AudioConfig {
        AudioConfig::parse(AudioCodec::Aac, &bytes(hex)).unwrap()
    }

    pub(crate) fn both() -> Tracks {
        Tracks { video: Some(video(AVC)), audio: Some(audio(AAC)) }
    }
}
