//! What pictures are wanted, in our own words: the JSON that a record carries.

use serde::{Deserialize, Serialize};

/// The names that the background of a sheet may have. Names only, and of these only what every build of ffmpeg knows:
/// the text becomes part of a filter.
pub const COLOURS: [&str; 20] = [
    "black", "white", "gray", "silver", "red", "maroon", "orange", "brown", "yellow", "gold", "olive", "lime", "green",
    "teal", "cyan", "blue", "navy", "magenta", "purple", "pink",
];

/// Which pictures, how large, and what is made of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSettings {
    pub times: Times,
    /// Pixels; absent: the source's, or by aspect when the other is given.
    #[serde(default)]
    pub width: Option<u32>,
    #[serde(default)]
    pub height: Option<u32>,
    /// Only key frames are looked at: cheaper, and less exact in time.
    #[serde(default)]
    pub key_frames: bool,
    /// The pictures are put together on sheets.
    #[serde(default)]
    pub sheet: Option<Sheet>,
    /// Captions say which picture stands for which stretch. Only with sheets.
    #[serde(default)]
    pub captions: Option<Captions>,
}

impl PictureSettings {
    /// Whether the single pictures stay: always those of a plain series, and those of a sheet if that says so or
    /// the captions name them.
    pub fn keeps_cells(&self) -> bool {
        self.captions == Some(Captions::Cells) || self.sheet.as_ref().is_none_or(|sheet| sheet.keep_cells)
    }
}

/// When pictures are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// At these offsets.
    At(Vec<u64>),
    /// Every `interval_ms` from `from_ms` to the end, at most `count`.
    Every { from_ms: u64, interval_ms: u64, count: Option<u32> },
    /// `count` of them, evenly over what follows `from_ms`.
    Spread { from_ms: u64, count: u32 },
}

/// How single pictures are put together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// Pixels of one picture on the sheet; absent: those of the series.
    #[serde(default)]
    pub cell_width: Option<u32>,
    #[serde(default)]
    pub cell_height: Option<u32>,
    pub columns: u32,
    pub lines: u32,
    /// Pixels between pictures.
    pub padding: u32,
    /// Pixels around all of them.
    pub margin: u32,
    /// One of [`COLOURS`].
    pub colour: String,
    /// Whether the single pictures stay beside the sheets.
    pub keep_cells: bool,
}

impl Default for Sheet {
    fn default() -> Self {
        Self {
            cell_width: None,
            cell_height: None,
            columns: 10,
            lines: 10,
            padding: 0,
            margin: 0,
            colour: "black".to_owned(),
            keep_cells: true,
        }
    }
}

/// What captions point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Captions {
    /// A rectangle of a sheet.
    Sheets,
    /// A picture of its own.
    Cells,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_were_written() {
        let settings = PictureSettings {
            times: Times::Every { from_ms: 0, interval_ms: 1000, count: None },
            width: Some(160),
            height: None,
            key_frames: true,
            sheet: Some(Sheet::default()),
            captions: Some(Captions::Sheets),
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<PictureSettings>(&text).unwrap(), settings);
        let short = r#"{"times":{"at":[5]}}"#;
        let read: PictureSettings = serde_json::from_str(short).unwrap();
        assert!(read.times == Times::At(vec![5]) && read.sheet.is_none() && read.keeps_cells());
    }
}
