//! Arguments of one picture track.

use super::super::template::{
    DEFAULT_BUFSIZE_KB, DEFAULT_CRF, H264Profile, PixelFormat, Preset, Rendition, Track, VideoCodec, VideoSettings,
};
use super::{Args, Source, VideoSource, size};

/// Seconds between key frames where a template names no group length: short enough to seek and to cut segments.
const DEFAULT_GOP_SECONDS: f64 = 2.0;
/// Assumed where the source's rate is unknown; it decides only the default group length.
const ASSUMED_FPS: f64 = 30.0;
/// A rate this near to the source's is the source's: 29.97 of 30 would drop a frame every half minute for nothing.
const FPS_TOLERANCE: f64 = 1.002;
/// No camera is faster; a higher measure is an error of the publisher's clock.
const MOST_FPS: f64 = 240.0;
/// Bits per pixel that constant quality may spend on difficult footage; it only widens the file size limit.
const CRF_BITS_PER_PIXEL: f64 = 0.2;

/// Appends the arguments and returns the bits per second they aim at.
pub(super) fn arguments(
    args: &mut Args,
    source: &Source,
    video: VideoSource,
    track: &Track<VideoSettings>,
    rendition: &Rendition,
    threads: u32,
) -> u64 {
    let settings = match track {
        Track::Copy => {
            args.pair("-c:v", "copy");
            tag(args, video.codec);
            return source.size_bytes.saturating_mul(8000) / source.duration_ms.max(1);
        }
        Track::Encode(settings) => settings,
    };
    let (width, height) = size::target_size(
        (video.width, video.height),
        (settings.width, settings.height),
        settings.long_short_mode,
        rendition.allow_upscale,
    );
    let fps = slower(settings.fps, video.fps);
    let rate = fps.filter(|_| video.fps > 0.0).unwrap_or(video.fps);
    let rate = if rate > 0.0 { rate } else { ASSUMED_FPS };
    match fps {
        Some(fps) => args.pair("-vf", format!("fps={fps},scale={width}:{height}")),
        None => args.pair("-vf", format!("scale={width}:{height}")),
    }
    // Every source frame keeps its own time: at the guessed frame rate, frames of an uneven source would be dropped.
    args.pair("-fps_mode", "vfr");
    args.pair("-enc_time_base", "1:90000");
    // What the encoder is told of the rate decides its level and stands in its headers, so it must not follow the
    // measure of one part: renditions of a broadcast's parts with different headers cannot be joined.
    args.pair("-r", nominal(rate));
    let gop = settings.gop.unwrap_or_else(|| (rate * DEFAULT_GOP_SECONDS).round().max(1.0) as u32);
    codec(args, settings, gop, threads);
    let pixels = f64::from(width) * f64::from(height);
    rate_control(args, settings, (pixels * rate * CRF_BITS_PER_PIXEL) as u64)
}

/// The rate to limit to, if the template asks for one below the source's.
fn slower(asked: Option<f64>, source: f64) -> Option<f64> {
    asked.filter(|asked| source <= 0.0 || source > asked * FPS_TOLERANCE)
}

/// A whole number near a measured rate. Every frame keeps its own time, so it need not be exact, only steady.
fn nominal(rate: f64) -> u32 {
    rate.round().clamp(1.0, MOST_FPS) as u32
}

fn codec(args: &mut Args, settings: &VideoSettings, gop: u32, threads: u32) {
    match settings.codec {
        VideoCodec::H264 => {
            args.pair("-c:v", "libx264");
            args.pair("-profile:v", profile(settings.profile));
            args.pair("-sc_threshold", 0);
        }
        VideoCodec::H265 => {
            args.pair("-c:v", "libx265");
            args.pair("-profile:v", "main");
            // x265 reads its own names for these; left alone it makes threads for every core of the machine.
            let params = format!("keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:pools={threads}:log-level=error");
            args.pair("-x265-params", params);
        }
    }
    tag(args, settings.codec);
    args.pair("-preset", preset(settings.preset));
    args.pair("-pix_fmt", pixel_format(settings.pixel_format));
    args.pair("-g", gop);
    args.pair("-keyint_min", gop);
    args.pair("-flags:v", "+cgop");
    args.pair("-threads:v", threads);
}

fn rate_control(args: &mut Args, settings: &VideoSettings, crf_bps: u64) -> u64 {
    let expected = match (settings.crf, settings.bitrate_kbps) {
        (None, Some(kbps)) => {
            args.pair("-b:v", format!("{kbps}k"));
            u64::from(kbps) * 1000
        }
        (crf, _) => {
            args.pair("-crf", crf.unwrap_or(DEFAULT_CRF));
            crf_bps
        }
    };
    if let Some(kbps) = settings.maxrate_kbps {
        let buffer = settings.bufsize_kb.unwrap_or(DEFAULT_BUFSIZE_KB);
        args.pair("-maxrate", format!("{kbps}k"));
        args.pair("-bufsize", format!("{buffer}k"));
    }
    expected
}

/// Apple's players refuse HEVC under the tag that ffmpeg picks by itself.
fn tag(args: &mut Args, codec: VideoCodec) {
    if codec == VideoCodec::H265 {
        args.pair("-tag:v", "hvc1");
    }
}

fn profile(profile: Option<H264Profile>) -> &'static str {
    match profile {
        Some(H264Profile::Baseline) => "baseline",
        Some(H264Profile::Main) => "main",
        Some(H264Profile::High) | None => "high",
    }
}

fn preset(preset: Preset) -> &'static str {
    match preset {
        Preset::Veryfast => "veryfast",
        Preset::Fast => "fast",
        Preset::Medium => "medium",
        Preset::Slow => "slow",
        Preset::Slower => "slower",
    }
}

fn pixel_format(format: PixelFormat) -> &'static str {
    match format {
        PixelFormat::Yuv420p => "yuv420p",
        PixelFormat::Yuvj420p => "yuvj420p",
    }
}
