//! What a picture file is, by its first bytes: its format and its size. Nothing of it is decoded here; the numbers are
//! only what the file claims, and the decoder is boxed and bounded whatever they say.

use serde::{Deserialize, Serialize};

/// Formats that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    Png,
    Jpeg,
}

/// A picture file as its header describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageHeader {
    pub format: ImageFormat,
    pub width: u32,
    pub height: u32,
}

/// Why a picture is not taken. Whoever sent it must send another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("the image is neither PNG nor JPEG")]
    Foreign,
    #[error("the image is damaged: its header has no size")]
    Damaged,
    #[error("an image of {width}x{height} is not taken; at most {MAX_SIDE} pixels a side")]
    Size { width: u32, height: u32 },
}

/// Longest side: no result is larger, so a larger image only costs its decoder memory.
pub const MAX_SIDE: u32 = 4096;
/// Largest file: an uncompressed picture of half that many pixels; photographs take a tenth.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = &[0xff, 0xd8, 0xff];

impl ImageFormat {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            ImageFormat::Png => "png",
            ImageFormat::Jpeg => "jpg",
        }
    }

    /// The format of files with this extension.
    pub fn of_extension(extension: &str) -> Option<Self> {
        [ImageFormat::Png, ImageFormat::Jpeg].into_iter().find(|format| format.extension() == extension)
    }
}

/// Reads the header of a picture file.
///
/// # Errors
/// Why it is not taken.
pub fn header(bytes: &[u8]) -> Result<ImageHeader, ImageError> {
    let (format, size) = if let Some(rest) = bytes.strip_prefix(PNG) {
        (ImageFormat::Png, png_size(rest))
    } else if bytes.starts_with(JPEG) {
        (ImageFormat::Jpeg, jpeg_size(&bytes[2..]))
    } else {
        return Err(ImageError::Foreign);
    };
    let (width, height) = size.filter(|(width, height)| *width > 0 && *height > 0).ok_or(ImageError::Damaged)?;
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(ImageError::Size { width, height });
    }
    Ok(ImageHeader { format, width, height })
}

/// The size in the first chunk, which must be the header's.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let kind = bytes.get(4..8)?;
    let side = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    (kind == b"IHDR").then_some((side(8)?, side(12)?))
}

/// The size in the first frame header (ITU-T T.81 B.2.2); every segment before it is passed over by its own length.
fn jpeg_size(mut bytes: &[u8]) -> Option<(u32, u32)> {
    loop {
        let marker = match bytes {
            [0xff, 0xff, ..] => {
                bytes = &bytes[1..];
                continue;
            }
            [0xff, marker, ..] => *marker,
            _ => return None,
        };
        let segment = &bytes[2..];
        let length = usize::from(u16::from_be_bytes(segment.get(..2)?.try_into().ok()?));
        match marker {
            // Frame headers; C4, C8 and CC are tables.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let side = |at: usize| Some(u32::from(u16::from_be_bytes(segment.get(at..at + 2)?.try_into().ok()?)));
                return Some((side(5)?, side(3)?));
            }
            // The scan: a frame header comes before it.
            0xda | 0xd9 | 0xd8 | 0xd0..=0xd7 | 0x01 | 0x00 => return None,
            _ => bytes = segment.get(length.max(2)..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = PNG.to_vec();
        bytes.extend([0, 0, 0, 13]);
        bytes.extend(b"IHDR");
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc4, 0, 3, 9, 0xff, 0xc2, 0, 11, 8];
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes
    }

    #[test]
    fn headers_say_format_and_size() {
        let of = |bytes: &[u8]| header(bytes).map(|header| (header.format, header.width, header.height));
        assert_eq!(of(&png(640, 360)), Ok((ImageFormat::Png, 640, 360)));
        assert_eq!(of(&jpeg(640, 360)), Ok((ImageFormat::Jpeg, 640, 360)));
        assert_eq!(of(&png(5000, 10)), Err(ImageError::Size { width: 5000, height: 10 }));
        assert_eq!(of(&png(0, 10)), Err(ImageError::Damaged));
        for foreign in [&b""[..], b"GIF89a", b"#EXTM3U", b"<svg/>", b"\x89PNG"] {
            assert_eq!(of(foreign), Err(ImageError::Foreign), "{foreign:?}");
        }
    }

    #[test]
    fn a_header_cut_anywhere_is_damaged_and_nothing_worse() {
        for whole in [png(640, 360), jpeg(640, 360)] {
            for cut in 8..whole.len() {
                assert_eq!(header(&whole[..cut]), Err(ImageError::Damaged), "{cut} of {whole:?}");
            }
        }
        assert_eq!(header(&[0xff, 0xd8, 0xff, 0xda, 0, 2]), Err(ImageError::Damaged));
        assert_eq!(header(&[0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff, 0xe0, 0, 0]), Err(ImageError::Damaged));
    }
}
