use std::io::Cursor;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::fmp4::readback::{self, Seen};
use crate::fmp4::{FragmentIndex, Fragmenter, Sample, init_segment};
use crate::timeline::{TimelinePosition, TrackKind};
use crate::track::samples;

const RATE: u32 = 44_100;

/// A part file of `fragments` fragments with `frames` pictures and audio frames each.
fn part(fragments: u64, frames: u64) -> (Vec<u8>, Vec<Vec<Seen>>) {
    let mut file = init_segment(&samples::both()).unwrap().bytes.to_vec();
    let mut fragmenter = Fragmenter::new(1, file.len() as u64, true, RATE);
    let mut expected = Vec::new();
    for fragment in 0..fragments {
        let mut seen = Vec::new();
        let ends = TimelinePosition {
            video_end_ms: (fragment + 1) * frames * 40,
            audio_end: (fragment + 1) * frames * 1024,
            audio_rate: RATE,
        };
        for (track, step) in [(TrackKind::Video, 40), (TrackKind::Audio, 1024)] {
            for frame in 0..frames {
                let n = fragment * frames + frame;
                let data = vec![n as u8; 5 + n as usize % 11];
                let video = track == TrackKind::Video;
                let keyframe = !video || frame == 0;
                let composition = if video { 80 - (n as i32 % 3) * 60 } else { 0 };
                let start = n * step;
                fragmenter.push(track, Sample { start, composition, keyframe, data: Bytes::from(data.clone()) });
                seen.push(Seen {
                    track,
                    start,
                    duration: step as u32,
                    composition: composition.into(),
                    keyframe,
                    data,
                });
            }
        }
        file.extend(fragmenter.finish(ends).unwrap().unwrap().bytes);
        expected.push(seen);
    }
    (file, expected)
}

fn scanned(file: &[u8], verify: bool) -> Scan {
    scan(&mut Cursor::new(file), verify).unwrap()
}

#[test]
fn what_was_written_is_found() {
    let (file, expected) = part(4, 5);
    for verify in [false, true] {
        let scan = scanned(&file, verify);
        assert_eq!(scan.tracks, samples::both());
        assert_eq!((scan.valid_len, scan.lost_bytes()), (file.len() as u64, 0));
        assert_eq!(readback::samples(&file, &scan), expected);
        let numbers: Vec<u32> = scan.fragments.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        let entry = scan.fragments[3];
        assert_eq!((entry.first_ms, entry.keyframe), (3 * 5 * 1024 * 1000 / 44_100, true));
        assert_eq!((entry.end_ms(), entry.video_frames, entry.audio_frames), (800, 5, 5));
        let index = FragmentIndex::from_scan(&scan).unwrap();
        assert_eq!(FragmentIndex::from_bytes(&index.to_bytes().into()).unwrap(), index);
        assert_eq!(index.end_offset(), file.len() as u64);
    }
}

#[test]
fn every_truncation_keeps_all_whole_fragments() {
    let (file, _) = part(4, 5);
    let whole = scanned(&file, true);
    let init_len = whole.init.unwrap().len + u64::from(TRAILER_BYTES);
    for len in 0..=file.len() {
        for verify in [false, true] {
            let scan = scanned(&file[..len], verify);
            let expected: Vec<_> =
                whole.fragments.iter().copied().filter(|entry| entry.end_offset() <= len as u64).collect();
            let valid =
                expected.last().map_or(if len as u64 >= init_len { init_len } else { 0 }, FragmentEntry::end_offset);
            assert_eq!(scan.fragments, expected, "cut to {len}");
            assert_eq!((scan.valid_len, scan.file_len), (valid, len as u64), "cut to {len}");
        }
    }
}

/// A small generator (splitmix64), so that the thousand flips are the same in every run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[test]
fn no_flipped_bit_passes() {
    let (file, _) = part(4, 5);
    let whole = scanned(&file, true);
    let mut state = 1;
    for _ in 0..1000 {
        let bit = next(&mut state) as usize % (file.len() * 8);
        let at = (bit / 8) as u64;
        let mut bad = file.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let scan = scanned(&bad, true);
        // Everything before the damaged block is kept, and nothing from it on is believed.
        let expected: Vec<_> = whole.fragments.iter().copied().filter(|entry| entry.end_offset() <= at).collect();
        assert_eq!(scan.fragments, expected, "bit {bit}");
        assert!(scan.valid_len <= at, "bit {bit}");
        // Without reading the media, damage in the headers and trailers must still not lead astray.
        let quick = scanned(&bad, false);
        assert!(quick.fragments.len() >= expected.len() && quick.valid_len <= file.len() as u64);
    }
}

#[test]
fn blocks_out_of_order_are_not_believed() {
    let (file, _) = part(3, 2);
    let entries = scanned(&file, true).fragments;
    let range = |entry: &FragmentEntry| entry.offset as usize..entry.end_offset() as usize;
    // The second fragment is missing: the third must not be taken for it.
    let mut holed = file[..range(&entries[0]).end].to_vec();
    holed.extend(&file[range(&entries[2])]);
    assert_eq!(scanned(&holed, true).fragments, entries[..1]);
    // A fragment repeated, as a misdirected write would leave it.
    let mut doubled = file.clone();
    doubled.extend(&file[range(&entries[2])]);
    assert_eq!(scanned(&doubled, true).fragments, entries);
}

#[test]
fn declared_sizes_ask_for_no_memory() {
    let (file, _) = part(1, 2);
    for (at, kind) in [(0, b"ftyp"), (28, b"moov")] {
        let at = file.windows(4).position(|w| w == kind).map_or(at, |at| at - 4);
        for size in [[0xff; 4], [0, 0, 0, 1], [0; 4], [0, 0, 0, 4]] {
            let mut bad = file.clone();
            bad[at..at + 4].copy_from_slice(&size);
            assert_eq!(scanned(&bad, true).init, None);
        }
    }
}

proptest! {
    #[test]
    fn any_file_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300), keep in 0usize..2000, cut in 0usize..2000) {
        let (mut file, _) = part(2, 2);
        file.truncate(keep);
        file.extend(bytes);
        let scan = scanned(&file, true);
        prop_assert!(scan.valid_len <= scan.file_len);
        let _ = scanned(&file[cut.min(file.len())..], false);
    }
}
