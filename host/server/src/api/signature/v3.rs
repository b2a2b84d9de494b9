//! The current scheme, `ACS3-HMAC-SHA256`: HMAC-SHA256 over a canonical form of the request and those headers the
//! client names. The body takes part through its hash.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::canonical_query;

/// The scheme's name at the head of `Authorization` and of the string to sign.
pub(crate) const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The header that carries the hash of the body.
pub(crate) const CONTENT_SHA256: &str = "x-acs-content-sha256";

/// Without these in the list, action, version, time, nonce or body of a signed request could be exchanged.
const MUST_BE_SIGNED: [&str; 6] =
    ["host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", CONTENT_SHA256];

/// More headers than any client signs; each costs a look-up.
const MAX_SIGNED_HEADERS: usize = 64;

/// The parts of an `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) access_key_id: String,
    /// As given, joined by `;`.
    signed_headers: String,
    /// Lower-case hex.
    signature: String,
}

/// Why a signature is refused. The client must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// A part of `Authorization` is missing or a header that must be signed is not.
    #[error("incomplete: {0}")]
    Incomplete(&'static str),
    /// The body is not the one whose hash was signed.
    #[error("the body does not have the signed hash")]
    Body,
    /// The signature does not fit.
    #[error("the signature does not fit")]
    Mismatch {
        /// What should have been signed.
        string_to_sign: String,
    },
}

/// The request as it came, as far as it is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// Raw, without the question mark.
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Authorization {
    /// Reads the header, if it is of this scheme.
    pub(crate) fn parse(header: &str) -> Option<Result<Self, Refused>> {
        let rest = header.strip_prefix(ALGORITHM)?;
        Some(Self::parse_parts(rest))
    }

    fn parse_parts(rest: &str) -> Result<Self, Refused> {
        let part = |wanted: &str| {
            rest.split(',')
                .filter_map(|part| part.trim().split_once('='))
                .find(|(name, value)| *name == wanted && !value.is_empty())
                .map(|(_, value)| value.to_owned())
        };
        Ok(Self {
            access_key_id: part("Credential").ok_or(Refused::Incomplete("no Credential"))?,
            signed_headers: part("SignedHeaders").ok_or(Refused::Incomplete("no SignedHeaders"))?,
            signature: part("Signature").ok_or(Refused::Incomplete("no Signature"))?,
        })
    }

    /// Judges the signature of `request`.
    pub(crate) fn verify(&self, request: Signed<'_>, secret: &str) -> Result<(), Refused> {
        let names: Vec<&str> = self.signed_headers.split(';').collect();
        if names.len() > MAX_SIGNED_HEADERS {
            return Err(Refused::Incomplete("too many signed headers"));
        }
        if MUST_BE_SIGNED.iter().any(|must| !names.contains(must)) {
            return Err(Refused::Incomplete(
                "host, x-acs-action, x-acs-version, x-acs-date, x-acs-signature-nonce and x-acs-content-sha256 must be signed",
            ));
        }
        let payload_hash = header(request.headers, CONTENT_SHA256);
        let body_hash = hex::encode(Sha256::digest(request.body));
        if !bool::from(body_hash.as_bytes().ct_eq(payload_hash.as_bytes())) {
            return Err(Refused::Body);
        }
        let string_to_sign = string_to_sign(&canonical_request(request, &names, &self.signed_headers, &payload_hash));
        if self.fits(&string_to_sign, secret) { Ok(()) } else { Err(Refused::Mismatch { string_to_sign }) }
    }

    fn fits(&self, string_to_sign: &str, secret: &str) -> bool {
        let Ok(signature) = hex::decode(&self.signature) else {
            return false;
        };
        // HMAC takes keys of every length, so this never fails; a failure would mean that nothing fits.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
            return false;
        };
        mac.update(string_to_sign.as_bytes());
        mac.verify_slice(&signature).is_ok()
    }
}

fn canonical_request(request: Signed<'_>, names: &[&str], signed_headers: &str, payload_hash: &str) -> String {
    // Clients differ in how they write a space or `*` on the wire, but sign the same form: decode, then encode.
    let pairs: Vec<_> = form_urlencoded::parse(request.query.as_bytes()).collect();
    let query = canonical_query(pairs.iter().map(|(name, value)| (&**name, &**value)));
    let mut headers = String::new();
    for name in names {
        headers.push_str(name);
        headers.push(':');
        headers.push_str(&header(request.headers, name));
        headers.push('\n');
    }
    let (method, path) = (request.method, request.path);
    format!("{method}\n{path}\n{query}\n{headers}\n{signed_headers}\n{payload_hash}")
}

fn string_to_sign(canonical_request: &str) -> String {
    let digest = hex::encode(Sha256::digest(canonical_request));
    format!("{ALGORITHM}\n{digest}")
}

/// The trimmed value; several of one name are joined by commas; absent or not text is empty and then fits nothing.
fn header(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok().map(str::trim)).collect();
    values.join(",")
}

/// The `Authorization` header itself, for tests that play the client.
#[cfg(test)]
pub(crate) fn authorize(request: Signed<'_>, names: &str, key_id: &str, secret: &str) -> String {
    let payload_hash = hex::encode(Sha256::digest(request.body));
    let list: Vec<&str> = names.split(';').collect();
    let text = string_to_sign(&canonical_request(request, &list, names, &payload_hash));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    format!("{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const NAMES: &str = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";
    const QUERY: &str = "VodTranscodeGroupId=VOD_NO_TRANSCODE&AppName=studio&CycleDuration=1200&DomainName=play.example.org&StreamName=cam+01";
    const SIGNATURE: &str = "74fe334e7bcb5a6dda0398ce4510c0eb625d7a6457a84f454c5c3adf18cf367d";

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "127.0.0.1:8080"),
            ("x-acs-action", "AddLiveRecordVodConfig"),
            ("x-acs-content-sha256", EMPTY),
            ("x-acs-date", "2027-01-01T00:00:00Z"),
            ("x-acs-signature-nonce", "7c1d2e3f-0002"),
            ("x-acs-version", "2016-11-01"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    fn request(headers: &HeaderMap) -> Signed<'_> {
        Signed { method: "POST", path: "/", query: QUERY, headers, body: b"" }
    }

    fn parse(names: &str, signature: &str) -> Authorization {
        let text = format!("{ALGORITHM} Credential=demo-key-id,SignedHeaders={names},Signature={signature}");
        Authorization::parse(&text).unwrap().unwrap()
    }

    #[test]
    fn the_worked_example_fits() {
        let headers = headers();
        let canonical = canonical_request(request(&headers), &NAMES.split(';').collect::<Vec<_>>(), NAMES, EMPTY);
        assert_eq!(
            canonical.lines().nth(2),
            Some(
                "AppName=studio&CycleDuration=1200&DomainName=play.example.org&StreamName=cam%2001&VodTranscodeGroupId=VOD_NO_TRANSCODE"
            )
        );
        assert_eq!(
            string_to_sign(&canonical),
            "ACS3-HMAC-SHA256\n84c66e3ddf5712c5b6164fc7f8feb8c027fe80a2daefed70879683b565721ddc"
        );
        let authorization = parse(NAMES, SIGNATURE);
        assert_eq!(authorization.access_key_id, "demo-key-id");
        assert_eq!(authorization.verify(request(&headers), "demo-secret"), Ok(()));
        assert!(matches!(
            authorization.verify(request(&headers), "another-secret"),
            Err(Refused::Mismatch { string_to_sign }) if string_to_sign.ends_with("565721ddc")
        ));
        assert_eq!(
            authorize(request(&headers), NAMES, "demo-key-id", "demo-secret"),
            format!("{ALGORITHM} Credential=demo-key-id,SignedHeaders={NAMES},Signature={SIGNATURE}")
        );
    }

    #[test]
    fn every_part_is_covered() {
        let good = headers();
        let authorization = parse(NAMES, SIGNATURE);
        let changed = |change: &dyn Fn(&mut Signed<'_>)| {
            let mut request = request(&good);
            change(&mut request);
            authorization.verify(request, "demo-secret")
        };
        assert!(matches!(changed(&|r| r.method = "GET"), Err(Refused::Mismatch { .. })));
        assert!(matches!(changed(&|r| r.path = "/x"), Err(Refused::Mismatch { .. })));
        assert!(matches!(changed(&|r| r.query = "AppName=studio"), Err(Refused::Mismatch { .. })));
        assert_eq!(changed(&|r| r.body = b"x"), Err(Refused::Body));
        for name in NAMES.split(';').filter(|name| *name != CONTENT_SHA256) {
            let mut headers = headers();
            headers.insert(name, "other".parse().unwrap());
            let verdict = authorization.verify(request(&headers), "demo-secret");
            assert!(matches!(verdict, Err(Refused::Mismatch { .. })), "{name}");
        }
    }

    #[test]
    fn what_must_be_signed_is_asked_for() {
        let headers = headers();
        for missing in MUST_BE_SIGNED {
            let names: Vec<&str> = NAMES.split(';').filter(|name| *name != missing).collect();
            let verdict = parse(&names.join(";"), SIGNATURE).verify(request(&headers), "demo-secret");
            assert!(matches!(verdict, Err(Refused::Incomplete(_))), "{missing}");
        }
        assert_eq!(Authorization::parse("Bearer abc"), None);
        for bad in ["", " Credential=a", " Credential=a,SignedHeaders=b", " Credential=,SignedHeaders=b,Signature=c"] {
            let text = format!("{ALGORITHM}{bad}");
            assert!(matches!(Authorization::parse(&text), Some(Err(Refused::Incomplete(_)))), "{bad}");
        }
    }
}
