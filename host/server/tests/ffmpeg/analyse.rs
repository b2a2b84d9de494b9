//! Real detectors, in the real box: what was put into a clip, and where, is what is found.

use std::path::{Path, PathBuf};

use reprise::ffmpeg::analyse::plan::SIGNATURE;
use reprise::ffmpeg::{
    AnalyseJob, AudioSource, Findings, Limits, Reason, Source, Span, VideoCodec, VideoSource, analyse, sign,
};
use reprise_media::signature::Signature;
use tokio_util::sync::CancellationToken;

use crate::clip::{Clip, ffmpeg, tools};

/// The clock of a part does not start at 0.
const CLOCK_START_SECONDS: u32 = 7200;

fn job(source: Source, work: &Path) -> AnalyseJob {
    AnalyseJob { source, work_dir: work.to_owned(), threads: 2, limits: None }
}

fn source(path: &Path, duration_ms: u64, sound: bool) -> Source {
    Source {
        path: path.to_owned(),
        size_bytes: path.metadata().unwrap().len(),
        duration_ms,
        video: Some(VideoSource { codec: VideoCodec::H264, width: 640, height: 360, fps: 25.0 }),
        audio: sound.then_some(AudioSource { sample_rate: 44_100, channels: 1 }),
    }
}

async fn found(source: Source) -> Findings {
    let work = tempfile::tempdir().unwrap();
    analyse(&tools(), &job(source, work.path()), &CancellationToken::new()).await.unwrap()
}

/// Encoders shift the picture by up to two reordered frames against the sound, at which the file begins.
const SHIFT_MS: u64 = 100;

/// Each found stretch is where it was put.
fn assert_near(what: &str, found: &[Span], put: &[(u64, u64)]) {
    let near = |found: &Span, put: &(u64, u64)| {
        found.from_ms.abs_diff(put.0) <= SHIFT_MS && found.to_ms.abs_diff(put.1) <= SHIFT_MS
    };
    let all = found.len() == put.len() && found.iter().zip(put).all(|(found, put)| near(found, put));
    assert!(all, "{what}: found {found:?}, put {put:?}");
}

/// 18 s: moving with a tone; 4 to 6 black and silent; moving with the tone; 10 to 14 standing with the tone; moving and
/// silent; black and silent from 16.
fn match_day(folder: &Path) -> PathBuf {
    let path = folder.join("source.mp4");
    let join = "[2:v]trim=duration=4,setpts=PTS-STARTPTS,format=yuv420p[zoom];[0:v]format=yuv420p,split[one][two];\
        [two]trim=duration=2[end];[1:v]format=yuv420p,split[b1][b2];[3:v]format=yuv420p[still];\
        [one][b1][zoom][still][end][b2]concat=n=6:v=1:a=0[v]";
    let tone = "aevalsrc='0.5*sin(440*2*PI*t)*(lt(t,4)+between(t,6,14))':s=44100:d=18";
    ffmpeg(
        &[
            &["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=4"][..],
            &["-f", "lavfi", "-i", "color=black:s=640x360:r=25:d=2"],
            &["-f", "lavfi", "-i", "mandelbrot=s=640x360:r=25"],
            &["-f", "lavfi", "-i", "smptebars=s=640x360:r=25:d=4"],
            &["-f", "lavfi", "-i", tone],
            &["-filter_complex", join, "-map", "[v]", "-map", "4:a"],
            &["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "25", "-c:a", "aac"],
            &["-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-use_editlist", "0", "-f", "mp4"],
            &[path.to_str().unwrap()],
        ]
        .concat(),
    );
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_in_is_found_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let found = found(source(&match_day(folder.path()), 18_000, true)).await;
    assert_near("black", &found.blacks, &[(4000, 6000), (16_000, 18_000)]);
    assert_near("silence", &found.silences, &[(4000, 6000), (14_000, 18_000)]);
    // Black stands as well; the second one is, by a frame, too short for that.
    assert_near("standing", &found.freezes[..2], &[(4000, 6000), (10_000, 14_000)]);
    let cuts = [4000, 6000, 10_000, 14_000, 16_000];
    let near = found.scenes_ms.iter().zip(cuts).all(|(found, put)| found.abs_diff(put) <= SHIFT_MS);
    assert!(found.scenes_ms.len() == cuts.len() && near, "{:?}", found.scenes_ms);
    // A sine of half of full scale is at -9 dB, and the gate leaves the silence out. It peaks at -6 dB, and where it is
    // switched off the encoder overshoots.
    let (loudness, peak) = (found.loudness_lufs.unwrap(), found.true_peak_dbfs.unwrap());
    assert!((-11.0..-8.0).contains(&loudness) && (-6.5..0.0).contains(&peak), "{loudness} LUFS, {peak} dBFS");
    let cover = found.cover_ms.unwrap();
    assert!(found.blacks.iter().all(|black| !(black.from_ms..black.to_ms).contains(&cover)), "{cover}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_count_from_the_source_not_from_its_clock() {
    let clip = Clip::new().starting_at(CLOCK_START_SECONDS).filtered("drawbox=t=fill:c=black:enable='lt(t,1)'").made();
    let found = found(clip.source()).await;
    assert_near("black", &found.blacks, &[(0, 1000)]);
    assert!(found.cover_ms.unwrap() >= 1000, "{:?}", found.cover_ms);
    assert!(found.silences.is_empty() && found.freezes.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_track_is_enough() {
    let seen = found(Clip::new().without_sound().made().source()).await;
    assert!(seen.loudness_lufs.is_none() && seen.cover_ms.is_some(), "{seen:?}");
    let heard = found(Clip::new().without_picture().made().source()).await;
    assert!(heard.loudness_lufs.is_some() && heard.cover_ms.is_none(), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_when_told_at_its_limit_and_on_nonsense() {
    let folder = tempfile::tempdir().unwrap();
    let clip = Clip::new().made();
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let ended = analyse(&tools(), &job(clip.source(), folder.path()), &cancelled).await.unwrap_err();
    assert_eq!(ended.reason, Reason::Cancelled);

    let small = Limits { file_size_bytes: 100, ..Limits::analysing(&clip.source(), 2) };
    let job_of = |source| job(source, folder.path());
    let limited = AnalyseJob { limits: Some(small), ..job_of(clip.source()) };
    let ended = sign(&tools(), &limited, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(ended.reason, Reason::FileSize);

    let path = folder.path().join("nonsense.mp4");
    std::fs::write(&path, "no media at all").unwrap();
    let ended = analyse(&tools(), &job_of(source(&path, 1000, true)), &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(ended.reason, Reason::Exit { .. }), "{ended}");
    assert!(!ended.to_string().contains(folder.path().to_str().unwrap()), "{ended}");
}

async fn signed(path: &Path, duration_ms: u64) -> Signature {
    let work = tempfile::tempdir().unwrap();
    sign(&tools(), &job(source(path, duration_ms, false), work.path()), &CancellationToken::new()).await.unwrap();
    Signature::read(&std::fs::read(work.path().join(SIGNATURE)).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clip_is_found_again_in_a_longer_video_of_another_size_and_rate() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let made = |name: &str, input: &str, seconds: &str| {
        let path = path(name);
        ffmpeg(&[
            "-f",
            "lavfi",
            "-i",
            input,
            "-t",
            seconds,
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            path.to_str().unwrap(),
        ]);
        path
    };
    let clip = made("clip.mp4", "mandelbrot=s=640x360:r=25", "12");
    let before = made("before.mp4", "testsrc2=s=640x360:r=25", "7.3");
    let unrelated = made("unrelated.mp4", "life=s=640x360:r=25:seed=3:mold=10:life_color=white:death_color=gray", "12");
    let long = path("long.mp4");
    let join = "[0:v]scale=426:240,setsar=1[a];[1:v]scale=426:240,setsar=1[b];[2:v]scale=426:240,setsar=1[c];\
        [a][b][c]concat=n=3:v=1:a=0[v]";
    let inputs = [&before, &clip, &unrelated].map(|path| path.to_str().unwrap());
    ffmpeg(&[
        "-i",
        inputs[0],
        "-i",
        inputs[1],
        "-i",
        inputs[2],
        "-filter_complex",
        join,
        "-map",
        "[v]",
        "-r",
        "30",
        "-c:v",
        "libx264",
        "-crf",
        "32",
        "-preset",
        "veryfast",
        long.to_str().unwrap(),
    ]);

    let (clip, long) = (signed(&clip, 12_000).await, signed(&long, 31_300).await);
    let found = clip.duplicates(&long).unwrap();
    let [stretch] = found.stretches[..] else { panic!("{found:?}") };
    assert!(stretch.from_ms <= 400 && stretch.duration_ms >= 11_200, "{found:?}");
    assert!((stretch.other_from_ms - stretch.from_ms).abs_diff(7300) <= 200, "{found:?}");
    assert!(found.similarity_permille >= 930, "{found:?}");
    let (before, unrelated) = (signed(&before, 7300).await, signed(&unrelated, 12_000).await);
    assert_eq!(clip.duplicates(&unrelated), None);
    assert_eq!(clip.duplicates(&before), None);
}
