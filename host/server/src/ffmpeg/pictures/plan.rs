//! From settings to times, sizes, and one command. Pure.

use std::ffi::OsString;

use super::super::limits::Limits;
use super::super::plan::{self, Args, Plan, Source, target_size};
use super::FOLDER;
use super::settings::{COLOURS, PictureSettings, Times};

/// Pictures of one series: one a second of a quarter of an hour, and the most files that one job leaves.
pub const MAX_PICTURES: usize = 1000;

/// The vendor's bound on explicit points; it also bounds the filter expression.
const MAX_POINTS: usize = 30;

/// The largest side of a JPEG that ffmpeg writes.
const MAX_SHEET_SIDE: u32 = 65_500;

/// Pixels of one sheet: ten by ten pictures of 1920×1080 with room to spare. It bounds the memory of one job.
const MAX_SHEET_PIXELS: u64 = 256 << 20;

/// Bytes of memory per pixel of a sheet: the picture itself at 4:2:0, twice, and what the encoder writes.
const MEMORY_PER_SHEET_PIXEL: u64 = 6;

/// The most that ffmpeg's filter takes as columns, lines, padding or margin.
const MAX_GRID: u32 = 1024;

/// A picture after the last planned one is not looked for farther than this.
const AFTER_LAST_MS: u64 = 5000;

pub(super) const PICTURE_PREFIX: &str = "";
pub(super) const CELL_PREFIX: &str = "cell-";
pub(super) const SHEET_PREFIX: &str = "sheet-";

/// Why these settings give nothing of this source. The tenant must change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("no video in source")]
    NoVideo,
    #[error("no point in time lies within the video")]
    NoTime,
    #[error("more than {MAX_POINTS} points in time")]
    TooManyPoints,
    #[error("pictures are 8 to 4096 pixels wide and high")]
    Size,
    #[error("columns, lines, padding and margin are at most {MAX_GRID}, columns and lines at least 1")]
    Grid,
    #[error("a sheet of this size is larger than a JPEG can be; use smaller cells, or fewer")]
    SheetTooLarge,
    #[error("the colour is not one of the known names")]
    Colour,
    #[error("captions need sheets")]
    CaptionsWithoutSheet,
}

/// One command and what it takes when.
#[derive(Debug, Clone, PartialEq)]
pub struct PicturePlan {
    pub args: Vec<OsString>,
    /// The time that each picture stands for, ascending.
    pub at_ms: Vec<u64>,
    pub width: u32,
    pub height: u32,
    /// How pictures lie on a sheet, when sheets are made.
    pub grid: Option<Grid>,
}

/// Where pictures lie on a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub columns: u32,
    pub lines: u32,
    pub padding: u32,
    pub margin: u32,
    pub cell_width: u32,
    pub cell_height: u32,
}

impl Grid {
    /// Width and height of a whole sheet.
    pub fn size(&self) -> (u32, u32) {
        let side = |cell: u32, count: u32| {
            cell.saturating_mul(count)
                .saturating_add(self.padding.saturating_mul(count.saturating_sub(1)))
                .saturating_add(self.margin * 2)
        };
        (side(self.cell_width, self.columns), side(self.cell_height, self.lines))
    }

    /// The sheet (from 0) and the corner of picture `index` (from 0).
    pub fn place(&self, index: u32) -> (u32, (u32, u32)) {
        let on_one = self.columns * self.lines;
        let on_this = index % on_one;
        let corner = |number: u32, cell: u32| self.margin + number * (cell + self.padding);
        let (column, line) = (on_this % self.columns, on_this / self.columns);
        (index / on_one, (corner(column, self.cell_width), corner(line, self.cell_height)))
    }
}

/// The file name of picture `index`, from 1.
pub(super) fn picture_name(prefix: &str, index: u32) -> String {
    format!("{prefix}{index:05}.jpg")
}

impl PicturePlan {
    /// # Errors
    /// Why these settings give nothing of this source.
    pub fn of(source: &Source, settings: &PictureSettings, threads: u32) -> Result<Self, Refused> {
        let video = source.video.ok_or(Refused::NoVideo)?;
        let at_ms = times(&settings.times, source.duration_ms)?;
        let sheet = settings.sheet.as_ref();
        if settings.captions.is_some() && sheet.is_none() {
            return Err(Refused::CaptionsWithoutSheet);
        }
        let series = (settings.width, settings.height);
        let asked = sheet.map(|sheet| (sheet.cell_width, sheet.cell_height));
        let asked = asked.filter(|cell| *cell != (None, None)).unwrap_or(series);
        let sides = [series.0, series.1, asked.0, asked.1];
        if sides.into_iter().flatten().any(|side| !(8..=4096).contains(&side)) {
            return Err(Refused::Size);
        }
        let (width, height) = target_size((video.width, video.height), asked, false, true);
        let mut grid = None;
        let mut colour = "";
        if let Some(sheet) = sheet {
            colour = COLOURS.iter().find(|name| **name == sheet.colour).ok_or(Refused::Colour)?;
            let numbers = [sheet.columns, sheet.lines, sheet.padding, sheet.margin];
            let cells = u32::try_from(at_ms.len()).unwrap_or(u32::MAX);
            // A client's sheet may have room for far more than there is: what is empty is left away, and where a
            // picture lies stays the same.
            let columns = sheet.columns.min(cells);
            let lines = sheet.lines.min(cells.div_ceil(columns.max(1)));
            let fits = numbers[2..].iter().chain(&[columns, lines]).all(|number| *number <= MAX_GRID);
            if !fits || columns == 0 || lines == 0 {
                return Err(Refused::Grid);
            }
            let (padding, margin) = (sheet.padding, sheet.margin);
            let whole = Grid { columns, lines, padding, margin, cell_width: width, cell_height: height };
            let (sheet_width, sheet_height) = whole.size();
            let pixels = u64::from(sheet_width) * u64::from(sheet_height);
            if sheet_width.max(sheet_height) > MAX_SHEET_SIDE || pixels > MAX_SHEET_PIXELS {
                return Err(Refused::SheetTooLarge);
            }
            grid = Some(whole);
        }
        let mut plan = Self { args: Vec::new(), at_ms, width, height, grid };
        plan.args = plan.command(source, settings, colour, threads);
        Ok(plan)
    }

    /// What the names of single pictures begin with.
    pub(super) fn picture_prefix(&self) -> &'static str {
        if self.grid.is_some() { CELL_PREFIX } else { PICTURE_PREFIX }
    }

    /// What the command may cost: that of decoding the source once, and the sheet in memory.
    pub(super) fn limits(&self, source: &Source, threads: u32) -> Limits {
        let decoding = Plan { args: Vec::new(), outputs: Vec::new(), snapshots: None, refused: Vec::new() };
        let mut limits = Limits::of(&decoding, source, &[], threads);
        if let Some(grid) = &self.grid {
            let (width, height) = grid.size();
            limits.memory_bytes += u64::from(width) * u64::from(height) * MEMORY_PER_SHEET_PIXEL;
        }
        limits
    }

    fn command(&self, source: &Source, settings: &PictureSettings, colour: &str, threads: u32) -> Vec<OsString> {
        let mut args = Args::default();
        let last_ms = self.at_ms.last().copied().unwrap_or(0);
        args.pair("-t", seconds(last_ms + AFTER_LAST_MS));
        if settings.key_frames {
            args.pair("-skip_frame", "nokey");
        }
        plan::input(&mut args, source, threads.clamp(1, plan::MAX_THREADS));
        let choice = self.choice(&settings.times, latest_ms(source));
        let taken = format!("{choice},scale={}:{}", self.width, self.height);
        match &self.grid {
            None => {
                args.pair("-map", "0:v:0");
                args.pair("-vf", taken);
                self.pictures(&mut args, PICTURE_PREFIX, self.at_ms.len());
            }
            Some(grid) => {
                let most = self.at_ms.len();
                let sheets = most.div_ceil((grid.columns * grid.lines) as usize);
                let tile = format!(
                    "tile=layout={}x{}:padding={}:margin={}:color={colour}",
                    grid.columns, grid.lines, grid.padding, grid.margin
                );
                // Cut to the planned number before they are laid out: a sheet has no others.
                let graph = format!("[0:v:0]{taken},trim=end_frame={most},split=2[cells][all];[all]{tile}[sheets]");
                args.pair("-filter_complex", graph);
                args.pair("-map", "[cells]");
                self.pictures(&mut args, CELL_PREFIX, most);
                args.pair("-map", "[sheets]");
                self.pictures(&mut args, SHEET_PREFIX, sheets);
            }
        }
        args.into_inner()
    }

    /// The filter that passes the wanted pictures. At a steady pace it repeats the last picture over a hole in the
    /// recording, so that picture number `n` always stands for the planned time number `n`.
    fn choice(&self, times: &Times, latest_ms: u64) -> String {
        match (times, &self.at_ms[..]) {
            (Times::At(_), points) => chosen(points, latest_ms),
            (_, [first, second, ..]) => {
                format!("fps=fps=1000/{}:start_time={}:round=up", second - first, seconds(*first))
            }
            (_, points) => chosen(points, latest_ms),
        }
    }

    fn pictures(&self, args: &mut Args, prefix: &str, most: usize) {
        args.pair("-fps_mode", "passthrough");
        args.pair("-frames:v", most);
        args.pair("-c:v", "mjpeg");
        args.pair("-pix_fmt", "yuvj420p");
        args.pair("-q:v", 3);
        args.pair("-threads:v", 1);
        args.pair("-map_metadata", -1);
        args.pair("-f", "image2");
        args.flags(&[&format!("{FOLDER}/{prefix}%05d.jpg")]);
    }
}

/// For each point the first picture at or after it. A point after the last picture means that one.
fn chosen(points: &[u64], latest_ms: u64) -> String {
    let one = |at: &u64| {
        let at = seconds((*at).min(latest_ms));
        format!("(isnan(prev_selected_t)+lt(prev_selected_t,{at}))*gte(t,{at})")
    };
    format!("select='{}'", points.iter().map(one).collect::<Vec<_>>().join("+"))
}

/// A time at or after which there is still a picture: two pictures before the end.
fn latest_ms(source: &Source) -> u64 {
    let fps = source.video.map_or(0.0, |video| video.fps);
    let two_ms = if fps >= 1.0 { (2000.0 / fps) as u64 } else { 2000 };
    source.duration_ms.saturating_sub(two_ms)
}

/// Ascending times within the video.
fn times(times: &Times, duration_ms: u64) -> Result<Vec<u64>, Refused> {
    let within = |at: &u64| *at < duration_ms || *at == 0;
    let at_ms: Vec<u64> = match times {
        Times::At(points) => {
            if points.len() > MAX_POINTS {
                return Err(Refused::TooManyPoints);
            }
            let mut points: Vec<u64> = points.iter().copied().filter(within).collect();
            points.sort_unstable();
            points.dedup();
            points
        }
        Times::Every { from_ms, interval_ms, count } => {
            let most = count.map_or(MAX_PICTURES, |count| (count as usize).min(MAX_PICTURES));
            let step = (*interval_ms).max(1);
            (0..most as u64)
                .map_while(|index| from_ms.checked_add(index.checked_mul(step)?))
                .take_while(within)
                .collect()
        }
        Times::Spread { from_ms, count } => {
            let room = duration_ms.saturating_sub(*from_ms);
            let most = u64::from(*count).clamp(1, MAX_PICTURES as u64);
            let step = (room / most).max(1);
            (0..most).map(|index| from_ms + index * step).take_while(within).collect()
        }
    };
    if at_ms.is_empty() { Err(Refused::NoTime) } else { Ok(at_ms) }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::settings::{Captions, Sheet};
    use super::*;
    use crate::ffmpeg::plan::VideoSource;
    use crate::ffmpeg::template::VideoCodec;

    fn source(duration_ms: u64) -> Source {
        Source {
            path: PathBuf::from("/media/s.mp4"),
            size_bytes: 1000,
            duration_ms,
            video: Some(VideoSource { codec: VideoCodec::H264, width: 320, height: 240, fps: 25.0 }),
            audio: None,
        }
    }

    fn settings(times: Times) -> PictureSettings {
        PictureSettings { times, width: None, height: None, key_frames: false, sheet: None, captions: None }
    }

    fn sheet(change: impl FnOnce(&mut Sheet)) -> PictureSettings {
        let mut sheet = Sheet::default();
        change(&mut sheet);
        let times = Times::Every { from_ms: 0, interval_ms: 1000, count: None };
        PictureSettings { sheet: Some(sheet), ..settings(times) }
    }

    #[test]
    fn times_lie_within_the_video() {
        let every = |from_ms, interval_ms, count| Times::Every { from_ms, interval_ms, count };
        let table: [(Times, u64, &[u64]); 10] = [
            (Times::At(vec![3000, 1000, 1000, 9000]), 5000, &[1000, 3000]),
            (Times::At(vec![0]), 0, &[0]),
            (every(0, 1000, None), 3500, &[0, 1000, 2000, 3000]),
            (every(0, 1000, Some(2)), 3500, &[0, 1000]),
            (every(500, 2000, Some(9)), 3500, &[500, 2500]),
            (every(0, 1000, Some(1)), 0, &[0]),
            (Times::Spread { from_ms: 0, count: 4 }, 10_000, &[0, 2500, 5000, 7500]),
            (Times::Spread { from_ms: 2000, count: 2 }, 10_000, &[2000, 6000]),
            (Times::Spread { from_ms: 0, count: 5 }, 3, &[0, 1, 2]),
            (Times::Spread { from_ms: 0, count: 0 }, 100, &[0]),
        ];
        for (wanted, duration_ms, expected) in table {
            assert_eq!(times(&wanted, duration_ms).as_deref(), Ok(expected), "{wanted:?}");
        }
        assert_eq!(times(&every(u64::MAX, u64::MAX, None), 10), Err(Refused::NoTime));
        assert_eq!(times(&Times::At(vec![5000]), 5000), Err(Refused::NoTime));
        assert_eq!(times(&Times::At((0..31).collect()), 5000), Err(Refused::TooManyPoints));
        assert_eq!(times(&every(0, 1, None), u64::MAX).unwrap().len(), MAX_PICTURES);
    }

    #[test]
    fn pictures_lie_on_sheets_by_lines() {
        let plan = PicturePlan::of(
            &source(9000),
            &sheet(|sheet| {
                (sheet.columns, sheet.lines, sheet.padding, sheet.margin) = (3, 2, 4, 10);
                sheet.cell_width = Some(80);
            }),
            2,
        )
        .unwrap();
        let grid = plan.grid.unwrap();
        assert_eq!((grid.cell_width, grid.cell_height), (80, 60));
        assert_eq!(grid.size(), (3 * 80 + 2 * 4 + 20, 2 * 60 + 4 + 20));
        assert_eq!(grid.place(0), (0, (10, 10)));
        assert_eq!(grid.place(2), (0, (10 + 2 * 84, 10)));
        assert_eq!(grid.place(4), (0, (94, 74)));
        assert_eq!(grid.place(6), (1, (10, 10)));
        // Room for a hundred, four pictures: one line of four.
        let few = PicturePlan::of(&source(4000), &sheet(|_| {}), 2).unwrap().grid.unwrap();
        assert_eq!((few.columns, few.lines), (4, 1));
    }

    #[test]
    fn one_command_decodes_once() {
        let series = PicturePlan::of(&source(4000), &PictureSettings { key_frames: true, ..sheet(|_| {}) }, 2).unwrap();
        let args: Vec<&str> = series.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        let inputs = args.iter().filter(|arg| **arg == "-i").count();
        let at = |what: &str| args.iter().position(|arg| *arg == what).unwrap();
        assert!(inputs == 1 && at("-skip_frame") < at("-i") && at("-t") < at("-i"), "{args:?}");
        assert_eq!(
            args[at("-filter_complex") + 1],
            "[0:v:0]fps=fps=1000/1000:start_time=0.000:round=up,scale=320:240,trim=end_frame=4,split=2[cells][all];\
             [all]tile=layout=4x1:padding=0:margin=0:color=black[sheets]"
        );
        assert_eq!(args.last(), Some(&"pictures/sheet-%05d.jpg"));
        let points = PicturePlan::of(&source(4000), &settings(Times::At(vec![1500])), 2).unwrap();
        assert!(
            points.args.iter().any(|arg| {
                arg.to_str()
                    == Some("select='(isnan(prev_selected_t)+lt(prev_selected_t,1.500))*gte(t,1.500)',scale=320:240")
            }),
            "{:?}",
            points.args
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |settings: &PictureSettings| PicturePlan::of(&source(9000), settings, 2).unwrap_err();
        let sound = Source { video: None, ..source(9000) };
        assert_eq!(PicturePlan::of(&sound, &sheet(|_| {}), 2), Err(Refused::NoVideo));
        type Change = fn(&mut Sheet);
        let table: [(Change, Refused); 7] = [
            (|sheet| sheet.columns = 0, Refused::Grid),
            (|sheet| sheet.lines = 0, Refused::Grid),
            (|sheet| sheet.padding = 1025, Refused::Grid),
            (|sheet| sheet.margin = u32::MAX, Refused::Grid),
            (|sheet| sheet.colour = "#ffffff".to_owned(), Refused::Colour),
            (|sheet| sheet.cell_width = Some(7), Refused::Size),
            (|sheet| sheet.cell_height = Some(4097), Refused::Size),
        ];
        for (change, expected) in table {
            assert_eq!(refused(&sheet(change)), expected);
        }
        let wide = |count: u32| PictureSettings {
            times: Times::Every { from_ms: 0, interval_ms: 1, count: Some(count) },
            ..sheet(|sheet| (sheet.columns, sheet.cell_width) = (1000, Some(4096)))
        };
        assert_eq!(refused(&wide(1000)), Refused::SheetTooLarge);
        let captions = PictureSettings { captions: Some(Captions::Sheets), ..settings(Times::At(vec![0])) };
        assert_eq!(refused(&captions), Refused::CaptionsWithoutSheet);
    }
}
