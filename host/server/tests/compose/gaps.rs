//! What stands in for the time in which the publisher was gone.

use reprise::compose::{Gap, Piece};
use reprise_lifecycle::question::GapRule;

use crate::stage::{Stage, Tag, frames, is_header, packets, shown};

const CLIP: &str = "-f lavfi -i testsrc2=s=320x240:r=25 -f lavfi -i sine=r=44100 -t 8 -c:v libx264 -preset veryfast \
    -g 25 -keyint_min 25 -sc_threshold 0 -bf 2 -pix_fmt yuv420p -c:a aac -b:a 64k";

/// A publisher that leaves at 2 s and comes back inside the same part, and a second part with a gap before it.
fn parts(stage: &Stage) -> Vec<Piece> {
    let tags = stage.tags(CLIP);
    let headers: Vec<Option<Tag>> = tags.iter().filter(|tag| is_header(tag)).cloned().map(Some).collect();
    let at = tags.iter().position(|tag| tag.1 >= 2_000).unwrap();
    let (before, after) = (tags[..at].iter().cloned().map(Some), tags[at..].iter().cloned().map(Some));
    let parts = stage.record("p", 4_000, before.chain([None]).chain(headers).chain(after));
    assert_eq!(parts.len(), 2);
    vec![
        Piece { gaps: vec![Gap { at_ms: 2_000, len_ms: 3_000 }], ..Piece::whole(parts[0].clone()) },
        Piece { gap_before_ms: 1_500, ..Piece::whole(parts[1].clone()) },
    ]
}

#[tokio::test]
async fn gaps_are_cut_held_or_covered() {
    let stage = Stage::new();
    let pieces = parts(&stage);
    for (rule, filled_ms, stills) in [(GapRule::Cut, 0, 0), (GapRule::Hold, 4_500, 45), (GapRule::Slate, 4_500, 45)] {
        let (video, facts) = stage.compose(&format!("{rule:?}"), pieces.clone(), rule).await;
        let path = stage.path(&video);
        assert_eq!(facts.video_frames, 200 + stills, "{rule:?}");
        assert!(facts.duration_ms.abs_diff(8_000 + filled_ms) <= 150, "{rule:?}: {}", facts.duration_ms);
        let times = shown(&path);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] < 200.0), "{rule:?}: a picture stands everywhere");
        let sound = packets(&path, "a");
        let hole = sound.windows(2).map(|pair| pair[1].pts_ms - pair[0].pts_ms).fold(0.0, f64::max);
        assert!(hole < 100.0, "{rule:?}: silence goes through: {hole}");
        assert!((times.last().unwrap() - sound.last().unwrap().pts_ms).abs() < 150.0, "{rule:?}");
        let frames = frames(&path, "v");
        if stills > 0 {
            // The pictures in the gap are alike, as far as an encoder makes the same picture alike.
            let mut gap = frames[60..75].to_vec();
            gap.dedup();
            assert!(gap.len() <= 12, "{rule:?}: {}", gap.len());
            let moving = &frames[..50];
            assert_eq!(moving.iter().collect::<std::collections::HashSet<_>>().len(), 50, "{rule:?}");
        }
    }
}
