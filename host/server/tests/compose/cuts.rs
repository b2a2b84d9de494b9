//! Cuts: at keyframes nothing is encoded, elsewhere only the group of pictures that the cut goes through.

use std::collections::HashSet;

use reprise::compose::Piece;
use reprise_lifecycle::question::GapRule;

use crate::stage::{Stage, packets, shown};

/// 25 pictures a second, a keyframe every two.
const CLIP: &str = "-f lavfi -i testsrc2=s=320x240:r=25 -f lavfi -i anoisesrc=r=48000:a=0.1:seed=3 -t 10 -c:v libx264 \
    -preset veryfast -g 50 -keyint_min 50 -sc_threshold 0 -bf 2 -pix_fmt yuv420p -c:a aac -b:a 64k";

#[tokio::test]
async fn exact_cuts_have_the_pictures_that_were_asked_for() {
    let stage = Stage::new();
    let parts = stage.record("p", 60_000, stage.tags(CLIP).into_iter().map(Some));
    let source = stage.path(&parts[0]);
    let known: HashSet<String> = packets(&source, "v").into_iter().map(|packet| packet.hash).collect();
    let known_sound: HashSet<String> = packets(&source, "a").into_iter().map(|packet| packet.hash).collect();
    assert_eq!(known.len(), 250);
    let end_ms = stage.duration_ms(&parts[0]);
    // From, to, pictures, of which copied. Decoding begins 80 ms before the first picture is shown.
    let table = [
        (2_000, Some(6_000), 100, 100),
        (2_400, Some(6_000), 90, 50),
        (2_000, Some(6_600), 115, 100),
        (2_400, Some(7_000), 115, 50),
        (2_400, Some(3_000), 15, 0),
        (0, Some(1_000), 25, 0),
        (9_000, None, 25, 0),
        (0, None, 250, 250),
    ];
    for (index, (from_ms, to_ms, pictures, copied)) in table.into_iter().enumerate() {
        let piece = Piece { from_ms, to_ms, ..Piece::whole(parts[0].clone()) };
        let (video, facts) = stage.compose(&format!("c{index}"), vec![piece], GapRule::Cut).await;
        let path = stage.path(&video);
        let found = packets(&path, "v");
        assert_eq!(found.len(), pictures, "case {index}");
        assert_eq!(found.iter().filter(|packet| known.contains(&packet.hash)).count(), copied, "case {index}");
        let times = shown(&path);
        assert!(times.windows(2).all(|pair| (pair[1] - pair[0] - 40.0).abs() < 1.5), "case {index}: {times:?}");
        // Sound goes on a little behind the last picture.
        let expected_ms = to_ms.unwrap_or(end_ms) - from_ms;
        assert!(facts.duration_ms.abs_diff(expected_ms) <= 60, "case {index}: {}", facts.duration_ms);
        // Sound is cut between its frames and never encoded.
        let sound = packets(&path, "a");
        assert!(sound.iter().all(|packet| known_sound.contains(&packet.hash)), "case {index}");
        let sound_ms = sound.len() as f64 * 1024.0 / 48.0;
        assert!((sound_ms - expected_ms as f64).abs() < 70.0, "case {index}: {sound_ms}");
    }
}

#[tokio::test]
async fn two_cuts_joined_stay_in_step() {
    let stage = Stage::new();
    let parts = stage.record("p", 60_000, stage.tags(CLIP).into_iter().map(Some));
    let piece = |from_ms, to_ms| Piece { from_ms, to_ms: Some(to_ms), ..Piece::whole(parts[0].clone()) };
    let (video, facts) = stage.compose("c", vec![piece(4_440, 8_120), piece(1_000, 3_000)], GapRule::Cut).await;
    assert_eq!(facts.video_frames, 92 + 50);
    let times = shown(&stage.path(&video));
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] > 0.0 && pair[1] - pair[0] < 100.0), "{times:?}");
    let sound = packets(&stage.path(&video), "a");
    let hole = sound.windows(2).map(|pair| pair[1].pts_ms - pair[0].pts_ms).fold(0.0, f64::max);
    assert!(hole < 80.0, "{hole}");
    assert!((times.last().unwrap() - sound.last().unwrap().pts_ms).abs() < 150.0);
}

#[tokio::test]
async fn sound_alone_is_cut_between_frames_without_an_encoder() {
    let stage = Stage::new();
    let tags = stage.tags("-f lavfi -i anoisesrc=r=44100:a=0.1 -t 8 -c:a aac -vn");
    let parts = stage.record("p", 60_000, tags.into_iter().map(Some));
    let piece = Piece { from_ms: 1_300, to_ms: Some(4_700), ..Piece::whole(parts[0].clone()) };
    let (_, facts) = stage.compose("c", vec![piece], GapRule::Cut).await;
    assert!(facts.duration_ms.abs_diff(3_400) <= 48, "{}", facts.duration_ms);
    assert!(facts.video.is_none());
}
