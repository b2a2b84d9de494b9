//! Small things in words: lengths, names, lists.

use std::collections::BTreeMap;

use reprise_lifecycle::id::NO_TRANSCODE;
use reprise_lifecycle::question::StreamKey;

/// The characters of a digest that tell components apart.
const DIGEST_CHARS: usize = 12;

/// The longest text of somebody else's that is repeated.
const QUOTE_CHARS: usize = 1024;

/// `1 h 2 min`, `2 min 3 s`, `4.2 s`.
pub(super) fn length(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}.{} s", ms % 1000 / 100),
        (0, _) => format!("{minutes} min {seconds} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}

/// The beginning of a digest.
pub(super) fn short(digest: &str) -> String {
    digest.chars().take(DIGEST_CHARS).collect()
}

/// `rtmp://DOMAIN/APP/NAME`.
pub(super) fn stream(stream: &StreamKey) -> String {
    format!("rtmp://{}/{}/{}", stream.domain, stream.app, stream.name)
}

/// A group by its name and id.
pub(super) fn group(groups: &BTreeMap<String, String>, id: &str) -> String {
    match groups.get(id) {
        _ if id == NO_TRANSCODE => "`VOD_NO_TRANSCODE`, which keeps the recording as it is".to_owned(),
        Some(name) if name != id => format!("group “{name}” (`{id}`)"),
        _ => format!("group `{id}`"),
    }
}

/// A count with its word.
pub(super) fn count(count: usize, one: &str, many: &str) -> String {
    match count {
        0 => format!("no {many}"),
        1 => format!("one {one}"),
        count => format!("{count} {many}"),
    }
}

/// A number with its thousands set apart.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut spaced = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            spaced.push(',');
        }
        spaced.push(digit);
    }
    spaced
}

/// Somebody else's words, on one line and not too long.
pub(super) fn quote(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(QUOTE_CHARS).collect();
    format!("“{}”", line.trim())
}

/// A sentence that begins with a capital letter.
pub(super) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers_read_well() {
        let lengths = [(0, "0.0 s"), (4_290, "4.2 s"), (123_000, "2 min 3 s"), (3_720_000, "1 h 2 min")];
        for (ms, text) in lengths {
            assert_eq!(length(ms), text);
        }
        for (count, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (25_000_000, "25,000,000")] {
            assert_eq!(number(count), text);
        }
        assert_eq!(quote("a\nb\u{7}"), "“a b”");
        assert_eq!(sentence("it is."), "It is.");
    }
}
