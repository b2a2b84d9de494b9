//! Real ffmpeg, in the real box: what a template asks is what a player gets.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clip::{Clip, tools};
use reprise::ffmpeg::{
    AudioCodec, AudioFacts, AudioSettings, AudioSource, Container, OutputFacts, Reason, Rendition, SnapshotPlan,
    Source, Track, TranscodeJob, TranscodeReport, VideoCodec, VideoSettings, VideoSource, transcode,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where the clips' clocks start: a part is rarely the first of its broadcast.
const CLOCK_START_SECONDS: u32 = 3600;

async fn made(job: &TranscodeJob) -> TranscodeReport {
    let (progress, seen) = watch::channel(0);
    let never = CancellationToken::new();
    let report = transcode(&tools(), job, &never, &progress).await.unwrap();
    assert_eq!(*seen.borrow(), 100);
    report
}

fn job(source: Source, work: &Path, renditions: Vec<Rendition>) -> TranscodeJob {
    TranscodeJob { source, work_dir: work.to_owned(), renditions, snapshots: None, threads: 2, limits: None }
}

fn rendition(key: &str, container: Container, video: VideoSettings) -> Rendition {
    Rendition {
        key: key.into(),
        container,
        video: Some(Track::Encode(video)),
        audio: Some(Track::Encode(AudioSettings::aac())),
        allow_upscale: false,
    }
}

fn small(codec: VideoCodec) -> VideoSettings {
    VideoSettings { width: Some(160), preset: reprise::ffmpeg::Preset::Veryfast, ..VideoSettings::new(codec) }
}

fn facts<'a>(report: &'a TranscodeReport, key: &str) -> &'a OutputFacts {
    let output = report.outputs.iter().find(|o| o.key == key).unwrap();
    output.result.as_ref().unwrap_or_else(|failure| panic!("{key} failed: {failure}"))
}

/// ffprobe's own view of one entry, one line per item.
fn ffprobe(file: &Path, stream: &str, entries: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream])
        .args(["-show_entries", entries, "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> =
        text.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect();
    lines.dedup();
    lines
}

fn seconds(lines: &[String]) -> Vec<f64> {
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

/// Indices of key frames among a file's frames.
fn key_frames(file: &Path) -> (usize, Vec<usize>) {
    let flags = ffprobe_all(file, "v", "packet=flags");
    let keys = flags.iter().enumerate().filter(|(_, flags)| flags.starts_with('K')).map(|(index, _)| index).collect();
    (flags.len(), keys)
}

/// Like [`ffprobe`], with equal neighbours kept.
fn ffprobe_all(file: &Path, stream: &str, entries: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream])
        .args(["-show_entries", entries, "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_makes_files_playlists_and_pictures() {
    let work = tempfile::tempdir().unwrap();
    let clip = Clip::new().starting_at(CLOCK_START_SECONDS).made();
    let renditions = vec![
        rendition(
            "sd",
            Container::Mp4,
            VideoSettings {
                gop: Some(10),
                fps: Some(12.5),
                bitrate_kbps: Some(100),
                maxrate_kbps: Some(200),
                profile: Some(reprise::ffmpeg::H264Profile::Baseline),
                ..small(VideoCodec::H264)
            },
        ),
        rendition(
            "hd",
            Container::Hls { segment_seconds: 1 },
            VideoSettings { width: Some(1920), gop: Some(25), ..small(VideoCodec::H265) },
        ),
        Rendition {
            video: Some(Track::Copy),
            audio: Some(Track::Copy),
            ..rendition("od", Container::Mp4, small(VideoCodec::H264))
        },
        Rendition {
            video: None,
            audio: Some(Track::Encode(AudioSettings {
                codec: AudioCodec::Aac,
                bitrate_kbps: Some(32),
                sample_rate: Some(22_050),
                channels: Some(2),
            })),
            ..rendition("sq", Container::Mp4, small(VideoCodec::H264))
        },
    ];
    let snapshots = Some(SnapshotPlan::cover("cover", 2000));
    let job = TranscodeJob { snapshots, ..job(clip.source(), work.path(), renditions) };
    let report = made(&job).await;
    assert!(!report.one_by_one);
    let at = |entry: &OutputFacts| work.path().join(&entry.entry);

    let sd = facts(&report, "sd");
    let video = sd.media.video.as_ref().unwrap();
    assert_eq!((video.codec.as_str(), video.width, video.height), ("h264", 160, 120));
    assert_eq!(video.profile.as_deref(), Some("Constrained Baseline"));
    assert!((video.fps - 12.5).abs() < 0.1, "{}", video.fps);
    assert_eq!(key_frames(&at(sd)), (25, vec![0, 10, 20]));
    let index_first = std::fs::read(at(sd)).unwrap();
    let place = |name: &[u8]| index_first.windows(4).position(|four| four == name).unwrap();
    assert!(place(b"moov") < place(b"mdat"), "the index comes first");

    let hd = facts(&report, "hd");
    let video = hd.media.video.as_ref().unwrap();
    assert_eq!((video.codec.as_str(), video.width, video.height), ("hevc", 320, 240));
    assert_eq!(ffprobe(&at(hd), "v", "stream=codec_tag_string"), ["hvc1"]);
    assert_eq!(key_frames(&at(hd)), (50, vec![0, 25]));
    let names: Vec<&str> = hd.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["hd/index.m3u8", "hd/init.mp4", "hd/seg-00000.m4s", "hd/seg-00001.m4s"]);
    let on_disk: u64 = names.iter().map(|name| work.path().join(name).metadata().unwrap().len()).sum();
    assert_eq!(hd.media.size_bytes, on_disk);
    let playlist = std::fs::read_to_string(at(hd)).unwrap();
    assert!(playlist.contains("#EXT-X-INDEPENDENT-SEGMENTS"), "{playlist}");
    assert!(playlist.contains("#EXT-X-PLAYLIST-TYPE:VOD"), "{playlist}");

    let od = facts(&report, "od");
    assert_eq!(od.media.video.as_ref().unwrap().width, 320);
    assert_eq!(key_frames(&at(od)), key_frames(&clip.path));

    let sq = facts(&report, "sq");
    let stereo = AudioFacts { codec: "aac".into(), sample_rate: 22_050, channels: 2 };
    assert_eq!((&sq.media.video, &sq.media.audio), (&None, &Some(stereo)));

    let pictures = report.snapshots.unwrap().unwrap();
    let names: Vec<&str> = pictures.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["cover-00001.jpg", "cover-00002.jpg"]);
    assert_eq!(pictures.cover().unwrap().name, "cover-00002.jpg");
    let picture = work.path().join("cover-00001.jpg");
    assert_eq!(ffprobe(&picture, "v", "stream=codec_name,width,height"), ["mjpeg,320,240"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_start_at_zero_with_picture_and_sound_in_step() {
    let work = tempfile::tempdir().unwrap();
    let clip = Clip::new().starting_at(CLOCK_START_SECONDS).made();
    let start = |file: &Path, stream| seconds(&ffprobe(file, stream, "stream=start_time"))[0];
    assert!(start(&clip.path, "a") >= f64::from(CLOCK_START_SECONDS));
    let offset = start(&clip.path, "v") - start(&clip.path, "a");
    let renditions = vec![
        rendition("file", Container::Mp4, small(VideoCodec::H264)),
        rendition("list", Container::Hls { segment_seconds: 1 }, small(VideoCodec::H264)),
        Rendition {
            video: Some(Track::Copy),
            audio: Some(Track::Copy),
            ..rendition("copy", Container::Mp4, small(VideoCodec::H264))
        },
    ];
    let report = made(&job(clip.source(), work.path(), renditions)).await;
    for key in ["file", "list", "copy"] {
        let file = work.path().join(&facts(&report, key).entry);
        let (video, audio) = (start(&file, "v"), start(&file, "a"));
        assert!(video.min(audio).abs() < 0.05, "{key} starts at {video}, {audio}");
        // One AAC frame of priming is all that a container may add.
        let apart = (video - audio) - offset;
        assert!(apart.abs() < 0.03, "{key}: apart by {apart}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_good_outputs_stand_when_one_fails() {
    let work = tempfile::tempdir().unwrap();
    let clip = Clip::new().made();
    let good = rendition("good", Container::Mp4, small(VideoCodec::H264));
    let list = rendition("list", Container::Hls { segment_seconds: 1 }, small(VideoCodec::H264));
    // MPEG layer 3 knows no sampling rate of 96 kHz, which ffmpeg finds out only when it opens the encoder.
    let bad = Rendition {
        audio: Some(Track::Encode(AudioSettings {
            codec: AudioCodec::Mp3,
            bitrate_kbps: None,
            sample_rate: Some(96_000),
            channels: None,
        })),
        ..rendition("bad", Container::Mp4, small(VideoCodec::H264))
    };
    let absurd = rendition("absurd", Container::Mp4, VideoSettings { gop: Some(0), ..small(VideoCodec::H264) });
    let job = TranscodeJob {
        snapshots: Some(SnapshotPlan::cover("cover", 2000)),
        ..job(clip.source(), work.path(), vec![bad, good, absurd, list])
    };
    let report = made(&job).await;
    assert!(report.one_by_one);
    let keys: Vec<&str> = report.outputs.iter().map(|o| o.key.as_str()).collect();
    assert_eq!(keys, ["bad", "good", "absurd", "list"]);
    facts(&report, "good");
    facts(&report, "list");
    assert!(report.snapshots.unwrap().is_ok());
    let failure = report.outputs[0].result.as_ref().unwrap_err();
    assert!(matches!(failure.reason, Reason::Exit { .. }), "{failure:?}");
    assert!(!failure.detail.is_empty());
    assert!(!failure.to_string().contains(clip.path.to_str().unwrap()), "{failure}");
    let failure = report.outputs[2].result.as_ref().unwrap_err();
    assert_eq!(failure.to_string(), "the template cannot be applied: template field gop is out of range");
    assert!(!work.path().join("bad.mp4").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_with_one_track() {
    for (clip, has) in [(Clip::new().without_sound(), (true, false)), (Clip::new().without_picture(), (false, true))] {
        let work = tempfile::tempdir().unwrap();
        let clip = clip.made();
        let renditions = vec![
            rendition("file", Container::Mp4, small(VideoCodec::H264)),
            rendition("list", Container::Hls { segment_seconds: 1 }, small(VideoCodec::H264)),
        ];
        let job = TranscodeJob {
            snapshots: Some(SnapshotPlan::cover("cover", 2000)),
            ..job(clip.source(), work.path(), renditions)
        };
        let report = made(&job).await;
        for key in ["file", "list"] {
            let media = &facts(&report, key).media;
            assert_eq!((media.video.is_some(), media.audio.is_some()), has, "{key}");
        }
        assert_eq!(report.snapshots.is_some(), has.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_an_uneven_source_are_all_kept() {
    let work = tempfile::tempdir().unwrap();
    // Every third frame is missing and the rest keep their times.
    let clip = Clip::new().filtered("select='mod(n,3)'").made();
    let (frames, _) = key_frames(&clip.path);
    let renditions = vec![
        rendition("file", Container::Mp4, small(VideoCodec::H264)),
        rendition("list", Container::Hls { segment_seconds: 6 }, small(VideoCodec::H264)),
    ];
    let report = made(&job(clip.source(), work.path(), renditions)).await;
    for key in ["file", "list"] {
        let fps = facts(&report, key).media.video.as_ref().unwrap().fps;
        assert!((fps - 25.0 * 2.0 / 3.0).abs() < 0.3, "{key}: {fps}");
    }
    let file = work.path().join(&facts(&report, "file").entry);
    let times = |file: &Path| {
        let mut times = seconds(&ffprobe_all(file, "v", "packet=pts_time"));
        times.sort_by(f64::total_cmp);
        times.iter().map(|time| time - times[0]).collect::<Vec<_>>()
    };
    let (before, after) = (times(&clip.path), times(&file));
    assert_eq!((before.len(), after.len()), (frames, frames));
    for (before, after) in before.iter().zip(after) {
        assert!((before - after).abs() < 0.001, "{before} became {after}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_media_fails_with_a_reason() {
    let work = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.mp4");
    // A playlist that names a file of the host: were it guessed to be HLS, ffmpeg would open what it names.
    std::fs::write(&path, "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n").unwrap();
    let source = Source { path, ..Clip::new().made().source() };
    let renditions = vec![rendition("file", Container::Mp4, small(VideoCodec::H264))];
    let report = made(&job(source, work.path(), renditions)).await;
    let failure = report.outputs[0].result.as_ref().unwrap_err();
    assert_eq!(failure.reason, Reason::Exit { code: 1 });
    let complaint = "moov atom not found; source: Invalid data found when processing input";
    assert!(failure.detail.ends_with(complaint), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_codecs_are_not_decoded() {
    let work = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("mpeg4.mp4");
    crate::clip::ffmpeg(&["-f", "lavfi", "-i", "testsrc2=s=160x120:d=1", "-c:v", "mpeg4", path.to_str().unwrap()]);
    let source = Source {
        size_bytes: path.metadata().unwrap().len(),
        path,
        duration_ms: 1000,
        video: Some(VideoSource { codec: VideoCodec::H264, width: 160, height: 120, fps: 25.0 }),
        audio: None,
    };
    let renditions = vec![rendition("file", Container::Mp4, small(VideoCodec::H264))];
    let report = made(&job(source, work.path(), renditions)).await;
    let failure = report.outputs[0].result.as_ref().unwrap_err();
    assert_eq!(failure.reason, Reason::Exit { code: 1 }, "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_says_so() {
    let work = tempfile::tempdir().unwrap();
    let clip = Clip::new().made();
    let renditions = vec![
        rendition("a", Container::Mp4, small(VideoCodec::H264)),
        rendition("b", Container::Mp4, small(VideoCodec::H264)),
    ];
    let cancel = CancellationToken::new();
    cancel.cancel();
    let (progress, _seen) = watch::channel(0);
    let job = job(clip.source(), work.path(), renditions);
    let report = transcode(&tools(), &job, &cancel, &progress).await.unwrap();
    for output in report.outputs {
        assert_eq!(output.result.unwrap_err().reason, Reason::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_agrees_with_the_recorder() {
    let clip = Clip::new().starting_at(CLOCK_START_SECONDS).made();
    let folder = clip.path.parent().unwrap();
    let never = CancellationToken::new();
    let facts = reprise::ffmpeg::probe::probe(
        &tools(),
        folder,
        &clip.path,
        reprise::ffmpeg::probe::Form::Mp4,
        clip.source().size_bytes,
        &never,
    )
    .await
    .unwrap();
    let video = facts.video.unwrap();
    assert_eq!((video.width, video.height, video.fps), (320, 240, 25.0));
    let sound = AudioSource {
        sample_rate: facts.audio.as_ref().unwrap().sample_rate,
        channels: facts.audio.as_ref().unwrap().channels,
    };
    assert_eq!(Some(sound), clip.source().audio);
}
