//! What is known about recorded media: numbers that travel from the recorder through the journal into
//! events and questions. No bytes.

use serde::{Deserialize, Serialize};

/// The picture of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoTrack {
    /// `H.264` or `H.265`.
    pub codec: String,
    /// Coded width in pixels.
    pub width: u32,
    /// Coded height in pixels.
    pub height: u32,
    /// Frames per second, measured over the part; 0 while unknown.
    pub fps: f64,
    /// Codec profile by name, empty if unknown.
    pub profile: String,
}

/// The sound of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioTrack {
    /// `AAC`.
    pub codec: String,
    /// Samples per second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
}

/// What one part holds, once it is closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartFacts {
    /// First media time on the broadcast's timeline, in milliseconds.
    pub first_ms: u64,
    /// Media length in milliseconds.
    pub duration_ms: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Decodable pictures.
    pub video_frames: u64,
    /// Decodable audio frames.
    pub audio_frames: u64,
    /// The picture, if there is one.
    pub video: Option<VideoTrack>,
    /// The sound, if there is any.
    pub audio: Option<AudioTrack>,
}

/// A stretch of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Its begin in milliseconds from the video's own begin.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
}

/// What an analysis found in a video. Times are milliseconds from the video's own begin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaFacts {
    /// Where nothing is heard.
    pub silences: Vec<Stretch>,
    /// Where the picture is black.
    pub blacks: Vec<Stretch>,
    /// Where the picture stands still.
    pub freezes: Vec<Stretch>,
    /// Where a new scene begins.
    pub scenes_ms: Vec<u64>,
    /// Integrated loudness (EBU R 128) in LUFS; absent without sound.
    pub loudness_lufs: Option<f64>,
    /// The highest true peak in dBFS.
    pub true_peak_dbfs: Option<f64>,
    /// Loudness range in LU.
    pub loudness_range_lu: Option<f64>,
    /// A picture that stands well for the whole.
    pub cover_ms: Option<u64>,
}

impl VideoTrack {
    /// The same track with a frame rate that can be written down.
    pub(crate) fn recordable(&self) -> Self {
        Self { fps: recordable_fps(self.fps), ..self.clone() }
    }
}

impl PartFacts {
    /// The same facts with a frame rate that can be written down.
    pub(crate) fn recordable(&self) -> Self {
        Self { video: self.video.as_ref().map(VideoTrack::recordable), ..self.clone() }
    }

    /// Mean bitrate of the file in kbit/s.
    pub fn bitrate_kbps(&self) -> u64 {
        self.bytes.saturating_mul(8).checked_div(self.duration_ms).unwrap_or(0)
    }

    /// Whether anything playable was recorded.
    pub fn is_empty(&self) -> bool {
        self.video_frames == 0 && self.audio_frames == 0
    }
}

/// Above this a frame rate is a measuring error.
const MAX_FPS: f64 = 1_000_000.0;

/// A measured frame rate in whole thousandths, or 0 (unknown) for what no file has. Measuring nothing gives
/// 0/0, which JSON cannot say: one such number would make the whole journal unreadable. And not every reader
/// of JSON gives back the last bit of a long fraction, so a fold would differ from the state that was written.
pub(crate) fn recordable_fps(fps: f64) -> f64 {
    if (0.0..=MAX_FPS).contains(&fps) { (fps * 1_000.0).round() / 1_000.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_rate_is_finite_short_and_stays_as_it_is() {
        let table = [
            (25.0, 25.0),
            (30_000.0 / 1_001.0, 29.97),
            (22_466.0 / 1_001.0, 22.444),
            (0.0, 0.0),
            (-1.0, 0.0),
            (f64::NAN, 0.0),
            (f64::INFINITY, 0.0),
            (f64::NEG_INFINITY, 0.0),
            (f64::MAX, 0.0),
        ];
        for (measured, recorded) in table {
            assert_eq!(recordable_fps(measured), recorded, "{measured}");
            assert_eq!(recordable_fps(recorded), recorded, "{measured} again");
        }
    }
}
