//! What an editor asked for. A production carries it frozen as JSON in its journal, so the members are a promise:
//! new ones have defaults, old ones keep their meaning.
//!
//! Times are milliseconds. Places on the picture are pixels or ten-thousandths of the picture's side, never
//! fractions: not every reader of JSON gives back the last bit of one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Clips of the video track: each is a decoder of its own while ffmpeg runs, and all of them open at its start.
pub const MAX_CLIPS: usize = 100;
/// Sound tracks that are mixed; more than these cannot be told apart by ear.
pub const MAX_SOUND_TRACKS: usize = 8;
/// Clips of all sound tracks together; a decoder each, as above.
pub const MAX_SOUND_CLIPS: usize = 100;
/// Pictures laid over the video: each costs a pass over every frame that it is shown on.
pub const MAX_OVERLAYS: usize = 32;
/// Effects of one clip, and the texts and blurred places of a whole timeline: a pass each.
pub const MAX_EFFECTS: usize = 64;
/// Changes of loudness in all sound tracks together. They make the command longer, which must fit one argument.
pub const MAX_SOUND_EFFECTS: usize = 200;
/// Letters of one text; what does not fit on a picture cannot be read.
pub const MAX_TEXT_CHARS: usize = 1000;
/// The longest result. It bounds the time and the disk that one production can take.
pub const MAX_TOTAL_MS: u64 = 24 * 3600 * 1000;
/// A gain of ten is 20 dB; beyond it only noise gets louder.
pub const MAX_GAIN_PERMILLE: u32 = 10_000;
/// The whole side in [`Length::Share`].
pub const WHOLE: u32 = 10_000;

/// What is seen and heard, as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The video track, in the order given.
    #[serde(default)]
    pub clips: Vec<Clip>,
    /// Sound mixed in: tracks of clips.
    #[serde(default)]
    pub sounds: Vec<Vec<SoundClip>>,
    /// Pictures laid over: tracks of overlays, later ones above earlier ones.
    #[serde(default)]
    pub overlays: Vec<Vec<Overlay>>,
    /// Size of the result in pixels; absent: that of the largest material.
    #[serde(default)]
    pub width: Option<u32>,
    #[serde(default)]
    pub height: Option<u32>,
}

/// What a clip shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Material {
    /// A video, by its id.
    Video(String),
    /// A still picture, by its id.
    Image(String),
}

/// A stretch of the video track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clip {
    pub material: Material,
    /// Which part of the material, and where it goes.
    #[serde(flatten)]
    pub cut: Cut,
    #[serde(default)]
    pub effects: Vec<Effect>,
}

/// A stretch of a sound track: the sound of a video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundClip {
    pub video: String,
    #[serde(flatten)]
    pub cut: Cut,
    #[serde(default)]
    pub volumes: Vec<Volume>,
}

/// A part of a material and its place on the timeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Begin in the material.
    #[serde(default)]
    pub from_ms: u64,
    /// End in the material; absent, or past its end: the end.
    #[serde(default)]
    pub to_ms: Option<u64>,
    /// Begin on the timeline; absent: where the clip before it ends.
    #[serde(default)]
    pub at_ms: Option<u64>,
    /// End on the timeline; absent: as long as the material's part is.
    #[serde(default)]
    pub until_ms: Option<u64>,
}

/// A picture laid over the video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    pub image: String,
    pub x: Length,
    pub y: Length,
    /// Absent: the image's own, or in proportion to the other one.
    #[serde(default)]
    pub width: Option<Length>,
    #[serde(default)]
    pub height: Option<Length>,
    #[serde(default)]
    pub at_ms: u64,
    /// Absent: until the end.
    #[serde(default)]
    pub until_ms: Option<u64>,
}

/// A distance on the result's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    Pixels(u32),
    /// Ten-thousandths of the side.
    Share(u32),
}

/// What is done to a clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Volume(Volume),
    Text(Text),
    /// Blurs a place, to hide a mark.
    Blur(Blur),
}

/// When an effect applies; without one, as long as its clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Times of the clip's material.
    Source { from_ms: u64, to_ms: Option<u64> },
    /// Times of the timeline.
    Timeline { from_ms: u64, to_ms: Option<u64> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// 0 is silence, 1000 leaves the sound as it is.
    pub gain_permille: u32,
    #[serde(default)]
    pub span: Option<Span>,
}

/// Words on the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    pub content: String,
    pub x: Length,
    pub y: Length,
    /// The family that was asked for; an installed one that has the letters is used where it is missing.
    pub font: String,
    /// Pixels.
    pub size: u32,
    /// Red, green and blue.
    pub color: [u8; 3],
    /// 0 is invisible, 1000 covers.
    pub opacity_permille: u32,
    #[serde(default)]
    pub bold: bool,
    #[serde(default)]
    pub italic: bool,
    #[serde(default)]
    pub span: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blur {
    pub x: Length,
    pub y: Length,
    pub width: Length,
    pub height: Length,
    #[serde(default)]
    pub span: Option<Span>,
}

impl Timeline {
    /// Whether there is nothing to see or hear.
    pub fn is_empty(&self) -> bool {
        self.clips.is_empty() && self.sounds.iter().all(Vec::is_empty)
    }

    /// The videos that it takes from.
    pub fn videos(&self) -> BTreeSet<&str> {
        let seen = self.clips.iter().filter_map(|clip| match &clip.material {
            Material::Video(id) => Some(id.as_str()),
            Material::Image(_) => None,
        });
        let heard = self.sounds.iter().flatten().map(|clip| clip.video.as_str());
        seen.chain(heard).collect()
    }

    /// The images that it shows.
    pub fn images(&self) -> BTreeSet<&str> {
        let stills = self.clips.iter().filter_map(|clip| match &clip.material {
            Material::Image(id) => Some(id.as_str()),
            Material::Video(_) => None,
        });
        stills.chain(self.overlays.iter().flatten().map(|overlay| overlay.image.as_str())).collect()
    }
}

impl Length {
    /// In pixels of a side that has `side`.
    pub fn pixels(self, side: u32) -> u32 {
        match self {
            Length::Pixels(pixels) => pixels,
            Length::Share(share) => {
                let pixels = (u64::from(side) * u64::from(share) + u64::from(WHOLE) / 2) / u64::from(WHOLE);
                u32::try_from(pixels).unwrap_or(u32::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_timeline_reads_back_and_an_older_one_too() {
        let frozen = r#"{"clips":[{"material":{"video":"v"},"from_ms":40}],"sounds":[[{"video":"w","at_ms":5}]]}"#;
        let read: Timeline = serde_json::from_str(frozen).unwrap();
        assert_eq!(read.clips[0].cut, Cut { from_ms: 40, ..Cut::default() });
        assert_eq!((read.sounds[0][0].cut.at_ms, read.width), (Some(5), None));
        let again: Timeline = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
        assert_eq!(again, read);
        assert_eq!(read.videos(), BTreeSet::from(["v", "w"]));
    }

    #[test]
    fn shares_are_rounded_to_pixels() {
        for (length, side, pixels) in [
            (Length::Share(5000), 1280, 640),
            (Length::Share(1), 1280, 0),
            (Length::Share(9999), 1280, 1280),
            (Length::Share(0), 720, 0),
            (Length::Pixels(8), 720, 8),
        ] {
            assert_eq!(length.pixels(side), pixels, "{length:?} of {side}");
        }
    }
}
