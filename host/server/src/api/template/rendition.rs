//! What a template means for an encode: the vendor's members, ranges and defaults, to a [`Rendition`].
//!
//! What this server does not do (watermarks, clips, encryption, packaging, other containers and codecs) is refused
//! by name rather than left out: a picture without its watermark is worse than an error.

use std::ops::RangeInclusive;

use reprise_lifecycle::record::Template;
use serde_json::{Map, Value};

use super::names;
use crate::ffmpeg::template::{
    AudioCodec, AudioSettings, Container, DEFAULT_SEGMENT_SECONDS, H264Profile, PixelFormat, Preset, Rendition, Track,
    VideoCodec, VideoSettings,
};

/// The vendor's default where a template names no sample rate, in hertz.
const DEFAULT_SAMPLE_RATE: u32 = 44_100;

/// The vendor's default where a template names no channels.
const DEFAULT_CHANNELS: u8 = 2;

/// A member that is missing, outside its range, or not offered. The tenant must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {reason}")]
pub struct Problem {
    /// The member's path, for example `Video.Bitrate`.
    pub member: String,
    /// What would be right.
    pub reason: String,
}

/// The rendition that `template` asks for. Its key holds the template's id, so it is unique within a group, and the
/// definition as playback names it, as the vendor's file names do.
///
/// # Errors
/// Names the first member that does not fit.
pub fn of(template: &Template) -> Result<Rendition, Problem> {
    let settings =
        serde_json::from_str(&template.settings).map_err(|_| problem("settings", "they must be a JSON object"))?;
    let settings = Part { path: String::new(), members: settings };
    refuse_what_is_not_offered(&settings)?;
    let trans = settings.part("TransConfig");
    refuse_checks(&trans)?;
    let container = container(&settings)?;
    let definition = names::play_definition(&template.definition).to_lowercase();
    let (video, audio) = if template.definition == names::ORIGINAL_DEFINITION {
        (Some(Track::Copy), Some(Track::Copy))
    } else {
        (video(&settings, &trans)?, audio(&settings)?)
    };
    if video.is_none() && audio.is_none() {
        return Err(problem("Audio.Remove", "picture and sound cannot both be removed"));
    }
    Ok(Rendition {
        key: format!("{}-{definition}", template.id),
        container,
        video,
        audio,
        // The vendor enlarges unless the check is on. Here enlarging must be asked for, by switching the check off.
        allow_upscale: trans.text("IsCheckReso").is_some_and(|check| check.eq_ignore_ascii_case("false")),
    })
}

/// The vendor's name of a container.
pub(crate) fn format_name(container: &Container) -> &'static str {
    match container {
        Container::Mp4 => "mp4",
        Container::Hls { .. } => "m3u8",
    }
}

/// Members whose presence would change the output in a way that is not offered.
fn refuse_what_is_not_offered(settings: &Part) -> Result<(), Problem> {
    settings.one_of("Type", &["Normal"], "Normal")?;
    for member in ["WatermarkIds", "SubtitleList", "Clip", "EncryptSetting", "PackageSetting", "TranscodeFileRegular"] {
        let empty = match settings.members.get(member) {
            None => true,
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(members)) => members.is_empty(),
            Some(value) => value.as_str().is_some_and(str::is_empty),
        };
        if !empty {
            return Err(problem(member, "it is not offered by this server"));
        }
    }
    match settings.int("Rotate", 0..=360)? {
        None | Some(0 | 360) => Ok(()),
        Some(_) => Err(problem("Rotate", "rotation is not offered by this server")),
    }
}

/// Conditions under which the vendor fails a job. The plain `IsCheckReso` is the way this server always works, and
/// the checks of bitrates only save bytes; a promise to fail must not be broken silently.
fn refuse_checks(trans: &Part) -> Result<(), Problem> {
    for member in ["IsCheckResoFail", "IsCheckVideoBitrateFail", "IsCheckAudioBitrateFail"] {
        if trans.flag(member, false)? {
            return Err(trans.problem(member, "conditional transcoding is not offered by this server"));
        }
    }
    for member in ["IsCheckReso", "IsCheckVideoBitrate", "IsCheckAudioBitrate"] {
        trans.flag(member, false)?;
    }
    trans.one_of("TransMode", &["onepass", "twopass", "CBR"], "onepass")?;
    Ok(())
}

fn container(settings: &Part) -> Result<Container, Problem> {
    let container = settings.part("Container");
    if container.text("Format").is_none() {
        return Err(problem("Container", "Format is mandatory"));
    }
    let segment = settings.part("MuxConfig").part("Segment");
    let seconds = segment.int("Duration", 1..=60)?.unwrap_or(DEFAULT_SEGMENT_SECONDS);
    Ok(match container.one_of("Format", &["mp4", "m3u8"], "mp4")? {
        "m3u8" => Container::Hls { segment_seconds: seconds },
        _ => Container::Mp4,
    })
}

fn video(settings: &Part, trans: &Part) -> Result<Option<Track<VideoSettings>>, Problem> {
    let video = settings.mandatory_part("Video")?;
    if video.flag("Remove", false)? {
        return Ok(None);
    }
    let codec = match video.one_of("Codec", &["H.264", "H.265"], "H.264")? {
        "H.265" => VideoCodec::H265,
        _ => VideoCodec::H264,
    };
    video.one_of("ScanMode", &["progressive"], "progressive")?;
    let bitrate_kbps = video.int("Bitrate", 10..=50_000)?;
    let constant = trans.text("TransMode").is_some_and(|mode| mode.eq_ignore_ascii_case("CBR"));
    let maxrate_kbps = video.int("Maxrate", 1000..=50_000)?;
    Ok(Some(Track::Encode(VideoSettings {
        codec,
        width: video.even("Width")?,
        height: video.even("Height")?,
        bitrate_kbps,
        crf: video.int("Crf", 0..=51)?.and_then(|crf| u8::try_from(crf).ok()),
        fps: video.fps()?,
        gop: video.int("Gop", 1..=100_000)?,
        profile: profile(&video, codec)?,
        preset: preset(&video)?,
        // A constant rate is a mean rate that is also the highest.
        maxrate_kbps: if constant { bitrate_kbps.or(maxrate_kbps) } else { maxrate_kbps },
        bufsize_kb: video.int("Bufsize", 1000..=128_000)?,
        pixel_format: match video.one_of("PixFmt", &["yuv420p", "yuvj420p"], "yuv420p")? {
            "yuvj420p" => PixelFormat::Yuvj420p,
            _ => PixelFormat::Yuv420p,
        },
        long_short_mode: video.flag("LongShortMode", true)?,
    })))
}

fn profile(video: &Part, codec: VideoCodec) -> Result<Option<H264Profile>, Problem> {
    let profile = match video.one_of("Profile", &["baseline", "main", "high"], "high")? {
        "baseline" => H264Profile::Baseline,
        "main" => H264Profile::Main,
        _ => H264Profile::High,
    };
    Ok((codec == VideoCodec::H264).then_some(profile))
}

fn preset(video: &Part) -> Result<Preset, Problem> {
    Ok(match video.one_of("Preset", &["veryfast", "fast", "medium", "slow", "slower"], "medium")? {
        "veryfast" => Preset::Veryfast,
        "fast" => Preset::Fast,
        "slow" => Preset::Slow,
        "slower" => Preset::Slower,
        _ => Preset::Medium,
    })
}

fn audio(settings: &Part) -> Result<Option<Track<AudioSettings>>, Problem> {
    let audio = settings.mandatory_part("Audio")?;
    if audio.flag("Remove", false)? {
        return Ok(None);
    }
    let codec = match audio.one_of("Codec", &["AAC", "MP3"], "AAC")? {
        "MP3" => AudioCodec::Mp3,
        _ => AudioCodec::Aac,
    };
    audio.one_of("Profile", &["aac_low"], "aac_low")?;
    if audio.members.contains_key("Volume") {
        return Err(audio.problem("Volume", "it is not offered by this server"));
    }
    let (rates, channels): (&[u32], &[u32]) = match codec {
        AudioCodec::Aac => (&[22_050, 32_000, 44_100, 48_000, 96_000], &[1, 2, 4, 5, 6, 8]),
        AudioCodec::Mp3 => (&[22_050, 32_000, 44_100, 48_000], &[1, 2]),
    };
    let channels = audio.among("Channels", channels)?.and_then(|channels| u8::try_from(channels).ok());
    Ok(Some(Track::Encode(AudioSettings {
        codec,
        bitrate_kbps: audio.int("Bitrate", 8..=1000)?,
        sample_rate: Some(audio.among("Samplerate", rates)?.unwrap_or(DEFAULT_SAMPLE_RATE)),
        channels: Some(channels.unwrap_or(DEFAULT_CHANNELS)),
    })))
}

/// One object of the kept form; `path` names it in problems.
struct Part {
    path: String,
    members: Map<String, Value>,
}

impl Part {
    fn problem(&self, member: &str, reason: impl Into<String>) -> Problem {
        problem(&format!("{}{member}", self.path), reason)
    }

    fn part(&self, member: &str) -> Part {
        let members = self.members.get(member).and_then(Value::as_object).cloned();
        Part { path: format!("{}{member}.", self.path), members: members.unwrap_or_default() }
    }

    fn mandatory_part(&self, member: &str) -> Result<Part, Problem> {
        if self.members.get(member).is_some_and(Value::is_object) {
            Ok(self.part(member))
        } else {
            Err(self.problem(member, "it is mandatory; to have none, set its Remove to true"))
        }
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member).and_then(Value::as_str)
    }

    fn int(&self, member: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Problem> {
        let Some(value) = self.members.get(member) else {
            return Ok(None);
        };
        let number = value.as_str().and_then(|text| text.parse().ok());
        match number {
            Some(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (least, most) = (range.start(), range.end());
                Err(self.problem(member, format!("it must be a whole number between {least} and {most}")))
            }
        }
    }

    fn even(&self, member: &str) -> Result<Option<u32>, Problem> {
        match self.int(member, 128..=4096)? {
            Some(pixels) if pixels % 2 == 1 => Err(self.problem(member, "it must be even")),
            other => Ok(other),
        }
    }

    fn among(&self, member: &str, choices: &[u32]) -> Result<Option<u32>, Problem> {
        match self.int(member, 0..=u32::MAX)? {
            Some(number) if !choices.contains(&number) => {
                let choices: Vec<String> = choices.iter().map(u32::to_string).collect();
                Err(self.problem(member, format!("it must be one of {}", choices.join(", "))))
            }
            other => Ok(other),
        }
    }

    fn fps(&self) -> Result<Option<f64>, Problem> {
        let Some(value) = self.members.get("Fps") else {
            return Ok(None);
        };
        match value.as_str().and_then(|text| text.parse::<f64>().ok()) {
            Some(fps) if fps > 0.0 && fps <= 60.0 => Ok(Some(fps)),
            _ => Err(self.problem("Fps", "it must be above 0 and at most 60")),
        }
    }

    fn flag(&self, member: &str, default: bool) -> Result<bool, Problem> {
        match self.members.get(member).map(Value::as_str) {
            None => Ok(default),
            Some(Some(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(Some(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(self.problem(member, "it must be true or false")),
        }
    }

    fn one_of(&self, member: &str, choices: &[&'static str], default: &'static str) -> Result<&'static str, Problem> {
        let Some(value) = self.members.get(member) else {
            return Ok(default);
        };
        let text = value.as_str().unwrap_or_default();
        let found = choices.iter().find(|choice| choice.eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| self.problem(member, format!("this server offers {}", choices.join(", "))))
    }
}

fn problem(member: &str, reason: impl Into<String>) -> Problem {
    Problem { member: member.to_owned(), reason: reason.into() }
}

#[cfg(test)]
mod tests;
