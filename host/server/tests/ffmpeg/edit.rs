//! Edits of real media: what a viewer sees and hears at each moment of the result.

use std::path::{Path, PathBuf};
use std::process::Command;

use reprise::edit::fonts::Fonts;
use reprise::edit::image::{self, ImageFormat};
use reprise::edit::layout::{ImageMaterial, Layout, Materials, PictureFacts, VideoMaterial, lay};
use reprise::ffmpeg::edit::{EditJob, EditSources, RESULT, edit, plan};
use reprise::ffmpeg::error::{Failure, Reason};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clip::{TICKS, ffmpeg, move_clock, tools};

/// Where the recordings' clocks begin: parts of a long broadcast do not begin at zero.
const CLOCK_START_SECONDS: u64 = 7200;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const BLACK: [u8; 3] = [0, 0, 0];

/// Materials in a folder of their own, and the folder in which they are edited.
struct Desk {
    folder: TempDir,
    work: TempDir,
    materials: Materials,
    sources: EditSources,
}

impl Desk {
    fn new() -> Self {
        Desk {
            folder: tempfile::tempdir().unwrap(),
            work: tempfile::tempdir().unwrap(),
            materials: Materials::default(),
            sources: EditSources::default(),
        }
    }

    /// A recording that shows each colour for its seconds, with a tone (0: without sound).
    fn recording(&mut self, id: &str, size: (u32, u32), fps: u32, colours: &[(&str, u32)], tone: u32) {
        let path = self.folder.path().join(format!("{id}.mp4"));
        let (width, height) = size;
        let shots: Vec<String> = colours
            .iter()
            .enumerate()
            .map(|(n, (colour, seconds))| format!("color=c={colour}:s={width}x{height}:r={fps}:d={seconds}[c{n}]"))
            .collect();
        let labels: String = (0..colours.len()).map(|n| format!("[c{n}]")).collect();
        let picture = format!("{};{labels}concat=n={}", shots.join(";"), colours.len());
        let seconds: u32 = colours.iter().map(|(_, seconds)| seconds).sum();
        let sine = format!("sine=f={tone}:d={seconds}:r=44100");
        let mut args = vec!["-f", "lavfi", "-i", &picture];
        if tone > 0 {
            args.extend(["-f", "lavfi", "-i", &sine, "-c:a", "aac"]);
        }
        // B-frames and a keyframe every second, as encoders of broadcasts have them.
        args.extend(["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-sc_threshold", "0"]);
        let gop = fps.to_string();
        args.extend(["-g", &gop, "-pix_fmt", "yuv420p", "-use_editlist", "0", "-video_track_timescale", "44100"]);
        args.extend([
            "-movflags",
            "+frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets",
            "-f",
            "mp4",
            path.to_str().unwrap(),
        ]);
        ffmpeg(&args);
        move_clock(&path, CLOCK_START_SECONDS * TICKS);
        let material = VideoMaterial {
            duration_ms: u64::from(seconds) * 1000,
            picture: Some(PictureFacts { width, height, fps: f64::from(fps) }),
            has_sound: tone > 0,
            bitrate_kbps: 800,
        };
        self.materials.videos.insert(id.to_owned(), material);
        self.sources.videos.insert(id.to_owned(), path);
    }

    fn image(&mut self, id: &str, colour: &str, size: (u32, u32), format: ImageFormat) {
        let path = self.folder.path().join(format!("{id}.{}", format.extension()));
        let picture = format!("color=c={colour}:s={}x{},format=rgba", size.0, size.1);
        ffmpeg(&["-f", "lavfi", "-i", &picture, "-frames:v", "1", "-update", "1", path.to_str().unwrap()]);
        let header = image::header(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!((header.format, header.width, header.height), (format, size.0, size.1));
        self.materials.images.insert(id.to_owned(), ImageMaterial { width: size.0, height: size.1 });
        self.sources.images.insert(id.to_owned(), (path, format));
    }

    fn laid(&self, timeline: &Value) -> Layout {
        lay(&serde_json::from_value(timeline.clone()).unwrap(), &self.materials).unwrap()
    }

    async fn tried(&self, timeline: &Value, cancel: &CancellationToken) -> Result<(PathBuf, u64), Failure> {
        let layout = self.laid(timeline);
        let fonts = Fonts::installed();
        let mut sources = self.sources.clone();
        sources.fonts = layout.texts.iter().map(|written| fonts.choose(&written.text).unwrap()).collect();
        let job = EditJob {
            plan: plan(&layout, &sources, 2).unwrap(),
            work_dir: self.work.path().to_owned(),
            total_ms: layout.total_ms,
        };
        let (progress, seen) = watch::channel(0);
        let facts = edit(&tools(), &job, cancel, &progress).await?;
        assert_eq!(*seen.borrow(), 100);
        Ok((self.work.path().join(RESULT), facts.media.duration_ms))
    }

    /// The result and its length.
    async fn made(&self, timeline: &Value) -> (PathBuf, u64) {
        let made = self.tried(timeline, &CancellationToken::new()).await;
        made.unwrap_or_else(|failure| panic!("{failure}"))
    }
}

fn output(args: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg").args(["-v", "error", "-nostdin"]).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The pixels of a place (width, height, x, y) of the picture at a moment.
fn pixels(file: &Path, at: f64, place: (u32, u32, u32, u32)) -> Vec<[u8; 3]> {
    let (width, height, x, y) = place;
    let (at, crop) = (at.to_string(), format!("crop={width}:{height}:{x}:{y}:exact=1"));
    let file = file.to_str().unwrap();
    let bytes =
        output(&["-ss", &at, "-i", file, "-frames:v", "1", "-vf", &crop, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let found: Vec<[u8; 3]> = bytes.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    assert_eq!(found.len() as u32, width * height, "at {at}");
    found
}

/// Whether a pixel is of a colour, give or take what the encoder and the two colour spaces do to it.
fn is(pixel: [u8; 3], colour: [u8; 3]) -> bool {
    pixel.iter().zip(colour).all(|(found, meant)| found.abs_diff(meant) < 48)
}

#[track_caller]
fn shows(file: &Path, at: f64, (x, y): (u32, u32), colour: [u8; 3]) {
    let found = pixels(file, at, (2, 2, x, y));
    assert!(is(found[0], colour), "at {at} s the picture is {:?} at {x},{y}, not {colour:?}", found[0]);
}

/// The pitch of the sound between two moments, by its zero crossings; 0 where it is silent.
fn tone(file: &Path, from: f64, to: f64) -> f64 {
    let (from_text, length) = (from.to_string(), (to - from).to_string());
    let file = file.to_str().unwrap();
    let args = ["-ss", &from_text, "-t", &length, "-i", file, "-vn", "-ac", "1", "-ar", "48000", "-f", "s16le", "-"];
    let bytes = output(&args);
    let samples: Vec<i16> = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    if loudest < 64 {
        return 0.0;
    }
    let crossings = samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    crossings as f64 / (samples.len() as f64 / 48_000.0)
}

#[track_caller]
fn sounds(file: &Path, from: f64, to: f64, pitch: f64) {
    let found = tone(file, from, to);
    assert!(
        (found - pitch).abs() < pitch * 0.02 + 3.0,
        "from {from} to {to} s there is a tone of {found} Hz, not {pitch}"
    );
}

fn video(id: &str, from_ms: u64, to_ms: u64) -> Value {
    json!({ "material": { "video": id }, "from_ms": from_ms, "to_ms": to_ms })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_advertisement_goes_into_a_recording() {
    let mut desk = Desk::new();
    desk.recording("match", (320, 240), 25, &[("blue", 4), ("lime", 6)], 440);
    desk.recording("ad", (160, 240), 30, &[("red", 3)], 1000);
    let cuts = json!({ "clips": [video("match", 0, 4000), video("ad", 0, 3000), video("match", 4000, 10_000)] });
    let (file, duration_ms) = desk.made(&cuts).await;
    assert!(duration_ms.abs_diff(13_000) <= 40, "{duration_ms}");
    let middle = (160, 120);
    for (at, colour) in [(0.0, BLUE), (3.9, BLUE), (4.1, RED), (6.9, RED), (7.1, GREEN), (12.9, GREEN)] {
        shows(&file, at, middle, colour);
    }
    // The narrow one stands between black bars, and the recording fills the picture.
    shows(&file, 5.0, (20, 120), BLACK);
    shows(&file, 8.0, (20, 120), GREEN);
    for (from, to, pitch) in [(0.1, 3.9, 440.0), (4.1, 6.9, 1000.0), (7.1, 12.8, 440.0)] {
        sounds(&file, from, to, pitch);
    }
    let bytes = std::fs::read(&file).unwrap();
    let place = |name: &[u8]| bytes.windows(4).position(|four| four == name).unwrap();
    assert!(place(b"moov") < place(b"mdat"), "the index comes first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_cuts_between_keyframes_do_not_drift() {
    let mut desk = Desk::new();
    desk.recording("match", (160, 120), 25, &[("red", 2), ("lime", 2), ("blue", 2)], 440);
    // Ten times two thirds of a second: no clip is a whole number of frames.
    let cut = |n: u64| video("match", [1333, 2111, 4444][n as usize % 3], [2000, 2778, 5111][n as usize % 3]);
    let (file, duration_ms) = desk.made(&json!({ "clips": (0..10).map(cut).collect::<Vec<_>>() })).await;
    assert!(duration_ms.abs_diff(6670) <= 40, "{duration_ms}");
    for n in 0..10_u32 {
        let colour = [RED, GREEN, BLUE][n as usize % 3];
        let begin = f64::from(n) * 0.667;
        // Half a frame is what rounding may cost at either end.
        for at in [begin + 0.03, begin + 0.33, begin + 0.61] {
            shows(&file, at, (80, 60), colour);
        }
    }
    sounds(&file, 0.1, 6.5, 440.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gaps_are_black_and_silent_and_sound_is_mixed_in() {
    let mut desk = Desk::new();
    desk.recording("loud", (160, 120), 25, &[("lime", 3)], 440);
    desk.recording("mute", (160, 120), 25, &[("blue", 2)], 0);
    desk.image("still", "red", (80, 60), ImageFormat::Jpeg);
    let timeline = json!({
        "clips": [
            { "material": { "video": "mute" }, "at_ms": 0, "to_ms": 1000 },
            { "material": { "video": "loud" }, "at_ms": 2000, "from_ms": 500, "to_ms": 2500,
              "effects": [{ "volume": { "gain_permille": 0, "span": { "timeline": { "from_ms": 3000, "to_ms": null } } } }] },
            { "material": { "image": "still" }, "to_ms": 1000 },
        ],
        "sounds": [[{ "video": "loud", "at_ms": 3250, "to_ms": 500 }, { "video": "loud", "at_ms": 4500 }]],
    });
    let (file, duration_ms) = desk.made(&timeline).await;
    assert!(duration_ms.abs_diff(5000) <= 40, "sound past the end of the video is cut: {duration_ms}");
    for (at, colour) in [(0.5, BLUE), (1.5, BLACK), (2.1, GREEN), (3.9, GREEN), (4.5, RED)] {
        shows(&file, at, (80, 60), colour);
    }
    for (from, to, pitch) in
        [(0.1, 1.9, 0.0), (2.1, 2.9, 440.0), (3.05, 3.2, 0.0), (3.3, 3.7, 440.0), (3.85, 4.4, 0.0), (4.6, 4.9, 440.0)]
    {
        sounds(&file, from, to, pitch);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_alone_is_a_result() {
    let mut desk = Desk::new();
    desk.recording("loud", (160, 120), 25, &[("lime", 3)], 440);
    let sounds_only = json!({ "sounds": [[{ "video": "loud", "to_ms": 1000 }, { "video": "loud", "at_ms": 1500, "from_ms": 2000 }]] });
    let (file, duration_ms) = desk.made(&sounds_only).await;
    assert!(duration_ms.abs_diff(2500) <= 40, "{duration_ms}");
    sounds(&file, 0.1, 0.9, 440.0);
    sounds(&file, 1.1, 1.4, 0.0);
    sounds(&file, 1.6, 2.4, 440.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_lie_over_the_video_for_their_time() {
    let mut desk = Desk::new();
    desk.recording("match", (320, 240), 25, &[("blue", 4)], 0);
    desk.image("logo", "red", (40, 20), ImageFormat::Png);
    desk.image("glass", "black@0.0", (40, 20), ImageFormat::Png);
    let overlay = |image: &str, x: u32, at_ms: u64, until_ms: u64| {
        json!({ "image": image, "x": { "pixels": x }, "y": { "share": 5000 }, "width": { "share": 2500 },
                "at_ms": at_ms, "until_ms": until_ms })
    };
    let timeline = json!({
        "clips": [{ "material": { "video": "match" } }],
        "overlays": [[overlay("logo", 16, 1000, 2000)], [overlay("glass", 200, 0, 9000)]],
    });
    let (file, _) = desk.made(&timeline).await;
    for (at, place, colour) in [
        (0.9, (20, 124), BLUE),
        (1.1, (20, 124), RED),
        (1.9, (94, 156), RED),
        (1.5, (100, 124), BLUE),
        (1.5, (20, 164), BLUE),
        (2.1, (20, 124), BLUE),
        (1.5, (220, 124), BLUE),
    ] {
        shows(&file, at, place, colour);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_is_blurred_away() {
    let mut desk = Desk::new();
    desk.recording("match", (320, 240), 25, &[("blue", 3)], 0);
    desk.image("mark", "red", (40, 20), ImageFormat::Png);
    let marked = json!({
        "clips": [{ "material": { "video": "match" } }],
        "overlays": [[{ "image": "mark", "x": { "pixels": 100 }, "y": { "pixels": 100 } }]],
    });
    let (file, _) = desk.made(&marked).await;
    let marked = desk.folder.path().join("marked.mp4");
    std::fs::rename(file, &marked).unwrap();
    desk.sources.videos.insert("match".to_owned(), marked.clone());
    shows(&marked, 1.5, (118, 108), RED);
    let cleaned = json!({ "clips": [{ "material": { "video": "match" }, "effects": [{ "blur": {
        "x": { "pixels": 96 }, "y": { "pixels": 96 }, "width": { "pixels": 48 }, "height": { "pixels": 28 },
        "span": { "timeline": { "from_ms": 1000, "to_ms": 2000 } } } }] }] });
    let (file, _) = desk.made(&cleaned).await;
    for (at, colour) in [(0.5, RED), (1.5, BLUE), (2.5, RED)] {
        shows(&file, at, (118, 108), colour);
    }
}

fn text(content: &str, y: u32, size: u32, span: &Value) -> Value {
    json!({ "text": { "content": content, "x": { "pixels": 8 }, "y": { "pixels": y }, "font": "SimSun", "size": size,
            "color": [255, 0, 0], "opacity_permille": 1000, "span": span } })
}

/// The columns of a strip of the picture that have red in them.
fn ink(file: &Path, at: f64, y: u32, height: u32) -> Vec<u32> {
    let found = pixels(file, at, (320, height, 0, y));
    let red = |pixel: &[u8; 3]| pixel[0] > 120 && pixel[2] < 160;
    (0..320).filter(|x| (0..height).any(|y| red(&found[(y * 320 + x) as usize]))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_are_drawn_for_their_time_and_never_read_as_filters() {
    let mut desk = Desk::new();
    desk.recording("match", (320, 240), 25, &[("blue", 3)], 0);
    let always = json!(null);
    let hostile = r"':=,%{n}[]\;%%";
    let timeline = json!({ "clips": [{ "material": { "video": "match" }, "effects": [
        text("Tor!", 10, 32, &json!({ "source": { "from_ms": 1000, "to_ms": 2000 } })),
        text(hostile, 60, 24, &always),
        text("'\n:x=0:textfile=/etc/passwd,negate[out];[out]null", 100, 16, &always),
        // The same length in letters of one width, to tell drawing from expanding.
        text("%{n}", 180, 24, &always),
        text("%", 210, 24, &always),
    ] }] });
    let (file, _) = desk.made(&timeline).await;
    assert!(ink(&file, 0.5, 10, 36).is_empty());
    assert!(ink(&file, 1.5, 10, 36).len() > 30);
    assert!(ink(&file, 2.5, 10, 36).is_empty());
    for (y, height) in [(60, 28), (100, 18), (120, 18), (180, 28), (210, 28)] {
        let (first, last) = (ink(&file, 0.2, y, height), ink(&file, 2.8, y, height));
        assert!(!first.is_empty(), "there is nothing at {y}");
        assert!(first.len().abs_diff(last.len()) <= 2, "what is drawn at {y} changes with time");
    }
    let width = |y| *ink(&file, 0.2, y, 28).last().unwrap();
    assert!(width(180) > width(210) + 24, "the sequence is drawn whole: {} and {}", width(180), width(210));
    // Nothing of it changed the picture beside the words.
    shows(&file, 1.5, (310, 230), BLUE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_material_of_its_kind_fails_with_a_reason() {
    let mut desk = Desk::new();
    desk.recording("match", (160, 120), 25, &[("blue", 1)], 0);
    desk.image("logo", "red", (40, 20), ImageFormat::Png);
    let path = desk.sources.images["logo"].0.clone();
    let overlaid = json!({ "clips": [{ "material": { "video": "match" } }],
        "overlays": [[{ "image": "logo", "x": { "pixels": 8 }, "y": { "pixels": 8 } }]] });
    let hostile: [&[u8]; 3] = [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x28\0\0\0\x14 and then nothing of the kind",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    ];
    let never = CancellationToken::new();
    for bytes in hostile {
        std::fs::write(&path, bytes).unwrap();
        let failure = desk.tried(&overlaid, &never).await.unwrap_err();
        assert!(matches!(failure.reason, Reason::Exit { .. }), "{failure}");
        assert!(!failure.to_string().contains(path.to_str().unwrap()), "{failure}");
    }
    let video = desk.sources.videos["match"].clone();
    std::fs::write(&video, hostile[1]).unwrap();
    let failure = desk.tried(&json!({ "clips": [video_of("match")] }), &never).await.unwrap_err();
    assert!(failure.detail.contains("material 1: Invalid data found"), "{failure}");
}

fn video_of(id: &str) -> Value {
    json!({ "material": { "video": id } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_edit_says_so() {
    let mut desk = Desk::new();
    desk.recording("match", (160, 120), 25, &[("blue", 1)], 0);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let failure = desk.tried(&json!({ "clips": [video_of("match")] }), &cancel).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Cancelled);
}
