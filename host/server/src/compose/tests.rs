//! What linking does with what it finds, without media.

use cap_std::fs::MetadataExt;
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::question::GapRule;

use super::manifest::{MANIFEST, Manifest, PARTS};
use super::{Error, Gap, Piece, Request, link};
use crate::files::{Files, SOURCE};

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
