//! What a client asks of pictures, in the vendor's words, turned into ours: the parameters of a job, and the config of
//! a template.

use reprise_lifecycle::work::PictureKind;
use serde_json::{Map, Value};

use super::error::{Error, Product};
use super::params::{Params, one_of};
use crate::ffmpeg::pictures::{COLOURS, Captions, MAX_PICTURES, PictureSettings, Sheet, Times};

/// The longest template config or sprite config: a score of short members.
const MAX_CONFIG_BYTES: usize = 4096;

/// The vendor's bound on explicit points.
const MAX_POINTS: usize = 30;

/// The vendor's range of widths and heights.
const SIDE: std::ops::RangeInclusive<i64> = 8..=4096;

/// The vendor's range of columns and lines.
const GRID: std::ops::RangeInclusive<i64> = 1..=10_000;

/// Pixels between and around pictures; more than a picture's own size is a mistake.
const GAP: std::ops::RangeInclusive<i64> = 0..=1024;

/// Offsets into a video, in milliseconds, and seconds between pictures: a month is longer than any video.
const MAX_OFFSET_MS: i64 = 2_678_400_000;
const MAX_INTERVAL_S: i64 = 2_678_400;

/// Seconds between pictures when only their number is given.
const DEFAULT_INTERVAL_S: i64 = 1;

/// The parameter that describes sheets, also as a member of a template.
const SPRITE: &str = "SpriteSnapshotConfig";

/// Pictures that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) kind: PictureKind,
    pub(crate) settings: PictureSettings,
}

/// What the parameters of a job ask for.
pub(crate) fn of_params(params: &Params) -> Result<Wanted, Error> {
    let given = Given { get: &|name: &str| params.get(name).map(str::to_owned) };
    let sheet = params.get(SPRITE).map(read_sheet).transpose()?;
    let points = match params.get("SpecifiedOffsetTimes") {
        Some(text) => read_points(text)?,
        None => params.list("SpecifiedOffsetTimes")?.into_iter().map(point).collect::<Result<_, _>>()?,
    };
    let times = if points.is_empty() { given.times()? } else { Times::At(points) };
    let kind = if sheet.is_some() { PictureKind::Sprite } else { PictureKind::Normal };
    let (width, height) = given.size("Width", "Height")?;
    Ok(Wanted { kind, settings: PictureSettings { times, width, height, key_frames: false, sheet, captions: None } })
}

/// What a template asks for.
pub(crate) fn of_template(text: &str) -> Result<Wanted, Error> {
    let name = "TemplateConfig";
    if text.len() > MAX_CONFIG_BYTES {
        return Err(Error::invalid(name, format!("it must be at most {MAX_CONFIG_BYTES} bytes")));
    }
    let config = object(name, text)?;
    let kind = string(&config, "SnapshotType").ok_or_else(|| Error::missing(Product::Vod, "SnapshotType"))?;
    let kind = match one_of("SnapshotType", &kind, &["NormalSnapshot", "SpriteSnapshot", "WebVttSnapshot"])? {
        "NormalSnapshot" => PictureKind::Normal,
        "SpriteSnapshot" => PictureKind::Sprite,
        _ => PictureKind::WebVtt,
    };
    let inner = string(&config, "SnapshotConfig").ok_or_else(|| Error::missing(Product::Vod, "SnapshotConfig"))?;
    let inner = object("SnapshotConfig", &inner)?;
    for required in ["FrameType", "Count", "Interval", "SpecifiedOffsetTime"] {
        string(&inner, required).ok_or_else(|| Error::missing(Product::Vod, required))?;
    }
    let given = Given { get: &|name: &str| string(&inner, name) };
    let frames = one_of("FrameType", &given.required("FrameType"), &["intra", "normal"])?;
    let sheet = match kind {
        PictureKind::Normal => None,
        _ => Some(string(&inner, SPRITE).map_or(Ok(Sheet::default()), |text| read_sheet(&text))?),
    };
    let captions = (kind == PictureKind::WebVtt).then(|| read_captions(&inner)).transpose()?;
    let (width, height) = given.size("Width", "Height")?;
    let times = given.times()?;
    let settings = PictureSettings { times, width, height, key_frames: frames == "intra", sheet, captions };
    Ok(Wanted { kind, settings })
}

/// Captions name rectangles of sheets unless the template says that sheets are not wanted.
fn read_captions(config: &Map<String, Value>) -> Result<Captions, Error> {
    if let Some(format) = string(config, "Format") {
        one_of("Format", &format, &["vtt"])?;
    }
    let Some(out) = string(config, "SubOut") else { return Ok(Captions::Sheets) };
    let out = object("SubOut", &out)?;
    let sheets = string(&out, "IsSptFrag").unwrap_or_else(|| "true".to_owned());
    Ok(match one_of("IsSptFrag", &sheets, &["true", "false"])? {
        "true" => Captions::Sheets,
        _ => Captions::Cells,
    })
}

fn read_sheet(text: &str) -> Result<Sheet, Error> {
    if text.len() > MAX_CONFIG_BYTES {
        return Err(Error::invalid(SPRITE, format!("it must be at most {MAX_CONFIG_BYTES} bytes")));
    }
    let config = object(SPRITE, text)?;
    let given = Given { get: &|name: &str| string(&config, name) };
    let default = Sheet::default();
    let (cell_width, cell_height) = given.size("CellWidth", "CellHeight")?;
    let colour = string(&config, "Color").map(|colour| one_of("Color", &colour, &COLOURS)).transpose()?;
    let keep =
        string(&config, "KeepCellPic").map(|keep| one_of("KeepCellPic", &keep, &["keep", "delete"])).transpose()?;
    Ok(Sheet {
        cell_width,
        cell_height,
        columns: given.number("Columns", GRID)?.unwrap_or(default.columns),
        lines: given.number("Lines", GRID)?.unwrap_or(default.lines),
        padding: given.number("Padding", GAP)?.unwrap_or(default.padding),
        margin: given.number("Margin", GAP)?.unwrap_or(default.margin),
        colour: colour.map_or(default.colour, str::to_owned),
        keep_cells: keep != Some("delete"),
    })
}

fn read_points(text: &str) -> Result<Vec<u64>, Error> {
    let name = "SpecifiedOffsetTimes";
    let points: Vec<u64> = serde_json::from_str(text)
        .map_err(|_| Error::invalid(name, "it must be a JSON list of whole numbers of milliseconds"))?;
    if points.len() > MAX_POINTS {
        return Err(Error::invalid(name, format!("it must have at most {MAX_POINTS} points")));
    }
    Ok(points)
}

fn point(text: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| Error::invalid("SpecifiedOffsetTimes", "points are whole numbers of milliseconds"))
}

/// Values by name, wherever they come from; all are texts, and may be quoted numbers or bare ones.
struct Given<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
}

impl Given<'_> {
    fn required(&self, name: &str) -> String {
        (self.get)(name).unwrap_or_default()
    }

    fn int(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, Error> {
        let Some(text) = (self.get)(name) else { return Ok(None) };
        match text.trim().parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (least, most) = (range.start(), range.end());
                Err(Error::invalid(name, format!("it must be a whole number between {least} and {most}")))
            }
        }
    }

    fn number(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<u32>, Error> {
        Ok(self.int(name, range)?.and_then(|number| u32::try_from(number).ok()))
    }

    fn size(&self, width: &str, height: &str) -> Result<(Option<u32>, Option<u32>), Error> {
        Ok((self.number(width, SIDE)?, self.number(height, SIDE)?))
    }

    /// Of number and distance the one that gives fewer pictures wins, which is what cutting a series at both does. A
    /// distance alone goes on to the end of the video, as far as [`MAX_PICTURES`]; a beginning alone is one point.
    fn times(&self) -> Result<Times, Error> {
        let point_ms = self.int("SpecifiedOffsetTime", 0..=MAX_OFFSET_MS)?.and_then(|ms| u64::try_from(ms).ok());
        let from_ms = point_ms.unwrap_or(0);
        let count = self.number("Count", 1..=MAX_PICTURES as i64)?;
        let interval_s = self.int("Interval", 0..=MAX_INTERVAL_S)?;
        Ok(match (interval_s, count) {
            (Some(0), count) => Times::Spread { from_ms, count: count.unwrap_or(1) },
            (None, None) => {
                let point_ms = point_ms.ok_or_else(|| Error::missing(Product::Vod, "Count"))?;
                Times::At(vec![point_ms])
            }
            (interval_s, count) => {
                let interval_ms = interval_s.unwrap_or(DEFAULT_INTERVAL_S).unsigned_abs() * 1000;
                Times::Every { from_ms, interval_ms, count }
            }
        })
    }
}

/// A JSON object in a text.
fn object(name: &str, text: &str) -> Result<Map<String, Value>, Error> {
    serde_json::from_str(text).map_err(|error| Error::invalid(name, format!("it must be a JSON object: {error}")))
}

/// A member as text: members may be texts, numbers, or JSON once more. An empty one is absent.
fn string(object: &Map<String, Value>, name: &str) -> Option<String> {
    let text = match object.get(name)? {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::params::of;

    fn job(pairs: &[(&str, &str)]) -> Result<Wanted, Error> {
        of_params(&of(Product::Vod, pairs))
    }

    #[test]
    fn times_follow_the_vendors_rules() {
        let every = |from_ms, interval_ms, count| Times::Every { from_ms, interval_ms, count };
        let table: [(&[(&str, &str)], Times); 9] = [
            (&[("SpecifiedOffsetTime", "0")], Times::At(vec![0])),
            (&[("SpecifiedOffsetTime", "2500")], Times::At(vec![2500])),
            (&[("Count", "3")], every(0, 1000, Some(3))),
            (&[("Interval", "5")], every(0, 5000, None)),
            (&[("Count", "3"), ("Interval", "5"), ("SpecifiedOffsetTime", "100")], every(100, 5000, Some(3))),
            (&[("Count", "3"), ("Interval", "0")], Times::Spread { from_ms: 0, count: 3 }),
            (&[("Interval", "0")], Times::Spread { from_ms: 0, count: 1 }),
            (&[("SpecifiedOffsetTimes", "[1000,2000]"), ("Count", "9")], Times::At(vec![1000, 2000])),
            (&[("SpecifiedOffsetTimes.1", "7"), ("SpecifiedOffsetTimes.2", "8")], Times::At(vec![7, 8])),
        ];
        for (pairs, expected) in table {
            assert_eq!(job(pairs).unwrap().settings.times, expected, "{pairs:?}");
        }
        for neither in [&[][..], &[("Width", "320")], &[("SpriteSnapshotConfig", "{}")]] {
            assert_eq!(job(neither).unwrap_err().code(), "MissingParameter", "{neither:?}");
        }
        let many = serde_json::to_string(&vec![1; 31]).unwrap();
        for (name, value) in [
            ("Count", "0"),
            ("Count", "1001"),
            ("Interval", "-1"),
            ("SpecifiedOffsetTimes", "1000"),
            ("SpecifiedOffsetTimes", "[-1]"),
            ("SpecifiedOffsetTimes", &many),
            ("Width", "7"),
            ("Height", "4097"),
        ] {
            let pairs: &[_] =
                if name == "Width" || name == "Height" { &[(name, value), ("Count", "1")] } else { &[(name, value)] };
            assert_eq!(job(pairs).unwrap_err().code(), "InvalidParameter", "{name}={value}");
        }
    }

    #[test]
    fn a_sprite_config_makes_sheets() {
        let plain = job(&[("Count", "2"), ("Width", "320")]).unwrap();
        assert_eq!((plain.kind, plain.settings.width, plain.settings.sheet), (PictureKind::Normal, Some(320), None));
        let sheet = |config| job(&[("SpriteSnapshotConfig", config), ("Count", "9")]);
        let all = sheet("{}").unwrap();
        assert_eq!((all.kind, all.settings.sheet), (PictureKind::Sprite, Some(Sheet::default())));
        let config = r#"{"CellWidth":"120","CellHeight":68,"Padding":"2","Margin":"4","Color":"White","Columns":"3",
                         "Lines":"5","KeepCellPic":"delete"}"#;
        assert_eq!(
            sheet(config).unwrap().settings.sheet.unwrap(),
            Sheet {
                cell_width: Some(120),
                cell_height: Some(68),
                columns: 3,
                lines: 5,
                padding: 2,
                margin: 4,
                colour: "white".to_owned(),
                keep_cells: false,
            }
        );
        for bad in [
            "x",
            "[]",
            r#"{"Color":"0,0,0"}"#,
            r#"{"Color":"black:eval"}"#,
            r#"{"Columns":"0"}"#,
            r#"{"Lines":"10001"}"#,
            r#"{"KeepCellPic":"maybe"}"#,
            r#"{"CellWidth":"wide"}"#,
        ] {
            assert_eq!(sheet(bad).unwrap_err().code(), "InvalidParameter", "{bad}");
        }
    }

    #[test]
    fn templates_say_the_same() {
        let config = |kind: &str, more: &str| {
            format!(
                r#"{{"SnapshotType":"{kind}","SnapshotConfig":{{"FrameType":"intra","Count":"10","Interval":"2",
                "SpecifiedOffsetTime":"500"{more}}}}}"#
            )
        };
        let normal = of_template(&config("NormalSnapshot", r#","Width":"160""#)).unwrap();
        assert_eq!(normal.kind, PictureKind::Normal);
        assert_eq!(normal.settings.times, Times::Every { from_ms: 500, interval_ms: 2000, count: Some(10) });
        assert!(normal.settings.key_frames && normal.settings.width == Some(160) && normal.settings.sheet.is_none());
        let sprite = of_template(&config("SpriteSnapshot", r#","SpriteSnapshotConfig":{"Columns":"2"}"#)).unwrap();
        assert_eq!((sprite.kind, sprite.settings.sheet.unwrap().columns), (PictureKind::Sprite, 2));
        let vtt = of_template(&config("WebVttSnapshot", r#","Format":"vtt""#)).unwrap();
        assert_eq!((vtt.kind, vtt.settings.captions), (PictureKind::WebVtt, Some(Captions::Sheets)));
        let cells = config("WebVttSnapshot", r#","SubOut":{"IsSptFrag":"false"}"#);
        assert_eq!(of_template(&cells).unwrap().settings.captions, Some(Captions::Cells));
        for (text, code) in [
            ("{}", "MissingParameter"),
            (r#"{"SnapshotType":"NormalSnapshot"}"#, "MissingParameter"),
            (r#"{"SnapshotType":"NormalSnapshot","SnapshotConfig":{"FrameType":"normal"}}"#, "MissingParameter"),
            (&config("CoverSnapshot", ""), "InvalidParameter"),
            (&config("WebVttSnapshot", r#","Format":"srt""#), "InvalidParameter"),
            ("not json", "InvalidParameter"),
        ] {
            assert_eq!(of_template(text).unwrap_err().code(), code, "{text}");
        }
    }
}
