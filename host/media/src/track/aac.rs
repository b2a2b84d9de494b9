//! AAC codec headers: `AudioSpecificConfig`, ISO/IEC 14496-3 section 1.6.2.1.
//!
//! Spectral band replication that is only found inside the frames ("implicit signalling") is not seen here; such a
//! track is clocked at its core rate, which is also right, only coarser.

use bytes::Bytes;

use super::{AudioConfig, TrackError};
use crate::bits::{BitReader, OutOfBits};
use crate::flv::AudioCodec;

/// `samplingFrequencyIndex`, table 1.18; the indices behind it are reserved but for the escape 15.
const SAMPLE_RATES: [u32; 13] =
    [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

/// `channelConfiguration`, table 1.19: 0 means that a program config element follows.
const CHANNELS: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8];

/// The highest rate that is believed when it is written out; the table ends at half of it, and SBR doubles.
const MAX_SAMPLE_RATE: u32 = 192_000;

const AOT_LC: u8 = 2;
const AOT_SBR: u8 = 5;
const AOT_PS: u8 = 29;
const SYNC_EXTENSION: u32 = 0x2b7;
const SYNC_EXTENSION_PS: u32 = 0x548;

struct Config {
    object_type: u8,
    sample_rate: u32,
    channels: u8,
    frame_samples: u32,
}

pub(super) fn parse(record: &Bytes) -> Result<AudioConfig, TrackError> {
    let mut reader = BitReader::new(record);
    let config = read(&mut reader)?;
    if config.sample_rate == 0 || config.sample_rate > MAX_SAMPLE_RATE {
        return Err(TrackError::SampleRate);
    }
    Ok(AudioConfig {
        codec: AudioCodec::Aac,
        sample_rate: config.sample_rate,
        channels: config.channels,
        object_type: config.object_type,
        frame_samples: config.frame_samples,
        record: record.clone(),
    })
}

impl From<OutOfBits> for TrackError {
    fn from(_: OutOfBits) -> Self {
        Self::Truncated
    }
}

fn read(r: &mut BitReader<'_>) -> Result<Config, TrackError> {
    let declared = object_type(r)?;
    let core_rate = sample_rate(r)?;
    let channels = r.bits(4)? as usize;
    let mut config = Config {
        object_type: declared,
        sample_rate: core_rate,
        channels: CHANNELS.get(channels).copied().unwrap_or(0),
        frame_samples: 0,
    };
    let mut core_type = declared;
    let mut replicated = false;
    if matches!(declared, AOT_SBR | AOT_PS) {
        // Hierarchical signalling: the rate of the output, then the type of the core.
        config.sample_rate = sample_rate(r)?;
        core_type = object_type(r)?;
        replicated = config.sample_rate == core_rate.saturating_mul(2);
    }
    // Types 1 to 4, 6, 7 and the scalable and error-resilient ones share `GASpecificConfig`; the rest is not AAC
    // as anybody pushes it.
    if !matches!(core_type, 1..=4 | 17 | 23) {
        return Err(TrackError::ObjectType(core_type));
    }
    let short_frames = r.bit()?;
    let core_frame = if short_frames { 960 } else { 1024 };
    if core_type == AOT_LC && declared == AOT_LC && channels != 0 {
        // A fault in the optional extension leaves the plain configuration standing.
        if let Ok(Some((object_type, rate))) = backward_compatible_extension(r) {
            config.object_type = object_type;
            config.sample_rate = rate;
            replicated = rate == core_rate.saturating_mul(2);
        }
    }
    if config.object_type == AOT_PS && config.channels == 1 {
        // Parametric stereo makes two channels of one.
        config.channels = 2;
    }
    config.frame_samples = if replicated { core_frame * 2 } else { core_frame };
    Ok(config)
}

/// The extension behind a plain LC configuration, found by its sync word. `None` if there is no SBR in it.
fn backward_compatible_extension(r: &mut BitReader<'_>) -> Result<Option<(u8, u32)>, TrackError> {
    if r.bit()? {
        r.skip(14)?; // dependsOnCoreCoder: coreCoderDelay
    }
    if r.bit()? {
        r.skip(0)?; // extensionFlag carries nothing for LC
    }
    if r.bits(11)? != SYNC_EXTENSION || object_type(r)? != AOT_SBR || !r.bit()? {
        return Ok(None);
    }
    let rate = sample_rate(r)?;
    let stereo = matches!(r.bits(11), Ok(SYNC_EXTENSION_PS)) && matches!(r.bit(), Ok(true));
    Ok(Some((if stereo { AOT_PS } else { AOT_SBR }, rate)))
}

fn object_type(r: &mut BitReader<'_>) -> Result<u8, OutOfBits> {
    match r.bits(5)? as u8 {
        31 => Ok(32 + r.bits(6)? as u8),
        short => Ok(short),
    }
}

fn sample_rate(r: &mut BitReader<'_>) -> Result<u32, TrackError> {
    match r.bits(4)? {
        15 => Ok(r.bits(24)?),
        index => SAMPLE_RATES.get(index as usize).copied().ok_or(TrackError::SampleRate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::samples;

    /// Bits as text, padded with zeros to a byte.
    fn pack(text: &str) -> Bytes {
        let digits: Vec<u8> = text.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
        digits.chunks(8).map(|c| c.iter().fold(0, |v, b| v << 1 | b) << (8 - c.len())).collect()
    }

    #[test]
    fn headers() {
        let table = [
            ("lc 44100 stereo, no sbr, by ffmpeg", samples::bytes(samples::AAC), 44100, 2, 2, 1024),
            ("lc 44100 stereo", pack("00010 0100 0010 000"), 44100, 2, 2, 1024),
            ("lc 48000 5.1", pack("00010 0011 0110 000"), 48000, 6, 2, 1024),
            ("lc 16000 mono, 960", pack("00010 1000 0001 100"), 16000, 1, 2, 960),
            ("explicit rate", pack("00010 1111 000000001100001101010000 0001 000"), 50000, 1, 2, 1024),
            ("he 24000 to 48000", pack("00101 0110 0010 0011 00010 000"), 48000, 2, 5, 2048),
            ("he v2, one channel", pack("11101 0110 0001 0011 00010 000"), 48000, 2, 29, 2048),
            ("he, backward compatible", pack("00010 0111 0010 000 01010110111 00101 1 0100"), 44100, 2, 5, 2048),
            (
                "he v2, backward compatible",
                pack("00010 0111 0001 000 01010110111 00101 1 0100 10101001000 1"),
                44100,
                2,
                29,
                2048,
            ),
        ];
        for (name, record, sample_rate, channels, object_type, frame_samples) in table {
            let config = parse(&record).unwrap();
            assert_eq!(config.sample_rate, sample_rate, "{name}");
            assert_eq!(config.channels, channels, "{name}");
            assert_eq!(config.object_type, object_type, "{name}");
            assert_eq!(config.frame_samples, frame_samples, "{name}");
            assert_eq!(config.codec_string(), format!("mp4a.40.{object_type}"), "{name}");
        }
    }

    #[test]
    fn refusals() {
        for (record, error) in [
            (pack(""), TrackError::Truncated),
            (pack("00010 010"), TrackError::Truncated),
            (pack("00010 1101 0010 000"), TrackError::SampleRate),
            (pack("00010 1111 000000000000000000000000 0010 000"), TrackError::SampleRate),
            (pack("00010 1111 111111111111111111111111 0010 000"), TrackError::SampleRate),
            // MPEG layer 3 inside MPEG-4.
            (pack("11111 000010 0100 0010 000"), TrackError::ObjectType(34)),
        ] {
            assert_eq!(parse(&record), Err(error));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)) {
            if let Ok(config) = parse(&bytes.into()) {
                proptest::prop_assert!((1..=MAX_SAMPLE_RATE).contains(&config.sample_rate));
                proptest::prop_assert!([960, 1024, 1920, 2048].contains(&config.frame_samples));
            }
        }
    }
}
