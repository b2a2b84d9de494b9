//! Whole parts: the result is their frames, in order, and nothing but copying.

use std::os::unix::fs::MetadataExt;

use reprise::compose::{Error, Piece, Request, drop_links};
use reprise::ffmpeg::Fault;
use reprise::files::SOURCE;
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::question::GapRule;
use tokio_util::sync::CancellationToken;

use crate::stage::{CLAIM, Stage, frames, shown, whole};

const CLIP: &str = "-f lavfi -i testsrc2=s=320x240:r=25 -f lavfi -i sine=r=44100 -t 12 -c:v libx264 -preset veryfast \
    -g 25 -bf 2 -pix_fmt yuv420p -c:a aac -b:a 64k";

#[tokio::test]
async fn the_decoded_frames_are_those_of_the_parts_in_order() {
    let stage = Stage::new();
    let parts = stage.record("p", 3_000, stage.tags(CLIP).into_iter().map(Some));
    assert!(parts.len() >= 3);
    let (video, facts) = stage.compose("c", whole(&parts), GapRule::Cut).await;
    for stream in ["v", "a"] {
        let expected: Vec<String> = match stream {
            "v" => parts.iter().flat_map(|part| frames(&stage.path(part), stream)).collect(),
            // A decoder of sound starts anew in each part, so sound is held against the whole clip.
            _ => frames(&stage.dir.path().join("in.flv"), stream),
        };
        assert_eq!(frames(&stage.path(&video), stream), expected, "{stream}");
    }
    assert_eq!(facts.video_frames, 300);
    assert_eq!((facts.first_ms, facts.duration_ms / 100), (0, 120));
    let times = shown(&stage.path(&video));
    assert!(times.windows(2).all(|pair| (pair[1] - pair[0] - 40.0).abs() < 0.5), "no gap at a seam");
}

#[tokio::test]
async fn another_order_and_a_part_twice() {
    let stage = Stage::new();
    let parts = stage.record("p", 3_000, stage.tags(CLIP).into_iter().map(Some));
    let order = [2, 0, 2];
    let pieces = order.map(|index| Piece::whole(parts[index].clone())).to_vec();
    let (video, _) = stage.compose("c", pieces, GapRule::Cut).await;
    let expected: Vec<String> = order.iter().flat_map(|index| frames(&stage.path(&parts[*index]), "v")).collect();
    assert_eq!(frames(&stage.path(&video), "v"), expected);
    let times = shown(&stage.path(&video));
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] < 40.0 + 60.0), "a seam is no hole: {times:?}");
}

#[tokio::test]
async fn a_link_costs_no_byte_outlives_its_part_and_goes_when_the_file_is_there() {
    let stage = Stage::new();
    let parts = stage.record("p", 3_000, stage.tags(CLIP).into_iter().map(Some));
    let (video, request) = (VideoId::new("c"), Request { pieces: whole(&parts), gaps: GapRule::Cut });
    let linked = stage.composer.link(&video, &request).await.unwrap();
    let link = stage.files.media_path(&video, "parts/00001.mp4");
    assert_eq!(link.metadata().unwrap().ino(), stage.path(&parts[1]).metadata().unwrap().ino());
    assert_eq!(drop_links(&stage.files, &video).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    for part in &parts {
        stage.files.media().remove_dir_all(part.as_str()).unwrap();
    }
    // Again, as after a restart: the parts' own videos are gone and nothing is missed.
    assert_eq!(stage.composer.link(&video, &request).await.unwrap(), linked);
    let built = stage.composer.build(&video, CLAIM, &CancellationToken::new()).await.unwrap();
    assert_eq!((built.video_frames, built.audio_frames), (linked.video_frames, linked.audio_frames));
    assert!(built.duration_ms.abs_diff(linked.duration_ms) < 100);
    drop_links(&stage.files, &video).unwrap();
    assert!(!link.exists());
    drop_links(&stage.files, &video).unwrap();
    // And again, when there is nothing left to be done.
    assert_eq!(stage.composer.build(&video, CLAIM, &CancellationToken::new()).await.unwrap(), built);
}

#[tokio::test]
async fn copying_waits_for_nobodys_encoder() {
    let stage = Stage::new();
    let parts = stage.record("p", 60_000, stage.tags(CLIP).into_iter().map(Some));
    let never = CancellationToken::new();
    let busy = stage.queue.acquire("umbrella", 10, &never).await.unwrap();
    let cut = VideoId::new("cut");
    let pieces = vec![Piece { from_ms: 1_500, ..Piece::whole(parts[0].clone()) }];
    stage.composer.link(&cut, &Request { pieces, gaps: GapRule::Cut }).await.unwrap();
    let building = stage.composer.build(&cut, CLAIM, &never);
    tokio::pin!(building);
    while stage.queue.depth() != (1, 1) {
        tokio::select! {
            biased;
            built = &mut building => panic!("an exact cut needs an encoder: {built:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    for id in ["one", "two", "three"] {
        stage.compose(id, whole(&parts), GapRule::Cut).await;
    }
    drop(busy);
    building.await.unwrap();
    assert_eq!(stage.queue.depth(), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_composed_says_who_must_act_and_leaves_nothing() {
    let stage = Stage::new();
    let parts = stage.record("p", 60_000, stage.tags(CLIP).into_iter().map(Some));
    let video = VideoId::new("c");
    let link = async |pieces| stage.composer.link(&video, &Request { pieces, gaps: GapRule::Cut }).await.unwrap_err();
    let gone = link(whole(&[VideoId::new("nowhere")])).await;
    assert!(matches!(&gone, Error::PartGone(part) if part.as_str() == "nowhere"), "{gone}");
    assert_eq!(gone.fault(), Fault::Job);
    let behind = Piece { from_ms: 99_000, ..Piece::whole(parts[0].clone()) };
    assert!(matches!(link(vec![behind]).await, Error::Empty));
    assert!(matches!(link(Vec::new()).await, Error::Empty));
    let many = vec![Piece::whole(parts[0].clone()); reprise::compose::MAX_PIECES + 1];
    assert!(matches!(link(many).await, Error::TooManyPieces(_)));

    stage.composer.link(&video, &Request { pieces: whole(&parts), gaps: GapRule::Cut }).await.unwrap();
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let error = stage.composer.build(&video, CLAIM, &cancelled).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Cancelled);
    let names: Vec<String> = stage
        .files
        .video(&video)
        .unwrap()
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    assert!(!names.iter().any(|name| name.starts_with(SOURCE)), "{names:?}");
    // A link that is a shorter file than its index says, as a disk that lost bytes would leave it.
    let path = stage.files.media_path(&video, "parts/00000.mp4");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let facts = stage.composer.build(&video, CLAIM, &CancellationToken::new()).await.unwrap();
    assert!((1..300).contains(&facts.video_frames), "what is whole is composed: {facts:?}");
}
