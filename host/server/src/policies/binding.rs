//! Which streams a binding covers.

use reprise_lifecycle::question::{Hook, StreamKey};

use crate::store::bindings::Bound;

/// Whether a binding is asked at this hook for this stream. Only a binding of all streams is asked about what has
/// none.
pub(super) fn covers(bound: &Bound, hook: Hook, stream: Option<&StreamKey>) -> bool {
    let has_hook = bound.version.hooks.split(',').any(|name| name == hook.name());
    let (app, name) = stream.map_or(("", ""), |stream| (stream.app.as_str(), stream.name.as_str()));
    has_hook && matches(&bound.binding.app, app) && matches(&bound.binding.stream, name)
}

/// Whether `text` is what `pattern` says; `*` stands for any run of characters. Takes time in proportion to the
/// product of both lengths at most, whatever the pattern.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((star_at, star_seen)) = star else { return false };
                star = Some((star_at, star_seen + 1));
                at = star_at + 1;
                seen = star_seen + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let table = [
            ("*", "", true),
            ("*", "cam01", true),
            ("cam*", "cam01", true),
            ("cam*", "ca", false),
            ("*-hd", "a-hd-b-hd", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("cam01", "cam01", true),
            ("cam01", "cam011", false),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} against {text}");
        }
    }
}
