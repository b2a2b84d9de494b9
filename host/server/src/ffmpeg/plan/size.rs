//! The size of a picture, from the source's and what a template asks.

/// Width and height of the output, both even and at least 2.
///
/// `asked` is (width, height), or with `long_short` (longer, shorter) side. With one of them the aspect is kept; with
/// none the source's size. Without `upscale` no side exceeds the source's: each is cut on its own when both are given,
/// which ends at the source's own shape.
pub fn target_size(
    source: (u32, u32),
    asked: (Option<u32>, Option<u32>),
    long_short: bool,
    upscale: bool,
) -> (u32, u32) {
    let (source_width, source_height) = (source.0.max(1), source.1.max(1));
    let portrait = source_height > source_width;
    let (width, height) = if long_short && portrait { (asked.1, asked.0) } else { asked };
    let cut = |side: u32, most: u32| if upscale { side } else { side.min(most) };
    let (width, height) = match (width, height) {
        (None, None) => (source_width, source_height),
        (Some(width), Some(height)) => (cut(width, source_width), cut(height, source_height)),
        (Some(width), None) => {
            let width = cut(width, source_width);
            (width, in_proportion(source_height, width, source_width))
        }
        (None, Some(height)) => {
            let height = cut(height, source_height);
            (in_proportion(source_width, height, source_height), height)
        }
    };
    (even(width), even(height))
}

/// `side * part / whole`, rounded to the nearest even number.
fn in_proportion(side: u32, part: u32, whole: u32) -> u32 {
    let (side, part, whole) = (u64::from(side), u64::from(part), u64::from(whole));
    let half = (side * part + whole) / (2 * whole);
    u32::try_from(half * 2).unwrap_or(u32::MAX)
}

/// 4:2:0 pictures have even sides.
fn even(side: u32) -> u32 {
    (side & !1).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let hd = (1280, 720);
        let tall = (720, 1280);
        let cases = [
            // source, asked, long/short, upscale, expected
            (hd, (None, None), true, false, (1280, 720)),
            ((853, 479), (None, None), true, false, (852, 478)),
            (hd, (Some(640), None), true, false, (640, 360)),
            (hd, (None, Some(480)), true, false, (854, 480)),
            (tall, (Some(640), None), true, false, (360, 640)),
            (tall, (None, Some(480)), true, false, (480, 854)),
            (tall, (Some(640), Some(360)), true, false, (360, 640)),
            (tall, (Some(640), None), false, false, (640, 1138)),
            (hd, (Some(1920), Some(1080)), true, false, (1280, 720)),
            (hd, (Some(1920), None), true, false, (1280, 720)),
            (hd, (None, Some(1080)), true, false, (1280, 720)),
            (hd, (Some(1920), None), true, true, (1920, 1080)),
            ((640, 480), (Some(1280), Some(720)), true, false, (640, 480)),
            ((640, 480), (Some(1280), Some(360)), true, false, (640, 360)),
            ((4096, 16), (Some(128), None), true, false, (128, 2)),
            ((0, 0), (None, None), true, false, (2, 2)),
        ];
        for (source, asked, long_short, upscale, expected) in cases {
            let found = target_size(source, asked, long_short, upscale);
            assert_eq!(found, expected, "{source:?} asked {asked:?}");
        }
    }
}
