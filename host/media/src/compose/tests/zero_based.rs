//! A part that is handed out with times from zero: against the same part written anew, and against its own samples.

use proptest::prelude::*;

use super::*;
use crate::fmp4::{BoxError, ByteRange, MovedFragment, ZeroBased};

fn zero_based(part: &Part, tracks: &Tracks) -> Option<ZeroBased> {
    let parts = std::slice::from_ref(part);
    let starts = run(parts, 0, 0..part.scan.fragments.len()).starts;
    let rate = tracks.audio.as_ref().map_or(0, |audio| audio.sample_rate);
    ZeroBased::new(&FragmentIndex::from_scan(&part.scan).unwrap(), &starts, rate)
}

fn moved(zero: &ZeroBased, part: &Part, range: ByteRange) -> Result<MovedFragment, BoxError> {
    let entry = part.scan.fragments.iter().find(|entry| entry.offset == range.offset).unwrap();
    let trailer = part.bytes[(entry.offset + u64::from(entry.size)) as usize..][..TRAILER_BYTES as usize].try_into();
    zero.fragment(range, moof(&part.bytes, entry), &trailer.unwrap())
}

/// A stretch of the part as it is handed out.
fn handed_out(zero: &ZeroBased, part: &Part, from: usize, to: usize) -> Vec<u8> {
    let mut chunk = part.bytes[from..to].to_vec();
    let mut at = from as u64;
    while let Some(range) = zero.fragment_from(at).filter(|range| range.offset < to as u64) {
        moved(zero, part, range).unwrap().put(from as u64, &mut chunk);
        at = range.offset + range.len;
    }
    chunk
}

#[test]
fn a_part_that_begins_at_zero_or_holds_nothing_stays_as_it_is() {
    let tracks = samples::both();
    let parts = broadcast(&tracks, &[60, 60]);
    assert_eq!(zero_based(&parts[0], &tracks), None);
    assert_eq!(zero_based(&parts[1], &tracks).unwrap().fragments(), parts[1].scan.fragments.len());
    assert_eq!(ZeroBased::new(&FragmentIndex::default(), &TrackStarts::default(), RATE), None);
}

#[test]
fn fragments_are_found_from_every_position() {
    let tracks = samples::both();
    let parts = broadcast(&tracks, &[60, 60]);
    let (part, zero) = (&parts[1], zero_based(&parts[1], &tracks).unwrap());
    let fragments = &part.scan.fragments;
    assert!(fragments.len() > 1);
    for position in 0..part.bytes.len() as u64 + 2 {
        let expected = fragments.iter().find(|entry| entry.end_offset() > position);
        let expected = expected.map(|entry| ByteRange { offset: entry.offset, len: entry.total_size.into() });
        assert_eq!(zero.fragment_from(position), expected, "{position}");
    }
}

#[test]
fn bytes_that_are_no_fragment_of_this_place_are_refused() {
    let tracks = samples::both();
    let mut part = broadcast(&tracks, &[60, 60]).pop().unwrap();
    let zero = zero_based(&part, &tracks).unwrap();
    let whole = zero.fragment_from(0).unwrap();
    assert!(moved(&zero, &part, whole).is_ok());
    for len in [0, u64::from(TRAILER_BYTES), whole.len - 1, whole.len + 1, u64::MAX] {
        assert!(moved(&zero, &part, ByteRange { len, ..whole }).is_err(), "{len}");
    }
    // Damage in the trailer, and in the `moof` where it says how it is made.
    for at in [whole.offset + whole.len - 20, whole.offset + 5, whole.offset + 26] {
        part.bytes[at as usize] ^= 0x40;
        assert!(moved(&zero, &part, whole).is_err(), "{at}");
        part.bytes[at as usize] ^= 0x40;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What is handed out is the part as it would be written from zero, whole and in every range; no sample changes,
    /// and sound stays where it was beside the picture.
    #[test]
    fn any_range_is_one_of_the_part_written_from_zero(
        start_ms in 1u64..100_000_000,
        pictures in 20u64..150,
        lead in 0u64..3,
        kind in 0usize..3,
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..20),
    ) {
        let both = samples::both();
        let tracks = [both.clone(), Tracks { audio: None, ..both.clone() }, Tracks { video: None, ..both }][kind].clone();
        let part = part(&tracks, 0, start_ms, pictures, 25, start_ms * u64::from(RATE) / 1000 + lead * FRAME);
        let zero = zero_based(&part, &tracks).unwrap();
        let bytes = handed_out(&zero, &part, 0, part.bytes.len());
        for (from, to) in cuts {
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let (from, to) = (from.min(to), from.max(to) + 1);
            prop_assert_eq!(handed_out(&zero, &part, from, to), &bytes[from..to]);
        }
        let parts = [part];
        let runs = [run(&parts, 0, 0..parts[0].scan.fragments.len())];
        prop_assert!(write(&assemble(&tracks, &runs, Base::Zero).unwrap(), &parts) == bytes);

        // The checksums fit, and the index is the old one, earlier.
        let scan = read(&bytes);
        prop_assert_eq!(scan.fragments[0].first_ms, 0);
        let mut drift = Vec::new();
        for track in [Video, Audio] {
            let (old, new) = (seen(&parts[0].bytes, &parts[0].scan, track), seen(&bytes, &scan, track));
            prop_assert_eq!(old.len(), new.len());
            for (old, new) in old.into_iter().zip(new) {
                let by = old.start - new.start;
                drift.push(if track == Video { by as f64 } else { by as f64 * 1000.0 / f64::from(RATE) });
                prop_assert_eq!(new, Seen { start: old.start - by, ..old });
            }
        }
        prop_assert!(drift.iter().all(|by| (by - drift[0]).abs() <= 1.0), "{:?}", drift);
    }
}
