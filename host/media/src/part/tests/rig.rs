//! A publisher in miniature, and a recorder that keeps files in memory.

use std::io::Cursor;

use proptest::prelude::*;

use crate::fmp4::readback::{self, Seen};
use crate::fmp4::{Scan, scan};
use crate::part::{CloseCause, PartCutter, PartError, PartFacts, PartOptions, PartOutput};
use crate::timeline::TrackKind::{Audio, Video};
use crate::timeline::{Jump, TrackKind};
use crate::track::samples;

/// What a recorder has on its disk.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) files: Vec<Vec<u8>>,
    pub(super) open: bool,
    pub(super) closed: Vec<(PartFacts, CloseCause)>,
    pub(super) gaps: Vec<Jump>,
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

    pub(super) fn scan(&self, file: usize) -> Scan {
        let scan = scan(&mut Cursor::new(&self.files[file]), true).unwrap();
        assert_eq!(scan.lost_bytes(), 0);
        scan
    }

    /// The samples of a part, per track and in order.
    pub(super) fn seen(&self, file: usize, track: TrackKind) -> Vec<Seen> {
        let samples = readback::samples(&self.files[file], &self.scan(file));
        samples.into_iter().flatten().filter(|seen| seen.track == track).collect()
    }

    /// The samples of all parts.
    pub(super) fn all(&self, track: TrackKind) -> Vec<Seen> {
        (0..self.files.len()).flat_map(|file| self.seen(file, track)).collect()
    }

    pub(super) fn causes(&self) -> Vec<CloseCause> {
        self.closed.iter().map(|(_, cause)| *cause).collect()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.closed.iter().map(|(facts, _)| facts.dropped_frames).sum()
    }
}

/// A publisher connected to a cutter. Every frame carries its own number, so that none can be taken for another.
pub(super) struct Rig {
    pub(super) cutter: PartCutter,
    pub(super) disk: Disk,
    pub(super) sent: u64,
    pub(super) offset: u32,
}

impl Rig {
    pub(super) fn new(cycle_ms: u64) -> Self {
        Self::over(PartCutter::new(PartOptions::new(cycle_ms)), Disk::default())
    }

    pub(super) fn over(cutter: PartCutter, disk: Disk) -> Self {
        Self { cutter, disk, sent: 0, offset: 0 }
    }

    pub(super) fn try_push(&mut self, track: TrackKind, time: u32, body: Vec<u8>) -> Result<(), PartError> {
        let outputs = self.cutter.push(track, time.wrapping_add(self.offset), body.into())?;
        self.disk.apply(outputs);
        Ok(())
    }

    pub(super) fn push(&mut self, track: TrackKind, time: u32, body: Vec<u8>) {
        self.try_push(track, time, body).unwrap();
    }

    pub(super) fn header(&mut self, track: TrackKind, hex: &str) {
        let start: &[u8] = if track == Video { &[0x17, 0, 0, 0, 0] } else { &[0xaf, 0] };
        self.push(track, 0, [start, &samples::bytes(hex)].concat());
    }

    pub(super) fn headers(&mut self) {
        self.header(Video, samples::AVC);
        self.header(Audio, samples::AAC);
    }

    pub(super) fn video_offset(&mut self, time: u32, key: bool, composition: i32) -> u64 {
        let [_, c0, c1, c2] = composition.to_be_bytes();
        self.sent += 1;
        let id = self.sent;
        let start = [if key { 0x17 } else { 0x27 }, 1, c0, c1, c2];
        self.push(Video, time, [&start[..], &id.to_be_bytes()].concat());
        id
    }

    pub(super) fn video(&mut self, time: u32, key: bool) -> u64 {
        self.video_offset(time, key, 0)
    }

    pub(super) fn audio(&mut self, time: u32) -> u64 {
        self.sent += 1;
        let id = self.sent;
        self.push(Audio, time, [&[0xaf, 1], &id.to_be_bytes()[..]].concat());
        id
    }

    /// Both tracks from `from` to `to` ms: 25 pictures a second, a keyframe where `gop` divides, and audio between.
    pub(super) fn both(&mut self, from: u32, to: u32, gop: u32) {
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

    pub(super) fn pictures(&mut self, from: u32, to: u32, gop: u32) {
        for time in (from..to).step_by(40) {
            self.video(time, time % gop == 0);
        }
    }

    pub(super) fn sound(&mut self, from: u32, to: u32) {
        for time in (from..to).step_by(23) {
            self.audio(time);
        }
    }

    pub(super) fn pause(&mut self) {
        let outputs = self.cutter.pause().unwrap();
        self.disk.apply(outputs);
    }

    pub(super) fn flush(mut self) -> Disk {
        let outputs = self.cutter.flush().unwrap();
        self.disk.apply(outputs);
        assert!(!self.disk.open);
        self.disk
    }
}

pub(super) fn id(seen: &Seen) -> u64 {
    u64::from_be_bytes(seen.data.as_slice().try_into().unwrap())
}

/// Every frame lasts until the next, over all parts.
pub(super) fn assert_seamless(all: &[Seen]) {
    for pair in all.windows(2) {
        assert_eq!(pair[0].start + u64::from(pair[0].duration), pair[1].start, "frame {}", id(&pair[0]));
        assert!(id(&pair[0]) < id(&pair[1]));
    }
}

/// Per track: frames in the order they were sent, none twice, and decode times that grow by positive durations.
pub(super) fn check_order(all: &[Seen], rate_changes: bool) -> Result<(), TestCaseError> {
    for pair in all.windows(2) {
        prop_assert!(id(&pair[0]) < id(&pair[1]));
        prop_assert!(pair[0].duration > 0);
        if !rate_changes {
            prop_assert!(pair[0].start + u64::from(pair[0].duration) <= pair[1].start);
        }
    }
    Ok(())
}
