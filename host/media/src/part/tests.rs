//! The rules of cutting, as cases over a [publisher in miniature](rig).

use std::collections::HashSet;

use super::*;
use crate::timeline::TrackKind::{Audio, Video};
use crate::track::samples;

mod changes;
mod properties;
mod resume;
mod rig;

use rig::{Disk, Rig, assert_seamless};

#[test]
fn cycles_end_at_keyframes_and_nothing_is_lost_or_doubled() {
    let mut rig = Rig::new(4_000);
    rig.offset = u32::MAX - 7_777; // the stamps wrap in the second part
    rig.headers();
    rig.both(0, 20_000, 3_000);
    let sent = rig.sent;
    let disk = rig.flush();
    use CloseCause::{Cycle, Flush};
    assert_eq!(disk.causes(), [Cycle, Cycle, Cycle, Flush]);
    let firsts: Vec<u64> = (0..4).map(|part| disk.seen(part, Video)[0].start).collect();
    assert_eq!(firsts, [0, 6_000, 12_000, 18_000]);
    assert!((0..4).all(|part| disk.seen(part, Video)[0].keyframe));
    let (video, audio) = (disk.all(Video), disk.all(Audio));
    assert_eq!((video.len() + audio.len()) as u64, sent);
    assert_seamless(&video);
    assert_seamless(&audio);
    assert!(audio.iter().all(|frame| frame.duration == 1024));
    assert_eq!(disk.dropped(), 0);
    let facts = &disk.closed[1].0;
    assert_eq!((facts.duration_ms() / 100, facts.video_frames), (60, 150));
    assert_eq!((facts.width(), facts.height(), facts.starts_with_keyframe), (Some(320), Some(240), true));
    assert!((facts.fps().unwrap() - 25.0).abs() < 0.1);
}

#[test]
fn fragments_are_short_and_start_at_keyframes() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 20_000, 2_600);
    let disk = rig.flush();
    let entries = disk.scan(0).fragments;
    assert!(entries.iter().all(|entry| entry.duration_ms <= 1_100), "{entries:?}");
    let keyframes: HashSet<u64> = disk.all(Video).iter().filter(|seen| seen.keyframe).map(|seen| seen.start).collect();
    assert_eq!(entries.iter().filter(|entry| entry.keyframe).count(), keyframes.len());
    assert_eq!(keyframes.len(), 8);
    assert!(entries.len() <= 8 * 3);
}

#[test]
fn keyframes_alone_do_not_make_a_fragment_each() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 4_000, 40);
    let entries = rig.flush().scan(0).fragments;
    assert_eq!(entries.len(), 20);
    assert!(entries.iter().all(|entry| entry.keyframe));
}

#[test]
fn b_frames_keep_their_offsets() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.audio(0);
    let offsets = [80, 160, 40, -40, 80];
    for (index, offset) in offsets.into_iter().enumerate() {
        rig.video_offset(index as u32 * 40, index == 0, offset);
    }
    let seen: Vec<i64> = rig.flush().seen(0, Video).iter().map(|seen| seen.composition).collect();
    assert_eq!(seen, offsets.map(i64::from));
}

#[test]
fn one_kind_alone_opens_after_the_probe_or_at_once_when_promised() {
    for promised in [false, true] {
        let mut rig = Rig::new(4_000);
        if promised {
            rig.cutter.expect_tracks(Some(false), Some(true));
        }
        rig.header(Audio, samples::AAC);
        rig.audio(0);
        assert_eq!(rig.disk.open, promised);
        rig.sound(23, 10_000);
        let sent = rig.sent;
        let disk = rig.flush();
        assert_eq!(disk.causes(), [CloseCause::Cycle, CloseCause::Cycle, CloseCause::Flush]);
        let audio = disk.all(Audio);
        assert_seamless(&audio);
        assert_eq!(audio.len() as u64, sent);
        assert!(disk.scan(1).fragments.iter().all(|entry| entry.keyframe && entry.duration_ms <= 1_050));
    }
    let mut rig = Rig::new(4_000);
    rig.cutter.expect_tracks(Some(true), Some(false));
    rig.header(Video, samples::AVC);
    rig.video(0, true);
    assert!(rig.disk.open);
    rig.pictures(40, 10_000, 2_000);
    let disk = rig.flush();
    assert_eq!(disk.causes().len(), 3);
    assert_eq!(disk.all(Video).len(), 250);
    assert!(!disk.closed[0].0.has_audio());
}

#[test]
fn a_stream_shorter_than_the_probe_is_recorded() {
    let mut rig = Rig::new(4_000);
    rig.header(Video, samples::AVC);
    rig.pictures(0, 400, 2_000);
    assert!(!rig.disk.open);
    assert_eq!(rig.flush().all(Video).len(), 10);
}

#[test]
fn a_header_within_the_probe_is_in_the_init_segment() {
    let mut rig = Rig::new(600_000);
    rig.header(Video, samples::AVC);
    rig.pictures(0, 800, 2_000);
    rig.header(Audio, samples::AAC);
    rig.both(800, 4_000, 2_000);
    let disk = rig.flush();
    assert_eq!(disk.files.len(), 1);
    assert_eq!(disk.scan(0).tracks, samples::both());
    assert_eq!(disk.all(Video).len(), 100);
    assert_eq!(disk.dropped(), 0);
}

#[test]
fn what_comes_before_the_first_keyframe_is_dropped_and_counted() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(40, 2_000, 2_000); // no keyframe in it: 49 pictures, 85 audio frames
    assert!(!rig.disk.open);
    rig.both(2_000, 3_000, 2_000);
    let sent = rig.sent;
    let disk = rig.flush();
    let (video, audio) = (disk.all(Video), disk.all(Audio));
    assert_eq!(video.len(), 25);
    assert!(video[0].keyframe);
    assert_eq!(video.len() as u64 + audio.len() as u64 + disk.dropped(), sent);
    // Audio is kept from 200 ms before the picture; the timeline begins with it.
    let audio_starts_ms = audio[0].start * 1000 / 44_100;
    assert!((170..=200).contains(&(video[0].start - audio_starts_ms)), "{audio_starts_ms}");
}

#[test]
fn announced_video_that_never_comes_does_not_keep_audio_waiting_for_ever() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.sound(0, 9_900);
    assert!(!rig.disk.open);
    rig.sound(9_900, 12_000);
    assert!(rig.disk.open);
    rig.video(12_000, false);
    rig.both(12_040, 13_000, 12_200);
    let disk = rig.flush();
    assert_eq!(disk.files.len(), 1);
    assert!(disk.all(Video)[0].keyframe);
}

#[test]
fn without_keyframes_a_part_is_cut_late_but_without_loss() {
    let mut rig = Rig::new(4_000);
    rig.headers();
    rig.both(0, 70_000, 1_000_000);
    let sent = rig.sent;
    let disk = rig.flush();
    assert_eq!(disk.causes(), [CloseCause::Cycle, CloseCause::Flush]);
    assert_eq!(disk.seen(1, Video)[0].start, 64_000);
    assert!(!disk.closed[1].0.starts_with_keyframe && disk.closed[0].0.starts_with_keyframe);
    assert_eq!((disk.all(Video).len() + disk.all(Audio).len()) as u64, sent);
}

#[test]
fn jumps_are_reported_and_leave_no_hole() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_000, 1_000);
    rig.both(100_000, 102_000, 1_000);
    rig.both(0, 2_000, 1_000);
    let disk = rig.flush();
    assert_eq!(disk.files.len(), 1);
    let by: Vec<i64> = disk.gaps.iter().map(|jump| (jump.by_ms + 500).div_euclid(1000)).collect();
    assert_eq!(by, [98, -102]);
    assert_eq!(disk.closed[0].0.gaps, 2);
    let (video, audio) = (disk.all(Video), disk.all(Audio));
    assert_eq!(video.len(), 150);
    assert_seamless(&video);
    assert_seamless(&audio);
    assert!((5_990..6_010).contains(&(video[149].start + 40)));
    assert!(disk.closed[0].0.duration_ms() < 6_060);
}

#[test]
fn audio_that_falls_silent_leaves_a_hole_and_returns_in_step() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_000, 2_000);
    rig.pictures(2_000, 6_000, 2_000);
    rig.both(6_000, 8_000, 2_000);
    let disk = rig.flush();
    let returned = disk.all(Audio).into_iter().find(|seen| seen.start > 3 * 44_100).unwrap();
    assert!((6_000..6_030).contains(&(returned.start * 1000 / 44_100)));
    assert_eq!((disk.gaps.len(), disk.all(Video).len()), (0, 200));
}

#[test]
fn large_fragments_are_split() {
    let mut options = PartOptions::new(600_000);
    options.max_fragment_bytes = 1_000;
    let mut rig = Rig::over(PartCutter::new(options), Disk::default());
    rig.headers();
    rig.audio(0);
    for n in 0..10 {
        let start = [if n == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0];
        let size = if n == 7 { 5_000 } else { 300 };
        rig.push(Video, n * 40, [&start[..], &vec![n as u8; size]].concat());
    }
    let counts: Vec<u32> = rig.flush().scan(0).fragments.iter().map(|entry| entry.video_frames).collect();
    assert_eq!(counts, [3, 3, 1, 1, 2]);
}

#[test]
fn odd_bodies_are_normal() {
    let mut rig = Rig::new(600_000);
    rig.push(Video, 0, vec![]);
    rig.push(Audio, 0, vec![]);
    rig.push(Video, 0, vec![0x17, 1, 0, 0, 0, 1]); // a frame before its header
    rig.push(Audio, 0, vec![0xaf, 1, 1]);
    rig.push(Video, 0, vec![0x17, 1, 0]); // malformed
    rig.headers();
    rig.push(Video, 0, [b"\x91hvc1\0\0\0".as_slice(), &[1; 8]].concat()); // a frame of another codec
    rig.push(Video, 0, vec![0x57, 0]);
    rig.both(0, 1_000, 1_000);
    rig.push(Video, 1_000, vec![0x17, 2, 0, 0, 0]); // end of sequence
    rig.both(1_000, 2_000, 1_000);
    let disk = rig.flush();
    assert_eq!((disk.all(Video).len(), disk.dropped()), (50, 4));
}

#[test]
fn what_cannot_be_recorded_is_refused_by_name() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 1_000, 1_000);
    let error = rig.try_push(Video, 1_000, b"\x90av01\x81".to_vec()).unwrap_err();
    assert_eq!(error.to_string(), "codec cannot be recorded: av01");
    let error = rig.try_push(Audio, 1_000, b"\x2fabc".to_vec()).unwrap_err();
    assert_eq!(error.to_string(), "codec cannot be recorded: MP3");
    let error = rig.try_push(Video, 1_000, vec![0x17, 0, 0, 0, 0, 9]).unwrap_err();
    assert!(matches!(error, PartError::Header { track: Video, source: TrackError::Version(9) }));
    // What was recorded before stands.
    assert_eq!(rig.flush().all(Video).len(), 25);
}
