//! H.264 codec headers: `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 section 5.3.3) and the sequence
//! parameter set in it (ITU-T H.264 section 7.3.2.1.1).
//!
//! The record is rewritten in canonical form: some encoders leave out the trailing fields of the High profiles
//! and some append rubbish; what decides about equality is the parameter sets.

use bytes::Bytes;
use mp4_atom::{Atom, Avcc, AvccExt};

use super::{Picture, TrackError, VideoConfig, vui};
use crate::bits::{BitReader, OutOfBits, without_emulation_prevention};
use crate::cursor::Cursor;
use crate::flv::VideoCodec;

/// Profiles whose parameter sets carry chroma format, bit depths and scaling lists.
const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// `num_ref_frames_in_pic_order_cnt_cycle` is at most this (section 7.4.2.1.1).
const MAX_POC_CYCLE: u32 = 255;

pub(super) fn parse(record: &Bytes) -> Result<VideoConfig, TrackError> {
    let mut avcc = read_record(record)?;
    let sps = avcc.sequence_parameter_sets.first().ok_or(TrackError::NoParameterSet)?;
    let picture = read_sps(sps)?;
    let (width, height) = picture.checked_size()?;
    let profile = avcc.avc_profile_indication;
    let level = avcc.avc_level_indication;
    avcc.ext = HIGH_PROFILES.contains(&profile).then(|| AvccExt {
        chroma_format: picture.chroma_format,
        bit_depth_luma: picture.bit_depth_luma,
        bit_depth_chroma: picture.bit_depth_chroma,
        sequence_parameter_sets_ext: Vec::new(),
    });
    let mut canonical = Vec::new();
    avcc.encode_body(&mut canonical).map_err(|_| TrackError::ParameterSet)?;
    Ok(VideoConfig {
        codec: VideoCodec::Avc,
        width,
        height,
        fps: picture.fps,
        profile,
        level,
        bit_depth: picture.bit_depth_luma,
        chroma_format: picture.chroma_format,
        record: canonical.into(),
    })
}

pub(super) fn codec_string(record: &[u8]) -> String {
    match record {
        [_, profile, constraints, level, ..] => {
            format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
        }
        _ => "avc1".to_owned(),
    }
}

pub(crate) fn read_record(record: &Bytes) -> Result<Avcc, TrackError> {
    let mut cursor = Cursor::new(record.clone());
    let version = cursor.u8()?;
    if version != 1 {
        return Err(TrackError::Version(version));
    }
    let [profile, compatibility, level] = cursor.array()?;
    let length_size = (cursor.u8()? & 3) + 1;
    if length_size == 3 {
        return Err(TrackError::LengthSize(length_size));
    }
    let count = cursor.u8()? & 0x1f;
    let sequence_parameter_sets = read_sets(&mut cursor, count)?;
    let count = cursor.u8()?;
    let picture_parameter_sets = read_sets(&mut cursor, count)?;
    Ok(Avcc {
        configuration_version: 1,
        avc_profile_indication: profile,
        profile_compatibility: compatibility,
        avc_level_indication: level,
        length_size,
        sequence_parameter_sets,
        picture_parameter_sets,
        ext: None,
    })
}

fn read_sets(cursor: &mut Cursor, count: u8) -> Result<Vec<Vec<u8>>, TrackError> {
    let mut sets = Vec::new();
    for _ in 0..count {
        let len = usize::from(cursor.u16()?);
        sets.push(cursor.take(len)?.to_vec());
    }
    Ok(sets)
}

fn read_sps(nal: &[u8]) -> Result<Picture, TrackError> {
    // The first byte is the header of the NAL unit; type 7 is a sequence parameter set.
    match nal.split_first() {
        Some((header, body)) if header & 0x1f == 7 => {
            let body = without_emulation_prevention(body);
            sps(&mut BitReader::new(&body)).map_err(|OutOfBits| TrackError::ParameterSet)
        }
        _ => Err(TrackError::NoParameterSet),
    }
}

fn sps(r: &mut BitReader<'_>) -> Result<Picture, OutOfBits> {
    let profile = r.bits(8)? as u8;
    r.skip(16)?; // constraint flags, level_idc
    r.unsigned()?; // seq_parameter_set_id
    let (chroma_format, separate_planes, bit_depths) = chroma(r, profile)?;
    r.unsigned()?; // log2_max_frame_num_minus4
    picture_order(r)?;
    r.unsigned()?; // max_num_ref_frames
    r.bit()?; // gaps_in_frame_num_value_allowed_flag
    let width_mbs = r.unsigned()?;
    let height_units = r.unsigned()?;
    let frames_only = r.bit()?;
    if !frames_only {
        r.bit()?; // mb_adaptive_frame_field_flag
    }
    r.bit()?; // direct_8x8_inference_flag
    let crop = if r.bit()? { [r.unsigned()?, r.unsigned()?, r.unsigned()?, r.unsigned()?] } else { [0; 4] };
    // A fault in the optional timing must not cost the stream: the size is already known.
    let fps = if r.bit()? { vui_frame_rate(r).ok().flatten() } else { None };

    let field_factor: u32 = if frames_only { 1 } else { 2 };
    let (sub_x, sub_y) = match (chroma_format, separate_planes) {
        (1, _) => (2, 2),
        (2, _) => (2, 1),
        _ => (1, 1),
    };
    let [left, right, top, bottom] = crop;
    let width = size(width_mbs, 16, left, right, sub_x);
    let height = size(height_units, 16 * field_factor, top, bottom, sub_y * field_factor);
    Ok(Picture { width, height, fps, chroma_format, bit_depth_luma: bit_depths.0, bit_depth_chroma: bit_depths.1 })
}

/// A side in pixels. Saturation keeps absurd numbers absurd, so that the size check refuses them.
fn size(minus1: u32, unit: u32, crop_a: u32, crop_b: u32, crop_unit: u32) -> u32 {
    let coded = minus1.saturating_add(1).saturating_mul(unit);
    let cropped = crop_a.saturating_add(crop_b).saturating_mul(crop_unit);
    coded.saturating_sub(cropped)
}

fn chroma(r: &mut BitReader<'_>, profile: u8) -> Result<(u8, bool, (u8, u8)), OutOfBits> {
    if !HIGH_PROFILES.contains(&profile) {
        return Ok((1, false, (8, 8)));
    }
    let format = r.unsigned()?;
    if format > 3 {
        return Err(OutOfBits);
    }
    let separate_planes = format == 3 && r.bit()?;
    let depths = (depth(r.unsigned()?)?, depth(r.unsigned()?)?);
    r.bit()?; // qpprime_y_zero_transform_bypass_flag
    if r.bit()? {
        let lists = if format == 3 { 12 } else { 8 };
        for index in 0..lists {
            if r.bit()? {
                skip_scaling_list(r, if index < 6 { 16 } else { 64 })?;
            }
        }
    }
    Ok((format as u8, separate_planes, depths))
}

fn depth(minus8: u32) -> Result<u8, OutOfBits> {
    if minus8 <= 6 { Ok(minus8 as u8 + 8) } else { Err(OutOfBits) }
}

fn skip_scaling_list(r: &mut BitReader<'_>, len: usize) -> Result<(), OutOfBits> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..len {
        if next != 0 {
            // Deltas are defined to lie in -128..=127; arithmetic modulo 256 as in section 7.3.2.1.1.1.
            next = last.wrapping_add(r.signed()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Ok(())
}

fn picture_order(r: &mut BitReader<'_>) -> Result<(), OutOfBits> {
    match r.unsigned()? {
        0 => {
            r.unsigned()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            r.bit()?; // delta_pic_order_always_zero_flag
            r.signed()?; // offset_for_non_ref_pic
            r.signed()?; // offset_for_top_to_bottom_field
            let cycle = r.unsigned()?;
            if cycle > MAX_POC_CYCLE {
                return Err(OutOfBits);
            }
            for _ in 0..cycle {
                r.signed()?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The frame rate from `vui_parameters()` (annex E.1.1), where two ticks make a frame.
fn vui_frame_rate(r: &mut BitReader<'_>) -> Result<Option<f64>, OutOfBits> {
    vui::skip_signal(r)?;
    vui::frame_rate(r, 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::samples::{self, bytes};

    #[test]
    fn headers_of_real_encoders() {
        let table = [
            (samples::AVC, 320, 240, 25.0, 100, 13, 1, "avc1.64000d"),
            (samples::AVC_MAIN, 1920, 1080, 30000.0 / 1001.0, 77, 40, 1, "avc1.4d4028"),
            (samples::AVC_444, 322, 242, 24.0, 244, 13, 3, "avc1.f4000d"),
            (samples::AVC_INTERLACED, 1920, 1080, 25.0, 100, 40, 1, "avc1.640028"),
        ];
        for (hex, width, height, fps, profile, level, chroma, codec) in table {
            let config = parse(&bytes(hex)).unwrap();
            assert_eq!((config.width, config.height), (width, height), "{codec}");
            assert!((config.fps.unwrap() - fps).abs() < 1e-9, "{codec}");
            assert_eq!((config.profile, config.level, config.bit_depth), (profile, level, 8));
            assert_eq!(config.chroma_format, chroma);
            assert_eq!(config.codec_string(), codec);
            assert_eq!(config.record, bytes(hex), "ffmpeg writes the canonical form");
        }
    }

    #[test]
    fn missing_or_superfluous_trailers_are_the_same_configuration() {
        let full = bytes(samples::AVC);
        let without_trailer = full.slice(..full.len() - 4);
        let with_rubbish = Bytes::from([full.as_ref(), &[1, 2, 3, 4, 5]].concat());
        let config = parse(&full).unwrap();
        assert_eq!(config, parse(&without_trailer).unwrap());
        assert_eq!(config, parse(&with_rubbish).unwrap());
        assert_ne!(config, parse(&bytes(samples::AVC_MAIN)).unwrap());
    }

    #[test]
    fn refusals() {
        let good = bytes(samples::AVC);
        for (at, value, error) in [
            (0, 2, TrackError::Version(2)),
            (4, 0xfe, TrackError::LengthSize(3)),
            (5, 0xe0, TrackError::NoParameterSet),
            (8, 0x68, TrackError::NoParameterSet),
        ] {
            let mut bad = good.to_vec();
            bad[at] = value;
            assert_eq!(parse(&bad.into()), Err(error), "byte {at}");
        }
        for len in 0..good.len() - 4 {
            assert!(parse(&good.slice(..len)).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn absurd_sizes_are_refused() {
        // Baseline, id 0, frame_num 4, poc type 2, one reference, then two sides of 2^20 macroblocks.
        let bits = "01000010 00000000 00011110 1 1 011 010 0 \
                    000000000000000000001000000000000000000001 000000000000000000001000000000000000000001 1 1 0 0 1";
        let digits: Vec<u8> = bits.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
        let mut nal = vec![0x67];
        nal.extend(digits.chunks(8).map(|c| c.iter().fold(0, |v, b| v << 1 | b) << (8 - c.len())));
        let error = read_sps(&nal).unwrap().checked_size().unwrap_err();
        assert!(matches!(error, TrackError::PictureSize { width, .. } if width >= 1 << 20));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(tail in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120)) {
            let _ = parse(&tail.clone().into());
            let _ = read_sps(&[&[0x67, 100], tail.as_slice()].concat());
        }

        #[test]
        fn canonical_form_is_stable(at in 0usize..46, flip in 1u8..) {
            let mut record = bytes(samples::AVC).to_vec();
            record[at] ^= flip;
            if let Ok(config) = parse(&record.into()) {
                let again = parse(&config.record).unwrap();
                proptest::prop_assert_eq!(&again, &config);
                proptest::prop_assert_eq!(again.record, config.record);
            }
        }
    }
}
