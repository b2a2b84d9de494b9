use proptest::prelude::*;

use super::TrackKind::{Audio, Video};
use super::*;

/// Feeds stamps and returns the readings' times, with the jumps beside them.
fn run(stamps: &[(TrackKind, u32)]) -> (Vec<i64>, Vec<Jump>) {
    let mut clock = SessionClock::new();
    let mut jumps = Vec::new();
    let times = stamps.iter().map(|&(track, stamp)| {
        let reading = clock.read(track, stamp);
        jumps.extend(reading.jump);
        reading.time_ms
    });
    (times.collect(), jumps)
}

#[test]
fn wrap_goes_on() {
    let max = u32::MAX;
    let (times, jumps) = run(&[(Video, max - 20), (Audio, max - 10), (Video, 19), (Audio, 12)]);
    let first = i64::from(max) - 20;
    assert_eq!(times, [first, first + 10, first + 40, first + 33]);
    assert_eq!(jumps, []);
}

#[test]
fn two_wraps_go_on() {
    let mut clock = SessionClock::new();
    let mut expected = 0i64;
    let mut stamp = 0u32;
    // Steps below the silence limit, over more than two turns of the 32-bit circle.
    for _ in 0..2_200_000 {
        let reading = clock.read(Video, stamp);
        assert_eq!((reading.time_ms, reading.jump), (expected, None));
        stamp = stamp.wrapping_add(4_000);
        expected += 4_000;
    }
    assert!(expected > 2 << 32);
}

#[test]
fn jitter_is_clamped_per_track() {
    let (times, jumps) = run(&[(Video, 1000), (Video, 1040), (Video, 1020), (Audio, 990), (Video, 1080)]);
    assert_eq!(times, [1000, 1040, 1040, 990, 1080]);
    assert_eq!(jumps, []);
}

#[test]
fn a_jump_back_moves_both_tracks() {
    let (times, jumps) = run(&[
        (Video, 100_000),
        (Audio, 100_000),
        (Audio, 100_023),
        (Video, 100_040),
        (Audio, 100_046),
        // The encoder restarts its clock; audio arrives first in the new time.
        (Audio, 0),
        (Video, 11),
        (Audio, 23),
        (Video, 51),
    ]);
    assert_eq!(times, [100_000, 100_000, 100_023, 100_040, 100_046, 100_069, 100_080, 100_092, 100_120]);
    assert_eq!(jumps, [Jump { track: Audio, by_ms: -100_069 }]);
}

#[test]
fn a_jump_forward_moves_both_tracks() {
    let (times, jumps) =
        run(&[(Video, 0), (Audio, 0), (Video, 40), (Audio, 23), (Video, 60_080), (Audio, 60_046), (Video, 60_120)]);
    assert_eq!(times, [0, 0, 40, 23, 80, 46, 120]);
    assert_eq!(jumps, [Jump { track: Video, by_ms: 60_000 }]);
}

#[test]
fn messages_still_in_the_old_time_are_no_second_jump() {
    let (times, jumps) = run(&[
        (Video, 100_000),
        (Audio, 100_000),
        (Video, 100_040),
        (Video, 0), // jumps
        (Audio, 100_023),
        (Audio, 100_046),
        (Video, 40),
        (Audio, 10), // follows
        (Video, 80),
    ]);
    assert_eq!(times, [100_000, 100_000, 100_040, 100_080, 100_023, 100_046, 100_120, 100_090, 100_160]);
    assert_eq!(jumps.len(), 1);
}

#[test]
fn a_jump_that_only_one_track_makes_leaves_both_running() {
    let mut stamps = vec![(Video, 0), (Audio, 0), (Video, 40), (Audio, 23)];
    stamps.extend((0..100).flat_map(|n| [(Video, 80 + 40 * n), (Audio, 3_600_000 + 40 * n)]));
    let (times, jumps) = run(&stamps);
    assert_eq!(jumps.len(), 1);
    let (last_video, last_audio) = (times[times.len() - 2], times[times.len() - 1]);
    assert_eq!(last_video, 80 + 40 * 99);
    assert!((last_video - last_audio).abs() < 100);
}

#[test]
fn silence_of_one_track_is_no_jump() {
    let mut stamps: Vec<_> = (0..400).map(|n| (Video, n * 40)).collect();
    stamps.insert(1, (Audio, 0));
    stamps.push((Audio, 15_980));
    let (times, jumps) = run(&stamps);
    assert_eq!(times.last(), Some(&15_980));
    assert_eq!(jumps, []);
}

#[test]
fn a_track_that_starts_in_another_time_is_brought_in_step() {
    let (times, jumps) = run(&[(Video, 5_000_000), (Audio, 7), (Audio, 30), (Video, 5_000_040)]);
    assert_eq!(times, [5_000_000, 5_000_000, 5_000_023, 5_000_040]);
    assert_eq!(jumps, [Jump { track: Audio, by_ms: 7 - 5_000_000 }]);
}

#[test]
fn contiguous_audio_has_no_seams() {
    let mut clock = SampleClock::new(44_100, 1024);
    for n in 0..200_000u64 {
        // Milliseconds rounded down, as every encoder sends them.
        assert_eq!(clock.place(n * 1_024_000 / 44_100, 0), n * 1024);
    }
}

#[test]
fn drift_snaps_and_the_floor_holds() {
    let mut clock = SampleClock::new(48_000, 1024);
    assert_eq!(clock.place(0, 0), 0);
    assert_eq!(clock.place(50, 1), 1024); // 29 ms late
    assert_eq!(clock.place(100, 1025), 4800); // 57 ms late
    assert_eq!(clock.place(10, 4801), 4801); // far early, but never before the floor
}

#[test]
fn positions() {
    let position = TimelinePosition { video_end_ms: 1000, audio_end: 44_101, audio_rate: 44_100 };
    assert_eq!(position.audio_end_ms(), 1001);
    assert_eq!(position.end_ms(), 1001);
    assert_eq!(position.audio_end_at(44_100), 44_101);
    assert_eq!(position.audio_end_at(48_000), 48_002);
    assert_eq!(TimelinePosition::default().end_ms(), 0);
}

proptest! {
    #[test]
    fn time_never_runs_backwards_on_a_track(
        stamps in proptest::collection::vec((any::<bool>(), prop_oneof![any::<u32>(), 0u32..10_000]), 0..200)
    ) {
        let mut clock = SessionClock::new();
        let mut last = [i64::MIN; 2];
        for (video, stamp) in stamps {
            let track = if video { Video } else { Audio };
            let before = clock.newest;
            let time = clock.read(track, stamp).time_ms;
            prop_assert!(time >= last[track as usize]);
            if let Some(before) = before {
                prop_assert!(time <= before + MAX_SILENCE_MS + MAX_STEP_MS);
            }
            last[track as usize] = time;
        }
    }

    #[test]
    fn any_start_reads_alike(start: u32, steps in proptest::collection::vec(1u32..3000, 1..50)) {
        let (mut a, mut b) = (SessionClock::new(), SessionClock::new());
        let (mut from_zero, mut from_start) = (0u32, start);
        for (index, step) in steps.into_iter().enumerate() {
            let track = if index % 3 == 0 { Audio } else { Video };
            let (a, b) = (a.read(track, from_zero), b.read(track, from_start));
            prop_assert_eq!(a.time_ms, b.time_ms - i64::from(start));
            prop_assert_eq!(a.jump, b.jump);
            from_zero += step;
            from_start = from_start.wrapping_add(step);
        }
    }
}
