//! Whatever a publisher does and sends.

use proptest::prelude::*;

use super::rig::check_order;
use super::*;

/// One thing that a publisher may do.
#[derive(Debug, Clone)]
enum Act {
    Picture { step: u32, key: bool, offset: i32 },
    Sound { step: u32 },
    Jump(u32),
    Header { track: bool, other: bool },
    Pause,
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0u32..120, proptest::bool::weighted(0.2), -200i32..200)
            .prop_map(|(step, key, offset)| Act::Picture { step, key, offset }),
        12 => (0u32..60).prop_map(|step| Act::Sound { step }),
        1 => any::<u32>().prop_map(Act::Jump),
        1 => (any::<bool>(), proptest::bool::weighted(0.3)).prop_map(|(track, other)| Act::Header { track, other }),
        1 => Just(Act::Pause),
        1 => Just(Act::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a publisher does, each frame is recorded once or counted as dropped.
    #[test]
    fn no_frame_is_lost_or_doubled(acts in proptest::collection::vec(act(), 0..250), cycle_ms in 200u64..5_000) {
        let mut rig = Rig::new(cycle_ms);
        rig.headers();
        let (mut video, mut audio, mut rates, mut dropped) = (0u32, 0u32, false, 0);
        for act in acts {
            match act {
                Act::Picture { step, key, offset } => {
                    video = video.wrapping_add(step);
                    rig.video_offset(video, key, offset);
                }
                Act::Sound { step } => {
                    audio = audio.wrapping_add(step);
                    rig.audio(audio);
                }
                Act::Jump(by) => (video, audio) = (video.wrapping_add(by), audio.wrapping_add(by)),
                Act::Header { track: true, other } => {
                    rig.header(Video, if other { samples::AVC_MAIN } else { samples::AVC });
                }
                Act::Header { track: false, other } => {
                    rates |= other;
                    rig.header(Audio, if other { "1190" } else { samples::AAC });
                }
                Act::Pause => {
                    rig.pause();
                    rig.headers();
                }
                Act::Restart => {
                    rig.pause();
                    let options = PartOptions { start: rig.cutter.position(), ..PartOptions::new(cycle_ms) };
                    dropped += rig.cutter.dropped();
                    rig.cutter = match rig.disk.open {
                        true => {
                            let scan = rig.disk.scan(rig.disk.files.len() - 1);
                            PartCutter::resume(options, ResumeState::from_scan(&scan, options.start).unwrap())
                        }
                        false => PartCutter::new(options),
                    };
                    rig.headers();
                }
            }
        }
        rig.pause();
        dropped += rig.cutter.dropped() + rig.disk.dropped();
        let sent = rig.sent;
        let before_close = rig.cutter.dropped();
        let disk = rig.flush();
        let recorded = disk.all(Video).len() + disk.all(Audio).len();
        prop_assert_eq!(recorded as u64 + dropped, sent, "{}", before_close);
        check_order(&disk.all(Video), false)?;
        check_order(&disk.all(Audio), rates)?;
        for file in 0..disk.files.len() {
            if let Some(first) = disk.seen(file, Video).first() {
                prop_assert!(first.keyframe);
            }
        }
    }

    #[test]
    fn any_bytes_are_answered(
        bodies in proptest::collection::vec((any::<bool>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..60)
    ) {
        let mut rig = Rig::new(1_000);
        rig.headers();
        for (video, time, mut body) in bodies {
            // Half of them get a start that leads further in.
            if body.len() % 2 == 0 {
                let start: &[u8] = if video { &[0x17, 1, 0, 0, 0, 9] } else { &[0xaf, 1, 9] };
                body.splice(0..0, start.iter().copied());
            }
            let _ = rig.try_push(if video { Video } else { Audio }, time, body);
        }
        rig.flush();
    }
}
