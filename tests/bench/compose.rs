//! Figures of composing: how soon a broadcast of many parts plays as one video, and how soon it is one file, beside
//! `cp` of the same bytes and ffmpeg's concat demuxer with stream copy, in the same run and on the same disk.
//!
//! `cargo run --release -p reprise-tests --bin bench-compose [-- FOLDER]`; nothing here fails on a figure.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use reprise::compose::{Composer, Piece, Request};
use reprise::ffmpeg::Tools;
use reprise::files::{Files, SOURCE, SOURCE_INDEX};
use reprise::jobs::queue::{Claim, Queue};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::question::GapRule;
use reprise_media::fmp4::{FragmentIndex, scan};
use reprise_media::part::{PartCutter, PartOptions, PartOutput};
use reprise_media::timeline::TrackKind;
use reprise_tests::encoder;
use tokio_util::sync::CancellationToken;

const MEBIBYTE: u64 = 1 << 20;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let root = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
        let scratch = tempfile::tempdir_in(root)?;
        let clip = scratch.path().join("clip.flv");
        // Six megabits a second: a part of 200 MB is some four and a half minutes.
        encoder::clip_of(&clip, "1280x720", 20, 6_000).await?;
        let tags = tags(&std::fs::read(&clip)?);
        for (parts, bytes) in [(6, 200 * MEBIBYTE), (60, 4 * MEBIBYTE)] {
            round(scratch.path(), &tags, parts, bytes).await?;
        }
        Ok(())
    })
}

async fn round(scratch: &Path, tags: &[Tag], count: usize, bytes: u64) -> anyhow::Result<()> {
    let folder = scratch.join(format!("{count}"));
    let files = Arc::new(Files::open(&folder.join("data"))?);
    let parts = record(&files, tags, count, bytes)?;
    let paths: Vec<PathBuf> = parts.iter().map(|part| files.media_path(part, SOURCE)).collect();
    let total = paths.iter().map(|path| Ok(path.metadata()?.len())).sum::<anyhow::Result<u64>>()?;
    println!("compose, {count} parts of {} MiB, {} MiB together", bytes / MEBIBYTE, total / MEBIBYTE);

    let composer = Composer::new(Arc::clone(&files), Tools::find()?, 2, Queue::new(1));
    let (video, cancel) = (VideoId::new("composed"), CancellationToken::new());
    let request = Request { pieces: parts.iter().cloned().map(Piece::whole).collect(), gaps: GapRule::Cut };
    let started = Instant::now();
    composer.link(&video, &request).await?;
    let linked = started.elapsed();
    settle()?;
    let started = Instant::now();
    let facts = composer.build(&video, Claim { tenant: "bench", priority: 6 }, &cancel).await?;
    let built = started.elapsed();
    println!("  {:<34} {:>9.1} ms", "link (durable; it plays)", ms(linked));
    let composed = scan(&mut files.video(&video)?.open(SOURCE)?.into_std(), false)?;
    anyhow::ensure!(composed.lost_bytes() == 0 && composed.file_len > total - total / 100, "the file is not whole");
    let (fragments, pictures) = (composed.fragments.len(), facts.video_frames);
    println!("  {:<34} {:>9.1} ms, {fragments} fragments, {pictures} pictures", "file ready (synced)", ms(built));

    let (copied, joined) = (folder.join("cp"), folder.join("concat.mp4"));
    std::fs::create_dir(&copied)?;
    let mut cp = Command::new("cp");
    cp.args(
        &paths.iter().enumerate().map(|(i, path)| link_name(&folder, path, i)).collect::<anyhow::Result<Vec<_>>>()?,
    );
    settle()?;
    let cp_time = timed(cp.arg(&copied))?;
    let started = Instant::now();
    for entry in std::fs::read_dir(&copied)? {
        std::fs::File::open(entry?.path())?.sync_all()?;
    }
    let cp_synced = cp_time + started.elapsed();
    std::fs::remove_dir_all(&copied)?;

    let list = folder.join("list.txt");
    let mut lines = std::fs::File::create(&list)?;
    for path in &paths {
        writeln!(lines, "file '{}'", path.display())?;
    }
    let mut concat = Command::new("ffmpeg");
    concat.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-f", "concat", "-safe", "0", "-i"]);
    concat.arg(&list).args(["-c", "copy"]).arg(&joined);
    settle()?;
    let concat_time = timed(&mut concat)?;
    std::fs::remove_file(&joined)?;
    concat_faststart(&list, &joined, concat_time, cp_time, cp_synced, built)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn concat_faststart(
    list: &Path,
    joined: &Path,
    concat_time: Duration,
    cp_time: Duration,
    cp_synced: Duration,
    built: Duration,
) -> anyhow::Result<()> {
    let mut concat = Command::new("ffmpeg");
    concat.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-f", "concat", "-safe", "0", "-i"]);
    concat.arg(list).args(["-c", "copy", "-movflags", "+faststart"]).arg(joined);
    settle()?;
    let faststart = timed(&mut concat)?;
    for (name, time) in [
        ("cp", cp_time),
        ("cp, then sync", cp_synced),
        ("ffmpeg concat -c copy", concat_time),
        ("ffmpeg concat -c copy, faststart", faststart),
    ] {
        println!("  {name:<34} {:>9.1} ms, file ready / this = {:.2}", ms(time), ms(built) / ms(time).max(0.001));
    }
    Ok(())
}

/// `cp` names what it copies by the last part of the path, so each part gets a name of its own.
fn link_name(folder: &Path, path: &Path, index: usize) -> anyhow::Result<PathBuf> {
    let name = folder.join(format!("in-{index:03}.mp4"));
    std::fs::hard_link(path, &name)?;
    Ok(name)
}

/// Everything written so far goes to the disk, so that nobody pays for another.
fn settle() -> anyhow::Result<()> {
    anyhow::ensure!(Command::new("sync").status()?.success(), "sync failed");
    Ok(())
}

fn timed(command: &mut Command) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let status = command.status().context("cannot run a program to compare with")?;
    anyhow::ensure!(status.success(), "{command:?} failed");
    Ok(started.elapsed())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

type Tag = (TrackKind, u32, Bytes);

/// Records the clip over and over with the recorder's cutter until there are `count` parts of at least `bytes`.
fn record(files: &Files, tags: &[Tag], count: usize, bytes: u64) -> anyhow::Result<Vec<VideoId>> {
    let length_ms = tags.last().context("an empty clip")?.1 + 40;
    let media: u64 = tags.iter().map(|tag| tag.2.len() as u64).sum();
    let cycle_ms = bytes * u64::from(length_ms) / media;
    let mut cutter = PartCutter::new(PartOptions::new(cycle_ms));
    let mut parts = Vec::new();
    let mut open: Option<(VideoId, std::fs::File)> = None;
    for (number, tag) in (0u32..).flat_map(|turn| tags.iter().map(move |tag| (turn, tag))) {
        if parts.len() == count {
            break;
        }
        // Headers come once: an encoder repeats them only when it starts anew.
        if number > 0 && tag.2.get(1) == Some(&0) {
            continue;
        }
        for output in cutter.push(tag.0, tag.1.wrapping_add(number.wrapping_mul(length_ms)), tag.2.clone())? {
            match output {
                PartOutput::Open { init, .. } => {
                    let id = VideoId::new(format!("part{}", parts.len()));
                    let mut file = files.make_video(&id)?.create(SOURCE)?.into_std();
                    file.write_all(&init)?;
                    open = Some((id, file));
                }
                PartOutput::Fragment { bytes, .. } => {
                    if let Some((_, file)) = &mut open {
                        file.write_all(&bytes)?;
                    }
                }
                PartOutput::Close { .. } => {
                    let Some((id, _)) = open.take() else { continue };
                    let dir = files.video(&id)?;
                    let scan = scan(&mut dir.open(SOURCE)?.into_std(), false)?;
                    let index = FragmentIndex::from_scan(&scan).context("a part without an init segment")?;
                    Files::write_whole(&dir, SOURCE_INDEX, &index.to_bytes())?;
                    if parts.len() < count {
                        parts.push(id);
                    }
                }
                PartOutput::Gap { .. } => {}
            }
        }
    }
    Ok(parts)
}

/// The tags of an FLV file: kind, timestamp, body.
fn tags(flv: &[u8]) -> Vec<Tag> {
    const FILE_HEADER: usize = 9;
    const TAG_HEADER: usize = 11;
    const PREVIOUS_SIZE: usize = 4;
    let mut tags = Vec::new();
    let mut at = FILE_HEADER + PREVIOUS_SIZE;
    while let Some(header) = flv.get(at..at + TAG_HEADER) {
        let size = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        let timestamp = u32::from_be_bytes([header[7], header[4], header[5], header[6]]);
        let kind = match header[0] {
            8 => Some(TrackKind::Audio),
            9 => Some(TrackKind::Video),
            _ => None,
        };
        let body = flv.get(at + TAG_HEADER..at + TAG_HEADER + size);
        if let (Some(kind), Some(body)) = (kind, body) {
            tags.push((kind, timestamp, Bytes::copy_from_slice(body)));
        }
        at += TAG_HEADER + size + PREVIOUS_SIZE;
    }
    tags
}
