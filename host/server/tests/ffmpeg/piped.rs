//! A transcode that is fed while its source grows makes what the ordinary one makes.

use std::time::Duration;

use reprise::ffmpeg::{
    AudioSettings, Container, OutputFacts, Reason, Rendition, Source, Track, TranscodeJob, VideoCodec, VideoSettings,
    transcode, transcode_piped,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clip::{Clip, MadeClip, tools};

/// Where a clip's clock starts: a part is rarely the first of its broadcast.
const CLOCK_START_SECONDS: u32 = 3600;

fn renditions() -> Vec<Rendition> {
    let rendition = |key: &str, container, height| Rendition {
        key: key.to_owned(),
        container,
        video: Some(Track::Encode(VideoSettings { height: Some(height), ..VideoSettings::new(VideoCodec::H264) })),
        audio: Some(Track::Encode(AudioSettings::aac())),
        allow_upscale: false,
    };
    vec![rendition("sd", Container::Mp4, 120), rendition("ld", Container::Hls { segment_seconds: 1 }, 90)]
}

fn job(source: Source, work: &tempfile::TempDir) -> TranscodeJob {
    TranscodeJob {
        source,
        work_dir: work.path().to_owned(),
        renditions: renditions(),
        snapshots: None,
        threads: 1,
        limits: None,
    }
}

/// The clip as a recorder writes it: each block ends with a box that players skip.
fn recorded(clip: &MadeClip) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(&clip.path).unwrap();
    let trailer = [&32_u32.to_be_bytes()[..], b"uuid", &[7; 24]].concat();
    let (mut blocks, mut block, mut at) = (Vec::new(), Vec::new(), 0);
    while at < bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let kind = &bytes[at + 4..at + 8];
        // An index at the end is not what a recorder writes.
        if kind != b"mfra" {
            block.extend_from_slice(&bytes[at..at + size]);
        }
        if kind == b"moov" || kind == b"mdat" {
            block.extend_from_slice(&trailer);
            blocks.push(std::mem::take(&mut block));
        }
        at += size;
    }
    blocks
}

fn outputs(report: &reprise::ffmpeg::TranscodeReport) -> Vec<OutputFacts> {
    report.outputs.iter().map(|output| output.result.clone().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_fed_block_by_block_becomes_the_same() {
    let clip = Clip::new().starting_at(CLOCK_START_SECONDS).made();
    let (ordinary_dir, piped_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (tools, never) = (tools(), CancellationToken::new());
    let (progress, _) = watch::channel(0);
    let ordinary = transcode(&tools, &job(clip.source(), &ordinary_dir), &never, &progress).await.unwrap();

    let blocks = recorded(&clip);
    assert!(blocks.len() >= 3, "an init block and fragments");
    // Nothing but its tracks is known of what is still being recorded.
    let source = Source { path: "/nowhere".into(), duration_ms: 3_600_000, ..clip.source() };
    let (written, mut seen) = watch::channel(0);
    let report = transcode_piped(&tools, &job(source, &piped_dir), &never, &written, async |mut stdin| {
        for block in blocks {
            stdin.write_all(&block).await.unwrap();
            stdin.flush().await.unwrap();
        }
        Ok(())
    })
    .await
    .unwrap();
    assert!(*seen.borrow_and_update() > 1000, "progress was told");
    assert_eq!((report.encoded_frames, ordinary.encoded_frames), (100, 100), "fifty pictures, two renditions");
    for (piped, ordinary) in outputs(&report).iter().zip(outputs(&ordinary)) {
        assert_eq!(piped.media.video, ordinary.media.video);
        assert_eq!(piped.media.audio, ordinary.media.audio);
        assert_eq!(piped.media.duration_ms, ordinary.media.duration_ms);
        let names = |facts: &OutputFacts| facts.files.iter().map(|file| file.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(piped), names(&ordinary));
        for file in names(piped) {
            let (one, other) = (piped_dir.path().join(&file), ordinary_dir.path().join(&file));
            assert_eq!(std::fs::read(one).unwrap(), std::fs::read(other).unwrap(), "{file} is the same to the byte");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_that_does_not_come_is_waited_for_and_can_be_given_up() {
    let clip = Clip::new().made();
    let work = tempfile::tempdir().unwrap();
    let limits = reprise::ffmpeg::Limits {
        wall: Duration::from_millis(1),
        no_progress: Duration::from_millis(1),
        cpu_seconds: 60,
        memory_bytes: 8 << 30,
        file_size_bytes: 64 << 20,
    };
    let job = TranscodeJob { limits: Some(limits), ..job(clip.source(), &work) };
    let (cancel, blocks) = (CancellationToken::new(), recorded(&clip));
    let (written, _) = watch::channel(0);
    let gone = cancel.clone();
    let report = transcode_piped(&tools(), &job, &cancel, &written, async move |mut stdin| {
        stdin.write_all(&blocks[0]).await.unwrap();
        // Far longer than the clocks of the job, which have not begun.
        tokio::time::sleep(Duration::from_millis(300)).await;
        gone.cancel();
        std::future::pending().await
    })
    .await
    .unwrap();
    for output in report.outputs {
        assert_eq!(output.result.unwrap_err().reason, Reason::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_breaks_off_fails_every_output() {
    let clip = Clip::new().made();
    let work = tempfile::tempdir().unwrap();
    let (written, _) = watch::channel(0);
    let broken = Reason::Host { detail: "gone".to_owned() };
    let told = broken.clone();
    let never = CancellationToken::new();
    let feed = async move |_stdin| Err(told);
    let report = transcode_piped(&tools(), &job(clip.source(), &work), &never, &written, feed).await.unwrap();
    for output in report.outputs {
        assert_eq!(output.result.unwrap_err().reason, broken);
    }
}
