//! Samples out of fragments, for tests: an own reading of the boxes, to hold against what was written.

use mp4_atom::{Decode, Mdat, Moof};

use super::{AUDIO_TRACK, Scan, VIDEO_TRACK};
use crate::timeline::TrackKind;

/// A sample as a player would see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) track: TrackKind,
    pub(crate) start: u64,
    pub(crate) duration: u32,
    pub(crate) composition: i64,
    pub(crate) keyframe: bool,
    pub(crate) data: Vec<u8>,
}

/// All samples of the fragments that a scan found, per fragment in file order.
pub(crate) fn samples(file: &[u8], scan: &Scan) -> Vec<Vec<Seen>> {
    scan.fragments.iter().map(|entry| fragment(&file[entry.offset as usize..][..entry.size as usize])).collect()
}

/// The samples of one `moof` and `mdat`.
pub(crate) fn fragment(bytes: &[u8]) -> Vec<Seen> {
    let mut rest = bytes;
    let moof = Moof::decode(&mut rest).unwrap();
    let mdat = Mdat::decode(&mut rest).unwrap();
    assert!(rest.is_empty());
    let mut seen = Vec::new();
    let mut used = 0;
    for traf in moof.traf {
        let track = match traf.tfhd.track_id {
            VIDEO_TRACK => TrackKind::Video,
            AUDIO_TRACK => TrackKind::Audio,
            other => panic!("track {other}"),
        };
        let mut start = traf.tfdt.unwrap().base_media_decode_time;
        for trun in traf.trun {
            let mut offset = trun.data_offset.unwrap() as usize;
            for entry in trun.samples.iter() {
                let size = entry.size.unwrap() as usize;
                let duration = entry.duration.or(traf.tfhd.default_sample_duration).unwrap();
                let flags = entry.flags.or(traf.tfhd.default_sample_flags).unwrap();
                seen.push(Seen {
                    track,
                    start,
                    duration,
                    composition: entry.cts.unwrap_or(0),
                    keyframe: flags & 0x0001_0000 == 0,
                    data: bytes[offset..offset + size].to_vec(),
                });
                start += u64::from(duration);
                offset += size;
                used += size;
            }
        }
    }
    assert_eq!(used, mdat.data.len(), "every byte of media belongs to one sample");
    seen
}
