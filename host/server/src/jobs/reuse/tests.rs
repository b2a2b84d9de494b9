use reprise_lifecycle::broadcast::Part;
use reprise_lifecycle::id::TemplateId;
use reprise_lifecycle::question::PartRange;
use reprise_lifecycle::record::{WorkFailure, WorkResult};
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::video::Finished;

use super::*;
use crate::testkit::{World, noon};

/// A broadcast of two parts of ten seconds, of which the first one's group is decided.
async fn two_parts() -> (Broadcast, VideoId) {
    let world = World::new().await;
    world.tenant("acme").await;
    let mut life = world.broadcast("acme", "b").await;
    let first = life.part(0).await;
    life.decide(&first, &["mp4", "m3u8"]).await;
    life.part(10_000).await;
    (life.state.clone(), first)
}

fn range(index: u32, from_ms: u64, to_ms: Option<u64>) -> PartRange {
    PartRange { index, from_ms, to_ms }
}

#[tokio::test]
async fn only_whole_parts_with_cut_gaps_are_joined() {
    let (mut broadcast, _) = two_parts().await;
    let open = Part { state: PartState::Open, ..broadcast.parts[0].clone() };
    broadcast.parts.push(open);
    let (a, b) = (range(0, 0, None), range(1, 0, Some(10_000)));
    type Case<'a> = (Vec<PartRange>, GapRule, Option<&'a [u32]>);
    let table: [Case<'_>; 9] = [
        (vec![a.clone(), b.clone()], GapRule::Cut, Some(&[0, 1])),
        (vec![b.clone(), a.clone()], GapRule::Cut, Some(&[1, 0])),
        (vec![a.clone()], GapRule::Cut, Some(&[0])),
        (vec![a.clone(), b.clone()], GapRule::Hold, None),
        (vec![a.clone(), b.clone()], GapRule::Slate, None),
        (vec![a.clone(), range(1, 1, None)], GapRule::Cut, None),
        (vec![a.clone(), range(1, 0, Some(9_999))], GapRule::Cut, None),
        (vec![a, range(2, 0, None)], GapRule::Cut, None),
        (vec![], GapRule::Cut, None),
    ];
    for (ranges, gaps, expected) in table {
        let plan = ComposePlan { ranges, gaps, min_duration_ms: 0, title: None, group: None };
        let found = parts_of(&broadcast, &plan);
        let videos = found.map(|parts| parts.into_iter().map(|part| part.video).collect::<Vec<_>>());
        let expected = expected.map(|parts| parts.iter().map(|part| VideoId::of_part(&broadcast.id, *part)).collect());
        assert_eq!(videos, expected, "{plan:?}");
    }
    assert_eq!(whole_parts(&broadcast), None, "nothing is composed yet");
}

#[tokio::test]
async fn a_part_offers_what_was_made_with_the_same_settings() {
    let (mut broadcast, first) = two_parts().await;
    let second = VideoId::of_part(&broadcast.id, 1);
    let wanted = broadcast.videos[&first].tasks[0].outputs[0].template.clone();
    let renamed = Template { name: "other".into(), id: TemplateId::new("x"), ..wanted.clone() };
    let copied = Template { definition: "OD".into(), ..wanted.clone() };
    assert_eq!(offer(&broadcast, &second, &wanted), Offer::Pending, "it is being decided");
    assert_eq!(offer(&broadcast, &first, &wanted), Offer::Pending);
    assert_eq!(offer(&broadcast, &first, &renamed), Offer::Pending, "a name is not a setting");
    assert_eq!(offer(&broadcast, &first, &copied), Offer::Missing);
    assert_eq!(offer(&broadcast, &VideoId::new("gone"), &wanted), Offer::Missing);

    let facts = OutputFacts {
        file: "j/x.mp4".into(),
        width: 1,
        height: 1,
        fps: 25.0,
        duration_ms: 1,
        bitrate_kbps: 1,
        bytes: 1,
        codec: "H.264".into(),
        audio: None,
    };
    let failure = WorkFailure { code: "x".into(), message: "y".into() };
    let end = |result| Finished { result, started_at: Timestamp(0), at: noon() };
    let mut with = |result: WorkResult<OutputFacts>, removed: bool| {
        let output = &mut broadcast.videos.get_mut(&first).unwrap().tasks[0].outputs[0];
        output.finished = Some(end(result));
        output.removed = removed;
        offer(&broadcast, &first, &wanted)
    };
    assert_eq!(with(WorkResult::Failed(failure), false), Offer::Missing);
    assert_eq!(with(WorkResult::Done(facts.clone()), true), Offer::Missing, "the tenant took it away");
    assert_eq!(with(WorkResult::Done(facts.clone()), false), Offer::Done(facts));
    broadcast.videos.get_mut(&first).unwrap().removed = true;
    assert_eq!(offer(&broadcast, &first, &wanted), Offer::Missing);
}

#[test]
fn renditions_follow_each_other_as_their_parts_do() {
    let part = |first_ms, duration_ms| WholePart {
        video: VideoId::new("v"),
        facts: PartFacts {
            first_ms,
            duration_ms,
            bytes: 0,
            video_frames: 0,
            audio_frames: 0,
            video: None,
            audio: None,
        },
    };
    // First media time and length of each part, what is shown first of it (picture, sound); length and anchor then.
    type Case<'a> = (&'a [(u64, u64, u64, u64)], &'a [(u64, u64)]);
    let table: [Case<'_>; 5] = [
        (&[(0, 10_000, 0, 0), (10_000, 10_000, 10_000, 10_000)], &[(10_000, 0), (10_000, 10_000)]),
        // Pictures are shown 80 ms after they are decoded, sound begins 57 and 4 ms after the parts.
        (&[(0, 4_000, 80, 57), (4_000, 4_000, 4_080, 4_004)], &[(3_947, 80), (3_996, 4_080)]),
        // Sound reaches 20 ms over the seam.
        (&[(0, 10_020, 0, 0), (10_000, 10_000, 10_000, 10_000)], &[(10_000, 0), (10_000, 10_000)]),
        // A part between them was left out.
        (&[(0, 10_000, 0, 0), (20_000, 10_000, 20_040, 20_000)], &[(10_000, 0), (10_000, 10_040)]),
        // The later one first.
        (&[(20_000, 10_000, 20_040, 20_040), (0, 10_000, 0, 0)], &[(9_960, 40), (10_000, 10_000)]),
    ];
    for (case, expected) in table {
        let parts: Vec<WholePart> =
            case.iter().map(|(first_ms, duration_ms, ..)| part(*first_ms, *duration_ms)).collect();
        let first = |(_, _, picture, sound): &(u64, u64, u64, u64)| FirstShown {
            picture_ms: Some(*picture),
            sound_ms: Some(*sound),
        };
        let shown: Vec<FirstShown> = case.iter().map(first).collect();
        let found: Vec<(u64, u64)> = times(&parts, &shown).iter().map(|it| (it.duration_ms, it.anchor_ms)).collect();
        assert_eq!(found, expected, "{case:?}");
    }
}
