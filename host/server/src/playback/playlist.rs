//! Playlists as text: giving the URIs in them a signature of their own. It knows the few forms in which our playlists
//! name things: a line that is a URI, and a `URI="…"` attribute of a tag.

use super::names::is_name;

const ATTRIBUTE: &str = "URI=\"";

/// `text` with `suffix` appended to each URI that names something of ours. What does not is left as it is, and will be
/// refused when it is asked for.
pub(super) fn with_suffixes(text: &str, suffix: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        if !line.starts_with('#') {
            out.push_str(line);
            if is_reference(line) {
                out.push_str(&suffix(line));
            }
        } else if let Some((before, uri, after)) = attribute(line) {
            out.push_str(before);
            out.push_str(uri);
            if is_reference(uri) {
                out.push_str(&suffix(uri));
            }
            out.push_str(after);
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// The URIs of a media playlist's segments with their lengths in milliseconds, and that of its init segment.
pub(super) fn segments(text: &str) -> (Option<&str>, Vec<(&str, u64)>) {
    let (mut init, mut duration_ms, mut segments) = (None, 0, Vec::new());
    for line in text.lines() {
        if let Some(seconds) = line.strip_prefix("#EXTINF:") {
            let seconds = seconds.split(',').next().and_then(|seconds| seconds.trim().parse::<f64>().ok());
            duration_ms = seconds.map_or(0, |seconds| (seconds * 1000.0).round() as u64);
        } else if line.starts_with("#EXT-X-MAP:") {
            init = attribute(line).map(|(_, uri, _)| uri).filter(|uri| is_reference(uri));
        } else if !line.starts_with('#') && is_reference(line) {
            segments.push((line, duration_ms));
        }
    }
    (init, segments)
}

/// A line's `URI` attribute with what stands before and behind it.
fn attribute(line: &str) -> Option<(&str, &str, &str)> {
    let start = line.find(ATTRIBUTE)? + ATTRIBUTE.len();
    let end = start + line[start..].find('"')?;
    Some((&line[..start], &line[start..end], &line[end..]))
}

/// Whether this is a path below the playlist's own folder, by plain names.
fn is_reference(uri: &str) -> bool {
    uri.split('/').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENDITION: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"init.mp4\"\n\
                             #EXTINF:4.000000,\nseg-00000.m4s\n#EXTINF:1.5,a title\nseg-00001.m4s\n#EXT-X-ENDLIST\n";

    #[test]
    fn each_uri_gets_its_own_suffix() {
        let text = with_suffixes(RENDITION, |uri| format!("?k={uri}"));
        let expected = RENDITION
            .replace("init.mp4", "init.mp4?k=init.mp4")
            .replace("seg-00000.m4s", "seg-00000.m4s?k=seg-00000.m4s")
            .replace("seg-00001.m4s", "seg-00001.m4s?k=seg-00001.m4s");
        assert_eq!(text, expected);
    }

    #[test]
    fn byte_ranges_keep_theirs() {
        let line = "#EXT-X-MAP:URI=\"source.mp4\",BYTERANGE=\"700@0\"\n";
        let expected = "#EXT-X-MAP:URI=\"source.mp4?k\",BYTERANGE=\"700@0\"\n";
        assert_eq!(with_suffixes(line, |_| "?k".to_owned()), expected);
    }

    #[test]
    fn what_leads_elsewhere_gets_none() {
        for elsewhere in ["http://h/a.m4s", "../a.m4s", "//h/a", "/media/v/a.m4s", "a.m4s?x", "", "a\u{1}"] {
            for text in [format!("{elsewhere}\n"), format!("#EXT-X-MAP:URI=\"{elsewhere}\"\n")] {
                assert_eq!(with_suffixes(&text, |_| "?k".to_owned()), text);
            }
        }
        assert_eq!(with_suffixes("#EXT-X-MAP:URI=\"open\n", |_| "?k".to_owned()), "#EXT-X-MAP:URI=\"open\n");
    }

    #[test]
    fn segments_have_their_lengths() {
        let (init, segments) = segments(RENDITION);
        assert_eq!(init, Some("init.mp4"));
        assert_eq!(segments, [("seg-00000.m4s", 4000), ("seg-00001.m4s", 1500)]);
    }
}
