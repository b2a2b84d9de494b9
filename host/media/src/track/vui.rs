//! What the video usability information of H.264 (annex E.1.1) and H.265 (annex E.2.1) have in common.

use crate::bits::{BitReader, OutOfBits};

/// The highest frame rate that is believed. Above it the timing fields of a parameter set are taken for absent.
const MAX_FPS: f64 = 480.0;

/// Skips what comes first in both: aspect ratio, overscan, video signal and place of chroma samples.
pub(super) fn skip_signal(r: &mut BitReader<'_>) -> Result<(), OutOfBits> {
    const EXTENDED_SAR: u32 = 255;
    if r.bit()? && r.bits(8)? == EXTENDED_SAR {
        r.skip(32)?;
    }
    if r.bit()? {
        r.bit()?; // overscan_appropriate_flag
    }
    if r.bit()? {
        r.skip(4)?; // video_format, video_full_range_flag
        if r.bit()? {
            r.skip(24)?; // colour description
        }
    }
    if r.bit()? {
        r.unsigned()?; // chroma_sample_loc_type_top_field
        r.unsigned()?; // chroma_sample_loc_type_bottom_field
    }
    Ok(())
}

/// The frame rate, if there is timing and the two numbers in it make a believable one.
pub(super) fn frame_rate(r: &mut BitReader<'_>, ticks_per_frame: f64) -> Result<Option<f64>, OutOfBits> {
    if !r.bit()? {
        return Ok(None);
    }
    let ticks = r.bits(32)?;
    let time_scale = r.bits(32)?;
    let fps = f64::from(time_scale) / (f64::from(ticks) * ticks_per_frame);
    Ok((fps.is_finite() && fps > 0.0 && fps <= MAX_FPS).then_some(fps))
}
