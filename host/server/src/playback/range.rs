//! Conditions and ranges of a request (RFC 9110 sections 13 and 14). Pure: headers and a size in, what to send out.
//!
//! One range is honoured. A request for several gets the whole file, which section 14.2 allows: players do not ask for
//! several, and a reply that repeats overlapping ranges would send more than there is.

use axum::http::{HeaderMap, Method, header};

use super::error::Refusal;

/// What of a file is sent. `len` is never 0 for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// `len` bytes from `first`.
    Part { first: u64, len: u64 },
    /// Nothing: the viewer has it.
    NotModified,
}

/// What a request wants of a file with this size and strong entity tag (quotes included).
///
/// # Errors
/// [`Refusal::Precondition`] when `If-Match` names another file, [`Refusal::Range`] when nothing lies in the range.
pub(super) fn wanted(method: &Method, headers: &HeaderMap, tag: &str, size: u64) -> Result<Wanted, Refusal> {
    if headers.contains_key(header::IF_MATCH) && !names(headers, header::IF_MATCH, tag, false) {
        return Err(Refusal::Precondition);
    }
    if names(headers, header::IF_NONE_MATCH, tag, true) {
        return Ok(Wanted::NotModified);
    }
    // A range is defined for GET only, and one that depends on another version of the file is not honoured. Dates are
    // never such a dependency, because no Last-Modified is sent.
    let depends_on_other = headers.get(header::IF_RANGE).is_some_and(|held| held.as_bytes() != tag.as_bytes());
    if method != Method::GET || depends_on_other {
        return Ok(Wanted::Whole);
    }
    let mut ranges = headers.get_all(header::RANGE).into_iter();
    match (ranges.next().and_then(|range| range.to_str().ok()), ranges.next()) {
        (Some(range), None) => one_range(range, size),
        _ => Ok(Wanted::Whole),
    }
}

/// A header that cannot be understood asks for nothing in particular: the whole file.
fn one_range(range: &str, size: u64) -> Result<Wanted, Refusal> {
    let Some((unit, spec)) = range.split_once('=') else {
        return Ok(Wanted::Whole);
    };
    let Some((from, to)) = spec.trim().split_once('-') else {
        return Ok(Wanted::Whole);
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ok(Wanted::Whole);
    }
    let (first, last) = match (position(from), position(to)) {
        (Position::At(first), Position::At(last)) if first <= last => (first, last),
        (Position::At(first), Position::Open) => (first, u64::MAX),
        (Position::Open, Position::At(0)) => return Err(Refusal::Range(size)),
        (Position::Open, Position::At(suffix)) => (size.saturating_sub(suffix), u64::MAX),
        _ => return Ok(Wanted::Whole),
    };
    if first >= size {
        return Err(Refusal::Range(size));
    }
    let last = last.min(size - 1);
    Ok(Wanted::Part { first, len: last - first + 1 })
}

enum Position {
    Open,
    At(u64),
    Nonsense,
}

/// A number too large for any file is as good as the largest: it lies beyond every end.
fn position(text: &str) -> Position {
    match text.trim() {
        "" => Position::Open,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => Position::At(digits.parse().unwrap_or(u64::MAX)),
        _ => Position::Nonsense,
    }
}

/// Whether a list of entity tags names `tag`. A weak comparison lets `W/` go by.
fn names(headers: &HeaderMap, header: header::HeaderName, tag: &str, weak: bool) -> bool {
    let lists = headers.get_all(header);
    let mut held = lists.iter().filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(','));
    held.any(|held| {
        let held = held.trim();
        held == "*" || held == tag || (weak && held.strip_prefix("W/") == Some(tag))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TAG: &str = "\"v-3e8\"";
    const SIZE: u64 = 1000;

    fn ask(method: Method, headers: &[(header::HeaderName, &str)]) -> Result<Wanted, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        wanted(&method, &map, TAG, SIZE).map_err(|refusal| format!("{refusal:?}"))
    }

    #[test]
    fn ranges() {
        let part = |first, len| Ok(Wanted::Part { first, len });
        let none: Result<Wanted, String> = Err(format!("Range({SIZE})"));
        let table: [(&str, Result<Wanted, String>); 27] = [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-999", part(0, 1000)),
            ("bytes=0-", part(0, 1000)),
            ("bytes=10-19", part(10, 10)),
            ("bytes=990-2000", part(990, 10)),
            ("bytes=999-", part(999, 1)),
            ("bytes=-1", part(999, 1)),
            ("bytes=-1000", part(0, 1000)),
            ("bytes=-5000", part(0, 1000)),
            ("Bytes = 5-9", part(5, 5)),
            // Beyond the end.
            ("bytes=1000-", none.clone()),
            ("bytes=1000-1001", none.clone()),
            ("bytes=-0", none.clone()),
            // More than 64 bits.
            ("bytes=0-99999999999999999999999", part(0, 1000)),
            ("bytes=99999999999999999999999-", none.clone()),
            ("bytes=-99999999999999999999999", part(0, 1000)),
            ("bytes=18446744073709551615-18446744073709551615", none.clone()),
            // Malformed, several, or of another kind: as if it were not there.
            ("bytes=9-5", Ok(Wanted::Whole)),
            ("bytes=-", Ok(Wanted::Whole)),
            ("bytes=", Ok(Wanted::Whole)),
            ("bytes", Ok(Wanted::Whole)),
            ("bytes=a-b", Ok(Wanted::Whole)),
            ("bytes=+1-2", Ok(Wanted::Whole)),
            ("bytes=0x0-1", Ok(Wanted::Whole)),
            ("bytes=0-1,4-5", Ok(Wanted::Whole)),
            ("frames=0-1", Ok(Wanted::Whole)),
            ("", Ok(Wanted::Whole)),
        ];
        for (range, expected) in table {
            assert_eq!(ask(Method::GET, &[(header::RANGE, range)]), expected, "{range:?}");
        }
    }

    #[test]
    fn a_range_is_for_get_and_for_the_version_it_names() {
        let range = (header::RANGE, "bytes=0-9");
        let part = Ok(Wanted::Part { first: 0, len: 10 });
        assert_eq!(ask(Method::HEAD, std::slice::from_ref(&range)), Ok(Wanted::Whole));
        assert_eq!(ask(Method::GET, &[range.clone(), range.clone()]), Ok(Wanted::Whole));
        for (held, expected) in [
            (TAG, part),
            ("W/\"v-3e8\"", Ok(Wanted::Whole)),
            ("\"other\"", Ok(Wanted::Whole)),
            ("Sat, 29 Oct 1994 19:43:31 GMT", Ok(Wanted::Whole)),
        ] {
            assert_eq!(ask(Method::GET, &[range.clone(), (header::IF_RANGE, held)]), expected, "{held}");
        }
    }

    #[test]
    fn conditions() {
        let table: [(header::HeaderName, &str, Result<Wanted, String>); 9] = [
            (header::IF_NONE_MATCH, TAG, Ok(Wanted::NotModified)),
            (header::IF_NONE_MATCH, "W/\"v-3e8\"", Ok(Wanted::NotModified)),
            (header::IF_NONE_MATCH, "\"a\", \"v-3e8\"", Ok(Wanted::NotModified)),
            (header::IF_NONE_MATCH, "*", Ok(Wanted::NotModified)),
            (header::IF_NONE_MATCH, "\"other\"", Ok(Wanted::Whole)),
            (header::IF_NONE_MATCH, "v-3e8", Ok(Wanted::Whole)),
            (header::IF_MATCH, TAG, Ok(Wanted::Whole)),
            (header::IF_MATCH, "\"other\"", Err("Precondition".to_owned())),
            (header::IF_MATCH, "W/\"v-3e8\"", Err("Precondition".to_owned())),
        ];
        for (name, value, expected) in table {
            assert_eq!(ask(Method::GET, &[(name.clone(), value)]), expected, "{name}: {value}");
        }
        // Having it counts before a range of it does.
        let both = [(header::IF_NONE_MATCH, TAG), (header::RANGE, "bytes=5000-")];
        assert_eq!(ask(Method::GET, &both), Ok(Wanted::NotModified));
    }

    #[test]
    fn nothing_lies_in_an_empty_file() {
        let mut map = HeaderMap::new();
        map.insert(header::RANGE, HeaderValue::from_static("bytes=0-"));
        assert!(matches!(wanted(&Method::GET, &map, TAG, 0), Err(Refusal::Range(0))));
    }
}
