//! Joined renditions against what ffmpeg decodes of them.

use std::path::Path;
use std::process::Command;

use reprise::ffmpeg::{
    AudioSettings, AudioSource, Container, Reason, Rendition, Source, Tools, Track, TranscodeJob, VideoCodec as Codec,
    VideoSettings, VideoSource, transcode,
};
use reprise::jobs::joining::{PartTimes, Rendered, join};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clip::tools;

/// Pictures a second, and pictures of each part: no whole number of groups of pictures.
const FPS: u32 = 25;
const PARTS: [u32; 3] = [60, 45, 71];

/// A part as a recorder leaves it: with sound in it. A beep and a
/// white picture come together at every second of the whole.
fn record(path: &Path, first: u32, frames: u32) {
    let (start, length) = (f64::from(first) / f64::from(FPS), f64::from(frames) / f64::from(FPS));
    let picture = format!(
        "color=black:s=320x240:r={FPS}:d={length},geq=lum='if(lt(mod(T+{start},1),0.04),235,16)':cb=128:cr=128"
    );
    let sound = format!("aevalsrc='if(lt(mod(t+{start},1),0.04),sin(6283*t),0)':s=44100:d={length}");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound])
        .args(["-c:v", "libx264", "-bf", "0"])
        .args(["-c:a", "aac", "-movflags", "+frag_keyframe+delay_moov+default_base_moof", "-f", "mp4"])
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

async fn encode(tools: &Tools, source: &Path, frames: u32, rendition: &Rendition, work: &Path) -> Rendered {
    let duration_ms = u64::from(frames) * 1000 / u64::from(FPS);
    let job = TranscodeJob {
        source: Source {
            path: source.to_owned(),
            size_bytes: source.metadata().unwrap().len(),
            duration_ms,
            // As parts are measured: never twice the same.
            video: Some(VideoSource {
                codec: Codec::H264,
                width: 320,
                height: 240,
                fps: 25.0 + f64::from(frames % 7) / 100.0,
            }),
            audio: Some(AudioSource { sample_rate: 44_100, channels: 1 }),
        },
        work_dir: work.to_owned(),
        renditions: vec![rendition.clone()],
        snapshots: None,
        threads: 1,
        limits: None,
    };
    let (progress, _) = watch::channel(0);
    let report = transcode(tools, &job, &CancellationToken::new(), &progress).await.unwrap();
    assert_eq!(report.encoded_frames, u64::from(frames));
    let facts = report.outputs[0].result.clone().unwrap();
    let (folder, entry) = match facts.entry.split_once('/') {
        Some((folder, entry)) => (work.join(folder), entry.to_owned()),
        None => (work.to_owned(), facts.entry.clone()),
    };
    Rendered { folder, entry, bytes: facts.media.size_bytes, times: PartTimes { duration_ms, anchor_ms: 0 } }
}

/// Decodes a file with a filter and gives all that ffmpeg says.
fn decode(file: &Path, args: &[&str]) -> String {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-v", "level+info", "-i"])
        .arg(file)
        .args(args)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("[error]"), "{said}");
    said
}

/// Times at which `marker` is followed by a number in what ffmpeg said.
fn times(said: &str, marker: &str) -> Vec<f64> {
    let found = said.match_indices(marker).map(|(at, _)| &said[at + marker.len()..]);
    found.filter_map(|rest| rest.trim_start().split([' ', '\n', '|']).next()?.parse().ok()).collect()
}

fn frames(file: &Path) -> usize {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames"])
        .args(["-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.trim_matches(',').parse().ok()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_seam_decodes_and_sound_stays_in_step() {
    let tools = tools();
    let scratch = tempfile::tempdir().unwrap();
    for (name, container) in [("mp4", Container::Mp4), ("hls", Container::Hls { segment_seconds: 1 })] {
        let rendition = Rendition {
            key: "sd".to_owned(),
            container,
            video: Some(Track::Encode(VideoSettings { height: Some(120), ..VideoSettings::new(Codec::H264) })),
            audio: Some(Track::Encode(AudioSettings {
                sample_rate: Some(44_100),
                channels: Some(2),
                ..AudioSettings::aac()
            })),
            allow_upscale: false,
        };
        let (mut parts, mut first) = (Vec::new(), 0);
        for (number, count) in PARTS.into_iter().enumerate() {
            let work = scratch.path().join(format!("{name}-{number}"));
            std::fs::create_dir(&work).unwrap();
            let source = work.join("source.mp4");
            record(&source, first, count);
            let mut part = encode(&tools, &source, count, &rendition, &work).await;
            part.times.anchor_ms = u64::from(first) * 1000 / u64::from(FPS);
            parts.push(part);
            first += count;
        }
        let work = scratch.path().join(format!("{name}-joined"));
        std::fs::create_dir(&work).unwrap();
        let joined = join(&tools, &work, "sd", container, parts, &CancellationToken::new()).await.unwrap();

        let file = work.join(&joined.entry);
        let total: u32 = PARTS.iter().sum();
        assert_eq!(frames(&file), total as usize, "{name}");
        let length_ms = u64::from(total) * 1000 / u64::from(FPS);
        assert!(joined.media.duration_ms.abs_diff(length_ms) < 200, "{name}: {} ms", joined.media.duration_ms);

        let said = decode(&file, &["-map", "0:v", "-vf", "showinfo"]);
        let pictures = times(&said, "pts_time:");
        let steps: Vec<f64> = pictures.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| (step - 0.04).abs() < 0.002), "{name}: {steps:?}");
        // Black ends where the white picture is; silence ends where the beep is.
        let flashes = times(&decode(&file, &["-map", "0:v", "-vf", "blackdetect=d=0.5:pix_th=0.3"]), "black_end:");
        let beeps = times(&decode(&file, &["-map", "0:a", "-af", "silencedetect=n=-30dB:d=0.5"]), "silence_end:");
        assert!(flashes.len() >= 6 && beeps.len() >= flashes.len() - 1, "{name}: {flashes:?} {beeps:?}");
        for flash in &flashes {
            let nearest = beeps.iter().map(|beep| (beep - flash).abs()).fold(f64::MAX, f64::min);
            let last = *flash > length_ms as f64 / 1000.0 - 0.1;
            assert!(last || nearest <= 0.040, "{name}: flash at {flash}, beeps {beeps:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renditions_with_different_headers_are_not_joined() {
    let tools = tools();
    let scratch = tempfile::tempdir().unwrap();
    let mut parts = Vec::new();
    for (number, height) in [120, 240].into_iter().enumerate() {
        let work = scratch.path().join(number.to_string());
        std::fs::create_dir(&work).unwrap();
        let source = work.join("source.mp4");
        record(&source, 0, 10);
        let rendition = Rendition {
            key: "sd".to_owned(),
            container: Container::Mp4,
            video: Some(Track::Encode(VideoSettings { height: Some(height), ..VideoSettings::new(Codec::H264) })),
            audio: None,
            allow_upscale: false,
        };
        parts.push(encode(&tools, &source, 10, &rendition, &work).await);
    }
    let refused = join(&tools, scratch.path(), "sd", Container::Mp4, parts, &CancellationToken::new()).await;
    assert!(matches!(refused.unwrap_err().reason, Reason::BadOutput { .. }));
}
