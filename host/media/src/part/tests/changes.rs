//! Codec headers that repeat, change, appear and vanish while a publisher is connected.

use super::*;

use CloseCause::{CodecChanged, Flush};

#[test]
fn a_repeated_header_is_no_new_part() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    for second in 0..5 {
        rig.both(second * 1_000, (second + 1) * 1_000, 1_000);
        rig.headers();
    }
    assert_eq!(rig.flush().causes(), [Flush]);
}

#[test]
fn a_changed_video_header_is_a_new_part_at_the_next_keyframe() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_000, 1_000);
    rig.header(Video, samples::AVC_MAIN);
    rig.both(2_000, 4_000, 1_000);
    let sent = rig.sent;
    let disk = rig.flush();
    assert_eq!(disk.causes(), [CodecChanged, Flush]);
    assert_eq!(disk.closed[1].0.width(), Some(1920));
    assert_eq!(disk.seen(1, Video)[0].start, 2_000);
    assert_seamless(&disk.all(Video));
    assert_seamless(&disk.all(Audio));
    assert_eq!((disk.all(Video).len() + disk.all(Audio).len()) as u64, sent);
}

#[test]
fn pictures_of_a_new_configuration_wait_for_their_keyframe() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_000, 2_000);
    rig.header(Video, samples::AVC_MAIN);
    rig.both(2_040, 4_000, 2_000); // 49 pictures without a keyframe; audio goes on in the old part
    rig.both(4_000, 5_000, 2_000);
    let disk = rig.flush();
    assert_eq!(disk.causes(), [CodecChanged, Flush]);
    assert_eq!(disk.dropped(), 49);
    assert_eq!(disk.seen(1, Video)[0].start, 4_000);
    assert_seamless(&disk.all(Audio));
}

#[test]
fn a_track_that_appears_late_is_a_new_part() {
    let mut rig = Rig::new(600_000);
    rig.header(Video, samples::AVC);
    rig.pictures(0, 3_000, 2_000);
    rig.header(Audio, samples::AAC);
    rig.both(3_000, 6_000, 2_000);
    let disk = rig.flush();
    assert_eq!(disk.causes(), [CodecChanged, Flush]);
    assert_eq!(disk.scan(0).tracks.audio, None);
    assert_eq!(disk.scan(1).tracks, samples::both());
    assert_eq!(disk.seen(1, Video)[0].start, 4_000);
    // Pictures lose nothing; sound before the keyframe has no part to go to.
    assert_eq!(disk.all(Video).len(), 150);
    let first_audio_ms = disk.all(Audio)[0].start * 1000 / 44_100;
    assert!((3_990..4_030).contains(&first_audio_ms), "{first_audio_ms}");
}

#[test]
fn pictures_that_appear_late_end_an_audio_part() {
    let mut rig = Rig::new(600_000);
    rig.header(Audio, samples::AAC);
    rig.sound(0, 3_000);
    rig.header(Video, samples::AVC);
    rig.both(3_000, 6_000, 3_000);
    let disk = rig.flush();
    assert_eq!(disk.causes(), [CodecChanged, Flush]);
    assert_eq!(disk.scan(0).tracks.video, None);
    assert_eq!(disk.seen(1, Video)[0].start, 3_000);
    assert_eq!(disk.dropped(), 0);
}

#[test]
fn a_changed_sampling_rate_counts_on_in_its_own_samples() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_000, 2_000);
    rig.header(Audio, "1190"); // 48 kHz stereo
    rig.both(2_000, 4_000, 2_000);
    let disk = rig.flush();
    assert_eq!(disk.causes(), [CodecChanged, Flush]);
    let second = disk.seen(1, Audio);
    assert!((95_900..97_000).contains(&second[0].start), "{}", second[0].start);
    assert_eq!(disk.closed[1].0.ends.audio_rate, 48_000);
    assert_seamless(&disk.all(Video));
}

#[test]
fn a_changed_header_without_a_keyframe_is_waited_for_only_so_long() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_000, 2_000);
    rig.header(Audio, "1190");
    rig.both(2_040, 15_000, 1_000_000);
    let disk = rig.flush();
    assert_eq!(disk.causes(), [CodecChanged, Flush]);
    // Pictures go on through the cut: they can be decoded once the parts are joined.
    assert_eq!(disk.all(Video).len(), 50 + 324);
    assert!(!disk.closed[1].0.starts_with_keyframe);
    assert!((12_000..12_100).contains(&disk.seen(1, Video)[0].start));
}

#[test]
fn a_track_that_vanishes_is_tolerated() {
    let mut rig = Rig::new(5_000);
    rig.headers();
    rig.both(0, 2_000, 1_000);
    rig.pictures(2_000, 8_000, 1_000);
    let disk = rig.flush();
    assert_eq!(disk.causes(), [CloseCause::Cycle, Flush]);
    assert_eq!(disk.all(Video).len(), 200);

    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_000, 1_000);
    rig.sound(2_000, 8_000);
    let disk = rig.flush();
    assert_eq!((disk.causes(), disk.dropped()), (vec![Flush], 0));
    assert!(disk.scan(0).fragments.iter().all(|entry| entry.duration_ms < 1_350));
}
