//! Arguments of one sound track.

use super::super::template::{AudioCodec, AudioSettings, DEFAULT_AUDIO_KBPS, Track};
use super::{Args, Source};

/// Appends the arguments and returns the bits per second they aim at.
pub(super) fn arguments(args: &mut Args, source: &Source, track: &Track<AudioSettings>) -> u64 {
    let settings = match track {
        Track::Copy => {
            args.pair("-c:a", "copy");
            return source.size_bytes.saturating_mul(8000) / source.duration_ms.max(1);
        }
        Track::Encode(settings) => settings,
    };
    let codec = match settings.codec {
        AudioCodec::Aac => "aac",
        AudioCodec::Mp3 => "libmp3lame",
    };
    let kbps = settings.bitrate_kbps.unwrap_or(DEFAULT_AUDIO_KBPS);
    // Silence fills the gaps that a publisher left, so that sound stays in step with the picture in every player.
    args.pair("-af", "aresample=async=1");
    args.pair("-c:a", codec);
    args.pair("-b:a", format!("{kbps}k"));
    if let Some(rate) = settings.sample_rate {
        args.pair("-ar", rate);
    }
    if let Some(channels) = settings.channels {
        args.pair("-ac", channels);
    }
    u64::from(kbps) * 1000
}
