//! H.265 codec headers: `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15 section 8.3.3) and the sequence
//! parameter set in it (ITU-T H.265 section 7.3.2.2).
//!
//! Only what comes before the frame rate is read; range and screen extensions behind it are not.

use std::fmt::Write as _;

use bytes::Bytes;
use mp4_atom::{Atom, Hvcc};

use super::{Picture, TrackError, VideoConfig, vui};
use crate::bits::{BitReader, OutOfBits, without_emulation_prevention};
use crate::flv::VideoCodec;

const NAL_SPS: u8 = 33;

/// `num_short_term_ref_pic_sets` and `num_long_term_ref_pics_sps` are at most these (section 7.4.3.2.1).
const MAX_SHORT_TERM_SETS: u32 = 64;
const MAX_LONG_TERM_PICS: u32 = 32;
/// Pictures in one reference set; `sps_max_dec_pic_buffering_minus1` is at most this (annex A.4.2).
const MAX_REFERENCE_PICS: u32 = 16;

pub(super) fn parse(record: &Bytes) -> Result<VideoConfig, TrackError> {
    match record.first() {
        None => return Err(TrackError::Truncated),
        // Encoders from before the standard was final write 0; the layout is the same.
        Some(0 | 1) => {}
        Some(other) => return Err(TrackError::Version(*other)),
    }
    let mut hvcc = Hvcc::decode_body(&mut record.as_ref()).map_err(|_| TrackError::Truncated)?;
    hvcc.configuration_version = 1;
    let length_size = hvcc.length_size_minus_one + 1;
    if length_size == 3 {
        return Err(TrackError::LengthSize(length_size));
    }
    let sps = hvcc.arrays.iter().find(|array| array.nal_unit_type == NAL_SPS);
    let sps = sps.and_then(|array| array.nalus.first()).ok_or(TrackError::NoParameterSet)?;
    let picture = read_sps(sps)?;
    let (width, height) = picture.checked_size()?;
    let mut canonical = Vec::new();
    hvcc.encode_body(&mut canonical).map_err(|_| TrackError::ParameterSet)?;
    Ok(VideoConfig {
        codec: VideoCodec::Hevc,
        width,
        height,
        fps: picture.fps,
        profile: hvcc.general_profile_idc,
        level: hvcc.general_level_idc,
        bit_depth: picture.bit_depth_luma,
        chroma_format: picture.chroma_format,
        record: canonical.into(),
    })
}

/// ISO/IEC 14496-15 annex E.3: profile, compatibility (bits reversed), tier and level, constraints.
pub(super) fn codec_string(record: &[u8]) -> String {
    let Some([_, profile, c0, c1, c2, c3, constraints @ .., level]) = record.get(..13) else {
        return "hvc1".to_owned();
    };
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let compatibility = u32::from_be_bytes([*c0, *c1, *c2, *c3]).reverse_bits();
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let mut name = format!("hvc1.{space}{}.{compatibility:X}.{tier}{level}", profile & 0x1f);
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..used] {
        // Writing to a string does not fail.
        let _ = write!(name, ".{byte:X}");
    }
    name
}

fn read_sps(nal: &[u8]) -> Result<Picture, TrackError> {
    let Some((header, body)) = nal.split_at_checked(2) else {
        return Err(TrackError::NoParameterSet);
    };
    if header[0] >> 1 & 0x3f != NAL_SPS {
        return Err(TrackError::NoParameterSet);
    }
    let body = without_emulation_prevention(body);
    sps(&mut BitReader::new(&body)).map_err(|OutOfBits| TrackError::ParameterSet)
}

fn sps(r: &mut BitReader<'_>) -> Result<Picture, OutOfBits> {
    r.skip(4)?; // sps_video_parameter_set_id
    let max_sub_layers = r.bits(3)?;
    r.bit()?; // sps_temporal_id_nesting_flag
    skip_profile_tier_level(r, max_sub_layers)?;
    r.unsigned()?; // sps_seq_parameter_set_id
    let chroma_format = r.unsigned()?;
    if chroma_format > 3 {
        return Err(OutOfBits);
    }
    let separate_planes = chroma_format == 3 && r.bit()?;
    let (coded_width, coded_height) = (r.unsigned()?, r.unsigned()?);
    let window = if r.bit()? { [r.unsigned()?, r.unsigned()?, r.unsigned()?, r.unsigned()?] } else { [0; 4] };
    let bit_depth_luma = depth(r.unsigned()?)?;
    let bit_depth_chroma = depth(r.unsigned()?)?;
    // A fault in what follows costs only the frame rate: the size is already known.
    let fps = rate_after_sizes(r, max_sub_layers).ok().flatten();

    let (sub_x, sub_y) = match (chroma_format, separate_planes) {
        (1, _) => (2, 2),
        (2, _) => (2, 1),
        _ => (1, 1),
    };
    let [left, right, top, bottom] = window;
    let cropped = |side: u32, a: u32, b: u32, unit: u32| side.saturating_sub(a.saturating_add(b).saturating_mul(unit));
    Ok(Picture {
        width: cropped(coded_width, left, right, sub_x),
        height: cropped(coded_height, top, bottom, sub_y),
        fps,
        chroma_format: chroma_format as u8,
        bit_depth_luma,
        bit_depth_chroma,
    })
}

fn depth(minus8: u32) -> Result<u8, OutOfBits> {
    if minus8 <= 8 { Ok(minus8 as u8 + 8) } else { Err(OutOfBits) }
}

/// `profile_tier_level(1, max_sub_layers)`, section 7.3.3.
fn skip_profile_tier_level(r: &mut BitReader<'_>, max_sub_layers: u32) -> Result<(), OutOfBits> {
    const PROFILE_BITS: usize = 88;
    const LEVEL_BITS: usize = 8;
    r.skip(PROFILE_BITS + LEVEL_BITS)?;
    let mut present = Vec::new();
    for _ in 0..max_sub_layers {
        present.push((r.bit()?, r.bit()?));
    }
    if max_sub_layers > 0 {
        r.skip(2 * (8 - max_sub_layers as usize))?;
    }
    for (profile, level) in present {
        r.skip(if profile { PROFILE_BITS } else { 0 } + if level { LEVEL_BITS } else { 0 })?;
    }
    Ok(())
}

/// Everything between the bit depths and `vui_timing_info`, for the frame rate.
fn rate_after_sizes(r: &mut BitReader<'_>, max_sub_layers: u32) -> Result<Option<f64>, OutOfBits> {
    let poc_bits = r.unsigned()?.saturating_add(4);
    if poc_bits > 16 {
        return Err(OutOfBits);
    }
    let per_layer = r.bit()?;
    for _ in 0..if per_layer { max_sub_layers + 1 } else { 1 } {
        for _ in 0..3 {
            r.unsigned()?; // buffering, reordering, latency
        }
    }
    for _ in 0..6 {
        r.unsigned()?; // block sizes and hierarchy depths
    }
    if r.bit()? && r.bit()? {
        skip_scaling_lists(r)?;
    }
    r.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if r.bit()? {
        r.skip(8)?; // pcm bit depths
        r.unsigned()?;
        r.unsigned()?;
        r.bit()?; // pcm_loop_filter_disabled_flag
    }
    skip_reference_sets(r)?;
    if r.bit()? {
        let count = r.unsigned()?;
        if count > MAX_LONG_TERM_PICS {
            return Err(OutOfBits);
        }
        r.skip(count as usize * (poc_bits as usize + 1))?;
    }
    r.skip(2)?; // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
    if r.bit()? { vui_frame_rate(r) } else { Ok(None) }
}

/// `scaling_list_data()`, section 7.3.4.
fn skip_scaling_lists(r: &mut BitReader<'_>) -> Result<(), OutOfBits> {
    for size in 0..4usize {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if !r.bit()? {
                r.unsigned()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            if size > 1 {
                r.signed()?; // scaling_list_dc_coef_minus8
            }
            for _ in 0..64.min(1 << (4 + (size << 1))) {
                r.signed()?;
            }
        }
    }
    Ok(())
}

/// All `st_ref_pic_set()`s, section 7.3.7. Sets predicted from the one before depend on its size.
fn skip_reference_sets(r: &mut BitReader<'_>) -> Result<(), OutOfBits> {
    let count = r.unsigned()?;
    if count > MAX_SHORT_TERM_SETS {
        return Err(OutOfBits);
    }
    let mut previous = 0;
    for index in 0..count {
        let predicted = index > 0 && r.bit()?;
        previous = if predicted {
            r.bit()?; // delta_rps_sign
            r.unsigned()?; // abs_delta_rps_minus1
            let mut kept = 0;
            for _ in 0..=previous {
                let used = r.bit()?;
                if used || r.bit()? {
                    kept += 1;
                }
            }
            kept
        } else {
            let (negative, positive) = (r.unsigned()?, r.unsigned()?);
            if negative > MAX_REFERENCE_PICS || positive > MAX_REFERENCE_PICS {
                return Err(OutOfBits);
            }
            for _ in 0..negative + positive {
                r.unsigned()?; // delta_poc_minus1
                r.bit()?; // used_by_curr_pic_flag
            }
            negative + positive
        };
    }
    Ok(())
}

/// The frame rate from `vui_parameters()` (annex E.2.1), where one tick makes a picture.
fn vui_frame_rate(r: &mut BitReader<'_>) -> Result<Option<f64>, OutOfBits> {
    vui::skip_signal(r)?;
    r.skip(3)?; // neutral_chroma, field_seq, frame_field_info
    if r.bit()? {
        for _ in 0..4 {
            r.unsigned()?; // default display window
        }
    }
    vui::frame_rate(r, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::samples::{self, bytes};

    #[test]
    fn headers_of_real_encoders() {
        let table = [
            (samples::HEVC, 640, 360, 50.0, 2, 90, 10, "hvc1.2.4.L90.90"),
            (samples::HEVC_SCALED, 642, 362, 24.0, 1, 63, 8, "hvc1.1.6.L63.90"),
        ];
        for (hex, width, height, fps, profile, level, bit_depth, codec) in table {
            let config = parse(&bytes(hex)).unwrap();
            assert_eq!((config.width, config.height), (width, height), "{codec}");
            assert_eq!(config.fps, Some(fps), "{codec}");
            assert_eq!(
                (config.profile, config.level, config.bit_depth, config.chroma_format),
                (profile, level, bit_depth, 1)
            );
            assert_eq!(config.codec_string(), codec);
            assert_eq!(parse(&config.record).unwrap(), config);
        }
    }

    #[test]
    fn refusals() {
        let good = bytes(samples::HEVC);
        let mut no_sps = good.to_vec();
        // The type byte of the second array: 33 becomes an unknown 48.
        let at = no_sps.windows(5).position(|w| w == [0xa1, 0, 1, 0, 0x2b]).unwrap();
        no_sps[at] = 0xb0;
        assert_eq!(parse(&no_sps.into()), Err(TrackError::NoParameterSet));
        let mut version = good.to_vec();
        version[0] = 7;
        assert_eq!(parse(&version.into()), Err(TrackError::Version(7)));
        let mut length = good.to_vec();
        length[21] = length[21] & 0xfc | 2;
        assert_eq!(parse(&length.into()), Err(TrackError::LengthSize(3)));
        for len in 0..good.len() {
            assert!(parse(&good.slice(..len)).is_err(), "cut to {len}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(tail in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = parse(&[&[1], tail.as_slice()].concat().into());
            let _ = read_sps(&[&[0x42, 1], tail.as_slice()].concat());
        }

        #[test]
        fn flipped_headers_are_answered(at in 0usize..100, flip in 1u8..) {
            let mut record = bytes(samples::HEVC_SCALED).to_vec();
            let at = at % record.len();
            record[at] ^= flip;
            let _ = parse(&record.into());
        }
    }
}
