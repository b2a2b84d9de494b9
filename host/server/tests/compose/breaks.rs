//! Sound and picture after many breaks.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use reprise_lifecycle::question::GapRule;

use crate::stage::{Stage, Tag, is_header, is_keyframe, packets, whole};

const BREAKS: usize = 20;

/// A generator whose seed is in the test's output.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// The tags with publishers that leave at random moments and come back with a keyframe some time later, each with
/// another clock; and where in the clip each of them published.
fn broken(tags: &[Tag], dice: &mut Dice) -> (Vec<Option<Tag>>, Vec<RangeInclusive<u32>>) {
    let headers: Vec<Tag> = tags.iter().filter(|tag| is_header(tag)).cloned().collect();
    let end = tags.last().unwrap().1;
    let mut breaks: Vec<u32> = (0..BREAKS).map(|_| 500 + dice.below(u64::from(end) - 1_000) as u32).collect();
    breaks.sort_unstable();
    let (mut out, mut breaks) = (Vec::new(), breaks.into_iter().peekable());
    let (mut away, mut clock, mut sessions) = (false, 0u32, vec![0..=0]);
    for tag in tags {
        if breaks.peek().is_some_and(|at| tag.1 >= *at) {
            breaks.next();
            out.push(None);
            away = true;
        }
        if away && is_keyframe(tag) && dice.below(2) == 0 {
            away = false;
            clock = dice.below(1 << 32) as u32;
            out.extend(headers.iter().cloned().map(Some));
            sessions.push(tag.1..=tag.1);
        }
        if !away {
            let session = sessions.last_mut().unwrap();
            *session = *session.start()..=tag.1.max(*session.end());
            out.push(Some((tag.0, tag.1.wrapping_add(clock), tag.2.clone())));
        }
    }
    (out, sessions)
}

#[tokio::test]
async fn sound_is_in_step_after_twenty_random_breaks() {
    let stage = Stage::new();
    let tags = stage.tags(
        "-f lavfi -i testsrc2=s=160x120:r=25 -f lavfi -i anoisesrc=r=44100:a=0.2:seed=7 -t 120 -c:v libx264 \
         -preset ultrafast -g 12 -bf 1 -pix_fmt yuv420p -c:a aac -b:a 64k",
    );
    // Every packet of the clip is another, so the place of each is known.
    let clip = stage.dir.path().join("in.flv");
    let places = ["v", "a"].map(|stream| {
        let packets = packets(&clip, stream);
        let places: HashMap<String, f64> = packets.iter().map(|packet| (packet.hash.clone(), packet.dts_ms)).collect();
        assert_eq!(places.len(), packets.len(), "{stream}");
        places
    });
    for seed in [1, 2, 3] {
        let name = format!("p{seed}");
        let (sent, sessions) = broken(&tags, &mut Dice(seed));
        let parts = stage.record(&name, 7_000, sent);
        assert!(parts.len() > 4 && sessions.len() > 5, "{} and {}", parts.len(), sessions.len());
        let (video, facts) = stage.compose(&format!("c{seed}"), whole(&parts), GapRule::Cut).await;
        let path = stage.path(&video);
        // Per publisher: how far each packet was moved from its place in the clip.
        let mut moved: Vec<[Vec<f64>; 2]> = vec![Default::default(); sessions.len()];
        for (track, stream) in ["v", "a"].into_iter().enumerate() {
            let packets = packets(&path, stream);
            let recorded = if track == 0 { facts.video_frames } else { facts.audio_frames };
            assert_eq!(packets.len() as u64, recorded, "seed {seed}, {stream}");
            for packet in packets {
                let place = places[track][&packet.hash];
                let session = sessions.iter().position(|session| session.contains(&(place.round() as u32))).unwrap();
                moved[session][track].push(packet.dts_ms - place);
            }
        }
        for (session, [video, audio]) in moved.iter().enumerate() {
            let all = || video.iter().chain(audio);
            let (least, most) = (all().fold(f64::MAX, |a, b| a.min(*b)), all().fold(f64::MIN, |a, b| a.max(*b)));
            assert!(!video.is_empty() && most - least <= 40.0, "seed {seed}, publisher {session}: {}", most - least);
        }
        let ends = ["v", "a"].map(|stream| packets(&path, stream).last().unwrap().pts_ms);
        assert!((ends[0] - ends[1]).abs() < 150.0, "seed {seed}: the tracks end together: {ends:?}");
    }
}
