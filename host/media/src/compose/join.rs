//! One decoder configuration for pictures of two encoders.
//!
//! H.264 names its parameter sets by number, and every picture says which ones it means. So two encodings of the same
//! size and profile live under one sample entry if their sets have different numbers, without a set in the stream
//! itself, which players under `avc1` need not look for. H.265 could do the same, but no encoder at hand lets its
//! numbers be chosen.

use bytes::Bytes;
use mp4_atom::Atom;

use crate::bits::{BitReader, without_emulation_prevention};
use crate::flv::VideoCodec;
use crate::track::{VideoConfig, avc};

/// The highest number of a sequence parameter set (ITU-T H.264 section 7.4.2.1.1).
const MAX_SET_ID: u8 = 31;

/// Both configurations as one, the sets of `first` before those of `second`. `None` if one decoder cannot have both.
pub fn join(first: &VideoConfig, second: &VideoConfig) -> Option<VideoConfig> {
    if first == second {
        return Some(first.clone());
    }
    let alike = |config: &VideoConfig| {
        (config.codec, config.width, config.height, config.profile, config.bit_depth, config.chroma_format)
    };
    if first.codec != VideoCodec::Avc || alike(first) != alike(second) {
        return None;
    }
    let (mut joined, other) = (avc::read_record(&first.record).ok()?, avc::read_record(&second.record).ok()?);
    if joined.length_size != other.length_size {
        return None;
    }
    add(&mut joined.sequence_parameter_sets, other.sequence_parameter_sets, sequence_set_id)?;
    add(&mut joined.picture_parameter_sets, other.picture_parameter_sets, picture_set_id)?;
    joined.avc_level_indication = joined.avc_level_indication.max(other.avc_level_indication);
    // A constraint holds only if it holds for both.
    joined.profile_compatibility &= other.profile_compatibility;
    let mut record = Vec::new();
    joined.encode_body(&mut record).ok()?;
    // The fields that the High profiles add are put back in.
    VideoConfig::parse(VideoCodec::Avc, &record.into()).ok()
}

/// A number that no parameter set of this configuration has; `None` for H.265, or if all are taken.
pub fn free_parameter_set_id(config: &VideoConfig) -> Option<u8> {
    if config.codec != VideoCodec::Avc {
        return None;
    }
    let record = avc::read_record(&config.record).ok()?;
    let sequence = record.sequence_parameter_sets.iter().map(|set| sequence_set_id(set));
    let picture = record.picture_parameter_sets.iter().map(|set| picture_set_id(set));
    let taken: Vec<u32> = sequence.chain(picture).collect::<Option<_>>()?;
    (0..=MAX_SET_ID).find(|id| !taken.contains(&u32::from(*id)))
}

fn add(sets: &mut Vec<Vec<u8>>, more: Vec<Vec<u8>>, id: fn(&[u8]) -> Option<u32>) -> Option<()> {
    for set in more {
        match sets.iter().find(|known| id(known) == id(&set)) {
            Some(known) if *known == set => {}
            Some(_) => return None,
            None => sets.push(set),
        }
    }
    (sets.len() <= usize::from(MAX_SET_ID)).then_some(())
}

/// `seq_parameter_set_id`, behind the NAL header, profile, constraints and level.
fn sequence_set_id(set: &[u8]) -> Option<u32> {
    first_number(set.get(4..)?)
}

/// `pic_parameter_set_id`, behind the NAL header.
fn picture_set_id(set: &[u8]) -> Option<u32> {
    first_number(set.get(1..)?)
}

fn first_number(bytes: &[u8]) -> Option<u32> {
    // The numbers are at most 16 bits long.
    let bytes = Bytes::copy_from_slice(bytes.get(..bytes.len().min(8))?);
    BitReader::new(&without_emulation_prevention(&bytes)).unsigned().ok()
}
