//! A publisher in miniature, a recorder that keeps files in memory, and the rules of cutting as cases over both.

use std::collections::HashSet;
use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::fmp4::readback::{self, Seen};
use crate::fmp4::{Scan, scan};
use crate::timeline::TrackKind::{Audio, Video};
use crate::track::samples;

mod changes;
mod resume;

/// What a recorder has on its disk.
#[derive(Default)]
struct Disk {
    files: Vec<Vec<u8>>,
    open: bool,
    closed: Vec<(PartFacts, CloseCause)>,
    gaps: Vec<Jump>,
}

impl Disk {
    fn apply(&mut self, outputs: Vec<PartOutput>) {
        for output in outputs {
            match output {
                PartOutput::Open { init, init_range, .. } => {
                    assert!(!self.open, "a part opens while another is open");
                    assert_eq!(init_range.offset, 0);
                    self.open = true;
                    self.files.push(init.to_vec());
                }
                PartOutput::Fragment { bytes, entry } => {
                    assert!(self.open, "a fragment without a part");
                    let file = self.files.last_mut().unwrap();
                    assert_eq!(entry.offset, file.len() as u64);
                    file.extend(&bytes);
                    assert_eq!(entry.end_offset(), file.len() as u64);
                }
                PartOutput::Close { facts, cause } => {
                    assert!(self.open, "a close without a part");
                    self.open = false;
                    self.check_facts(&facts);
                    self.closed.push((facts, cause));
                }
                PartOutput::Gap { jump, .. } => self.gaps.push(jump),
            }
        }
    }

    /// What is told of a part is what its file says.
    fn check_facts(&self, facts: &PartFacts) {
        let mut scanned = PartFacts::from_scan(&self.scan(self.files.len() - 1)).unwrap();
        if scanned.fragments == 0 {
            (scanned.first_ms, scanned.last_ms, scanned.ends) = (facts.first_ms, facts.last_ms, facts.ends);
        }
        (scanned.dropped_frames, scanned.gaps) = (facts.dropped_frames, facts.gaps);
        assert_eq!(&scanned, facts);
    }

    fn scan(&self, file: usize) -> Scan {
        let scan = scan(&mut Cursor::new(&self.files[file]), true).unwrap();
        assert_eq!(scan.lost_bytes(), 0);
        scan
    }

    /// The samples of a part, per track and in order.
    fn seen(&self, file: usize, track: TrackKind) -> Vec<Seen> {
        let samples = readback::samples(&self.files[file], &self.scan(file));
        samples.into_iter().flatten().filter(|seen| seen.track == track).collect()
    }

    /// The samples of all parts.
    fn all(&self, track: TrackKind) -> Vec<Seen> {
        (0..self.files.len()).flat_map(|file| self.seen(file, track)).collect()
    }

    fn causes(&self) -> Vec<CloseCause> {
        self.closed.iter().map(|(_, cause)| *cause).collect()
    }

    fn dropped(&self) -> u64 {
        self.closed.iter().map(|(facts, _)| facts.dropped_frames).sum()
    }
}

/// A publisher connected to a cutter. Every frame carries its own number, so that none can be taken for another.
struct Rig {
    cutter: PartCutter,
    disk: Disk,
    sent: u64,
    offset: u32,
}

impl Rig {
    fn new(cycle_ms: u64) -> Self {
        Self::over(PartCutter::new(PartOptions::new(cycle_ms)), Disk::default())
    }

    fn over(cutter: PartCutter, disk: Disk) -> Self {
        Self { cutter, disk, sent: 0, offset: 0 }
    }

    fn try_push(&mut self, track: TrackKind, time: u32, body: Vec<u8>) -> Result<(), PartError> {
        let outputs = self.cutter.push(track, time.wrapping_add(self.offset), body.into())?;
        self.disk.apply(outputs);
        Ok(())
    }

    fn push(&mut self, track: TrackKind, time: u32, body: Vec<u8>) {
        self.try_push(track, time, body).unwrap();
    }

    fn header(&mut self, track: TrackKind, hex: &str) {
        let start: &[u8] = if track == Video { &[0x17, 0, 0, 0, 0] } else { &[0xaf, 0] };
        self.push(track, 0, [start, &samples::bytes(hex)].concat());
    }

    fn headers(&mut self) {
        self.header(Video, samples::AVC);
        self.header(Audio, samples::AAC);
    }

    fn video_offset(&mut self, time: u32, key: bool, composition: i32) -> u64 {
        let [_, c0, c1, c2] = composition.to_be_bytes();
        self.sent += 1;
        let id = self.sent;
        let start = [if key { 0x17 } else { 0x27 }, 1, c0, c1, c2];
        self.push(Video, time, [&start[..], &id.to_be_bytes()].concat());
        id
    }

    fn video(&mut self, time: u32, key: bool) -> u64 {
        self.video_offset(time, key, 0)
    }

    fn audio(&mut self, time: u32) -> u64 {
        self.sent += 1;
        let id = self.sent;
        self.push(Audio, time, [&[0xaf, 1], &id.to_be_bytes()[..]].concat());
        id
    }

    /// Both tracks from `from` to `to` ms: 25 pictures a second, a keyframe where `gop` divides, and audio between.
    fn both(&mut self, from: u32, to: u32, gop: u32) {
        let mut frame = (u64::from(from) * 44_100).div_ceil(1_024_000);
        for time in (from..to).step_by(40) {
            self.video(time, time % gop == 0);
            loop {
                let audio = (frame * 1_024_000 / 44_100) as u32;
                if audio >= time + 40 {
                    break;
                }
                self.audio(audio);
                frame += 1;
            }
        }
    }

    fn pictures(&mut self, from: u32, to: u32, gop: u32) {
        for time in (from..to).step_by(40) {
            self.video(time, time % gop == 0);
        }
    }

    fn sound(&mut self, from: u32, to: u32) {
        for time in (from..to).step_by(23) {
            self.audio(time);
        }
    }

    fn pause(&mut self) {
        let outputs = self.cutter.pause().unwrap();
        self.disk.apply(outputs);
    }

    fn flush(mut self) -> Disk {
        let outputs = self.cutter.flush().unwrap();
        self.disk.apply(outputs);
        assert!(!self.disk.open);
        self.disk
    }
}

fn id(seen: &Seen) -> u64 {
    u64::from_be_bytes(seen.data.as_slice().try_into().unwrap())
}

/// Every frame lasts until the next, over all parts.
fn assert_seamless(all: &[Seen]) {
    for pair in all.windows(2) {
        assert_eq!(pair[0].start + u64::from(pair[0].duration), pair[1].start, "frame {}", id(&pair[0]));
        assert!(id(&pair[0]) < id(&pair[1]));
    }
}

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

/// Per track: frames in the order they were sent, none twice, and decode times that grow by positive durations.
fn check_order(all: &[Seen], rate_changes: bool) -> Result<(), TestCaseError> {
    for pair in all.windows(2) {
        prop_assert!(id(&pair[0]) < id(&pair[1]));
        prop_assert!(pair[0].duration > 0);
        if !rate_changes {
            prop_assert!(pair[0].start + u64::from(pair[0].duration) <= pair[1].start);
        }
    }
    Ok(())
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
