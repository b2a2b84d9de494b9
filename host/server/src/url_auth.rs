//! Signed URLs of type A, `auth_key=<timestamp>-<rand>-<uid>-<md5hash>`: the vendor's scheme for RTMP push and for
//! playback. The hash is the lower-case hex MD5 of `<path>-<timestamp>-<rand>-<uid>-<key>`; a URL lives until
//! `timestamp` plus the domain's validity, which the server adds.
//!
//! Pure: it knows neither the clock, nor tenants, nor where keys come from.

use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use subtle::ConstantTimeEq;

/// The vendor's default validity of a domain, in seconds.
pub const DEFAULT_VALIDITY_S: i64 = 1800;

/// `rand` and `uid` come from strangers and are hashed and echoed; a UUID without hyphens has 32 characters.
const MAX_FIELD_CHARS: usize = 64;

/// Unix seconds have 10 digits until the year 2286; the scheme fixes that width.
const TIMESTAMP_DIGITS: usize = 10;

const MD5_HEX_CHARS: usize = 32;

/// Paths are hashed as they stand in a request line: what cannot stand there raw is percent-encoded first. `%` is
/// left alone, so an encoded path stays as it is.
const NOT_IN_A_REQUEST_LINE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// What goes into an `auth_key` beside the path and the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms<'a> {
    /// Unix seconds. The URL is refused once the domain's validity has passed since then.
    pub timestamp_s: i64,
    /// `0`, or anything without a hyphen.
    pub rand: &'a str,
    /// Usually `0`.
    pub uid: &'a str,
}

impl Terms<'_> {
    /// Plain terms: no random part, no user.
    pub fn at(timestamp_s: i64) -> Self {
        Terms { timestamp_s, rand: "0", uid: "0" }
    }
}

/// Why a URL is refused. Whoever made the URL must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no `auth_key`.
    #[error("denied by req auth: no auth_key")]
    Missing,
    /// It does not have four parts of the right form.
    #[error("denied by req auth: malformed auth_key")]
    Malformed,
    /// The hash belongs to another path, time or key.
    #[error("denied by req auth: invalid md5hash={hash}")]
    BadHash {
        /// The hash as it was given: 32 hex characters.
        hash: String,
    },
    /// Its time is over.
    #[error("denied by req auth: expired timestamp={timestamp_s}")]
    Expired {
        /// The timestamp as it was given.
        timestamp_s: i64,
    },
}

/// The header that carries a refusal's text, as the vendor's edge names it.
pub const DENIED_HEADER: &str = "x-tengine-error";

/// The value of `auth_key` for `path`. `rand` and `uid` must not contain hyphens; what is not a letter, a digit or
/// `_` is left out, so that the four parts stay four.
pub fn sign(path: &str, terms: Terms<'_>, key: &str) -> String {
    let rand = plain(terms.rand);
    let uid = plain(terms.uid);
    let terms = Terms { timestamp_s: terms.timestamp_s, rand: &rand, uid: &uid };
    let hash = hash(path, terms, key);
    format!("{:010}-{rand}-{uid}-{hash}", terms.timestamp_s)
}

/// `url` with its `auth_key`. `path` is the part of `url` that is hashed.
pub fn signed_url(url: &str, path: &str, terms: Terms<'_>, key: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}auth_key={}", sign(path, terms, key))
}

/// The timestamp that makes a URL live for exactly `life_s`, given that the server adds `validity_s`.
pub fn timestamp_for(now_s: i64, life_s: i64, validity_s: i64) -> i64 {
    now_s.saturating_add(life_s).saturating_sub(validity_s)
}

/// Judges the `auth_key` of a request for `path`. All of `keys` are valid at the same time (main and backup).
///
/// # Errors
/// Why the URL is refused; the text is the vendor's.
pub fn verify(path: &str, auth_key: Option<&str>, keys: &[&str], validity_s: i64, now_s: i64) -> Result<(), Denied> {
    let given = parse(auth_key.ok_or(Denied::Missing)?).ok_or(Denied::Malformed)?;
    // Every key is tried whichever fits, so that the time taken does not tell which.
    let fits = keys.iter().fold(0u8, |fits, key| {
        let right = hash(path, given.terms, key);
        fits | right.as_bytes().ct_eq(given.hash.as_bytes()).unwrap_u8()
    });
    if fits == 0 {
        return Err(Denied::BadHash { hash: given.hash.to_owned() });
    }
    if given.terms.timestamp_s.saturating_add(validity_s) < now_s {
        return Err(Denied::Expired { timestamp_s: given.terms.timestamp_s });
    }
    Ok(())
}

struct Given<'a> {
    terms: Terms<'a>,
    hash: &'a str,
}

fn parse(auth_key: &str) -> Option<Given<'_>> {
    let mut parts = auth_key.split('-');
    let (timestamp, rand, uid, hash) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let digits = timestamp.len() == TIMESTAMP_DIGITS && timestamp.bytes().all(|b| b.is_ascii_digit());
    let hex = hash.len() == MD5_HEX_CHARS && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let short = |field: &str| !field.is_empty() && field.len() <= MAX_FIELD_CHARS;
    if parts.next().is_some() || !digits || !hex || !short(rand) || !short(uid) {
        return None;
    }
    let timestamp_s = timestamp.parse().ok()?;
    Some(Given { terms: Terms { timestamp_s, rand, uid }, hash })
}

fn hash(path: &str, terms: Terms<'_>, key: &str) -> String {
    let path = utf8_percent_encode(path, NOT_IN_A_REQUEST_LINE);
    let text = format!("{path}-{:010}-{}-{}-{key}", terms.timestamp_s, terms.rand, terms.uid);
    hex::encode(Md5::digest(text))
}

fn plain(field: &str) -> String {
    let kept: String = field.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(MAX_FIELD_CHARS).collect();
    if kept.is_empty() { "0".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_798_761_600;
    const PUSH: &str = "PushKeyDemo2027x";
    const PLAY: &str = "PlayKeyDemo2027x";

    /// (path, timestamp, rand, uid, key, hash): the reference's worked examples and the vendor's own sample.
    const EXAMPLES: [(&str, i64, &str, &str, &str, &str); 7] = [
        ("/studio/cam01", NOON, "0", "0", PUSH, "2ed04d9654669f592130f4dd574a642c"),
        ("/studio/cam01", NOON, "0", "0", PLAY, "2c8331d6bad91b3e587b551d12474834"),
        ("/studio/cam01.flv", NOON, "0", "0", PLAY, "f3144ddeda709528c70c792bbbb98396"),
        ("/studio/cam01.m3u8", NOON, "0", "0", PLAY, "8ee9d7125bbbf3d8d066ff23b860b0f6"),
        (
            "/9f3c1a7be0d24c5f8a6b/1c9d0e4f5a6b7c8d-sd.mp4",
            NOON,
            "477b3bbc253f467b8def6711128c7bec",
            "1042",
            PLAY,
            "41457d98c342b53e0cac8bd571ffaec0",
        ),
        ("/rec/%E6%97%A5%E6%9C%AC%20a.mp4", NOON, "0", "0", PLAY, "6074551e50dad0f0ed267ca7dc7187f4"),
        ("/video/standard/1K.html", 1_444_435_200, "0", "0", "aliyuncdnexp1234", "80cd3862d699b7118eed99103f2a3a4f"),
    ];

    #[test]
    fn the_worked_examples_sign_and_verify() {
        for (path, timestamp_s, rand, uid, key, md5) in EXAMPLES {
            let terms = Terms { timestamp_s, rand, uid };
            let value = sign(path, terms, key);
            assert_eq!(value, format!("{timestamp_s}-{rand}-{uid}-{md5}"), "{path}");
            let both = ["SomeOtherKey2027", key];
            assert_eq!(verify(path, Some(&value), &both, 1800, timestamp_s + 1800), Ok(()));
            assert_eq!(
                verify(path, Some(&value), &both, 1800, timestamp_s + 1801),
                Err(Denied::Expired { timestamp_s })
            );
        }
    }

    #[test]
    fn a_raw_path_is_hashed_as_it_would_be_sent() {
        let terms = Terms::at(NOON);
        assert_eq!(sign("/rec/日本 a.mp4", terms, PLAY), sign("/rec/%E6%97%A5%E6%9C%AC%20a.mp4", terms, PLAY));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_vendors_text() {
        let good = sign("/studio/cam01", Terms::at(NOON), PUSH);
        let table: [(&str, Option<&str>, &str); 9] = [
            ("/studio/cam01", None, "no auth_key"),
            ("/studio/cam01", Some(""), "malformed auth_key"),
            ("/studio/cam01", Some("1798761600-0-0"), "malformed auth_key"),
            ("/studio/cam01", Some("x798761600-0-0-2ed04d9654669f592130f4dd574a642c"), "malformed auth_key"),
            ("/studio/cam01", Some("1798761600-0-0-2ed04d9654669f592130f4dd574a642c-x"), "malformed auth_key"),
            ("/studio/cam01", Some("1798761600--0-2ed04d9654669f592130f4dd574a642c"), "malformed auth_key"),
            (
                "/studio/cam01",
                Some("1798761600-0-1-2ed04d9654669f592130f4dd574a642c"),
                "invalid md5hash=2ed04d9654669f592130f4dd574a642c",
            ),
            ("/studio/cam02", Some(&good), "invalid md5hash=2ed04d9654669f592130f4dd574a642c"),
            ("/studio/cam01", Some("1798761600-0-0-2ed04d9654669f592130f4dd574a64\r\n"), "malformed auth_key"),
        ];
        for (path, auth_key, text) in table {
            let denied = verify(path, auth_key, &[PUSH], 1800, NOON).unwrap_err();
            assert_eq!(denied.to_string(), format!("denied by req auth: {text}"), "{auth_key:?}");
        }
        assert_eq!(
            verify("/studio/cam01", Some(&good), &[], 1800, NOON).unwrap_err().to_string(),
            "denied by req auth: invalid md5hash=2ed04d9654669f592130f4dd574a642c"
        );
    }

    #[test]
    fn a_life_is_exact_whatever_the_domain_adds() {
        let timestamp_s = timestamp_for(NOON, 60, 1800);
        let value = sign("/a.mp4", Terms::at(timestamp_s), PLAY);
        assert_eq!(verify("/a.mp4", Some(&value), &[PLAY], 1800, NOON + 60), Ok(()));
        assert!(verify("/a.mp4", Some(&value), &[PLAY], 1800, NOON + 61).is_err());
    }

    #[test]
    fn parts_stay_four_and_urls_keep_their_query() {
        let terms = Terms { timestamp_s: NOON, rand: "a-b c", uid: "" };
        let value = sign("/a.mp4", terms, PLAY);
        assert!(value.starts_with("1798761600-abc-0-"), "{value}");
        assert!(verify("/a.mp4", Some(&value), &[PLAY], 1800, NOON).is_ok());
        let url = signed_url("http://h/a.mp4?x=1", "/a.mp4", Terms::at(NOON), PLAY);
        assert!(url.starts_with("http://h/a.mp4?x=1&auth_key=1798761600-0-0-"), "{url}");
    }
}
