//! Real ffmpeg, in the real box: as many pictures as asked, of the size asked, where the captions say.

use std::path::Path;

use reprise::ffmpeg::Failure;
use reprise::ffmpeg::pictures::{CAPTIONS, Captions, FOLDER, PictureJob, PictureSettings, Sheet, Taken, Times, take};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::clip::{Clip, MadeClip, ffmpeg, tools};

/// Where the clips' clocks start: a part is rarely the first of its broadcast.
const CLOCK_START_SECONDS: u32 = 3600;

struct Done {
    work: TempDir,
    result: Result<Taken, Failure>,
}

impl Done {
    fn taken(&self) -> Taken {
        *self.result.as_ref().unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn files(&self) -> Vec<String> {
        let dir = std::fs::read_dir(self.work.path().join(FOLDER)).unwrap();
        let mut names: Vec<String> = dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn size(&self, file: &str) -> (u32, u32) {
        size(&self.work.path().join(FOLDER).join(file))
    }
}

async fn done(clip: &MadeClip, settings: PictureSettings) -> Done {
    let work = tempfile::tempdir().unwrap();
    let job = PictureJob { source: clip.source(), work_dir: work.path().to_owned(), settings, threads: 2 };
    let result = take(&tools(), &job, &CancellationToken::new()).await;
    Done { work, result }
}

fn series(times: Times) -> PictureSettings {
    PictureSettings { times, width: None, height: None, key_frames: false, sheet: None, captions: None }
}

/// Width and height from a JPEG's own header.
fn size(file: &Path) -> (u32, u32) {
    let bytes = std::fs::read(file).unwrap();
    assert!(bytes.starts_with(&[0xff, 0xd8]), "{}", file.display());
    let mut at = 2;
    loop {
        let (marker, length) = (bytes[at + 1], usize::from(bytes[at + 2]) << 8 | usize::from(bytes[at + 3]));
        if matches!(marker, 0xc0..=0xc2) {
            let side = |at: usize| u32::from(bytes[at]) << 8 | u32::from(bytes[at + 1]);
            return (side(at + 7), side(at + 5));
        }
        at += 2 + length;
    }
}

/// The mean colour of a rectangle of a picture, as ffmpeg sees it.
fn colour(file: &Path, (x, y): (u32, u32), (width, height): (u32, u32)) -> [u8; 3] {
    let out = tempfile::NamedTempFile::new().unwrap();
    let filter = format!("crop={width}:{height}:{x}:{y}:exact=1,scale=1:1:flags=area,format=rgb24");
    let (file, raw) = (file.to_str().unwrap(), out.path().to_str().unwrap());
    ffmpeg(&["-i", file, "-vf", &filter, "-f", "rawvideo", raw]);
    std::fs::read(out.path()).unwrap()[..3].try_into().unwrap()
}

#[tokio::test]
async fn a_series_has_its_number_and_size() {
    let clip = Clip::new().starting_at(CLOCK_START_SECONDS).made();
    let every = |interval_ms, count| Times::Every { from_ms: 0, interval_ms, count };
    let table: [(Times, u32); 8] = [
        (every(500, None), 4),
        (every(500, Some(3)), 3),
        (every(10_000, None), 1),
        (Times::Every { from_ms: 1000, interval_ms: 250, count: None }, 4),
        (Times::Spread { from_ms: 0, count: 7 }, 7),
        (Times::At(vec![0, 700, 1999]), 3),
        (Times::At(vec![1999]), 1),
        (Times::At(vec![0]), 1),
    ];
    for (times, expected) in table {
        let done = done(&clip, series(times.clone())).await;
        assert_eq!(done.taken(), Taken { pictures: expected, sheets: 0, captions: false }, "{times:?}");
        let names: Vec<String> = (1..=expected).map(|index| format!("{index:05}.jpg")).collect();
        assert_eq!(done.files(), names, "{times:?}");
        assert_eq!(done.size("00001.jpg"), (320, 240));
    }
    for (width, height, expected) in
        [(Some(160), None, (160, 120)), (None, Some(480), (640, 480)), (Some(100), Some(100), (100, 100))]
    {
        let done = done(&clip, PictureSettings { width, height, ..series(Times::At(vec![0])) }).await;
        assert_eq!(done.size("00001.jpg"), expected);
    }
}

#[tokio::test]
async fn pictures_are_of_their_time() {
    // Red, and from the first second on blue: the clip's encoder shows its first picture two pictures late.
    let filter = "drawbox=c=red:t=fill:enable='lt(t,0.92)',drawbox=c=blue:t=fill:enable='gte(t,0.92)'";
    let clip = Clip::new().starting_at(CLOCK_START_SECONDS).filtered(filter).made();
    let every = |from_ms, interval_ms| Times::Every { from_ms, interval_ms, count: Some(4) };
    let table = [
        (Times::At(vec![400, 960, 1000, 1999]), false, [true, true, false, false]),
        (every(0, 500), false, [true, true, false, false]),
        (every(980, 10), false, [true, true, false, false]),
        // The encoder makes a key frame where the colour changes.
        (every(0, 500), true, [true, true, false, false]),
    ];
    for (times, key_frames, expected) in table {
        let done = done(&clip, PictureSettings { key_frames, ..series(times.clone()) }).await;
        assert_eq!(done.taken().pictures, 4, "{times:?}");
        let file = |index: u32| done.work.path().join(FOLDER).join(format!("{index:05}.jpg"));
        let is_red = |index: u32| colour(&file(index), (0, 0), (320, 240))[0] > 150;
        assert_eq!([1, 2, 3, 4].map(is_red), expected, "{times:?}, key frames {key_frames}");
    }
}

#[tokio::test]
async fn sheets_hold_pictures_where_captions_say() {
    // A different grey every half second.
    let filter = "drawbox=c=0x303030:t=fill:enable='lt(t,0.3)',drawbox=c=0x707070:t=fill:enable='between(t,0.3,0.79)',\
                  drawbox=c=0xb0b0b0:t=fill:enable='between(t,0.8,1.29)',drawbox=c=0xf0f0f0:t=fill:enable='gte(t,1.3)'";
    let clip = Clip::new().starting_at(CLOCK_START_SECONDS).filtered(filter).made();
    let sheet = Sheet {
        cell_width: Some(80),
        columns: 2,
        lines: 1,
        padding: 4,
        margin: 6,
        colour: "red".to_owned(),
        keep_cells: false,
        ..Sheet::default()
    };
    let times = Times::Every { from_ms: 0, interval_ms: 500, count: None };
    let settings = PictureSettings { sheet: Some(sheet), captions: Some(Captions::Sheets), ..series(times) };
    let done = done(&clip, settings.clone()).await;
    assert_eq!(done.taken(), Taken { pictures: 0, sheets: 2, captions: true });
    assert_eq!(done.files(), [CAPTIONS, "sheet-00001.jpg", "sheet-00002.jpg"]);
    assert_eq!(done.size("sheet-00001.jpg"), (2 * 80 + 4 + 12, 60 + 12));

    let text = std::fs::read_to_string(done.work.path().join(FOLDER).join(CAPTIONS)).unwrap();
    let cues: Vec<(&str, &str)> = text.split("\n\n").skip(1).map(|cue| cue.trim().split_once('\n').unwrap()).collect();
    assert_eq!(cues.len(), 4);
    let (starts, ends): (Vec<&str>, Vec<&str>) = cues.iter().map(|(time, _)| time.split_once(" --> ").unwrap()).unzip();
    assert_eq!((starts[0], ends[3]), ("00:00:00.000", "00:00:02.000"), "the cues cover the whole");
    assert_eq!(starts[1..], ends[..3], "without a hole");
    for ((_, place), grey) in cues.iter().zip([0x30, 0x70, 0xb0, 0xf0]) {
        let (file, at) = place.split_once("#xywh=").unwrap();
        let numbers: Vec<u32> = at.split(',').map(|number| number.parse().unwrap()).collect();
        let file = done.work.path().join(FOLDER).join(file);
        let found = colour(&file, (numbers[0], numbers[1]), (numbers[2], numbers[3]));
        assert!(found.iter().all(|part| i32::from(*part).abs_diff(grey) < 12), "{place}: {found:?}, not {grey:#x}");
    }
    let corner = colour(&done.work.path().join(FOLDER).join("sheet-00001.jpg"), (0, 0), (4, 72));
    assert!(corner[0] > 200 && corner[1] < 60, "the margin has the sheet's colour: {corner:?}");

    let kept = Sheet { keep_cells: true, ..settings.sheet.clone().unwrap() };
    let done = self::done(&clip, PictureSettings { sheet: Some(kept), captions: None, ..settings }).await;
    assert_eq!(done.taken(), Taken { pictures: 4, sheets: 2, captions: false });
    assert_eq!(done.size("cell-00004.jpg"), (80, 60));
}

#[tokio::test]
async fn a_hole_in_the_recording_moves_no_picture() {
    // Nothing between 0.4 s and 1.6 s: the picture before the hole stands for all of it.
    let filter =
        "drawbox=c=red:t=fill:enable='lt(t,1)',drawbox=c=blue:t=fill:enable='gte(t,1)',select='lt(t,0.4)+gt(t,1.6)'";
    let clip = Clip::new().starting_at(CLOCK_START_SECONDS).filtered(filter).made();
    let done = done(&clip, series(Times::Every { from_ms: 0, interval_ms: 250, count: None })).await;
    assert_eq!(done.taken().pictures, 8);
    let red = |index: u32| {
        let file = done.work.path().join(FOLDER).join(format!("{index:05}.jpg"));
        colour(&file, (0, 0), (320, 240))[0] > 150
    };
    assert_eq!((1..=8).map(red).collect::<Vec<_>>(), [true, true, true, true, true, true, true, false]);
}

#[tokio::test]
async fn what_gives_no_picture_says_why() {
    let sound = Clip::new().without_picture().made();
    let failure = done(&sound, series(Times::At(vec![0]))).await.result.unwrap_err();
    assert!(failure.to_string().contains("no video in source"), "{failure}");
    let clip = Clip::new().made();
    let failure = done(&clip, series(Times::At(vec![2000]))).await.result.unwrap_err();
    assert!(failure.to_string().contains("no point in time"), "{failure}");
}
