//! Which names can be asked for. Everything we store has a name of this form, so anything else is not there, and
//! nothing else ever reaches the file system.

/// The longest name: ids have 32 characters, files some more.
const MAX_NAME_CHARS: usize = 128;

/// Whether a path segment can be the name of something of ours: letters, digits, `.`, `_` and `-`, not hidden.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= MAX_NAME_CHARS && !name.starts_with('.') && name.bytes().all(plain)
}

/// The media type of a file that is handed out, by its ending.
pub(super) fn media_type(file: &str) -> Option<&'static str> {
    let (_, ending) = file.rsplit_once('.')?;
    Some(match ending {
        "mp4" => MP4,
        "m4s" => "video/iso.segment",
        "m3u8" => HLS,
        "jpg" => "image/jpeg",
        "vtt" => VTT,
        _ => return None,
    })
}

pub(super) const MP4: &str = "video/mp4";
pub(super) const HLS: &str = "application/vnd.apple.mpegurl";
pub(super) const VTT: &str = "text/vtt";
pub(super) const HTML: &str = "text/html; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_names() {
        for good in ["0123456789abcdef0123456789abcdef", "seg-00001.m4s", "index.m3u8", "a_b", "a..b"] {
            assert!(is_name(good), "{good}");
        }
        let long = "a".repeat(MAX_NAME_CHARS + 1);
        for bad in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a\0", "a b", "ä", "%2e", "a\n", &long] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn only_known_endings_are_handed_out() {
        assert_eq!(media_type("seg-00001.m4s"), Some("video/iso.segment"));
        assert_eq!(media_type("index.m3u8"), Some(HLS));
        assert_eq!(media_type("00001.vtt"), Some("text/vtt"));
        for unknown in ["source.index", "notes.txt", "mp4", "a.html", "a.svg"] {
            assert_eq!(media_type(unknown), None, "{unknown}");
        }
    }
}
