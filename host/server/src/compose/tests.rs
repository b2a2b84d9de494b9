//! What linking does with what it finds, without media.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::fs::MetadataExt;
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::question::GapRule;
use tokio_util::sync::CancellationToken;

use super::manifest::{MANIFEST, Manifest, PARTS};
use super::{Composer, Error, Gap, Piece, Request, link};
use crate::config::Config;
use crate::disk::Disk;
use crate::ffmpeg::error::Fault;
use crate::ffmpeg::tools::Tools;
use crate::files::{Files, SOURCE};
use crate::jobs::queue::{Claim, Queue};
use crate::room::Room;
use crate::testkit::recording;

const CLAIM: Claim<'static> = Claim { tenant: "acme", priority: 6 };

fn request(parts: &[&str]) -> Request {
    let piece = |part: &&str| Piece {
        gaps: vec![Gap { at_ms: 5, len_ms: 1 }],
        ..Piece::whole(VideoId::new((*part).to_owned()))
    };
    Request { pieces: parts.iter().map(piece).collect(), gaps: GapRule::Hold }
}

#[test]
fn a_manifest_returns_and_one_of_a_later_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open(dir.path()).unwrap();
    let folder = files.make_video(&VideoId::new("c")).unwrap();
    assert_eq!(Manifest::read(&folder).unwrap(), None);
    let manifest = Manifest::new(&request(&["a", "b", "a"]));
    manifest.write(&folder).unwrap();
    assert_eq!(Manifest::read(&folder).unwrap(), Some(manifest.clone()));
    assert_eq!(manifest.parts(), [&VideoId::new("a"), &VideoId::new("b")]);
    assert_eq!(manifest.pieces().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 0]);
    let text = folder.read_to_string(MANIFEST).unwrap();
    folder.write(MANIFEST, text.replace("\"version\":1", "\"version\":2")).unwrap();
    assert!(Manifest::read(&folder).unwrap_err().to_string().contains("version 2"));
}

#[tokio::test]
async fn where_there_is_no_room_nothing_is_written_and_it_is_tried_again() {
    const RESERVE: u64 = 2048 << 20;
    let dir = tempfile::tempdir().unwrap();
    let files = Arc::new(Files::open(dir.path()).unwrap());
    let (part, video) = (VideoId::new("a"), VideoId::new("c"));
    let source = recording(10);
    files.make_video(&part).unwrap().write(SOURCE, &source).unwrap();
    let free = Arc::new(AtomicU64::new(RESERVE + source.len() as u64 * 3 / 2));
    let looked = Arc::clone(&free);
    let mut limits = Config::parse("").unwrap().limits;
    limits.disk_reserve_mib = RESERVE >> 20;
    let disk = Disk::new(Arc::new(move || Ok(looked.load(Ordering::Relaxed))), &limits);
    let nowhere = PathBuf::from("/nonexistent");
    let tools = Tools { ffmpeg: nowhere.clone(), ffprobe: nowhere.clone(), helper: nowhere, strict: true };
    let composer =
        Composer::new(Arc::clone(&files), tools, 1, Queue::new(1)).within(Arc::new(Room::new(Arc::new(disk))));
    let twice = Request { pieces: vec![Piece::whole(part.clone()), Piece::whole(part)], gaps: GapRule::Cut };
    composer.link(&video, &twice).await.unwrap();
    let (folder, never) = (files.video(&video).unwrap(), CancellationToken::new());
    let names = || -> BTreeSet<_> { folder.entries().unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    let before = names();
    let error = composer.build(&video, CLAIM, &never).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Host, "{error}");
    assert!(error.to_string().contains("beside the reserve of 2147483648"), "{error}");
    assert_eq!(names(), before);
    free.store(RESERVE + source.len() as u64 * 2, Ordering::Relaxed);
    let facts = composer.build(&video, CLAIM, &never).await.unwrap();
    assert_eq!(facts.duration_ms, 20_000);
    assert!(folder.exists(SOURCE));
}

#[test]
fn what_an_earlier_attempt_left_gives_way_and_a_missing_part_leaves_no_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open(dir.path()).unwrap();
    let (part, video) = (VideoId::new("a"), VideoId::new("c"));
    files.make_video(&part).unwrap().write(SOURCE, b"not media").unwrap();
    let folder = files.make_video(&video).unwrap();
    folder.create_dir(PARTS).unwrap();
    folder.open_dir(PARTS).unwrap().write("00000.mp4", b"left over").unwrap();
    assert!(
        matches!(link::link(&files, &video, &request(&["a", "gone"])), Err(Error::PartGone(id)) if id.as_str() == "gone")
    );
    assert!(!folder.exists(MANIFEST));
    let source = files.video(&part).unwrap().metadata(SOURCE).unwrap().ino();
    assert_eq!(folder.metadata(format!("{PARTS}/00000.mp4")).unwrap().ino(), source);
}

#[test]
fn links_of_what_was_never_whole_do_not_keep_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open(dir.path()).unwrap();
    let (part, video) = (VideoId::new("a"), VideoId::new("c"));
    let source = files.make_video(&part).unwrap();
    source.write(SOURCE, b"not media").unwrap();
    let links = || source.metadata(SOURCE).unwrap().nlink();
    let failed = || link::link(&files, &video, &request(&["a", "gone"])).unwrap_err();
    failed();
    assert_eq!(links(), 2);
    link::give_up(&files, &video).unwrap();
    assert_eq!(links(), 1);
    link::give_up(&files, &VideoId::new("removed")).unwrap();

    // The video got its file in another way.
    failed();
    let folder = files.video(&video).unwrap();
    assert_eq!(link::drop_links(&files, &video).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    folder.write(SOURCE, b"drawn").unwrap();
    link::drop_links(&files, &video).unwrap();
    assert_eq!(links(), 1);
}
