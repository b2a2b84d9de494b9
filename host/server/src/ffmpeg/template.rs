//! One encoding setting in our own words.
//!
//! The vendor's JSON (strings for numbers, nested objects that may be strings) is translated elsewhere; here every
//! field has a type and a unit. Ranges are those of the vendor's `TranscodeTemplate`; [`Rendition::check`] holds them,
//! so that no number from a tenant reaches a command line unbounded.

use serde::{Deserialize, Serialize};

/// One output that a template asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rendition {
    /// Names the output's file or folder: `[A-Za-z0-9_-]`, 1 to 64 characters, unique in a job.
    pub key: String,
    pub container: Container,
    /// Absent when the template removes the picture.
    pub video: Option<Track<VideoSettings>>,
    /// Absent when the template removes the sound.
    pub audio: Option<Track<AudioSettings>>,
    /// Whether a picture smaller than asked is enlarged. Off, the output is never larger than the source.
    #[serde(default)]
    pub allow_upscale: bool,
}

/// What happens to one track of the source.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Track<T> {
    /// The encoded bytes go into the new container as they are (`Definition` OD).
    Copy,
    Encode(T),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// One file, index first.
    Mp4,
    /// A playlist with fragmented MP4 segments of about this length, cut at key frames.
    Hls { segment_seconds: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoCodec {
    H264,
    H265,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum H264Profile {
    Baseline,
    Main,
    High,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    Veryfast,
    Fast,
    #[default]
    Medium,
    Slow,
    Slower,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelFormat {
    #[default]
    Yuv420p,
    Yuvj420p,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoSettings {
    pub codec: VideoCodec,
    /// Pixels. With `long_short_mode`, the longer side. Absent: keeps the aspect if the other is given, else the source's.
    pub width: Option<u32>,
    /// Pixels. With `long_short_mode`, the shorter side.
    pub height: Option<u32>,
    /// Average, in kbit/s. Ignored when `crf` is given.
    pub bitrate_kbps: Option<u32>,
    /// Constant quality, 0 to 51. Without it and without a bitrate, [`DEFAULT_CRF`].
    pub crf: Option<u8>,
    /// Frames per second at most; a slower source keeps its own rate.
    pub fps: Option<f64>,
    /// Frames between key frames. Absent: two seconds' worth.
    pub gop: Option<u32>,
    /// H.264 only.
    pub profile: Option<H264Profile>,
    #[serde(default)]
    pub preset: Preset,
    pub maxrate_kbps: Option<u32>,
    /// Kilobits. Used only with a maximal rate; absent: [`DEFAULT_BUFSIZE_KB`].
    pub bufsize_kb: Option<u32>,
    #[serde(default)]
    pub pixel_format: PixelFormat,
    /// Whether width and height mean the longer and the shorter side, so that one template serves both orientations.
    #[serde(default = "yes")]
    pub long_short_mode: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioCodec {
    /// AAC-LC: the only profile that the encoder in stock ffmpeg builds writes.
    Aac,
    Mp3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioSettings {
    pub codec: AudioCodec,
    pub bitrate_kbps: Option<u32>,
    /// Hertz. Absent: the source's.
    pub sample_rate: Option<u32>,
    /// Absent: the source's.
    pub channels: Option<u8>,
}

/// The vendor's default quality where a template names neither quality nor bitrate.
pub const DEFAULT_CRF: u8 = 26;
/// The vendor's default rate-control buffer, in kilobits.
pub const DEFAULT_BUFSIZE_KB: u32 = 6000;
/// Sound bitrate where a template names none, in kbit/s: transparent enough for stereo AAC.
pub const DEFAULT_AUDIO_KBPS: u32 = 128;
/// The vendor's default segment length.
pub const DEFAULT_SEGMENT_SECONDS: u32 = 10;

impl VideoSettings {
    /// The vendor's defaults for a codec: the source's size and rate at [`DEFAULT_CRF`].
    pub fn new(codec: VideoCodec) -> Self {
        VideoSettings {
            codec,
            width: None,
            height: None,
            bitrate_kbps: None,
            crf: None,
            fps: None,
            gop: None,
            profile: None,
            preset: Preset::default(),
            maxrate_kbps: None,
            bufsize_kb: None,
            pixel_format: PixelFormat::default(),
            long_short_mode: true,
        }
    }
}

impl AudioSettings {
    /// AAC at [`DEFAULT_AUDIO_KBPS`] with the source's rate and channels.
    pub fn aac() -> Self {
        AudioSettings { codec: AudioCodec::Aac, bitrate_kbps: None, sample_rate: None, channels: None }
    }
}

impl Rendition {
    /// The first field that is outside its documented range, if any.
    pub fn check(&self) -> Result<(), &'static str> {
        if let Container::Hls { segment_seconds } = self.container {
            within("segment_seconds", segment_seconds, 1, 60)?;
        }
        if let Some(Track::Encode(video)) = &self.video {
            video.check()?;
        }
        if let Some(Track::Encode(audio)) = &self.audio {
            audio.check()?;
        }
        Ok(())
    }
}

impl VideoSettings {
    fn check(&self) -> Result<(), &'static str> {
        // The vendor's floor is 128; smaller pictures are harmless and keep tests quick.
        optional("width", self.width, 16, 4096)?;
        optional("height", self.height, 16, 4096)?;
        optional("bitrate_kbps", self.bitrate_kbps, 10, 50_000)?;
        optional("crf", self.crf.map(u32::from), 0, 51)?;
        optional("gop", self.gop, 1, 100_000)?;
        optional("maxrate_kbps", self.maxrate_kbps, 10, 50_000)?;
        optional("bufsize_kb", self.bufsize_kb, 10, 128_000)?;
        match self.fps {
            Some(fps) if !(fps > 0.0 && fps <= 60.0) => Err("fps"),
            _ => Ok(()),
        }
    }
}

impl AudioSettings {
    fn check(&self) -> Result<(), &'static str> {
        optional("bitrate_kbps", self.bitrate_kbps, 8, 1000)?;
        optional("sample_rate", self.sample_rate, 8000, 96_000)?;
        let most_channels = match self.codec {
            AudioCodec::Aac => 8,
            AudioCodec::Mp3 => 2,
        };
        optional("channels", self.channels.map(u32::from), 1, most_channels)
    }
}

fn optional(name: &'static str, value: Option<u32>, least: u32, most: u32) -> Result<(), &'static str> {
    value.map_or(Ok(()), |value| within(name, value, least, most))
}

fn within(name: &'static str, value: u32, least: u32, most: u32) -> Result<(), &'static str> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(name) }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_reads_from_json_with_its_defaults() {
        let read: Rendition = serde_json::from_str(
            r#"{"key":"sd","container":{"hls":{"segment_seconds":4}},
                "video":{"encode":{"codec":"h264","width":640}},"audio":"copy"}"#,
        )
        .unwrap();
        let video = VideoSettings { width: Some(640), ..VideoSettings::new(VideoCodec::H264) };
        assert_eq!(read.video, Some(Track::Encode(video)));
        assert_eq!(read.audio, Some(Track::Copy));
        assert!(!read.allow_upscale);
        assert_eq!(serde_json::from_value::<Rendition>(serde_json::to_value(&read).unwrap()).unwrap(), read);
    }

    #[test]
    fn numbers_outside_their_range_are_named() {
        let with = |change: fn(&mut VideoSettings)| {
            let mut video = VideoSettings::new(VideoCodec::H264);
            change(&mut video);
            Rendition {
                key: "x".into(),
                container: Container::Mp4,
                video: Some(Track::Encode(video)),
                audio: None,
                allow_upscale: false,
            }
            .check()
        };
        type Change = fn(&mut VideoSettings);
        let cases: [(Change, Result<(), &str>); 6] = [
            (|_| (), Ok(())),
            (|v| v.width = Some(5000), Err("width")),
            (|v| v.crf = Some(52), Err("crf")),
            (|v| v.gop = Some(0), Err("gop")),
            (|v| v.fps = Some(f64::NAN), Err("fps")),
            (|v| v.bitrate_kbps = Some(9), Err("bitrate_kbps")),
        ];
        for (index, (change, expected)) in cases.into_iter().enumerate() {
            assert_eq!(with(change), expected, "case {index}");
        }
    }
}
