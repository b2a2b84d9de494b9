//! Application and stream names, and the arguments that encoders hang on them.
//!
//! Names are checked here, at the edge, so that nothing behind it meets a separator, a control character or
//! a name of dots. They are not decoded: the name that was sent is the name.

use percent_encoding::percent_decode_str;

use super::error::NameError;
use super::limits::NAME_BYTES;

/// Characters of names beside letters and digits: those that need no escape in a URL's path.
const PUNCTUATION: &str = "-_.~@:+=,!$*()";

/// Splits a query off a name or URL.
pub(super) fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// Checks an application name. Slashes around it are not part of it: many encoders send `live/`.
pub(super) fn app_name(raw: &str) -> Result<&str, NameError> {
    let name = raw.trim_matches('/');
    check(name)?;
    Ok(name)
}

/// Checks a stream name.
pub(super) fn stream_name(raw: &str) -> Result<&str, NameError> {
    check(raw)?;
    Ok(raw)
}

/// The pairs of several queries, in order, values percent-decoded. Of pairs with the same key the first one
/// counts, so that nobody can sign one value and have another one used.
pub(super) fn merge_queries(queries: &[&str], limit: usize) -> Result<Vec<(String, String)>, NameError> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in queries.iter().flat_map(|query| query.split('&')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key.is_empty() || pairs.iter().any(|(known, _)| known == key) {
            continue;
        }
        if key.len() > NAME_BYTES {
            return Err(NameError::ArgumentName);
        }
        if pairs.len() >= limit {
            return Err(NameError::TooManyArguments);
        }
        // A value that does not decode to text is kept as it was sent.
        let decoded = percent_decode_str(value).decode_utf8();
        let value = decoded.map_or_else(|_| value.to_owned(), |text| text.into_owned());
        pairs.push((key.to_owned(), value));
    }
    Ok(pairs)
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES {
        return Err(NameError::TooLong);
    }
    if !name.chars().all(|c| c.is_alphanumeric() || PUNCTUATION.contains(c)) {
        return Err(NameError::Character);
    }
    if name.chars().all(|c| c == '.') {
        return Err(NameError::Dots);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_accepted() {
        for name in ["cam01", "a", "a.b", "直播-1", "é", "mp4:x", "user@host", "...a", &"x".repeat(255)] {
            assert_eq!(stream_name(name), Ok(name));
        }
        for (raw, name) in [("live", "live"), ("live/", "live"), ("/live//", "live")] {
            assert_eq!(app_name(raw), Ok(name));
        }
    }

    #[test]
    fn names_that_are_refused() {
        let long = "x".repeat(256);
        for (name, error) in [
            ("", NameError::Empty),
            (long.as_str(), NameError::TooLong),
            (".", NameError::Dots),
            ("..", NameError::Dots),
            ("a/b", NameError::Character),
            ("../a", NameError::Character),
            ("a\\b", NameError::Character),
            ("a\0", NameError::Character),
            ("a\nb", NameError::Character),
            ("a b", NameError::Character),
            ("a%2fb", NameError::Character),
            ("a?b", NameError::Character),
            ("a#b", NameError::Character),
            ("$(x);`", NameError::Character),
            ("\u{202e}a", NameError::Character),
            ("\u{fffd}", NameError::Character),
        ] {
            assert_eq!(stream_name(name), Err(error), "{name:?}");
        }
        assert_eq!(app_name("live/inner"), Err(NameError::Character));
        assert_eq!(app_name("//"), Err(NameError::Empty));
    }

    #[test]
    fn queries_merge_in_order_and_the_first_of_a_key_counts() {
        let pairs = merge_queries(&["auth_key=1-0-0-ab&x=%41+%zz", "x=2&vhost=h", "&=z&flag&bad=%ff"], 8).unwrap();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("auth_key", "1-0-0-ab"), ("x", "A+%zz"), ("vhost", "h"), ("flag", ""), ("bad", "%ff")]);
    }

    #[test]
    fn queries_are_bounded() {
        assert_eq!(merge_queries(&["a=1&b=2&c=3"], 2), Err(NameError::TooManyArguments));
        let key = "k".repeat(256);
        assert_eq!(merge_queries(&[&key], 2), Err(NameError::ArgumentName));
    }
}
