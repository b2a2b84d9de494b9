//! Publishers that come back, to the same server and to one that was restarted.

use std::io::Cursor;

use super::rig::{check_order, id};
use super::*;
use crate::fmp4::scan;

use CloseCause::{CodecChanged, Cycle, Flush};

/// A new server process over the same disk, with its last file cut to `len` bytes.
fn restarted(mut rig: Rig, cycle_ms: u64, len: usize) -> Rig {
    let file = rig.disk.files.len() - 1;
    rig.disk.files[file].truncate(len);
    let scan = scan(&mut Cursor::new(&rig.disk.files[file]), true).unwrap();
    rig.disk.files[file].truncate(scan.valid_len as usize);
    let state = ResumeState::from_scan(&scan, TimelinePosition::default()).unwrap();
    Rig { cutter: PartCutter::resume(PartOptions::new(cycle_ms), state), ..rig }
}

#[test]
fn a_reconnect_goes_on_in_the_same_part() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_020, 1_000);
    rig.pause();
    assert_eq!(rig.cutter.resume_state().unwrap().next_number, 4);
    // Another process of the encoder: its clock starts anywhere, its first group is incomplete.
    rig.offset = 0xffff_f000;
    rig.headers();
    rig.both(40, 3_000, 1_000);
    let disk = rig.flush();
    assert_eq!((disk.causes(), disk.gaps.len()), (vec![Flush], 0));
    let video = disk.all(Video);
    assert_eq!(video.len(), 51 + 50);
    let (before, after) = (&video[50], &video[51]);
    assert!(after.keyframe);
    let seam = after.start - (before.start + u64::from(before.duration));
    assert!(seam < 250, "{seam}");
    check_order(&disk.all(Audio), false).unwrap();
}

#[test]
fn tracks_stay_in_step_over_many_reconnects() {
    let mut rig = Rig::new(600_000);
    for _ in 0..200 {
        rig.headers();
        rig.both(0, 280, 1_000);
        rig.pause();
    }
    let disk = rig.flush();
    let video = disk.all(Video);
    let audio = disk.all(Audio);
    assert_eq!(video.len(), 200 * 7);
    // The audio that was sent with the first picture of each session is still beside it.
    for picture in video.iter().filter(|seen| seen.keyframe) {
        let sound = audio.iter().find(|seen| id(seen) == id(picture) + 1).unwrap();
        let apart = (sound.start * 1000 / 44_100).abs_diff(picture.start);
        assert!(apart <= 1, "{apart} ms apart");
    }
}

#[test]
fn a_reconnect_with_another_codec_is_a_new_part() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_000, 1_000);
    rig.pause();
    rig.header(Video, samples::AVC_MAIN);
    rig.header(Audio, samples::AAC);
    rig.both(0, 2_000, 1_000);
    let disk = rig.flush();
    assert_eq!(disk.causes(), [CodecChanged, Flush]);
    assert!(disk.seen(1, Video)[0].start >= 2_000);
    assert_eq!(disk.dropped(), 0);
}

#[test]
fn a_reconnect_without_one_track_goes_on_and_may_bring_it_later() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 2_000, 1_000);
    rig.pause();
    rig.header(Video, samples::AVC);
    rig.pictures(0, 2_000, 1_000);
    rig.header(Audio, samples::AAC);
    rig.both(2_000, 4_000, 1_000);
    let disk = rig.flush();
    assert_eq!((disk.causes(), disk.dropped()), (vec![Flush], 0));
    let audio = disk.all(Audio);
    check_order(&audio, false).unwrap();
    let back = audio.iter().find(|seen| seen.start > 3 * 44_100).unwrap().start * 1000 / 44_100;
    assert!((4_000..4_060).contains(&back), "{back}");
}

#[test]
fn a_cycle_that_ran_out_meanwhile_ends_with_the_first_keyframe() {
    let mut rig = Rig::new(2_000);
    rig.headers();
    rig.both(0, 2_000, 1_000);
    rig.pause();
    rig.headers();
    rig.both(0, 1_000, 1_000);
    let disk = rig.flush();
    assert_eq!(disk.causes(), [Cycle, Flush]);
}

#[test]
fn a_pause_with_nothing_recorded_opens_nothing() {
    let mut rig = Rig::new(2_000);
    rig.header(Video, samples::AVC);
    rig.video(0, false);
    rig.pause();
    assert_eq!(rig.cutter.resume_state(), None);
    let disk = rig.flush();
    assert!(disk.files.is_empty());
}

#[test]
fn a_restart_keeps_every_whole_fragment_and_goes_on() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 5_000, 1_000);
    rig.pause();
    let whole = rig.disk.scan(0);
    let kept = whole.fragments[2];
    // Cut in the middle of the fourth fragment.
    let len = kept.end_offset() as usize + 100;
    let mut rig = restarted(rig, 600_000, len);
    assert_eq!(rig.cutter.position(), kept.ends);
    rig.headers();
    rig.both(0, 2_000, 1_000);
    let disk = rig.flush();
    assert_eq!(disk.causes(), [Flush]);
    let scan = disk.scan(0);
    assert_eq!(scan.fragments[..3], whole.fragments[..3]);
    assert_eq!(scan.fragments[3].number, 4);
    assert!(scan.fragments[3].first_ms >= kept.ends.end_ms());
    assert_eq!(disk.closed[0].0.video_frames, 75 + 50);
    check_order(&disk.all(Video), false).unwrap();
}

#[test]
fn a_restart_after_the_init_segment_alone_goes_on_where_the_broadcast_was() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 200, 1_000);
    assert!(rig.disk.open);
    let scan = rig.disk.scan(0);
    assert!(scan.fragments.is_empty());
    let start = TimelinePosition { video_end_ms: 70_000, audio_end: 70 * 44_100, audio_rate: 44_100 };
    let state = ResumeState::from_scan(&scan, start).unwrap();
    let mut rig = Rig { cutter: PartCutter::resume(PartOptions::new(600_000), state), ..rig };
    rig.headers();
    rig.both(0, 1_000, 1_000);
    let disk = rig.flush();
    assert_eq!(disk.seen(0, Video)[0].start, 70_000);
    assert_eq!(disk.seen(0, Audio)[0].start, 70 * 44_100);
    assert_eq!(disk.closed[0].0.first_ms, 70_000);
}

#[test]
fn resuming_from_the_state_and_from_the_file_is_the_same() {
    let mut rig = Rig::new(600_000);
    rig.headers();
    rig.both(0, 3_000, 1_000);
    rig.pause();
    let from_file = ResumeState::from_scan(&rig.disk.scan(0), TimelinePosition::default());
    assert_eq!(rig.cutter.resume_state(), from_file);
}
