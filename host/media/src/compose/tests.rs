//! Parts made of samples that carry their own numbers, put together in every way, and read back.

use std::io::Cursor;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::fmp4::readback::{self, Seen};
use crate::fmp4::{
    FragmentEntry, FragmentIndex, Sample, Scan, TRAILER_BYTES, TimedSample, TrackStarts, rebase, scan, track_starts,
};
use crate::timeline::TrackKind::{Audio, Video};
use crate::timeline::{TrackKind, samples_to_ms};
use crate::track::{Tracks, samples};

mod zero_based;

const RATE: u32 = 44_100;
const STEP_MS: u64 = 40;
const FRAME: u64 = 1024;

/// A part file.
struct Part {
    bytes: Vec<u8>,
    scan: Scan,
}

/// `pictures` from `start_ms` on with a keyframe in every `gop`th, and frames of sound beside them from `audio_from` on.
fn part(tracks: &Tracks, id: u64, start_ms: u64, pictures: u64, gop: u64, audio_from: u64) -> Part {
    let data = |track: u8, n: u64| Bytes::from([&[track][..], &id.to_be_bytes(), &n.to_be_bytes()].concat());
    let video = (0..if tracks.video.is_some() { pictures } else { 0 }).map(|n| {
        let start = start_ms + n * STEP_MS;
        let sample = Sample { start, composition: 80, keyframe: n % gop == 0, data: data(0, n) };
        Ok(TimedSample { track: Video, sample, end: start + STEP_MS })
    });
    let end = (start_ms + pictures * STEP_MS) * u64::from(RATE) / 1000;
    let count = if tracks.audio.is_some() { end.saturating_sub(audio_from) / FRAME } else { 0 };
    let audio = (0..count).map(|n| {
        let start = audio_from + n * FRAME;
        let sample = Sample { start, composition: 0, keyframe: true, data: data(1, n) };
        Ok(TimedSample { track: Audio, sample, end: start + FRAME })
    });
    let mut bytes = Vec::new();
    let index = repack(tracks, video, audio, |more| {
        bytes.extend_from_slice(more);
        Ok(())
    })
    .unwrap();
    let scan = read(&bytes);
    assert_eq!(FragmentIndex::from_scan(&scan), Some(index));
    Part { bytes, scan }
}

fn read(bytes: &[u8]) -> Scan {
    let scan = scan(&mut Cursor::new(bytes), true).unwrap();
    assert_eq!(scan.lost_bytes(), 0, "of {}", bytes.len());
    scan
}

fn moof(bytes: &[u8], entry: &FragmentEntry) -> Vec<u8> {
    let at = entry.offset as usize;
    let len = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    bytes[at..at + len].to_vec()
}

fn run<'a>(parts: &'a [Part], file: usize, range: std::ops::Range<usize>) -> Run<'a> {
    let fragments = &parts[file].scan.fragments[range];
    let starts = fragments.iter().take(2).map(|entry| track_starts(&moof(&parts[file].bytes, entry)).unwrap());
    let starts = starts.reduce(TrackStarts::or).unwrap();
    Run { file, fragments, starts }
}

/// Carries an assembly out.
fn write(assembly: &Assembly, parts: &[Part]) -> Vec<u8> {
    let mut out = assembly.init.to_vec();
    for op in &assembly.ops {
        match op {
            Op::Copy { file, offset, len } => {
                out.extend_from_slice(&parts[*file].bytes[*offset as usize..][..*len as usize]);
            }
            Op::Rebase { file, entry, moved, shift } => {
                let bytes = &parts[*file].bytes;
                let mut head = moof(bytes, entry);
                let end = (entry.offset + u64::from(entry.size)) as usize;
                let trailer = bytes[end..][..TRAILER_BYTES as usize].try_into().unwrap();
                let trailer = rebase(entry, moved, shift, &mut head, &trailer).unwrap();
                let media = &bytes[entry.offset as usize + head.len()..end];
                out.extend_from_slice(&head);
                out.extend_from_slice(media);
                out.extend_from_slice(&trailer);
            }
        }
    }
    out
}

fn seen(bytes: &[u8], scan: &Scan, track: TrackKind) -> Vec<Seen> {
    readback::samples(bytes, scan).into_iter().flatten().filter(|seen| seen.track == track).collect()
}

/// The parts of one broadcast: each goes on where the one before ended.
fn broadcast(tracks: &Tracks, lengths: &[u64]) -> Vec<Part> {
    let (mut start, mut audio, mut parts) = (0, 0, Vec::new());
    for (id, length) in lengths.iter().enumerate() {
        parts.push(part(tracks, id as u64, start, *length, 50, audio));
        start += length * STEP_MS;
        audio = parts[id].scan.fragments.last().map_or(audio, |last| last.ends.audio_end);
    }
    parts
}

#[test]
fn whole_parts_of_a_broadcast_become_one_seamless_file() {
    for tracks in
        [samples::both(), Tracks { audio: None, ..samples::both() }, Tracks { video: None, ..samples::both() }]
    {
        let parts = broadcast(&tracks, &[130, 75, 300]);
        let runs: Vec<Run<'_>> = (0..3).map(|file| run(&parts, file, 0..parts[file].scan.fragments.len())).collect();
        let assembly = assemble(&tracks, &runs, Base::Zero).unwrap();
        // The first part is one copy; not a byte of media is looked at in any.
        assert!(matches!(assembly.ops[0], Op::Copy { file: 0, .. }));
        for op in &assembly.ops[1..] {
            assert!(matches!(op, Op::Rebase { shift, .. } if shift.is_none()), "{op:?}");
        }
        let bytes = write(&assembly, &parts);
        let scan = read(&bytes);
        assert_eq!(scan.tracks, tracks);
        assert_eq!(FragmentIndex::from_scan(&scan).unwrap(), assembly.index);
        let index = Bytes::from(assembly.index.to_bytes());
        assert_eq!(FragmentIndex::from_bytes(&index), Ok(assembly.index));
        for track in [Video, Audio] {
            let all: Vec<Seen> = parts.iter().flat_map(|part| self::seen(&part.bytes, &part.scan, track)).collect();
            assert_eq!(seen(&bytes, &scan, track), all);
            for pair in all.windows(2) {
                assert_eq!(pair[0].start + u64::from(pair[0].duration), pair[1].start);
            }
        }
    }
}

#[test]
fn a_stretch_is_covered_from_keyframe_to_keyframe() {
    // Keyframes every two seconds, fragments of one.
    let part = part(&samples::both(), 0, 10_000, 250, 50, 441_000);
    let fragments = &part.scan.fragments;
    assert_eq!(fragments.iter().map(|entry| entry.keyframe).collect::<Vec<_>>()[..4], [true, false, true, false]);
    let n = fragments.len();
    // From, to, fragments, inner, start and end exact.
    let table = [
        (0, None, 0..n, 0..n, true, true),
        (0, Some(10_000), 0..n, 0..n, true, true),
        (0, Some(99_000), 0..n, 0..n, true, true),
        (2_000, Some(6_000), 2..6, 2..6, true, true),
        (2_019, Some(5_981), 2..6, 2..6, true, true),
        (2_500, Some(6_000), 2..6, 4..6, false, true),
        (2_000, Some(6_500), 2..8, 2..6, true, false),
        (2_500, Some(7_500), 2..8, 4..6, false, false),
        (2_500, Some(3_500), 2..4, 2..2, false, false),
        (9_000, None, 8..n, 8..8, false, true),
    ];
    for (from_ms, to_ms, fragments, inner, start_exact, end_exact) in table {
        let found = select(&part.scan.fragments, from_ms, to_ms);
        let expected = Selection { fragments, inner, start_exact, end_exact };
        assert_eq!(found, Some(expected), "{from_ms} to {to_ms:?}");
    }
    for (from_ms, to_ms) in [(10_000, None), (5_000, Some(5_000)), (6_000, Some(5_000)), (99_000, Some(100_000))] {
        assert_eq!(select(&part.scan.fragments, from_ms, to_ms), None, "{from_ms} to {to_ms:?}");
    }
    assert_eq!(select(&[], 0, None), None);
}

#[test]
fn a_fragment_that_is_not_the_one_described_is_refused() {
    let parts = broadcast(&samples::both(), &[60]);
    let entry = parts[0].scan.fragments[1];
    let (mut head, bytes) = (moof(&parts[0].bytes, &entry), &parts[0].bytes);
    let end = (entry.offset + u64::from(entry.size)) as usize;
    let trailer: [u8; TRAILER_BYTES as usize] = bytes[end..][..TRAILER_BYTES as usize].try_into().unwrap();
    let other = FragmentEntry { number: 7, ..entry };
    assert!(rebase(&other, &entry, &Default::default(), &mut head, &trailer).is_err());
    for cut in [0, 7, 20, head.len() - 1] {
        let mut short = head[..cut].to_vec();
        assert!(rebase(&entry, &entry, &Default::default(), &mut short, &trailer).is_err(), "cut to {cut}");
    }
    let mut damaged = trailer;
    damaged[40] ^= 1;
    assert!(rebase(&entry, &entry, &Default::default(), &mut head, &damaged).is_err());
}

#[test]
fn damage_is_carried_along_and_still_seen() {
    let mut parts = broadcast(&samples::both(), &[60, 60]);
    let last = parts[1].scan.fragments[1];
    parts[1].bytes[last.offset as usize + last.size as usize - 1] ^= 1;
    let runs = [run(&parts, 0, 0..2), run(&parts, 1, 0..2)];
    let bytes = write(&assemble(&samples::both(), &runs, Base::Zero).unwrap(), &parts);
    let scan = scan(&mut Cursor::new(&bytes), true).unwrap();
    assert_eq!(scan.fragments.len(), 3);
    assert!(scan.lost_bytes() > 0);
}

#[test]
fn parameter_sets_of_two_encoders_join() {
    let (high, main) = (samples::video(samples::AVC), samples::video(samples::AVC_MAIN));
    assert_eq!(join(&high, &high), Some(high.clone()));
    assert_eq!(join(&high, &main), None);
    assert_eq!(free_parameter_set_id(&high), Some(1));
    // The same sets under number 1 instead of 0: `1` becomes `010` in front of what follows.
    let mut other = crate::track::avc::read_record(&high.record).unwrap();
    let renumber = |set: &mut Vec<u8>, at: usize| {
        let mut bits: Vec<bool> =
            set[at..].iter().flat_map(|b| (0..8).rev().map(move |bit| b >> bit & 1 == 1)).collect();
        assert!(bits[0]);
        bits.splice(0..1, [false, true, false]);
        bits.resize(bits.len().next_multiple_of(8), false);
        set.truncate(at);
        set.extend(bits.chunks(8).map(|byte| byte.iter().fold(0, |v, bit| v << 1 | u8::from(*bit))));
    };
    renumber(&mut other.sequence_parameter_sets[0], 4);
    renumber(&mut other.picture_parameter_sets[0], 1);
    let mut record = Vec::new();
    mp4_atom::Atom::encode_body(&other, &mut record).unwrap();
    let other = crate::track::VideoConfig::parse(crate::flv::VideoCodec::Avc, &record.into()).unwrap();
    let joined = join(&high, &other).unwrap();
    let sets = crate::track::avc::read_record(&joined.record).unwrap();
    assert_eq!((sets.sequence_parameter_sets.len(), sets.picture_parameter_sets.len()), (2, 2));
    assert_eq!((joined.width, joined.height, joined.profile), (320, 240, 100));
    assert_eq!(free_parameter_set_id(&joined), Some(2));
    assert_eq!(join(&joined, &other), Some(joined.clone()));
    // Another set under a number that is taken.
    let interlaced = samples::video(samples::AVC_INTERLACED);
    assert_eq!(join(&interlaced, &other), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any stretches of any parts in any order: every fragment scans, decode times never run backwards, no sample is
    /// lost, doubled or changed, a seam is a hole of at most two frames, and sound stays within a frame of where it was
    /// beside the picture.
    #[test]
    fn any_stretches_in_any_order_make_one_file(
        lengths in proptest::collection::vec(20u64..200, 1..5),
        picks in proptest::collection::vec((any::<prop::sample::Index>(), 0u64..8_000, proptest::option::of(0u64..8_000)), 1..8),
        lead in 0u64..3,
    ) {
        let tracks = samples::both();
        // Parts of different broadcasts, whose sound begins up to two frames late.
        let parts: Vec<Part> = lengths.iter().enumerate()
            .map(|(id, length)| {
                let start = 7_777 * id as u64;
                part(&tracks, id as u64, start, *length, 25, start * u64::from(RATE) / 1000 + lead * FRAME)
            })
            .collect();
        let mut runs = Vec::new();
        for (pick, from_ms, to_ms) in &picks {
            let file = pick.index(parts.len());
            if let Some(found) = select(&parts[file].scan.fragments, *from_ms, *to_ms) {
                prop_assert!(found.inner.start >= found.fragments.start && found.inner.end <= found.fragments.end);
                runs.push(run(&parts, file, found.fragments));
            }
        }
        let assembly = assemble(&tracks, &runs, Base::Zero).unwrap();
        let bytes = write(&assembly, &parts);
        let scan = read(&bytes);
        prop_assert_eq!(&FragmentIndex::from_scan(&scan).unwrap(), &assembly.index);
        let mut sources = Vec::new();
        for run in &runs {
            let whole = Scan { fragments: run.fragments.to_vec(), ..parts[run.file].scan.clone() };
            sources.push(whole);
        }
        let mut drift: Vec<[i64; 2]> = vec![[0; 2]; runs.len()];
        for track in [Video, Audio] {
            let found = seen(&bytes, &scan, track);
            let mut at = 0;
            for ((run, source), drift) in runs.iter().zip(&sources).zip(&mut drift) {
                for original in seen(&parts[run.file].bytes, source, track) {
                    let now = &found[at];
                    prop_assert_eq!((&now.data, now.composition, now.keyframe), (&original.data, original.composition, original.keyframe));
                    prop_assert_eq!(now.duration, original.duration);
                    let ms = |seen: &Seen| match track { Video => seen.start, Audio => samples_to_ms(seen.start, RATE) } as i64;
                    drift[track as usize] = ms(now) - ms(&original);
                    at += 1;
                }
            }
            prop_assert_eq!(at, found.len());
            let unit = if track == Video { STEP_MS } else { FRAME };
            for pair in found.windows(2) {
                let end = pair[0].start + u64::from(pair[0].duration);
                prop_assert!(pair[1].start >= end, "{} before {end}", pair[1].start);
                prop_assert!(pair[1].start - end <= (3 + lead) * unit, "{track:?}: a hole of {}", pair[1].start - end);
            }
        }
        for (run, [video, audio]) in runs.iter().zip(drift) {
            let has_sound = run.fragments.iter().any(|entry| entry.audio_frames > 0);
            prop_assert!(!has_sound || (video - audio).abs() <= 2, "{video} and {audio}");
        }
    }
}
